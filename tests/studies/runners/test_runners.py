"""What each kind of task does, and that stopping, sharding and the sampler change no draw."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from iddpm.config import Simple, Vlb
from iddpm.data import describe
from iddpm.evaluation import gradient_noise
from iddpm.evaluation import precision_recall as room
from iddpm.evaluation.config import (
    Ancestral,
    Ddim,
    FeaturesConfig,
    LikelihoodConfig,
    LikelihoodShardConfig,
    SampleConfig,
    Sampler,
)
from iddpm.evaluation.features import extract
from iddpm.evaluation.frechet import frechet_distance
from iddpm.evaluation.gradient_noise import LossGradient
from iddpm.evaluation.precision_recall import precision_recall
from iddpm.gaussians import Generators
from iddpm.model import blocks_of_images
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.unet import UNet
from iddpm.running.blocks import Blocks
from iddpm.running.interruption import Interrupted
from studies.execute.worker import IMAGES_PER_PASS, run_task
from studies.runners import RUNNERS, Work, scores
from studies.store.store import BLOCKS, SHARD, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.records import edit
from tests.witness.stores import done, failure_of, result_of

TRAINED = tiny.training()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    done(store, TRAINED, tiny.extractor())
    return store


def samples(store: Store, task: Task) -> NDArray[np.uint8]:
    done(store, task)
    images: NDArray[np.uint8] = np.load(store.folder(task.address) / "samples.npy")
    return images


def work(store: Store, task: Task, folder: Path, stop: Callable[[], bool]) -> Work:
    return Work(
        task=task,
        folder=folder,
        parents={role: store.folder(need) for role, need in task.inputs},
        parent_tasks={role: store.task(need) for role, need in task.inputs},
        progress=lambda done, total: None,
        should_stop=stop,
        is_due=lambda seconds: False,
        device="cpu",
    )


def stopping_after(calls: int) -> Callable[[], bool]:
    """Says yes once it was asked so many times."""
    asked = iter(range(calls))
    return lambda: next(asked, None) is None


def test_features_that_are_told_to_stop_leave_nothing(store: Store) -> None:
    made = tiny.real_features(tiny.extractor())
    done(store, tiny.extractor())
    store.create(made)
    with pytest.raises(Interrupted):
        RUNNERS["features"](work(store, made, store.folder(made.address), stopping_after(0)))
    assert not (store.folder(made.address) / "features.npz").exists()


@pytest.mark.parametrize("spoil", range(4), ids=["whole", "short", "foreign", "damaged"])
def test_features_that_were_stopped_go_on_behind_their_finished_blocks(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: int
) -> None:
    monkeypatch.setattr(scores, "MOMENTS_BLOCK", 3)
    read = list[int]()

    def counted(network: Any, images: Any, **settings: Any) -> Any:
        read.append(len(images))
        return extract(network, images, **settings)

    monkeypatch.setattr(scores, "extract", counted)
    task = tiny.real_features(tiny.extractor())
    other = replace(task, config=replace(cast(FeaturesConfig, task.config), split="train"))
    kept = []
    for folder, one in ((tmp_path / "ours", task), (tmp_path / "theirs", other)):
        folder.mkdir()
        halfway = work(store, one, folder, stopping_after(2))
        with pytest.raises(Interrupted, match="the finished blocks are kept") as stop:
            RUNNERS["features"](halfway)
        assert stop.value.saved == 6
        kept.append(halfway.blocks)
    if spoil:
        spoilt_blocks()[spoil - 1](*kept)
    read.clear()
    resumed = RUNNERS["features"](work(store, task, tmp_path / "ours", lambda: False))
    assert read == ([3, 2] if spoil else [2])
    (tmp_path / "whole").mkdir()
    assert resumed == RUNNERS["features"](work(store, task, tmp_path / "whole", lambda: False))
    ours, whole = (tmp_path / name / "features.npz" for name in ("ours", "whole"))
    assert ours.read_bytes() == whole.read_bytes()


def test_samples_are_levels_of_the_data(store: Store) -> None:
    task = tiny.sampling(TRAINED)
    images, result = samples(store, task), store.result(task.address)
    assert (images.shape, images.dtype.name) == ((4, 8, 8, 1), "uint8")
    assert images.max() < describe(tiny.TRAINING.data).levels
    assert result is not None
    assert (result["images"], result["network_calls"]) == (4, 4 * 5)


@pytest.mark.parametrize("sampler", [Ancestral(variance="beta"), Ddim()])
def test_shards_put_together_are_the_images_of_one(store: Store, sampler: Ancestral) -> None:
    whole = samples(store, tiny.sampling(TRAINED, sampler, last_block=3))
    spans = [(0, 1), (1, 3)]
    shards = [
        samples(store, tiny.sampling(TRAINED, sampler, first_block=a, last_block=b))
        for a, b in spans
    ]
    assert np.array_equal(np.concatenate(shards), whole)


@pytest.mark.parametrize("per_pass", [3, 9])
@pytest.mark.parametrize("sampler", [Ancestral(variance="range"), Ddim()])
def test_how_many_images_share_a_pass_moves_no_draw(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: Sampler, per_pass: int
) -> None:
    task = tiny.sampling(TRAINED, sampler, last_block=3, block_size=4)
    usual, seen, forward = samples(store, task), set[int](), UNet.forward

    def noted(network: UNet, x: Tensor, *told: Any) -> Tensor:
        seen.add(len(x))
        return forward(network, x, *told)

    monkeypatch.setattr(UNet, "forward", noted)
    monkeypatch.setenv(IMAGES_PER_PASS, str(per_pass))
    shutil.copytree(store.root, tmp_path / "store")
    other = Store(tmp_path / "store")
    (other.folder(task.address) / "result.json").unlink()
    found = samples(other, task)
    assert seen == {3: {3, 1}, 9: {8, 4}}[per_pass]
    assert np.mean(found != usual) < 0.01  # where rounding by 1e-6 crosses half a level
    made = other.provenance(task.address)
    assert made is not None
    assert made["images_per_pass"] == per_pass


def given(block: int, seed: int = 0, **changes: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """x_T, the first noise of the steps, and the labels that a block is drawn with."""
    config = tiny.sampling(TRAINED, seed=seed).config
    assert isinstance(config, SampleConfig)
    network = replace(tiny.NETWORK, class_conditional=True)
    seen: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def draw(x_T: Tensor, noise: Generators, told: Conditioning | None) -> Tensor:
        assert isinstance(noise, torch.Generator)
        seen.append((x_T, torch.randn(3, generator=noise), told.labels if told else None))
        return x_T

    config = replace(config, **changes)
    blocks_of_images(config, replace(tiny.TRAINING, network=network), draw, [block], "cpu")
    return seen[0]


def test_every_arm_of_a_seed_starts_from_the_same_noise() -> None:
    one, *others = (
        given(3, sampler=sampler, steps=steps)[0]
        for sampler in (Ancestral(), Ancestral(variance="range"), Ddim())
        for steps in (5, 10)
    )
    assert all(torch.equal(one, other) for other in others)
    assert not torch.equal(one, given(4)[0])
    assert not torch.equal(one, given(3, seed=1)[0])


def test_the_noise_of_the_steps_is_not_that_of_the_start() -> None:
    x_T, noise, _ = given(0)
    assert not torch.equal(x_T.flatten()[:3], noise)
    assert not torch.equal(noise, given(1)[1])


def test_the_label_of_an_image_is_its_place_modulo_the_classes() -> None:
    labels = [given(block, block_size=4)[2] for block in range(3)]
    assert [label for some in labels if some is not None for label in some.tolist()] == [
        *range(10),
        *range(2),
    ]


def test_sampling_that_was_stopped_draws_only_what_is_missing(store: Store, tmp_path: Path) -> None:
    task = tiny.sampling(TRAINED)
    whole = samples(store, task)
    with pytest.raises(Interrupted, match="the finished blocks are kept"):
        RUNNERS["sample"](work(store, task, tmp_path, stopping_after(7)))  # 5 calls make a block
    assert [path.name for path in (tmp_path / BLOCKS).iterdir()] == ["block-000000.npz"]
    RUNNERS["sample"](work(store, task, tmp_path, stopping_after(5)))
    assert np.array_equal(np.load(tmp_path / "samples.npy"), whole)


def spoilt_blocks() -> list[Callable[[Blocks, Blocks], object]]:
    """Ways to spoil the first block of a task, with those of another task of its kind at hand."""

    def short(ours: Blocks, theirs: Blocks) -> None:
        with np.load(ours.file(0)) as file:
            arrays = {name: array[:1] for name, array in file.items() if array.ndim}
        ours.keep(0, arrays)

    def foreign(ours: Blocks, theirs: Blocks) -> None:
        shutil.copy(theirs.file(0), ours.file(0))

    def damaged(ours: Blocks, theirs: Blocks) -> None:
        whole = bytearray(ours.file(0).read_bytes())
        whole[200] ^= 4
        ours.file(0).write_bytes(whole)

    return [short, foreign, damaged]


BOUND = LikelihoodConfig(images=4, block_size=2)


def in_blocks(kind: str, seed: int = 0) -> Task:
    match kind:
        case "sample":
            return tiny.sampling(TRAINED, seed=seed)
        case "likelihood":
            return tiny.likelihood(TRAINED, seed=seed)
        case "gradient_noise":
            return tiny.gradient_noise(TRAINED, seed=seed)
    shard = LikelihoodShardConfig(part=replace(BOUND, seed=seed), first_block=0)
    return replace(tiny.sharded_likelihood(TRAINED)[0], config=shard)


CALLS = {"sample": 5, "likelihood": 10, "likelihood_shard": 10, "gradient_noise": 2}
"""Of `should_stop` for each block; of gradient noise, whose blocks are three, for each draw."""


def halfway(kind: str) -> Callable[[], bool]:
    """Says yes in the middle of the last block."""
    before = 2 if kind == "gradient_noise" else 1
    return stopping_after(CALLS[kind] * before + CALLS[kind] // 2)


@pytest.mark.parametrize("kind", ["likelihood", "likelihood_shard", "gradient_noise"])
def test_what_was_stopped_ends_with_the_same_result(
    store: Store, tmp_path: Path, kind: str
) -> None:
    task = in_blocks(kind)
    done(store, task)
    with pytest.raises(Interrupted):
        RUNNERS[kind](work(store, task, tmp_path, halfway(kind)))
    resumed = RUNNERS[kind](work(store, task, tmp_path, stopping_after(CALLS[kind])))
    assert resumed == store.result(task.address)
    assert not (store.folder(task.address) / BLOCKS).exists()


@pytest.mark.parametrize("spoil", range(2), ids=["short", "foreign"])
@pytest.mark.parametrize("kind", CALLS)
def test_a_block_that_cannot_be_used_is_computed_again(
    store: Store, tmp_path: Path, kind: str, spoil: int
) -> None:
    task, kept = in_blocks(kind), []
    for folder, one in ((tmp_path / "ours", task), (tmp_path / "theirs", in_blocks(kind, seed=1))):
        folder.mkdir()
        stopped = work(store, one, folder, halfway(kind))
        with pytest.raises(Interrupted):
            RUNNERS[kind](stopped)
        name = SHARD if kind == "likelihood_shard" else BLOCKS
        kept.append(replace(stopped.blocks, folder=folder / name))
    spoilt_blocks()[spoil](*kept)
    done(store, task)
    resumed = RUNNERS[kind](work(store, task, tmp_path / "ours", lambda: False))
    assert resumed == store.result(task.address)


@pytest.mark.parametrize("steps", [None, 5])
def test_a_bound_by_shards_is_that_of_one_task(store: Store, steps: int | None) -> None:
    whole = tiny.likelihood(TRAINED, steps=steps)
    *shards, merge = tiny.sharded_likelihood(TRAINED, steps=steps)
    done(store, whole, *shards, merge)
    results = [store.folder(task.address) / "result.json" for task in (whole, merge)]
    ours, theirs = (path.read_bytes() for path in results)
    assert ours == theirs


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PK")])
def test_a_damaged_block_of_a_shard_is_named(tmp_path: Path, harm: Callable[[Path], Any]) -> None:
    store = Store(tmp_path)
    *shards, merge = tiny.sharded_likelihood(TRAINED)
    done(store, TRAINED, *shards)
    store.create(merge)
    folder = store.folder(shards[1].address) / SHARD
    path = folder / "block-000001.npz"
    harm(path)
    run_task(str(store.root), merge.address)
    failure = store.failure(merge.address)
    assert failure is not None
    assert f"{path}: expected a whole file for each block of a shard" in failure.message


def test_a_bound_says_what_it_is_of(store: Store) -> None:
    task = tiny.likelihood(TRAINED, steps=5, ema_decay=0.9)
    result = result_of(store, task)
    assert (result["steps"], set(result["variances"])) == (5, {"beta", "beta_tilde", "range"})
    assert result["recipe"] == {
        "split": "digits/test",
        "images": 4,
        "clip": True,
        "weights": "ema 0.9",
        "cdf": "tanh",
        "precision": "float32",
    }


def test_gradient_noise_says_what_it_is_of(store: Store) -> None:
    task = tiny.gradient_noise(TRAINED, ema_decay=0.9, objective=Vlb())
    result = result_of(store, task)
    assert result["recipe"] == {
        "split": "digits/train",
        "loss": {"kind": "vlb", "variance": "range"},
        "timesteps": "uniform",
        "weights": "ema 0.9",
        "small batch": 2,
        "big batch": 4,
        "draws": 3,
        "precision": "float32",
    }


def test_the_noise_is_of_the_loss_at_the_weights_asked_for(store: Store) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"objective": tiny.TRAINING.objective},
        {"objective": Simple()},
        {"ema_decay": 0.9},
        {"seed": 1},
    ]
    own, same, *others = [tiny.gradient_noise(TRAINED, **change) for change in changes]
    done(store, own, same, *others)
    norms = [(store.result(t.address) or {})["squared_norm"] for t in (own, same, *others)]
    assert norms[0] == norms[1]
    assert norms[0] not in norms[2:]


def test_dropout_is_on_while_the_noise_is_measured(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = tiny.training(network=replace(tiny.NETWORK, dropout=0.5))
    done(store, trained)
    seen: list[LossGradient] = []

    def evaluate(gradient: LossGradient, **settings: Any) -> None:
        seen.append(gradient)
        raise Interrupted("seen enough")

    monkeypatch.setattr(gradient_noise, "evaluate", evaluate)
    with pytest.raises(Interrupted):
        RUNNERS["gradient_noise"](
            work(store, tiny.gradient_noise(trained), tmp_path, stopping_after(9))
        )
    (gradient,) = seen
    assert isinstance(gradient.denoiser.network, UNet)
    assert gradient.denoiser.network.training
    assert gradient.has_dropout


def test_features_are_those_of_the_first_images_of_the_shards_in_order(store: Store) -> None:
    shards = [tiny.sampling(TRAINED, first_block=i, last_block=i + 1) for i in range(11)]
    one = tiny.sampling(TRAINED, last_block=11)
    done(store, one, *shards)
    all_of_one = tiny.drawn_features(tiny.extractor(), one)
    first_of_shards = tiny.drawn_features(tiny.extractor(), *shards, images=21)
    done(store, all_of_one, first_of_shards)
    whole, first = (
        np.load(store.folder(task.address) / "features.npz")
        for task in (all_of_one, first_of_shards)
    )
    assert np.array_equal(first["features"], whole["features"][:21])
    assert np.allclose(first["mean"], first["features"].mean(0))
    assert np.allclose(first["covariance"], np.cov(first["features"].T), atol=1e-6)


def test_a_score_that_reads_radii_is_the_score_that_asks_for_them(store: Store) -> None:
    shard, real = tiny.sampling(TRAINED), tiny.real_features(tiny.extractor())
    drawn, near = tiny.drawn_features(tiny.extractor(), shard), tiny.radii(real)
    alone, reading = tiny.score(drawn, real), tiny.score(drawn, real, ("radii", near.address))
    done(store, shard, real, drawn, near, alone)
    path = store.folder(alone.address) / "result.json"
    before = path.read_bytes()
    path.unlink()
    done(store, reading)
    assert path.read_bytes() == before
    with np.load(store.folder(real.address) / "features.npz") as arrays:
        vectors = arrays["features"].astype(np.float64)
    others = ((vectors[:, None] - vectors) ** 2).sum(2) + np.diag([np.inf] * len(vectors))
    found = np.load(store.folder(near.address) / "radii.npy")
    np.testing.assert_allclose(found, others.min(1), rtol=1e-6)


def test_a_score_reads_the_radii_and_does_not_compute_them_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, real = tiny.sampling(TRAINED, seed=5), tiny.real_features(tiny.extractor())
    drawn, near = tiny.drawn_features(tiny.extractor(), shard), tiny.radii(real)
    done(store, shard, real, drawn, near)
    asked: list[int] = []
    kept = room._squared_radii

    def counting(vectors: Any, *rest: Any) -> Tensor:
        asked.append(len(vectors))
        return kept(vectors, *rest)

    monkeypatch.setattr(room, "_squared_radii", counting)
    done(store, tiny.score(drawn, real, ("radii", near.address)))
    assert asked == [4]  # of the drawn images alone


def test_radii_of_features_that_were_made_anew_are_not_used(store: Store) -> None:
    shard, real = tiny.sampling(TRAINED, seed=6), tiny.real_features(tiny.extractor())
    drawn, near = tiny.drawn_features(tiny.extractor(), shard), tiny.radii(real)
    task = tiny.score(drawn, real, ("radii", near.address))
    done(store, shard, real, drawn, near)
    path = store.folder(near.address) / "result.json"
    files = [path, path.with_name("provenance.json")]
    before = [file.read_bytes() for file in files]
    edit(path, features_sha256="0" * 64)
    failure = failure_of(store, task)
    assert re.search(
        r"StoreError: .*radii\.npy: expected the radii of the features in .*features-.*, found "
        "those of others; delete its result.json and run the sweep again with --retry failed$",
        failure.message,
    )
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)


def test_more_features_than_images_are_refused(store: Store) -> None:
    shard = tiny.sampling(TRAINED)
    done(store, shard)
    task = tiny.drawn_features(tiny.extractor(), shard, images=5)
    failure = failure_of(store, task)
    expected = "ValueError: features.images: expected at most the 4 of samples, found 5"
    assert failure.message == expected


def test_a_score_carries_its_recipe(store: Store) -> None:
    shard, real = tiny.sampling(TRAINED), tiny.real_features(tiny.extractor())
    drawn = tiny.drawn_features(tiny.extractor(), shard)
    task = tiny.score(drawn, real)
    done(store, shard, real, drawn, task)
    result, extractor = store.result(task.address), store.result(tiny.extractor().address)
    assert result is not None
    assert extractor is not None
    assert result["recipe"] == {
        "extractor": f"digits-random:{extractor['sha256'][:8]}",
        "reference": "digits/test",
        "reference_images": 8,
        "images": 4,
        "weights": "ema 0.9",
        "resize": "none",
        "neighbours": 1,
    }
    assert (result["generated"], result["reference"], result["dimensions"]) == (4, 8, 4)


def test_a_score_reads_the_drawn_images_as_drawn_and_the_real_as_real(store: Store) -> None:
    shard, real = tiny.sampling(TRAINED), tiny.real_features(tiny.extractor())
    drawn = tiny.drawn_features(tiny.extractor(), shard)
    task = tiny.score(drawn, real)
    done(store, shard, real, drawn, task)
    one, other = (
        np.load(store.folder(of.address) / "features.npz")["features"] for of in (drawn, real)
    )
    result, shares = store.result(task.address), precision_recall(other, one, k=1)
    assert result is not None
    assert shares.precision != shares.recall
    assert (result["precision"], result["recall"]) == shares
    assert result["frechet_distance"] == frechet_distance(one, other).value
