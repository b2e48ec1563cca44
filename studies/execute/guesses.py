"""How long a task takes of which nothing like it was measured: a guess, and always called one.

It is the multiply-adds of what the task computes over a rate that is stated here for the kind of
device, and some seconds to begin. Such a guess may be wrong several times over, in both directions:
it is there to tell an hour from a month before anything has run. What a store has measured is
asked first (`studies.execute.forecast`).
"""

from collections.abc import Callable
from dataclasses import replace

from iddpm.config import (
    Classifier,
    FeaturesConfig,
    GanConfig,
    Inception,
    Precision,
    RadiiConfig,
    RandomNetwork,
    ScoreConfig,
    TrainConfig,
)
from iddpm.data import outline
from iddpm.networks.size import (
    FORWARD_AND_BACK,
    gan_multiply_adds,
    generator_size,
    trained_size,
    training_compute,
)
from studies.tasks.counts import network_calls, steps_before
from studies.tasks.task import Task

CPU_CORE = 1.0e10
"""Multiply-adds a second of one thread: digits of 8x8 train and are bounded at that pace."""

GPUS: dict[str, dict[Precision, float]] = {
    "h200": {"float32": 15e12, "tf32": 38e12, "bf16": 60e12},
    "h100": {"float32": 15e12, "tf32": 38e12, "bf16": 60e12},
    "a100": {"float32": 7e12, "tf32": 18e12, "bf16": 30e12},
}
"""Multiply-adds a second that a GPU keeps up, by what its name holds. None was measured: on an H100
it is the CIFAR-10 network trained at 600, 1,500 and 2,400 images a second, on an A100 half that."""

ANY_GPU = GPUS["a100"]
"""Of a GPU of another name, or of none."""

ON_A_GPU = (
    *("train", "sample", "features", "likelihood", "likelihood_shard", "gradient_noise"),
    *("gan", "gan_sample"),
)
"""Kinds whose work a GPU does where there is one. The others compute in NumPy, or on a CPU so that
every machine makes the same."""

BEGINNING_S = 10.0
"""To start Python, load libraries and read what is needed."""

INCEPTION = 5_700_000_000
"""Multiply-adds of Inception-V3 on one image of 299x299 pixels (Szegedy et al. 2016,
arXiv:1512.00567, Table 3 and Section 6: some five billion), by torch's count."""
INCEPTION_FEATURES = 2048

EIGEN = 25
"""The distance of two sets takes so many times D^3 multiply-adds, of two decompositions."""


def guess(
    task: Task, parent: Callable[[str], Task], *, gpu: str | None, processes: int = 1
) -> float:
    """Seconds that a task may take.

    Args:
        task: The task. What it comes after is taken to be done by then.
        parent: From the address of a task that it needs or comes after to that task.
        gpu: Name of the GPU that each process has; empty: of no known name; None: it has none.
        processes: They share the work of a training.
    """
    rate = CPU_CORE
    if gpu is not None and task.kind in ON_A_GPU:
        rate = _of_gpu(gpu)[_precision(task, parent)]
    return BEGINNING_S + multiply_adds(task, parent) / (rate * processes)


def _of_gpu(name: str) -> dict[Precision, float]:
    return next((rates for word, rates in GPUS.items() if word in name.lower()), ANY_GPU)


def _precision(task: Task, parent: Callable[[str], Task]) -> Precision:
    """Of what a task computes; what has no such setting computes in float32."""
    config = getattr(task.config, "part", task.config)  # of a shard of a bound
    precision: Precision = getattr(config, "precision", "float32")
    return precision


def multiply_adds(task: Task, parent: Callable[[str], Task]) -> int:
    """Multiply-adds of what a task has to compute, its earlier steps by another task left out.

    Args:
        task: The task.
        parent: From the address of a task that it needs or comes after to that task.
    """
    config = task.config
    if isinstance(config, TrainConfig):
        left = max(config.steps - steps_before(task, parent), 0)
        return training_compute(replace(config, steps=1), outline(config.data)) * left
    if isinstance(config, GanConfig):
        return gan_multiply_adds(config, outline(config.data))
    if isinstance(config, FeaturesConfig):
        return (config.images or 1) * _of_extractor(task, parent)
    if isinstance(config, ScoreConfig):
        return _of_score(task, parent)
    if isinstance(config, RadiiConfig):
        return _of_radii(task, parent)
    if isinstance(config, Classifier):
        return FORWARD_AND_BACK * config.batch_size * config.steps * _of_small_network(config)
    return _of_network(task, parent)


def _of_network(task: Task, parent: Callable[[str], Task]) -> int:
    """Of a task that calls a network which another has trained."""
    if "network" not in task.parents:
        return 0
    trained = parent(task.parents["network"]).config
    calls = network_calls(task.config, trained)
    if isinstance(trained, GanConfig):
        return calls * generator_size(trained, outline(trained.data)).multiply_adds
    assert isinstance(trained, TrainConfig)
    return calls * trained_size(trained, outline(trained.data)).multiply_adds


def _of_extractor(task: Task, parent: Callable[[str], Task]) -> int:
    """Of the features of one image."""
    extractor = parent(task.parents["extractor"]).config
    if isinstance(extractor, Inception):
        return INCEPTION
    assert isinstance(extractor, Classifier | RandomNetwork)
    return _of_small_network(extractor)


def _of_small_network(config: Classifier | RandomNetwork) -> int:
    """Of a classifier's three convolutions and its layer of features; the other is like it."""
    data, width = outline(config.data), config.channels
    first = data.size**2 * 9 * data.channels * width
    others = (data.size // 2) ** 2 * 9 * (width + 2 * width) * 2 * width
    return first + others + 16 * 2 * width * config.features


def _of_score(task: Task, parent: Callable[[str], Task]) -> int:
    """Of all distances that a score takes between vectors of features, and of the moments'."""
    ours, theirs = (parent(task.parents[role]) for role in ("generated", "reference"))
    width, drawn, real = _width(ours, parent), _vectors(ours), _vectors(theirs)
    pairs = drawn * (drawn + real) + (0 if "radii" in task.parents else real * real)
    return width * pairs + EIGEN * width**3


def _of_radii(task: Task, parent: Callable[[str], Task]) -> int:
    """Of the distance of every vector of features to every other."""
    features = parent(task.parents["features"])
    return _width(features, parent) * _vectors(features) ** 2


def _width(features: Task, parent: Callable[[str], Task]) -> int:
    """Numbers in a vector of features."""
    made = parent(features.parents["extractor"]).config
    assert isinstance(made, Classifier | RandomNetwork | Inception)
    return INCEPTION_FEATURES if isinstance(made, Inception) else made.features


def _vectors(features: Task) -> int:
    """How many vectors of features are kept."""
    config = features.config
    assert isinstance(config, FeaturesConfig)
    return config.keep or config.images or 1
