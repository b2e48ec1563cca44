"""What each kind of task does: one function from a `Work` to the content of its result file.

A result is a function of the task's address alone. Finished parts are kept in the task's folder,
so that a second call goes on where a first one stopped.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iddpm import build, training
from iddpm.checkpoints import CheckpointError
from iddpm.conditioning import Conditioning
from iddpm.config import (
    Classifier,
    ExternalConfig,
    FeaturesConfig,
    GanConfig,
    GanSampleConfig,
    GradientNoiseConfig,
    Inception,
    LatentsConfig,
    LikelihoodConfig,
    RandomNetwork,
    SampleConfig,
    ScoreConfig,
    TrainConfig,
    canonical,
    data_name,
)
from iddpm.data import describe, load, to_unit
from iddpm.denoiser import Denoiser, Network
from iddpm.draws import generator
from iddpm.ensembles import SwitchedNetwork
from iddpm.evaluation import gradient_noise as noise
from iddpm.evaluation import likelihood as bound
from iddpm.evaluation.features import (
    Extractor,
    extract,
    load_extractor,
    make_extractor,
    save_extractor,
)
from iddpm.evaluation.frechet import BLOCK as MOMENTS_BLOCK
from iddpm.evaluation.frechet import (
    Distance,
    Moments,
    distance_of_moments,
    frechet_distance,
    merged,
    moments,
)
from iddpm.evaluation.metrics import METRICS
from iddpm.evaluation.precision_recall import precision_recall
from iddpm.external import load_external
from iddpm.files import read_json, write_whole
from iddpm.flat import FlatWeights
from iddpm.gan import Generator
from iddpm.gan_training import load_generator, train_gan
from iddpm.interruption import Interrupted, Progress, StopCheck
from iddpm.precision import arithmetic
from iddpm.ranks import ALONE, Ranks
from iddpm.samplers import to_uint8
from iddpm.strides import stride_timesteps
from iddpm.unet import UNet
from studies.arrays import damaged, read_array
from studies.store import BLOCKS
from studies.tasks import Task, task_from_json

UInt8Array = NDArray[np.uint8]

EXTRACTOR = "extractor.pt"
SAMPLES = "samples.npy"
FEATURES = "features.npz"
LATENTS = "latents.npy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task and all that doing it takes."""

    task: Task
    folder: Path
    """Where this task keeps its files."""
    parents: dict[str, Path]
    """By role, the folder of each task that this one needs; all are done."""
    parent_tasks: dict[str, Task]
    """By role, what they are."""
    progress: Progress
    should_stop: StopCheck
    device: str
    ranks: Ranks = ALONE
    """The processes that do it together; only a training knows how."""


def device() -> str:
    """Where tasks run on this machine."""
    return "cuda" if torch.cuda.is_available() else "cpu"


# ------------------------------------------------------------------------------------- training


def train(work: Work) -> dict[str, Any]:
    """A network trained to its last step; leaves the full state in the folder."""
    config = work.task.config
    assert isinstance(config, TrainConfig)
    return training.train(
        config,
        work.folder,
        start=_shorter_training(work, config),
        device=work.device,
        progress=work.progress,
        should_stop=work.should_stop,
        ranks=work.ranks,
    ).as_json()


def _shorter_training(work: Work, config: TrainConfig | GanConfig) -> Path | None:
    """The state of the longest finished training in the store that this one continues."""
    states: dict[int, Path] = {}
    for result in work.folder.parent.glob(f"{work.task.kind}-*/result.json"):
        with suppress(ValueError):  # written by another version: its state is not continued
            earlier = task_from_json(read_json(result.with_name("task.json"))).config
            assert isinstance(earlier, TrainConfig | GanConfig)
            if earlier.steps < config.steps and replace(earlier, steps=config.steps) == config:
                states[earlier.steps] = result.with_name(training.STATE_FILE)
    return states[max(states)] if states else None


def _trained(work: Work, config: SampleConfig | LikelihoodConfig) -> tuple[TrainConfig, Denoiser]:
    """The network of the role `network`, read over the whole chain that it was trained on.

    In an ensemble the network of the role `network_b` takes its part of that chain.
    """
    trained, network = _network(work, "network", config.ema_decay)
    diffusion = build.diffusion(trained.diffusion).to(work.device)
    if config.ensemble is None:
        return trained, build.denoiser(trained, network, diffusion)
    _, partner = _network(work, "network_b", config.ema_decay)
    inner_steps = config.ensemble.inner_steps(trained.diffusion.steps)
    both = SwitchedNetwork(inner=network, outer=partner, inner_steps=inner_steps)
    return trained, build.denoiser(trained, both, diffusion)


