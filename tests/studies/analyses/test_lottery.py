"""The lottery of seeds: which rows are read, on which scale, and what a gap is said to mean."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from studies.analyses.lottery import lottery
from studies.analyses.lottery.paper import PARTS, SAMPLING
from studies.tables.tables import Tables
from tests.witness.made_up_tables import made_up, planned

LEVELS = 8
draws = np.random.default_rng(0)
WEIGHTS, ORDER, NOISE, STREAM = (draws.normal(0, d, LEVELS) for d in (0.1, 0.03, 0.08, 0.02))
TOGETHER, LEFT = draws.normal(0, 0.05, (LEVELS,) * 2), draws.normal(0, 0.04, (LEVELS,) * 3)


def value(row: Mapping[str, Any]) -> float:
    """A distance whose logarithm, and a bound that itself, is a sum of effects."""
    i, j, k = (row[name] for name in PARTS)
    of_training = WEIGHTS[i] + ORDER[j] + NOISE[k] + TOGETHER[i, j]
    if row["metric"] == "bits_per_dim":
        return float(3 + of_training)
    stream = row[SAMPLING]
    return float(60 * np.exp(of_training + STREAM[stream] + LEFT[i, j, stream]))


@pytest.fixture(scope="module")
def study() -> Tables:
    return made_up(planned("lottery"), value)


@pytest.fixture(scope="module")
def table(study: Tables) -> pd.DataFrame:
    return lottery.table(study)


def of(table: pd.DataFrame, metric: str) -> Any:
    return table[table["metric"] == metric].set_index("part")


def test_the_sweep_is_a_latin_square_that_is_sampled_with_eight_seeds(study: Tables) -> None:
    cells = [cell["arm"] for cell in study.record["cells"]]
    sampled = {
        (*(arm[name] for name in PARTS), arm[SAMPLING])
        for arm in cells
        if arm["evaluation"] == "samples"
    }
    trained = {parts[:3] for parts in sampled}
    assert len(sampled) == LEVELS * len(trained) == 512
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert len({(parts[a], parts[b]) for parts in trained}) == LEVELS**2


def test_a_distance_is_taken_by_its_logarithm_in_percent_and_a_bound_as_it_is(
    table: pd.DataFrame,
) -> None:
    distances, bounds = (of(table, name) for name in ("frechet_distance", "bits_per_dim"))
    parts = ["initial weights", "order of the images", "noise and its steps"]
    shared = 100 * bounds.loc[parts, "deviation"].to_numpy()
    assert distances.loc[parts, "deviation"].to_numpy() == pytest.approx(shared, rel=0.1)
    assert bounds.loc["initial weights", "deviation"] == pytest.approx(WEIGHTS.std(ddof=1), rel=0.2)
    assert list(bounds.index) == [*parts, "how these go together", "all of it"]
    assert bounds["samplings"].unique() == [1]


def test_parts_add_up_and_a_ratio_is_of_trainings_to_samplings(table: pd.DataFrame) -> None:
    found = of(table, "frechet_distance")
    squares = found["deviation"] ** 2
    parts = squares[~found["is_sum"].astype(bool)]
    assert squares["all of it"] == pytest.approx(parts.sum(), rel=1e-9)
    assert squares["training, all of it"] == pytest.approx(parts.iloc[:4].sum(), rel=1e-9)
    ratio = found.loc["all of it", "ratio"]
    whole = found["deviation"]
    assert ratio == pytest.approx(whole["training, all of it"] / whole["sampling, all of it"])
    assert found.loc["all of it", "ratio_low"] < ratio < found.loc["all of it", "ratio_high"]


def test_the_gap_is_what_two_means_of_one_arm_lie_apart_in_one_case_of_twenty(
    study: Tables, table: pd.DataFrame
) -> None:
    said = lottery.caption(table, study)
    deviation = of(table, "bits_per_dim").loc["all of it", "deviation"]
    for seeds, words in ((1, "one seed"), (3, "3 seeds"), (5, "5 seeds")):
        gap = norm(scale=deviation * (2 / seeds) ** 0.5).isf(0.025)
        assert f"{gap:.2g} bits/dim with {words}" in said
    deviation = of(table, "frechet_distance").loc["all of it", "deviation"] / 100
    gap = 100 * (np.exp(norm(scale=deviation * 2**0.5).isf(0.025)) - 1)
    assert f"by more than {gap:.2g}% with one seed" in said


def test_an_unfinished_study_has_nothing_to_draw(study: Tables) -> None:
    results = study.results.copy()
    (first, *_) = results.index[
        (results["metric"] == "bits_per_dim") & results["variance"].eq("range")
    ]
    results.loc[first, "value"] = np.nan
    partly = lottery.table(replace(study, results=results))
    assert set(partly["metric"]) == {"frechet_distance"}


def test_a_dot_and_a_line_are_drawn_for_each_part(table: pd.DataFrame) -> None:
    first, second = lottery.draw(table).axes
    for axes, metric in ((first, "frechet_distance"), (second, "bits_per_dim")):
        drawn = [float(x) for line in axes.lines for x in np.asarray(line.get_xdata())]
        assert sorted(drawn) == pytest.approx(sorted(of(table, metric)["deviation"]))
        lines = [path.vertices for spans in axes.collections for path in spans.get_paths()]
        ends = sorted(tuple(np.asarray(line)[:, 0]) for line in lines)
        expected = sorted(of(table, metric)[["low", "high"]].itertuples(index=False, name=None))
        np.testing.assert_allclose(ends, expected)
        assert axes.get_xlim()[0] == 0


def test_seeds_of_sampling_are_told_where_there_are_several(
    study: Tables, table: pd.DataFrame
) -> None:
    assert " and of the noise and 8 seeds of sampling." in lottery.caption(table, study)
    bounds = table[table["metric"] == "bits_per_dim"]
    assert "seeds of sampling" not in lottery.caption(bounds, study)
