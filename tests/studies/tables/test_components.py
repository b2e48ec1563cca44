"""Components of variance: planted ones are found, and intervals hold as often as they say."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from studies.tables.components import BOTH, REST, SAMPLING, Design, design

LEVELS = 8
FACTORS = ["weights", "order", "noise"]
PLANTED = {"weights": 1.0, "order": 0.7, "noise": 0.5, REST: 0.8, SAMPLING: 0.4, BOTH: 0.9}
"""Standard deviations."""
OF_TRAINING, OF_SAMPLING = (*FACTORS, REST), (SAMPLING, BOTH)


def latin_square(samplings: int = LEVELS) -> pd.DataFrame:
    """Each level of a factor with each of another once, and all sampled alike."""
    rows = [
        (i, j, i ^ j, seed)
        for i in range(LEVELS)
        for j in range(LEVELS)
        for seed in range(samplings)
    ]
    return pd.DataFrame(rows, columns=[*FACTORS, "seed"])


def drawn(draws: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """Values made of effects of the planted deviations."""
    total = np.zeros(len(rows))
    for name, columns in {**{f: [f] for f in FACTORS}, REST: FACTORS, SAMPLING: ["seed"]}.items():
        group = rows.groupby(columns).ngroup()
        total += draws.normal(0, PLANTED[name], group.max() + 1)[group]
    return rows.assign(value=total + draws.normal(0, PLANTED[BOTH], len(rows)))


def found(rows: pd.DataFrame, sampling: str | None = "seed") -> Design:
    measured = design(rows, FACTORS, sampling)
    assert measured is not None
    return measured


def test_mean_squares_are_those_of_nested_least_squares() -> None:
    rows = drawn(np.random.default_rng(0), latin_square(3))
    y = rows["value"].to_numpy()

    def residual(*terms: list[str]) -> float:
        """The sum of squares that a model with an indicator for each group of each term leaves."""
        parts = [
            pd.get_dummies(rows.groupby(columns).ngroup()).to_numpy(float) for columns in terms
        ]
        matrix = np.concatenate([np.ones((len(y), 1)), *parts], axis=1)
        return float(((y - matrix @ np.linalg.lstsq(matrix, y, rcond=None)[0]) ** 2).sum())

    squares = found(rows).squares
    left = residual()
    for name, freedom, terms in (
        ("weights", 7, [["weights"]]),
        ("order", 7, [["weights"], ["order"]]),
        ("noise", 7, [["weights"], ["order"], ["noise"]]),
        (REST, 42, [FACTORS]),
        (SAMPLING, 2, [FACTORS, ["seed"]]),
    ):
        now = residual(*terms)
        assert squares[name].value == pytest.approx((left - now) / freedom, rel=1e-9)
        assert squares[name].freedom == freedom
        left = now
    assert squares[BOTH].value == pytest.approx(left / 126, rel=1e-9)
    assert squares[BOTH].freedom == 126


def test_components_are_unbiased_and_add_up() -> None:
    draws, rows = np.random.default_rng(1), latin_square(4)
    trials = [found(drawn(draws, rows)) for _ in range(24)]
    for name, deviation in PLANTED.items():
        values = [trial.component(name).value for trial in trials]
        error = np.std(values) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(deviation**2, abs=4 * error)
    for trial in trials[:5]:
        parts = sum(trial.component(name).value for name in PLANTED)
        assert trial.component(*PLANTED).value == pytest.approx(parts, rel=1e-12)


@pytest.mark.slow
def test_intervals_hold_planted_components_as_often_as_they_say() -> None:
    draws, rows, trials = np.random.default_rng(2), latin_square(), 500
    true: dict[tuple[str, ...], float] = {
        (name,): deviation**2 for name, deviation in PLANTED.items()
    }
    for names in (OF_TRAINING, OF_SAMPLING, tuple(PLANTED)):
        true[names] = sum(PLANTED[name] ** 2 for name in names)
    ratio = (true[OF_TRAINING] / true[OF_SAMPLING]) ** 0.5
    held = dict.fromkeys([*true, ("ratio",)], 0)
    for _ in range(trials):
        measured = found(drawn(draws, rows))
        for names, variance in true.items():
            interval = measured.component(*names)
            held[names] += interval.low <= variance <= interval.high
        interval = measured.deviation_ratio(OF_TRAINING, OF_SAMPLING)
        held[("ratio",)] += interval.low <= ratio <= interval.high
    shares = {names: count / trials for names, count in held.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


def test_what_was_not_seen_stands_at_zero_and_a_ratio_to_it_is_infinite() -> None:
    rows = latin_square(2).assign(value=lambda rows: rows["weights"] * 1.0)
    measured = found(rows)
    assert measured.component("weights").value == pytest.approx(np.var(range(8), ddof=1))
    assert measured.component("order") == pytest.approx((0, 0, 0), abs=1e-12)
    assert measured.deviation_ratio(["weights"], OF_SAMPLING)[:1] == (np.inf,)


def test_what_draws_nothing_has_no_components_of_sampling() -> None:
    rows = drawn(np.random.default_rng(3), latin_square(1))
    measured = found(rows, sampling=None)
    assert measured.of_sampling == ()
    assert measured.of_training == OF_TRAINING
    assert set(measured.squares) == {*FACTORS, REST}
    spread = rows["value"].var()
    assert measured.component(*OF_TRAINING).value == pytest.approx(spread, rel=0.2)


def unbalanced(rows: pd.DataFrame) -> Any:
    """By what is wrong: rows of no balanced design."""
    yield "a value is missing", rows.assign(value=rows["value"].where(rows.index > 0))
    yield "a training is missing", rows[(rows["weights"] > 0) | (rows["order"] > 0)]
    yield "a sampling is missing", rows.iloc[1:]
    yield "two of one kind", pd.concat([rows, rows.iloc[:1]])
    yield "no spare trainings", rows[(rows["weights"] < 2) & (rows["order"] < 2)]
    yield "nothing", rows.iloc[:0]
    yield "one level of a factor", rows[rows["weights"] == 0]
    yield "one sampling", rows[rows["seed"] == 0]


def test_rows_of_no_balanced_design_have_no_components() -> None:
    rows = drawn(np.random.default_rng(4), latin_square(2))
    for what, given in unbalanced(rows):
        assert design(given, FACTORS, "seed") is None, what
    assert design(rows, ["weights", "order"], "seed") is not None
