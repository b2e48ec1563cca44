"""A part of data that lie class by class is of all classes, whatever reads it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iddpm import build
from iddpm.config import Npz
from iddpm.data import describe
from iddpm.evaluation.config import FeaturesConfig, RandomNetwork
from studies.plan.plan import Plan, expand
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tasks.task import PART, Task
from tests.witness import tiny
from tests.witness.stores import done
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET

CLASSES, EACH = 8, 10
COUNT = CLASSES * EACH
LABELS = np.repeat(np.arange(CLASSES), EACH)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
ORDER = np.random.RandomState(0).permutation(COUNT)
"""The permutation, by the generator whose stream NumPy never changes."""

SWEEP = """
study: parts
question: Are all classes seen?
preset: tiny
seeds: [0]
evaluate:
  - likelihood: {}
  - samples: {sampler: {ancestral: {variance: beta}}, steps: 4}
rivals:
  - external: {name: elsewhere, path: PATH}
"""


def in_the_order(rows: NDArray[np.int64], path: Path) -> Npz:
    """Both splits hold these images."""
    arrays = {"train": IMAGES[rows], "test": IMAGES[rows]}
    labels = {f"{split}_labels": LABELS[rows] for split in arrays}
    np.savez(path, **arrays, **labels)  # type: ignore[arg-type]
    return Npz(path=str(path))


@pytest.fixture
def class_by_class(tmp_path: Path) -> Npz:
    return in_the_order(np.arange(COUNT), tmp_path / "sorted.npz")


def planned(folder: Path, data: str, *changes: tuple[str, str]) -> Plan:
    np.savez(folder / "elsewhere.npz", IMAGES if "npz" in data else IMAGES[:9, ..., :1] // 16)
    preset = PRESET.replace("data: digits", f"data: {data}").replace("classifier:", "random:")
    preset = preset.replace(", steps: 3}}", "}}")
    for old, new in changes:
        assert old in preset
        preset = preset.replace(old, new)
    sweep = SWEEP.replace("PATH", str(folder / "elsewhere.npz"))
    return expand(read_sweep(write_sweep(folder, sweep, preset)))


def in_part(plan: Plan) -> set[str]:
    return {task.kind for task in plan.tasks.values() if task.takes_a_part}


ALL_OF_IT = (
    ("{images: 3, block_size", "{block_size"),
    ("reference: {images: 16}", "reference: {}"),
    ("    images: 6\n", f"    images: {COUNT}\n"),
)


def test_whatever_takes_the_first_images_of_a_file_takes_them_of_a_permutation(
    tmp_path: Path, class_by_class: Npz
) -> None:
    data = f"{{npz: {{path: {class_by_class.path}}}}}"
    assert in_part(planned(tmp_path, data)) == {"likelihood", "features", "external"}
    shards = planned(tmp_path, data, ("{images: 3,", "{images: 4, shard_blocks: 1,"))
    assert {"likelihood_shard", "likelihood_merge"} - in_part(shards) == set()
    kept = planned(tmp_path, data, *ALL_OF_IT[::2], ("{images: 16}", "{keep: 16}"))
    assert in_part(kept) == {"features"}
    assert in_part(planned(tmp_path, data, *ALL_OF_IT)) == set()


def test_what_is_shuffled_already_and_what_is_whole_keep_their_addresses(
    tmp_path: Path, class_by_class: Npz
) -> None:
    for plan in (
        planned(tmp_path, "digits", ("    images: 6\n", "    images: 9\n")),
        planned(tmp_path, f"{{npz: {{path: {class_by_class.path}}}}}", *ALL_OF_IT),
    ):
        names = {name for task in plan.tasks.values() for name, _ in task.digests}
        assert names == {"data", "images"}


def test_a_part_and_a_whole_of_equal_digests_have_different_addresses() -> None:
    whole = tiny.likelihood(tiny.training())
    assert replace(whole, digests=((PART, whole.digests[0][1]),)).address != whole.address


def features(store: Store, data: Npz, name: str, **settings: Any) -> NDArray[np.float32]:
    digest = describe(data).digest
    config = RandomNetwork(data=data, channels=2, features=4)
    extractor = Task(kind="extractor", config=config, digests=(("data", digest),))
    read = FeaturesConfig(data=data, block_size=16, **settings)
    needs = (("extractor", extractor.address),)
    task = Task(kind="features", config=read, inputs=needs, digests=((name, digest),))
    done(store, extractor, task)
    with np.load(store.folder(task.address) / "features.npz") as arrays:
        return np.asarray(arrays["features"])


def rows_of(some: NDArray[np.float32], whole: NDArray[np.float32]) -> list[int]:
    """Which of all images these features are of."""
    distances = np.abs(some[:, None] - whole[None]).sum(2)
    assert distances.min(1).max() < 1e-4
    return [int(row) for row in distances.argmin(1)]


def test_features_of_a_part_are_those_of_the_permutations_first_images(
    store: Store, class_by_class: Npz
) -> None:
    whole = features(store, class_by_class, "data", images=COUNT)
    assert rows_of(whole, whole) == list(range(COUNT))
    part = features(store, class_by_class, PART, images=40)
    assert rows_of(part, whole) == ORDER[:40].tolist()
    assert len(set(LABELS[rows_of(part, whole)])) == CLASSES
    fewer = features(store, class_by_class, PART, images=10)
    assert rows_of(fewer, whole) == ORDER[:10].tolist()


@pytest.mark.parametrize(("images", "read"), [(COUNT, range(COUNT)), (40, ORDER[:40])])
def test_features_that_are_kept_are_of_the_permutations_first_images(
    store: Store, class_by_class: Npz, images: int, read: Any
) -> None:
    whole = features(store, class_by_class, "data", images=COUNT)
    kept = features(store, class_by_class, PART, images=images, keep=20)
    first = set(ORDER[:20].tolist())
    assert rows_of(kept, whole) == [row for row in read if row in first]


def prior(images: NDArray[np.uint8]) -> float:
    """Bits/dim of KL(q(x_T | x_0) || N(0, 1)), which asks no network and meets no noise."""
    alpha_bar = float(build.diffusion(tiny.TRAINING.diffusion).alpha_bar[-1])
    x_0 = images / 127.5 - 1
    nats = (alpha_bar * x_0**2 - alpha_bar - np.log(1 - alpha_bar)) / 2
    return float(nats.mean() / np.log(2))


@pytest.mark.parametrize(("name", "order"), [("data", np.arange(COUNT)), (PART, ORDER)])
def test_a_likelihood_of_a_part_is_over_the_permutations_first_images(
    store: Store, class_by_class: Npz, name: str, order: NDArray[np.int64]
) -> None:
    digest = describe(class_by_class).digest
    conditional = replace(tiny.NETWORK, class_conditional=True)
    trained = replace(
        tiny.training(data=class_by_class, network=conditional), digests=(("data", digest),)
    )
    done(store, trained)
    tasks = [tiny.likelihood(trained, images=6), *tiny.sharded_likelihood(trained)]
    tasks = [replace(task, digests=((name, digest),)) for task in tasks]
    one, *shards, merge = tasks
    needs = {f"shards/{i}": shard.address for i, shard in enumerate(shards)}
    merge = replace(merge, inputs=tuple({**merge.parents, **needs}.items()))
    done(store, one, *shards, merge)
    for task, images in ((one, 6), (merge, 4)):
        found = store.result(task.address)
        assert found is not None
        assert found["prior"]["mean"] == pytest.approx(prior(IMAGES[order[:images]]), rel=1e-9)


def test_images_from_elsewhere_that_are_more_than_are_scored_are_permuted(
    tmp_path: Path, store: Store, class_by_class: Npz
) -> None:
    plan = planned(tmp_path, f"{{npz: {{path: {class_by_class.path}}}}}")
    (task,) = (task for task in plan.tasks.values() if task.kind == "external")
    done(store, task)
    kept = np.load(store.folder(task.address) / "samples.npy")
    np.testing.assert_array_equal(kept, IMAGES[ORDER])