def _network(work: Work, role: str, ema_decay: float | None) -> tuple[TrainConfig, UNet]:
    """The network of a role and how it was trained."""
    config = work.parent_tasks[role].config
    assert isinstance(config, TrainConfig)
    state = work.parents[role] / training.STATE_FILE
    with _of_a_finished_task(state):
        network = training.load_network(state, config, ema_decay=ema_decay, device=work.device)
    return config, network


@contextmanager
def _of_a_finished_task(path: Path) -> Iterator[None]:
    """Says of weights that cannot be used what helps: the task that left them must run again.

    Raises:
        StoreError: In place of an error about the checkpoint at `path`.
    """
    try:
        yield
    except (CheckpointError, FileNotFoundError) as error:
        raise damaged(path, "the weights of a finished task") from error


# ------------------------------------------------------------------------------------- sampling


def sample(work: Work) -> dict[str, Any]:
    """One shard of images, block by block; leaves their level indices in `samples.npy`."""
    config = work.task.config
    assert isinstance(config, SampleConfig)
    trained, denoiser = _trained(work, config)
    steps = build.reverse_steps(config, trained.diffusion.steps)
    blocks = range(config.first_block, config.last_block)
    network = Watched(denoiser.network, work, len(blocks) * steps)
    draw = build.sampler(config, replace(denoiser, network=network))
    (work.folder / BLOCKS).mkdir(exist_ok=True)
    finished = []
    for index, block in enumerate(blocks):
        network.calls = network.saved = index * steps
        path = work.folder / BLOCKS / f"{block:05d}.npy"
        if not path.exists():
            _save_array(path, block_of_images(config, trained, draw, block, work.device))
        finished.append(np.load(path, allow_pickle=False))
    images = np.concatenate(finished)
    _save_array(work.folder / SAMPLES, images)
    drawn = {
        "images": len(images),
        "sha256": _sha256(images),
        "network_calls": len(images) * steps,
    }
    classes = _classes(trained)
    return drawn if classes is None else {**drawn, "classes": classes}


def _classes(trained: TrainConfig) -> int | None:
    """How many labels the network is told apart; None: it is told none."""
    return describe(trained.data).classes if trained.network.class_conditional else None


def block_of_images(
    config: SampleConfig, trained: TrainConfig, draw: build.Sample, block: int, device: str
) -> UInt8Array:
    """One block of images as level indices (B, H, W, C).

    Every sampler of one seed starts from the same x_T. The label of an image is its place in the
    stream modulo the number of classes.
    """
    data = describe(trained.data)
    shape = (config.block_size, data.channels, data.size, data.size)
    x_T = torch.randn(shape, generator=generator(config.seed, "x_T", block)).to(device)
    classes, given = _classes(trained), None
    if classes is not None:
        places = torch.arange(block * config.block_size, (block + 1) * config.block_size)
        given = Conditioning(labels=(places % classes).to(device))
    with arithmetic(config.precision, device):
        x_0 = draw(x_T, generator(config.seed, "reverse", block, device=device), given)
    return to_uint8(x_0, data.levels).cpu().numpy()


class Watched:
    """A network that counts its calls for the one who watches, and can be stopped at any of them.

    What the calls were for is lost with the block that they belong to.
    """

    def __init__(self, network: Network, work: Work, total: int) -> None:
        self.calls = 0
        self.saved = 0
        """Calls whose images are on disk, as the caller says."""
        self._network = network
        self._work = work
        self._total = total

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        """The network's output.

        Raises:
            Interrupted: If asked to stop.
        """
        if self._work.should_stop():
            raise Interrupted(
                f"{self._work.task.address}: the finished blocks are kept", saved=self.saved
            )
        output = self._network(x_t, t, conditioning)
        self.calls += 1
        self._work.progress(self.calls, self._total)
        return output


# ----------------------------------------------------------------------------------- likelihood


