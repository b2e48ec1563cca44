"""A network trained and asked in a few lines, without a config, a folder or a store.

    import iddpm

    data = iddpm.Digits()
    model = iddpm.train(data, objective=iddpm.Hybrid(), steps=800)
    images = model.sample(64, steps=50)
    model.likelihood(images=32).bits_per_dim

What a study does task by task is done here by the same functions on the same draws, so a number
from here is the number of a study with these settings.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from iddpm import build, training
from iddpm.arrays import UInt8Array
from iddpm.bounds import MOST_IMAGES, Between, ConfigError, require_type
from iddpm.checks import check_likelihood, check_samples, check_training
from iddpm.config import (
    Data,
    DiffusionConfig,
    Objective,
    OptimizerConfig,
    Schedule,
    Simple,
    Split,
    StepNoise,
    TrainConfig,
    UNetConfig,
    Variance,
)
from iddpm.data import Selection, describe, first_rows, load, may_be_sorted
from iddpm.denoiser import Denoiser
from iddpm.evaluation.config import (
    Ancestral,
    Classifier,
    LikelihoodConfig,
    RandomNetwork,
    SampleConfig,
    Sampler,
)
from iddpm.evaluation.features import Extractor, make_extractor
from iddpm.evaluation.likelihood import Likelihood, Reading
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.precision import arithmetic
from iddpm.networks.unet import UNet
from iddpm.plain import configured, plain
from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.draws import generator
from iddpm.running.files import make_folder, weights_file
from iddpm.running.interruption import Progress
from iddpm.samplers import to_uint8
from iddpm.strides import stride_timesteps

SMALL = UNetConfig(
    model_channels=16,
    channel_mult=(1, 2),
    res_blocks=1,
    attention_resolutions=(),
    groups=8,
)
"""A network of some 180,000 parameters, for images of 8 to 32 pixels on a laptop."""

BLOCK = 64
"""Images that share a network call, and a stream of draws."""


def train(
    data: Data,
    *,
    objective: Objective = Simple(),  # noqa: B008 (a frozen value)
    schedule: Schedule = "cosine",
    T: int = 1000,
    network: UNetConfig = SMALL,
    steps: int = 800,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    ema_decay: float = 0.99,
    seed: int = 0,
    folder: Path | str | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = lambda done, total: None,
) -> "Model":
    """A network trained on the `train` split of `data`, ready to be asked.

    The defaults take about a minute of a core on digits; `iddpm.training.train` has every setting.

    Args:
        data: Images, such as `Digits()` or `Npz(path=...)`.
        objective: The loss: `Simple()`, `Vlb()` or `Hybrid()`, which learns Σ.
        schedule: Of the forward process.
        T: Steps of the forward process.
        network: The UNet.
        steps: Of the training; `batch_size` images and Adam's `learning_rate` are each step's.
        ema_decay: Of the average of the weights that the model has.
        seed: Of all draws.
        folder: Where the state is kept; the same call goes on there. None: it is not kept.
        device: Where to train, and then to sample.
        progress: Told of each step done.

    Raises:
        ConfigError: If an argument is wrong, or two do not go together, or with the data.
        Diverged: If the loss stops being finite.
        StorageError: If the folder cannot be made (before the first step) or written.
    """
    config = TrainConfig(
        data=data,
        diffusion=DiffusionConfig(schedule=schedule, steps=T),
        network=network,
        objective=objective,
        optimizer=OptimizerConfig(learning_rate=learning_rate),
        batch_size=batch_size,
        ema_decays=(ema_decay,),
        seed=seed,
        steps=steps,
    )
    return _trained(config, folder, device, progress)


def _trained(
    config: TrainConfig,
    folder: Path | str | None,
    device: torch.device | str,
    progress: Progress,
) -> "Model":
    """The network of a config with its one average of the weights."""
    check_training(config, describe(config.data))
    (ema_decay,) = config.ema_decays
    with TemporaryDirectory() if folder is None else nullcontext(str(folder)) as kept:
        result = training.train(config, Path(kept), device=device, progress=progress)
        unet = training.load_network(
            weights_file(Path(kept)), config, ema_decay=ema_decay, device=device
        )
    return _model(config, unet, result, device)


def _model(
    config: TrainConfig, unet: UNet, result: training.TrainResult, device: torch.device | str
) -> "Model":
    diffusion = build.diffusion(config.diffusion).to(device)
    return Model(
        config=config,
        denoiser=build.denoiser(config, unet, diffusion),
        result=result,
        device=torch.device(device),
    )


SAVED = {"kind": "model"}
"""What the file of a model is a checkpoint of."""


def _saved(path: Path) -> tuple[TrainConfig, training.TrainResult, dict[str, Tensor]]:
    """What a file of `Model.save` holds.

    Raises:
        CheckpointError: As `Model.load`.
        ConfigError: The same.
    """
    try:
        state = checkpoints.load(path, SAVED)
        config = configured(TrainConfig, state["config"])
        result = training.TrainResult(**state["result"])
        weights, known = state["weights"], state["data_digest"]
        (ema_decay,) = config.ema_decays
        noted = result.weights[str(ema_decay)]
    except (CheckpointError, ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: expected a model that Model.save wrote, found none that can be read "
            f"({error}); load the file of a model, or train it again"
        ) from error
    if checkpoints.digest(weights) != noted:
        raise CheckpointError(
            f"{path}: expected the weights whose hash their training noted, {noted[:12]}, found "
            "others; the file was changed after it was saved"
        )
    if describe(config.data).digest != known:
        expected = f"the data that the model was trained on, of digest {known}"
        raise ConfigError(config.data.where, expected, "others in their place")
    return config, result, weights


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A trained network, read as the reverse process over its whole chain."""

    config: TrainConfig
    """How it was trained."""
    denoiser: Denoiser
    result: training.TrainResult
    """What its training came to, the loss curve included."""
    device: torch.device

    def __repr__(self) -> str:
        config = self.config
        told = f"{config.objective.kind}, T = {config.diffusion.steps}, {config.steps} steps"
        return f"<model of {config.data.kind}: {told}, {self.result.parameters:,} parameters>"

    def save(self, path: Path | str) -> None:
        """Write the model into one file, whole or not at all: `Model.load` gives it back.

        The file holds weights, config and result, and no optimizer: a training goes on from the
        `folder` of `train`. `iddpm.exporting` writes for other programs.

        Raises:
            StorageError: If its folder cannot be made, or the file cannot be written.
        """
        file, network = Path(path), self.denoiser.network
        assert isinstance(network, UNet)  # as `train` and `load` make it
        make_folder(file.parent)
        state = {
            "config": plain(self.config),
            "data_digest": describe(self.config.data).digest,
            "result": self.result.as_json(),
            "weights": checkpoints.copied(network.state_dict()),
        }
        checkpoints.save(file, SAVED, state)

    @classmethod
    def load(cls, path: Path | str, *, device: torch.device | str = "cpu") -> "Model":
        """The model that `save` wrote: it draws the same images, bit for bit. It runs no code.

        Args:
            path: Its file.
            device: Where to sample.

        Raises:
            CheckpointError: If the file is damaged, is no such model, is of a newer version, or if
                its weights are not those of its training.
            ConfigError: If the data that it was trained on are not here, or have changed.
            OSError: If it cannot be read.
        """
        config, result, weights = _saved(Path(path))
        unet = training.restored(config, weights, device=device)
        return _model(config, unet, result, device)

    def sample(
        self,
        count: int,
        *,
        steps: int | None = None,
        sampler: Sampler | None = None,
        noise: StepNoise = "independent",
        seed: int = 0,
    ) -> UInt8Array:
        """Images as level indices 0..levels-1, shape (count, H, W, C).

        The first images of a longer stream are those of a shorter one.

        Args:
            count: How many.
            steps: Of the reverse process, each a network call; None: all T.
            sampler: `Ancestral(variance=...)` or `Ddim()`; None: ancestral, with the Σ that was
                learned, or else β.
            noise: Of the steps; `brownian` is shared by chains of any length.
            seed: Of the noise.

        Raises:
            ConfigError: If the network cannot be sampled that way.
        """
        require_type("sample.count", int, count)
        Between(1, MOST_IMAGES).check("sample.count", count)
        learned: Variance = self.config.learned_variance or "beta"
        config = SampleConfig(
            sampler=Ancestral(variance=learned) if sampler is None else sampler,
            steps=self.config.diffusion.steps if steps is None else steps,
            last_block=-(-count // BLOCK),
            block_size=BLOCK,
            noise=noise,
            seed=seed,
        )
        check_samples(config, self.config)
        draw = build.sampler(config, self.denoiser)
        blocks = [
            images
            for block in range(config.last_block)
            for images in blocks_of_images(config, self.config, draw, [block], self.device)
        ]
        return np.concatenate(blocks)[:count]

    def likelihood(
        self,
        *,
        images: int | None = None,
        split: Split = "test",
        steps: int | None = None,
        seed: int = 0,
    ) -> Likelihood:
        """The bound on the likelihood of a split, for each Σ that the network can be read with.

        Args:
            images: The first so many, by `iddpm.data.first_rows`; None: the whole split.
            split: `test` or `train`.
            steps: Of a shorter chain; None: all T, which takes T network calls for an image.
            seed: Of the noise.

        Raises:
            ConfigError: If the bound cannot be taken that way.
        """
        config = LikelihoodConfig(split=split, images=images, steps=steps, seed=seed)
        trained, about = self.config, describe(self.config.data)
        check_likelihood(config, trained, about)
        data = load(trained.data, split)
        rows = first_rows(len(data.images), images, permuted=may_be_sorted(trained.data))
        diffusion = self.denoiser.diffusion
        if steps is not None:
            kept = stride_timesteps(config.stride, diffusion.steps, steps)
            diffusion = diffusion.respaced(kept)
        reading = Reading(
            denoiser=build.denoiser(trained, self.denoiser.network, diffusion),
            levels=about.levels,
            variances=trained.variances,
            clip=config.clip,
            block_size=config.block_size,
            seed=seed,
        )
        is_told = trained.network.class_conditional and data.labels is not None
        blocks = reading.blocks(
            Selection(data.images, rows),
            labels=data.labels[rows] if is_told and data.labels is not None else None,
            device=self.device,
        )
        return reading.bound(blocks, dimensions=about.channels * about.size**2)


def extractor(data: Data, *, seed: int = 0) -> Extractor:
    """What turns images into the features that distances are measured in.

    A small classifier, trained in seconds, for data with labels; for others a fixed random
    network. A Fréchet distance over these features is no FID.

    Args:
        data: What the images are like.
        seed: Of its weights.

    Raises:
        ConfigError: If the data cannot be read.
    """
    if describe(data).classes is None:
        return make_extractor(RandomNetwork(data=data, seed=seed))
    return make_extractor(Classifier(data=data, seed=seed))


def blocks_of_images(
    config: SampleConfig,
    trained: TrainConfig,
    draw: build.Sample,
    blocks: Sequence[int],
    device: torch.device | str,
) -> list[UInt8Array]:
    """Blocks of images as level indices (B, H, W, C), drawn side by side.

    Every sampler of one seed starts from the same x_T. The label of an image is its place in the
    stream modulo the number of classes. No draw of a block depends on the others.
    """
    data, size = describe(trained.data), config.block_size
    shape = (size, data.channels, data.size, data.size)
    starts = [torch.randn(shape, generator=generator(config.seed, "x_T", one)) for one in blocks]
    noise = [generator(config.seed, "reverse", one, device=device) for one in blocks]
    classes, given = labels_told(trained), None
    if classes is not None:
        places = torch.cat([torch.arange(one * size, (one + 1) * size) for one in blocks])
        given = Conditioning(labels=(places % classes).to(device))
    with arithmetic(config.precision, device):
        x_0 = draw(torch.cat(starts).to(device), noise if noise[1:] else noise[0], given)
    return np.split(to_uint8(x_0, data.levels).cpu().numpy(), len(blocks))


def labels_told(trained: TrainConfig) -> int | None:
    """How many labels the network is told apart; None: it is told none."""
    return describe(trained.data).classes if trained.network.class_conditional else None
