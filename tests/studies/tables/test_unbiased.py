"""Distances without their bias: from the features that a study's scores were taken of."""

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from iddpm.config import Simple
from iddpm.evaluation.config import Ancestral
from iddpm.evaluation.frechet import frechet_distance
from iddpm.evaluation.frechet_bias import unbiased_distance
from studies.analyses.judge import judge
from studies.store.npy import read_array
from studies.store.store import FEATURES, Store, StoreError
from studies.tables import unbiased
from studies.tables.rows import is_unbiased, judged
from studies.tables.study_files import StudyFiles
from studies.tables.tables import Tables, tables
from studies.tables.unbiased import UNBIASED, with_unbiased
from tests.witness.calls import given
from tests.witness.made_up_store import MadeUp, write_store
from tests.witness.made_up_tables import made_up, planned

STUDY = MadeUp(
    arms=((Simple(), Ancestral(variance="beta")),), steps=(10, 50), seeds=(0,), likelihood=False
)
DISTANCES = "frechet_distance"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(write_store(tmp_path / "store", STUDY))


def leave_features(store: Store, address: str, count: int, dimensions: int = 4) -> None:
    """As a features task leaves them, drawn from a standard normal distribution."""
    features = np.random.default_rng(count).normal(size=(count, dimensions)).astype(np.float32)
    moments = {"mean": features.mean(axis=0), "covariance": np.cov(features.T)}
    np.savez(store.folder(address) / FEATURES, features=features, **moments)


def read(store: Store, generated: int, dimensions: int = 4, scores: int = 2) -> Tables:
    """The study's tables, once so many of its scores have features."""
    for cell in store.study("sigma_ablation-digits")["cells"][:scores]:
        parents = store.task(cell["tasks"]["score"]).parents
        leave_features(store, parents["generated"], generated, dimensions)
        leave_features(store, parents["reference"], 500, dimensions)
    return tables(store, "sigma_ablation-digits")


def values(rows: pd.DataFrame) -> list[float]:
    return [float(value) for value in rows["value"]]


def test_every_distance_has_a_row_without_its_bias_and_is_judged_on_it(store: Store) -> None:
    found = read(store, 40)
    rows = found.results[found.results["metric"] == UNBIASED]
    assert list(rows["steps"]) == [10, 50]
    assert list(rows["recipe"]) == list(judged(found, DISTANCES)["recipe"])
    assert values(judged(found, DISTANCES)) == values(rows)
    assert list(judged(found, DISTANCES)["metric"].unique()) == [DISTANCES]
    scored = found.results[found.results["metric"] == DISTANCES]
    assert values(scored) == pytest.approx(
        [STUDY.distance("simple", "beta", n, 0) for n in (10, 50)]
    )


def test_it_is_of_the_features_and_less_than_their_distance(store: Store) -> None:
    found = read(store, 40)
    drawn = np.random.default_rng(40).normal(size=(40, 4)).astype(np.float32)
    real = np.random.default_rng(500).normal(size=(500, 4)).astype(np.float32)
    biased = frechet_distance(drawn, real).value
    first = values(judged(found, DISTANCES))[0]
    assert biased - 0.5 < first < 0.5 * biased
    assert first == pytest.approx(unbiased_distance(drawn, real.mean(axis=0), np.cov(real.T)))


def test_a_single_thread_computes_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More threads take ten times as long over matrices of 64 rows, most of it in waiting."""
    threads: list[int] = []

    def counted(*given: Any) -> float:
        found = threadpool_info()
        threads.extend(one["num_threads"] for one in found if one["user_api"] == "blas")
        return unbiased_distance(*given)

    monkeypatch.setattr(unbiased, "unbiased_distance", counted)
    with threadpool_limits(2, user_api="blas"):
        assert UNBIASED in set(read(store, 40).results["metric"])
    assert set(threads) <= {1}


def test_a_study_of_which_one_distance_is_not_known_is_judged_as_it_was_scored(
    store: Store,
) -> None:
    found = read(store, 40, scores=1)
    assert (found.results["metric"] == UNBIASED).sum() == 1
    assert not is_unbiased(found)
    scored = found.results[found.results["metric"] == DISTANCES]
    assert values(judged(found, DISTANCES)) == values(scored)


@pytest.mark.parametrize(("count", "dimensions", "known"), [(16, 4, 2), (15, 4, 0), (16, 5, 0)])
def test_as_many_dimensions_as_are_judged_and_as_few_samples_as_it_takes(
    store: Store, count: int, dimensions: int, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unbiased, "JUDGED_DIMENSIONS", 4)
    found = read(store, count, dimensions).results
    assert (found["metric"] == UNBIASED).sum() == known


def test_a_distance_of_which_nothing_is_known_yet_has_none_and_moments_are_read_once(
    store: Store,
) -> None:
    study = read(store, 40)
    scored = study.results[study.results["metric"] != UNBIASED]
    waiting = scored.assign(value=scored["value"].mask(scored["steps"] == 50))
    found: list[pd.DataFrame] = []
    files = StudyFiles(store, study.study)
    names = given(read_array, "name", lambda: found.append(with_unbiased(scored, files)))
    assert Counter(names) == {"features": 2, "mean": 1, "covariance": 1}
    assert list(found[0].loc[found[0]["metric"] == UNBIASED, "steps"]) == [10, 50]
    waited = with_unbiased(waiting, files)
    assert list(waited.loc[waited["metric"] == UNBIASED, "steps"]) == [10]


@pytest.mark.parametrize(("generated", "dimensions"), [(15, 4), (400, 257)])
def test_too_few_samples_or_too_many_features_have_none(
    store: Store, generated: int, dimensions: int
) -> None:
    assert UNBIASED not in set(read(store, generated, dimensions).results["metric"])


def apart(row: Mapping[str, Any]) -> float:
    """A value of each row's own."""
    return 1 + zlib.crc32(repr(sorted(map(str, row.items()))).encode()) / 2**32


@pytest.mark.parametrize(
    "sweep",
    [
        *("architecture", "early_stopping", "gan_comparison", "hybrid_vlb_ensemble"),
        *("model_size", "objective_ablation", "overfitting", "sampling_stride"),
        *("sigma_ablation", "skip_prefix"),
    ],
)
def test_every_claim_but_that_on_the_bias_is_judged_without_it(sweep: str) -> None:
    without = made_up(planned(sweep, seeds=[0]), apart)
    rows = without.results.assign(address=without.results.index.astype(str))
    distances = rows[rows["metric"] == DISTANCES]
    scored = rows.assign(value=rows["value"] + 9.0 * (rows["metric"] == DISTANCES))
    results = pd.concat([scored, distances.assign(metric=UNBIASED)], ignore_index=True)
    for claim in {*without.record["claims"]} - {"more_samples_lower_distance"}:
        expected, found = (
            {one.what: one.values for one in judge(claim, study).measurements}
            for study in (without, replace(without, results=results))
        )
        assert found == expected, claim


def test_precision_is_judged_as_it_is(store: Store) -> None:
    found = read(store, 40)
    assert values(judged(found, "precision")) == values(
        found.results[found.results["metric"] == "precision"]
    )


def test_damaged_features_are_refused(store: Store) -> None:
    read(store, 40)
    cell = store.study("sigma_ablation-digits")["cells"][0]
    address = store.task(cell["tasks"]["score"]).parents["generated"]
    (store.folder(address) / FEATURES).write_bytes(b"short")
    with pytest.raises(StoreError, match=FEATURES):
        tables(store, "sigma_ablation-digits")