def likelihood(work: Work) -> dict[str, Any]:
    """The bound on a split, by term and by step, for every variance that the network has."""
    config = work.task.config
    assert isinstance(config, LikelihoodConfig)
    trained, denoiser = _trained(work, config)
    if config.steps is not None:
        kept = stride_timesteps(config.stride, trained.diffusion.steps, config.steps)
        denoiser = replace(denoiser, diffusion=denoiser.diffusion.respaced(kept))
    data = load(trained.data, config.split)
    images = data.images[: config.images]
    labels = data.labels if trained.network.class_conditional else None
    blocks = work.folder / BLOCKS
    blocks.mkdir(exist_ok=True)
    with arithmetic(config.precision, work.device):
        result = bound.evaluate(
            denoiser,
            images,
            levels=data.levels,
            variances=trained.variances,
            clip=config.clip,
            block_size=config.block_size,
            seed=config.seed,
            labels=None if labels is None else labels[: config.images],
            device=work.device,
            folder=blocks,
            progress=work.progress,
            should_stop=work.should_stop,
        )
    recipe = {
        "split": f"{data_name(trained.data)}/{config.split}",
        "images": len(images),
        "clip": config.clip,
        "weights": _weights_role(config.ema_decay),
        "cdf": "tanh",
        "precision": config.precision,
    }
    return {**result.as_json(), "recipe": recipe}


# ------------------------------------------------------------------------------- gradient noise


def gradient_noise(work: Work) -> dict[str, Any]:
    """The noise scale of a training loss's gradient, at the weights that the training ended with.

    The network is in training mode, dropout and all: it is the gradient that training follows.
    """
    config = work.task.config
    assert isinstance(config, GradientNoiseConfig)
    trained, network = _network(work, "network", config.ema_decay)
    diffusion = build.diffusion(trained.diffusion).to(work.device)
    gradient = noise.LossGradient(
        objective=config.objective or trained.objective,
        denoiser=build.denoiser(trained, network.train().requires_grad_(True), diffusion),
        weights=FlatWeights(network),
        data=load(trained.data, "train"),
        class_conditional=trained.network.class_conditional,
        has_dropout=trained.network.dropout > 0,
        block_size=config.block_size,
        seed=config.seed,
        precision=config.precision,
        device=work.device,
    )
    blocks = work.folder / BLOCKS
    blocks.mkdir(exist_ok=True)
    result = noise.evaluate(
        gradient,
        draws=config.draws,
        blocks=config.blocks,
        block_size=config.block_size,
        folder=blocks,
        progress=work.progress,
        should_stop=work.should_stop,
    )
    recipe = {
        "split": f"{data_name(trained.data)}/train",
        "loss": "the training's" if config.objective is None else canonical(config.objective),
        "timesteps": "uniform",
        "weights": _weights_role(config.ema_decay),
        "small batch": result.small_batch,
        "big batch": result.big_batch,
        "draws": result.draws,
        "precision": config.precision,
    }
    return {**result.as_json(), "recipe": recipe}


def _weights_role(ema_decay: float | None) -> str:
    return "raw" if ema_decay is None else f"ema {ema_decay}"


# --------------------------------------------------------------------- features and their scores


def extractor(work: Work) -> dict[str, Any]:
    """The network that features are read from; leaves it in `extractor.pt`."""
    config = work.task.config
    assert isinstance(config, Classifier | RandomNetwork | Inception)
    made = make_extractor(config, progress=work.progress, should_stop=work.should_stop)
    save_extractor(work.folder / EXTRACTOR, config, made)
    return made.as_json()


def features(work: Work) -> dict[str, Any]:
    """Features and moments of drawn or of real images; leaves them in `features.npz`."""
    config, made = work.task.config, work.parent_tasks["extractor"].config
    assert isinstance(config, FeaturesConfig)
    assert isinstance(made, Classifier | RandomNetwork | Inception)
    weights = work.parents["extractor"] / EXTRACTOR
    with _of_a_finished_task(weights):
        read_by = load_extractor(weights, made)
    images, origin = _images(work, config)
    found, summary = _read(work, read_by, images)
    file = io.BytesIO()
    np.savez(file, features=found, mean=summary.mean, covariance=summary.covariance)
    write_whole(work.folder / FEATURES, file.getvalue())
    kept = {} if len(found) == len(images) else {"kept": len(found)}
    return {
        "images": len(images),
        "sha256": _sha256(found),
        "extractor": f"{read_by.name}:{read_by.sha256[:8]}",
        "resize": read_by.resize,
        **kept,
        **origin,
    }


