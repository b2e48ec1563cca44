"""Of a large reference set only some features are kept, and its distance is still over all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.config_fields import canonical
from iddpm.evaluation.config import FeaturesConfig, ScoreConfig
from iddpm.evaluation.frechet import frechet_distance
from iddpm.evaluation.precision_recall import precision_recall
from studies.plan.plan import expand
from studies.runners import scores
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.stores import done, result_of
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep

TRAINED, DRAWN = tiny.training(), tiny.sampling(tiny.training(), last_block=2)


def reference(**changes: object) -> Task:
    whole = tiny.real_features(tiny.extractor())
    assert isinstance(whole.config, FeaturesConfig)
    return replace(whole, config=replace(whole.config, images=60, **changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    done(store, TRAINED, tiny.extractor(), DRAWN)
    return store


def test_the_moments_are_of_all_and_the_first_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "MOMENTS_BLOCK", 16)
    whole, part = reference(), reference(keep=40)
    done(store, whole, part)
    all_of_it, some = (np.load(store.folder(t.address) / "features.npz") for t in (whole, part))
    assert np.array_equal(some["features"], all_of_it["features"][:40])
    for name in ("mean", "covariance"):
        assert np.array_equal(some[name], all_of_it[name])
    assert np.allclose(some["covariance"], np.cov(all_of_it["features"].T), atol=1e-6)
    result = store.result(part.address)
    assert result is not None
    assert (result["images"], result["kept"]) == (60, 40)


def test_a_distance_is_over_all_and_neighbours_are_among_the_kept(store: Store) -> None:
    whole, part = reference(split="train"), reference(split="train", keep=20)
    drawn = tiny.drawn_features(tiny.extractor(), DRAWN)
    task = tiny.score(drawn, part)
    done(store, whole, part, drawn, task)
    generated, real = (
        np.load(store.folder(t.address) / "features.npz")["features"] for t in (drawn, whole)
    )
    result = store.result(task.address)
    assert result is not None
    assert result["frechet_distance"] == pytest.approx(frechet_distance(generated, real).value)
    assert result["frechet_distance"] != pytest.approx(frechet_distance(generated, real[:20]).value)
    shares = precision_recall(real[:20], generated, k=1)
    assert (result["precision"], result["recall"]) == shares
    assert (result["recipe"]["reference_images"], result["recipe"]["neighbours_among"]) == (60, 20)


def test_fd_infinity_is_over_all_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def told(*features: np.ndarray, device: str) -> float:
        real, generated, of_all = features
        seen.append((len(real), len(generated), of_all.count))  # type: ignore[attr-defined]
        return 1.5

    monkeypatch.setattr(scores, "fd_infinity", told)
    part = reference(split="train", keep=20)
    drawn = tiny.drawn_features(tiny.extractor(), DRAWN)
    task = tiny.score(drawn, part)
    assert isinstance(task.config, ScoreConfig)
    task = replace(task, config=replace(task.config, metrics=("fd_infinity",)))
    result = result_of(store, part, drawn, task)
    assert result["fd_infinity"] == 1.5
    assert seen == [(20, result["generated"], 60)]


def test_a_plan_keeps_what_is_asked_for_and_says_nothing_where_that_is_all(tmp_path: Path) -> None:
    def kept(reference: str) -> list[int | None]:
        preset = PRESET.replace("extractor: c", f"reference: {reference}, extractor: c")
        plan = expand(read_sweep(write_sweep(tmp_path, SWEEP, preset)))
        configs = [t.config for t in plan.tasks.values()]
        return [c.keep for c in configs if isinstance(c, FeaturesConfig) and c.data]

    assert kept("{keep: 50}") == [50]
    assert kept("{images: 50, keep: 50}") == kept("{keep: 1500}") == kept("{}") == [None]
    with pytest.raises(ConfigError, match=r"samples.reference.keep: expected more than the 3"):
        kept("{keep: 3}")


def test_no_address_moves_where_all_are_kept() -> None:
    assert "keep" not in canonical(FeaturesConfig(images=5))
    with pytest.raises(ConfigError, match=r"^features\.keep: expected at least 2, found 1"):
        FeaturesConfig(keep=1)
