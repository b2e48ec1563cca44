"""The claims on strides, DDIM, batches and v, on made-up tables that must give each verdict."""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from studies.claims import Finding, judge
from studies.tables import ARM, MEASURED, OUTSIDE_RANGE, Tables
from tests.witness.made_up_rows import SETTINGS

STEPS = (10, 25, 100, 250)
RECIPE = '{"extractor": "digits-classifier:ab12cd34", "reference": "digits/train", "images": 192}'
ARMS: dict[str, dict[str, Any]] = {
    "learned": {"objective": "hybrid", "variance": "range", "sampler": "ancestral"},
    "ddim": {"objective": "simple", "sampler": "ddim", "eta": 0.0},
}
STRIDES = {"learned": ("even", "constant"), "ddim": ("constant", "even")}
"""Of each arm, first its own."""

Distance = Callable[[str, str, int, int], float]
"""Of (arm, stride, steps, batch size)."""

WOBBLE = (0.99, 1.0, 1.01)
"""By seed, what every distance is multiplied by; noise that pairs by seed take out."""


def study(distance: Distance, *, seeds: int = 3, noise: float = 0.0) -> Tables:
    """A study of both arms over both strides, trained with batches of 32 and of 64."""
    rows = []
    for arm, settings in ARMS.items():
        for stride, steps, batch, seed in itertools.product(
            STRIDES[arm], STEPS, (32, 64), range(seeds)
        ):
            jitter = 1 + noise * math.sin(7 * seed * len(stride) + steps + 3 * batch + len(arm))
            rows.append(
                row(
                    {**settings, "stride": stride, "steps": steps, "train.batch_size": batch},
                    "frechet_distance",
                    distance(arm, stride, steps, batch) * WOBBLE[seed] * jitter,
                    seed,
                )
            )
    return of(rows)


def row(arm: Mapping[str, Any], metric: str, value: float, seed: int) -> dict[str, Any]:
    shared = {"schedule": "cosine", "T": 1000, "prediction": "eps", "ema_decay": 0.99}
    measured = {"metric": metric, "value": value, "seed": seed, "recipe": RECIPE, "state": "done"}
    measured["settings"] = SETTINGS
    return {**shared, **arm, **measured, "images": 192, "training_steps": 800}


def of(rows: list[dict[str, Any]]) -> Tables:
    columns = ["study", "evaluation", *ARM, "train.batch_size", *MEASURED]
    return Tables(
        study="made-up",
        record={"preset": "digits"},
        results=pd.DataFrame(rows, columns=columns),
        steps=pd.DataFrame(),
        samples=pd.DataFrame(),
    )


def as_in_the_paper(arm: str, stride: str, steps: int, batch: int) -> float:
    level = {"learned": 4.0 + 120 / steps, "ddim": 6.0 + 10 / steps}[arm]
    foreign = {"learned": 1.1, "ddim": 3.0}[arm] if stride != STRIDES[arm][0] else 1.0
    larger = {"learned": 0.9, "ddim": 1.1}[arm] if batch == 64 else 1.0
    return level * foreign * larger


def with_(**changes: Callable[[float, str, str, int, int], float]) -> Distance:
    """As in the paper, the distances of some arms changed."""

    def distance(arm: str, stride: str, steps: int, batch: int) -> float:
        value = as_in_the_paper(arm, stride, steps, batch)
        return changes[arm](value, arm, stride, steps, batch) if arm in changes else value

    return distance


CLAIMS = (
    "hundred_steps_are_nearly_enough",
    "even_stride_hurts_ddim",
    "even_stride_helps_ancestral_sampling",
    "ddim_wins_below_fifty_steps",
    "large_batches_help_hybrid_not_ddim",
)

AGAINST: dict[str, Distance] = {
    "hundred_steps_are_nearly_enough": with_(
        learned=lambda value, arm, stride, steps, batch: value * (2 if steps == 100 else 1)
    ),
    "even_stride_hurts_ddim": with_(
        ddim=lambda value, arm, stride, steps, batch: value / (9 if stride == "even" else 1)
    ),
    "even_stride_helps_ancestral_sampling": with_(
        learned=lambda value, arm, stride, steps, batch: value / (3 if stride == "constant" else 1)
    ),
    "ddim_wins_below_fifty_steps": with_(
        ddim=lambda value, arm, stride, steps, batch: value / (3 if steps > 50 else 1)
    ),
    "large_batches_help_hybrid_not_ddim": with_(
        ddim=lambda value, arm, stride, steps, batch: value / (2 if batch == 64 else 1)
    ),
}


def judged(name: str, distance: Distance, **how: Any) -> Finding:
    return judge(name, study(distance, **how))


@pytest.mark.parametrize("name", CLAIMS)
def test_results_like_the_papers_support_it(name: str) -> None:
    assert judged(name, as_in_the_paper).verdict == "supported"


@pytest.mark.parametrize("name", CLAIMS)
def test_results_against_it_contradict_it(name: str) -> None:
    assert judged(name, AGAINST[name]).verdict == "contradicted"


@pytest.mark.parametrize("name", CLAIMS)
def test_seeds_that_disagree_leave_it_open(name: str) -> None:
    assert judged(name, as_in_the_paper, noise=0.9).verdict == "inconclusive"


@pytest.mark.parametrize("name", CLAIMS)
def test_one_seed_leaves_it_open(name: str) -> None:
    assert judged(name, as_in_the_paper, seeds=1).verdict == "inconclusive"


@pytest.mark.parametrize("name", CLAIMS)
def test_nothing_measured_is_not_run(name: str) -> None:
    whole = study(as_in_the_paper)
    whole.results[["value", "recipe"]] = None
    finding = judge(name, whole)
    assert finding.verdict == "not run"
    assert finding.reason.startswith("Not measured yet: log FD")


@pytest.mark.parametrize("name", CLAIMS)
def test_a_study_that_does_not_ask_for_it_is_not_run(name: str) -> None:
    assert judge(name, of([])).verdict == "not run"


def test_a_ratio_is_the_mean_of_the_logs_seed_by_seed() -> None:
    finding = judged("even_stride_hurts_ddim", as_in_the_paper)
    for measurement in finding.measurements:
        assert measurement.interval.mean == pytest.approx(math.log(3.0), rel=1e-12)
        assert measurement.interval.half_width == pytest.approx(0.0, abs=1e-12)  # paired by seed


def test_the_end_of_the_training_alone_counts_for_a_hundred_steps() -> None:
    late = study(as_in_the_paper).results
    early = late.assign(
        training_steps=400, value=late["value"] * late["steps"].map(lambda k: 9 if k == 100 else 1)
    )
    frame = pd.concat([early, late], ignore_index=True)
    frame["train.steps"] = frame["training_steps"]
    whole = study(as_in_the_paper)
    finding = judge("hundred_steps_are_nearly_enough", replace(whole, results=frame))
    assert finding.verdict == "supported"
    assert len(finding.measurements) == 2  # of two batches, by the even stride


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ((0.0, 0.0, 0.0001), "supported"),
        ((0.2, 0.21, 0.22), "contradicted"),
        ((0.0, 0.001, 0.002), "inconclusive"),
        ((0.0,), "inconclusive"),
        ((), "not run"),
    ],
)
def test_the_share_of_v_outside_its_range_decides(shares: tuple[float, ...], verdict: str) -> None:
    arm = {"objective": "hybrid", "variance": "range", "steps": 1000}
    rows = [row(arm, OUTSIDE_RANGE, share, seed) for seed, share in enumerate(shares)]
    assert judge("learned_v_stays_in_range", of(rows)).verdict == verdict
