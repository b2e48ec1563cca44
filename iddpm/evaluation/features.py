"""Networks that turn images into the feature vectors which distances are measured in.

For data with labels a small classifier is trained and its last hidden layer read; for data without,
a fixed random network is read at several scales. Either is a function of its config alone, and is
known by the hash of its weights: numbers over features of different hashes are never compared. The
features that published FIDs are over come from a file of weights.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from iddpm.arrays import Float32Array, Int64Array, UInt8Array
from iddpm.bounds import ConfigError
from iddpm.config import data_name
from iddpm.config_fields import canonical
from iddpm.data import Description, Images, batch_indices, describe, load, to_unit
from iddpm.evaluation import inception
from iddpm.evaluation.config import Classifier, ExtractorConfig, Inception, RandomNetwork
from iddpm.evaluation.inception import empty_inception, load_inception
from iddpm.evaluation.weights_file import is_published
from iddpm.networks import vit
from iddpm.networks.precision import arithmetic
from iddpm.networks.vit import load_vit
from iddpm.running import checkpoints
from iddpm.running.draws import derived_seed, generator
from iddpm.running.files import Held
from iddpm.running.interruption import Interrupted, Progress, StopCheck

PUBLISHED_WIDTHS = {384: "dinov2-vits14", 768: "dinov2-vitb14", 1024: "dinov2-vitl14"}

# ---------------------------------------------------------------------------------- extractors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extractor:
    """A network with its weights and what is known of it."""

    name: str
    """The data that it is made for, and its kind (`digits-classifier`), or that of its weights."""
    network: nn.Module
    """From images in [-1, 1], shape (B, C, H, W), to features (B, D)."""
    dimensions: int
    """The D of its features."""
    test_accuracy: float | None
    """Share of test images that the classifier is right about; None: it is no classifier."""
    levels: int
    """Of the images that it reads."""
    resize: str = "none"
    """How it brings them to its own size."""

    @property
    def sha256(self) -> str:
        """Hash, as hex, of its weights: their names, shapes, types and bytes."""
        return checkpoints.digest(self.network.state_dict())

    def features(self, images: UInt8Array) -> Float32Array:
        """Features (N, D) of images given as level indices (N, H, W, C).

        Raises:
            ValueError: If they are none.
        """
        if images.ndim != 4 or images.dtype != np.uint8:
            raise ValueError(
                "features.images: expected uint8 level indices of shape (N, H, W, C), found "
                f"{images.dtype} of shape {images.shape}; iddpm.samplers.to_uint8 makes them of a "
                "sampler's images"
            )
        if (most := int(images.max(initial=0))) >= self.levels:
            raise ValueError(
                f"features.images: expected levels below {self.levels}, as {self.name} reads "
                f"them, found {most}"
            )
        return extract(self.network, images, levels=self.levels)

    def as_json(self) -> dict[str, Any]:
        """Plain values for a result file."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "features": self.dimensions,
            "test_accuracy": self.test_accuracy,
        }


def make_extractor(
    config: ExtractorConfig,
    *,
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
) -> Extractor:
    """The extractor that a config describes, trained where its kind is.

    Always on the CPU, so that every machine with one torch build makes the same weights.

    Args:
        config: Its kind and settings.
        progress: Told the training steps done, of how many.
        should_stop: Asked before each training step.

    Raises:
        ConfigError: If a classifier is asked of data without labels, or the weights of Inception-V3
            are missing or others.
        Interrupted: If `should_stop` said so. Nothing is kept: it is a matter of seconds.
    """
    if isinstance(config, Inception):
        return _extractor(config, load_inception(Path(config.path), config.sha256), None)
    network = _built(config)
    accuracy = None
    if isinstance(config, Classifier):
        assert isinstance(network, ClassifierNetwork)
        _train(network, config, progress, should_stop)
        accuracy = _test_accuracy(network, config)
    return _extractor(config, network, accuracy)


def dinov2(path: Path) -> Extractor:
    """The extractor of published weights of DINOv2; no hash tells which they are, so it is named
    by their shape and known by their content.

    Raises:
        ConfigError: If the file is missing, or does not hold such weights.
    """
    network = load_vit(path)
    return Extractor(
        name=PUBLISHED_WIDTHS.get(network.width, "dinov2"),
        network=network,
        dimensions=network.width,
        test_accuracy=None,
        levels=vit.LEVELS,
        resize=vit.RESIZE,
    )


def save_extractor(
    path: Path, config: ExtractorConfig, extractor: Extractor, *, held: Held = nullcontext
) -> None:
    """Write an extractor, whole or not at all; `held` keeps its folder, or raises.

    Raises:
        StorageError: If the file cannot be written.
    """
    state = {
        "weights": extractor.network.state_dict(),
        "test_accuracy": extractor.test_accuracy,
    }
    checkpoints.save(path, _content(config), state, held=held)


def load_extractor(path: Path, config: ExtractorConfig) -> Extractor:
    """The extractor that `save_extractor` wrote for the same config, on the CPU.

    Raises:
        CheckpointError: If the file is cut short, foreign, or an extractor of another config.
    """
    state = checkpoints.load(path, _content(config))
    network = empty_inception() if isinstance(config, Inception) else _built(config)
    network.load_state_dict(state["weights"], assign=isinstance(config, Inception))
    return _extractor(config, network, state["test_accuracy"])