def _read(
    work: Work, extractor: Extractor, images: UInt8Array
) -> tuple[NDArray[np.float32], Moments]:
    """The first features that are to be kept, and the moments of all, a part at a time."""
    config = work.task.config
    assert isinstance(config, FeaturesConfig)
    network, keep = extractor.network.to(work.device), config.keep or len(images)
    found: list[NDArray[np.float32]] = []
    summary: Moments | None = None
    for start in range(0, len(images), MOMENTS_BLOCK):
        part = extract(
            network,
            images[start : start + MOMENTS_BLOCK],
            levels=extractor.levels,
            block_size=config.block_size,
        )
        found.append(part[: max(0, keep - start)])
        summary = moments(part) if summary is None else merged(summary, moments(part))
        work.progress(start + len(part), len(images))
    assert summary is not None
    return np.concatenate(found), summary


def _images(work: Work, config: FeaturesConfig) -> tuple[UInt8Array, dict[str, str]]:
    """The first so many images of a split, or of the shards in their order, and what they are.

    Raises:
        ValueError: If there are fewer than were asked for.
    """
    if config.data is not None:
        origin = {"source": f"{data_name(config.data)}/{config.split}"}
        images = load(config.data, config.split).images
    else:
        roles = [role for role in work.parents if role.startswith("samples/")]
        images = np.concatenate([read_array(work.parents[role] / SAMPLES) for role in roles])
        origin = {"source": "samples", "weights": _drawn_by(work, roles[0])}
    if config.images is not None and len(images) < config.images:
        raise ValueError(
            f"features.images: expected at most the {len(images)} of {origin['source']}, "
            f"found {config.images}"
        )
    return images[: config.images], origin


def _drawn_by(work: Work, role: str) -> str:
    """Which weights drew the images of a shard; a rival's shard says it itself."""
    config = work.parent_tasks[role].config
    if isinstance(config, SampleConfig):
        return _weights_role(config.ema_decay)
    return str(read_json(work.parents[role] / "result.json")["weights"])


def score(work: Work) -> dict[str, Any]:
    """Fréchet distance, precision, recall and what else was asked for, against real images."""
    config = work.task.config
    assert isinstance(config, ScoreConfig)
    generated, real = (_features(work.parents[role]) for role in ("generated", "reference"))
    distance = _distance(work, generated, real)
    shares = precision_recall(real, generated, k=config.neighbours)
    return {
        "frechet_distance": distance.value,
        "clipped_mass": distance.clipped_mass,
        "precision": shares.precision,
        "recall": shares.recall,
        **{name: METRICS[name](real, generated) for name in config.metrics},
        "generated": len(generated),
        "reference": len(real),
        "dimensions": generated.shape[1],
        "neighbours": config.neighbours,
        "recipe": _score_recipe(work, config),
    }


def _distance(work: Work, generated: NDArray[np.float32], real: NDArray[np.float32]) -> Distance:
    """Between all that was read, of which the real features may be kept in part only."""
    folder = work.parents["reference"]
    images = read_json(folder / "result.json")["images"]
    if images == len(real):
        return frechet_distance(generated, real)
    mean, covariance = (read_array(folder / FEATURES, name) for name in ("mean", "covariance"))
    return distance_of_moments(moments(generated), Moments(mean, covariance, images))


def _score_recipe(work: Work, config: ScoreConfig) -> dict[str, Any]:
    """All that a score must share with another to be compared with it."""
    drawn, real = (read_json(work.parents[r] / "result.json") for r in ("generated", "reference"))
    assert drawn["extractor"] == real["extractor"]
    return {
        "extractor": drawn["extractor"],
        "reference": real["source"],
        "reference_images": real["images"],
        "images": drawn["images"],
        "weights": drawn["weights"],
        "resize": drawn.get("resize", "none"),
        "neighbours": config.neighbours,
        **({"neighbours_among": real["kept"]} if "kept" in real else {}),
    }


def _features(folder: Path) -> NDArray[np.float32]:
    return read_array(folder / FEATURES, "features")


# --------------------------------------------------------------------------------------- latents


def latents(work: Work) -> dict[str, Any]:
    """One image on its way to noise, Eq. 9; leaves float32 (count, H, W, C) in `latents.npy`."""
    config = work.task.config
    assert isinstance(config, LatentsConfig)
    data = load(config.data, config.split)
    x_0 = torch.from_numpy(to_unit(data.images[config.image : config.image + 1], data.levels))
    eps = torch.randn(x_0.shape, generator=generator(config.seed, "latents", config.image))
    diffusion = build.diffusion(config.diffusion)
    found = [diffusion.noised(x_0, t - 1, eps) if t else x_0 for t in config.steps]
    array = torch.cat(found).permute(0, 2, 3, 1).numpy()
    _save_array(work.folder / LATENTS, array)
    alpha_bar = [1.0, *diffusion.alpha_bar.tolist()]
    return {
        "steps": list(config.steps),
        "alpha_bar": [alpha_bar[t] for t in config.steps],
        "alpha_bar_halfway": alpha_bar[config.diffusion.steps // 2],
        "sha256": _sha256(array),
        "recipe": {
            "image": f"{data_name(config.data)}/{config.split} {config.image}",
            "noise": f"seed {config.seed}",
        },
    }


# ---------------------------------------------------------------------------------------- rivals


def gan(work: Work) -> dict[str, Any]:
    """A GAN trained to its last step; leaves the full state in the folder."""
    config = work.task.config
    assert isinstance(config, GanConfig)
    return train_gan(
        config,
        work.folder,
        start=_shorter_training(work, config),
        device=work.device,
        progress=work.progress,
        should_stop=work.should_stop,
    ).as_json()


def gan_sample(work: Work) -> dict[str, Any]:
    """One shard of a GAN's images, block by block; leaves their level indices in `samples.npy`.

    The label of an image is its place in the stream modulo the number of classes.

    Raises:
        Interrupted: If asked to stop; the finished blocks are kept.
    """
    config, trained = work.task.config, work.parent_tasks["network"].config
    assert isinstance(config, GanSampleConfig)
    assert isinstance(trained, GanConfig)
    state = work.parents["network"] / training.STATE_FILE
    with _of_a_finished_task(state):
        network = load_generator(state, trained, work.device)
    (work.folder / BLOCKS).mkdir(exist_ok=True)
    finished = []
    for index, block in enumerate(range(config.first_block, config.last_block)):
        done = index * config.block_size
        if work.should_stop():
            raise Interrupted(f"{work.task.address}: the finished blocks are kept", saved=done)
        path = work.folder / BLOCKS / f"{block:05d}.npy"
        if not path.exists():
            _save_array(path, gan_block(config, trained, network, block, work.device))
        finished.append(np.load(path, allow_pickle=False))
        work.progress(done + config.block_size, config.images)
    images = np.concatenate(finished)
    _save_array(work.folder / SAMPLES, images)
    return {
        "images": len(images),
        "sha256": _sha256(images),
        "weights": _weights_role(trained.ema_decay),
        "classes": describe(trained.data).classes,
    }


@torch.inference_mode()
def gan_block(
    config: GanSampleConfig, trained: GanConfig, network: Generator, block: int, device: str
) -> UInt8Array:
    """One block of a GAN's images as level indices (B, H, W, C)."""
    data, B = describe(trained.data), config.block_size
    assert data.classes is not None
    drawn = generator(config.seed, "z", block)
    z = torch.randn(B, trained.latent, generator=drawn).to(device)
    labels = (torch.arange(block * B, (block + 1) * B) % data.classes).to(device)
    return to_uint8(network(z, labels), data.levels).cpu().numpy()


def external(work: Work) -> dict[str, Any]:
    """Images from elsewhere, checked and kept in `samples.npy`: their files may go afterwards."""
    config = work.task.config
    assert isinstance(config, ExternalConfig)
    images = load_external(config, dict(work.task.digests)["images"])
    _save_array(work.folder / SAMPLES, images)
    return {"images": len(images), "sha256": _sha256(images), "weights": "as given"}


# ----------------------------------------------------------------------------------------- files


def _save_array(path: Path, array: NDArray[Any]) -> None:
    file = io.BytesIO()
    np.save(file, array)
    write_whole(path, file.getvalue())


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


RUNNERS: dict[str, Callable[[Work], dict[str, Any]]] = {
    "extractor": extractor,
    "train": train,
    "sample": sample,
    "features": features,
    "score": score,
    "likelihood": likelihood,
    "gradient_noise": gradient_noise,
    "latents": latents,
    "gan": gan,
    "gan_sample": gan_sample,
    "external": external,
}
"""What does the tasks of each kind."""