def extract(
    network: nn.Module, images: UInt8Array, *, levels: int, block_size: int = 256
) -> Float32Array:
    """Features (N, D) of images given as level indices (N, H, W, C).

    Every call of the network holds `block_size` images, the last block filled up with black ones:
    the features of an image do not depend on how many others there are. The arithmetic is float32,
    on a GPU too.
    """
    device = next(network.parameters()).device
    features: list[Float32Array] = []
    for start in range(0, len(images), block_size):
        block = images[start : start + block_size]
        full = np.zeros((block_size, *images.shape[1:]), dtype=np.uint8)
        full[: len(block)] = block
        with torch.no_grad(), arithmetic("float32", device):
            found = network(torch.from_numpy(to_unit(full, levels)).to(device))
        features.append(found[: len(block)].float().cpu().numpy())
    return np.concatenate(features)


def _extractor(config: ExtractorConfig, network: nn.Module, accuracy: float | None) -> Extractor:
    if isinstance(config, Inception):
        return Extractor(
            name=inception.NAME if is_published(config.sha256) else inception.OTHER,
            network=network.eval(),
            dimensions=inception.FEATURES,
            test_accuracy=None,
            levels=inception.LEVELS,
            resize=inception.RESIZE,
        )
    return Extractor(
        name=f"{data_name(config.data)}-{config.kind}",
        network=network.eval(),
        dimensions=config.features,
        test_accuracy=accuracy,
        levels=describe(config.data).levels,
    )


def _built(config: Classifier | RandomNetwork) -> nn.Module:
    """The network of a config with its first weights, drawn from the config's seed."""
    data = describe(config.data)
    if isinstance(config, Classifier):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(config.seed, "classifier weights"))
            return ClassifierNetwork(
                channels=data.channels,
                classes=_classes(data),
                width=config.channels,
                features=config.features,
            )
    return RandomFeatures(
        channels=data.channels,
        width=config.channels,
        features=config.features,
        draws=generator(config.seed, "random network"),
    )


def _classes(data: Description) -> int:
    if data.classes is None:
        raise ConfigError(
            "extractor.classifier.data", "data with labels", "none", "use the extractor 'random'"
        )
    return data.classes


def _content(config: ExtractorConfig) -> dict[str, Any]:
    return {"extractor": canonical(config)}


# ---------------------------------------------------------------------------------- classifier


class ClassifierNetwork(nn.Module):
    """Three convolutions, a hidden layer of features, and a score for each class."""

    def __init__(self, *, channels: int, classes: int, width: int, features: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(4),
        )
        self.hidden = nn.Linear(2 * width * 4 * 4, features)
        self.scores = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """The last hidden layer, shape (B, features)."""
        return functional.silu(self.hidden(self.convolutions(images).flatten(1)))

    def logits(self, images: Tensor) -> Tensor:
        """Unnormalised log-probabilities of the classes, shape (B, classes)."""
        scores: Tensor = self.scores(self(images))
        return scores


def _train(
    network: ClassifierNetwork, config: Classifier, progress: Progress, should_stop: StopCheck
) -> None:
    data = load(config.data, "train")
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for step in range(config.steps):
        if should_stop():
            raise Interrupted("extractor: asked to stop; its training starts again")
        batch = batch_indices(len(data.images), config.batch_size, config.seed, step)
        images, labels = _told(data, batch)
        loss = functional.cross_entropy(network.logits(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress(step + 1, config.steps)


@torch.no_grad()
def _test_accuracy(network: ClassifierNetwork, config: Classifier) -> float:
    data = load(config.data, "test")
    right = []
    for start in range(0, len(data.images), 256):
        images, labels = _told(data, slice(start, start + 256))
        right.append(network.logits(images).argmax(1) == labels)
    return float(torch.cat(right).double().mean())


def _told(data: Images, rows: slice | Int64Array) -> tuple[Tensor, Tensor]:
    """Some images in [-1, 1] and their labels."""
    assert data.labels is not None
    images = torch.from_numpy(to_unit(data.images[rows], data.levels))
    return images, torch.from_numpy(data.labels[rows])


# ------------------------------------------------------------------------------ random network


class RandomFeatures(nn.Module):
    """Untrained convolutions read at three scales: where they respond, how much, how evenly.

    At each scale every channel gives its mean and its standard deviation over the image; a random
    projection mixes them to the number of features asked for. Scales halve in size, and an image
    too small for one more is read at its last size again.
    """

    SCALES = 3

    def __init__(self, *, channels: int, width: int, features: int, draws: torch.Generator) -> None:
        super().__init__()
        inputs = [channels, *[width] * (self.SCALES - 1)]
        self.convolutions = nn.ParameterList(
            _frozen((width, count, 3, 3), fan_in=9 * count, draws=draws) for count in inputs
        )
        pooled = 2 * width * self.SCALES
        self.projection = _frozen((features, pooled), fan_in=pooled, draws=draws)

    def forward(self, images: Tensor) -> Tensor:
        """Shape (B, features)."""
        pooled = []
        for scale, weight in enumerate(self.convolutions):
            if scale > 0 and min(images.shape[2:]) > 1:
                images = functional.avg_pool2d(images, 2)
            images = functional.leaky_relu(functional.conv2d(images, weight, padding=1), 0.2)
            pooled += [images.mean((2, 3)), images.std((2, 3), correction=0)]
        return functional.linear(torch.cat(pooled, dim=1), self.projection)


def _frozen(shape: tuple[int, ...], *, fan_in: int, draws: torch.Generator) -> nn.Parameter:
    """Weights that keep the size of what passes through them, and never learn."""
    weight = torch.randn(shape, generator=draws) * math.sqrt(2 / fan_in)
    return nn.Parameter(weight, requires_grad=False)
