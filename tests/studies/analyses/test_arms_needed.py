"""The few arms that meet a need, and the like of them that do not.

A claim on two arms asks for both, alike in all else: without one of them its need is not met,
whatever other arms there are.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from iddpm.config import (
    Hybrid,
    LossSecondMoment,
    Objective,
    OptimizerConfig,
    Simple,
    Stride,
    TrainConfig,
    Vlb,
)
from iddpm.evaluation.config import (
    Ancestral,
    Ddim,
    Draws,
    Ends,
    LikelihoodConfig,
    RandomNetwork,
    Sampler,
)
from studies.analyses import index
from studies.analyses.analysis import arms_of
from studies.spec.evaluations import Evaluation, SamplesConfig
from tests.witness.tiny import TRAINING

Asked = tuple[TrainConfig, Evaluation]
RANGE, BETA = Ancestral(variance="range"), Ancestral(variance="beta")


def trained(objective: Objective, schedule: Any, dropout: float, **changes: Any) -> TrainConfig:
    return replace(
        TRAINING,
        objective=objective,
        diffusion=replace(TRAINING.diffusion, schedule=schedule, steps=1000),
        network=replace(TRAINING.network, dropout=dropout),
        **changes,
    )


def samples(
    objective: Objective,
    sampler: Sampler,
    steps: int = 100,
    /,
    *,
    stride: Stride = "even",
    asked: dict[str, Any] | None = None,
    schedule: str = "linear",
    dropout: float = 0.0,
    **training: Any,
) -> Asked:
    """Samples over so many steps; `asked` is asked of them, the rest of the training."""
    config = SamplesConfig(
        sampler=replace(sampler, stride=stride),
        steps=steps,
        images=96,
        extractor=RandomNetwork(data=TRAINING.data),
        **{"ema_decay": 0.9, **(asked or {})},
    )
    return trained(objective, schedule, dropout, **training), config


def learned(*steps: int, **how: Any) -> Asked:
    """Samples of L_hybrid with the Σ that it learned."""
    return samples(Hybrid(), RANGE, *steps, **how)


def fixed(*steps: int, **how: Any) -> Asked:
    """Samples of L_hybrid with another Σ than it learned."""
    return samples(Hybrid(), BETA, *steps, **how)


def ddim(*steps: int, eta: float = 0.0, objective: Objective | None = None, **how: Any) -> Asked:
    """Samples of L_simple by DDIM, over its own stride."""
    return samples(objective or Simple(), Ddim(eta=eta), *steps, **{"stride": "constant", **how})


def bound(
    objective: Objective | None = None,
    /,
    *,
    schedule: str = "linear",
    dropout: float = 0.0,
    asked: dict[str, Any] | None = None,
    **training: Any,
) -> Asked:
    """The bound of a network, of L_hybrid unless another objective is given."""
    config = LikelihoodConfig(**{"ema_decay": 0.9, **(asked or {})})
    return trained(objective or Hybrid(), schedule, dropout, **training), config


TRAIN, ESTIMATED = {"split": "train"}, {"estimate": Draws(most=10)}
ENSEMBLE = {"ensemble": Ends()}
RESAMPLED: dict[str, Any] = {"timesteps": LossSecondMoment()}
LARGE: dict[str, Any] = {"batch_size": 8}
OTHERWISE: dict[str, Any] = {
    "batch_size": 8, "optimizer": OptimizerConfig(learning_rate=0.5), "steps": 5
}  # fmt: skip
BY_SCHEDULE: list[dict[str, Any]] = [
    {"schedule": schedule, "steps": steps} for schedule in ("linear", "cosine") for steps in (5, 10)
]
BY_DROPOUT: list[dict[str, Any]] = [
    {"dropout": dropout, "steps": steps} for dropout in (0.0, 0.1) for steps in (5, 10)
]
OF_EACH: list[dict[str, Any]] = [
    {"dropout": dropout, **one} for dropout in (0.1, 0.3) for one in BY_SCHEDULE
]
UNREAD = [fixed(**one) for one in BY_SCHEDULE]
BOUNDS = [bound(**one) for one in BY_SCHEDULE]
AVERAGES = [{"ema_decay": decay} for decay in (0.9, 0.99, 0.999)]
TRIO = [learned(asked=ENSEMBLE), learned(), samples(Vlb(), RANGE, **RESAMPLED)]
FIXED_TRIO = [fixed(asked=ENSEMBLE), fixed(), samples(Vlb(), BETA)]
BOUND_TRIO = [bound(asked=ENSEMBLE), bound(), bound(Vlb(), **RESAMPLED)]
APART = [bound(Vlb(), dropout=0.1), bound(dropout=0.2), samples(Vlb(), RANGE, dropout=0.1)]
DROPOUTS = (
    [learned(**one) for one in BY_DROPOUT],
    [fixed(**one) for one in BY_DROPOUT]
    + [learned(**{**one, "schedule": "cosine"}) for one in BY_DROPOUT[2:]],
)

NEEDS: list[tuple[str, list[Asked], list[Asked]]] = [
    (
        "hundred_steps_are_nearly_enough",
        [learned(100), learned(250)],
        [learned(50), learned(100, **LARGE), *(fixed(n) for n in (100, 250))]
        + [learned(n, stride="constant") for n in (100, 250)]
        + [ddim(n, stride="even") for n in (100, 250)],
    ),
    (
        "even_stride_hurts_ddim",
        [ddim(50), ddim(50, stride="even")],
        [ddim(100), ddim(25, stride="even"), learned(50), learned(50, stride="constant")]
        + [ddim(50, stride=s, eta=0.5) for s in ("even", "constant")]
        + [ddim(50, stride=s, objective=Hybrid()) for s in ("even", "constant")],
    ),
    (
        "even_stride_helps_ancestral_sampling",
        [learned(50), learned(50, stride="constant")],
        [learned(100), learned(25, stride="constant"), ddim(50), ddim(50, stride="even")]
        + [fixed(50, stride=s) for s in ("even", "constant")]
        + [samples(Vlb(), RANGE, 50, stride=s) for s in ("even", "constant")],
    ),
    (
        "ddim_wins_below_fifty_steps",
        [ddim(10), learned(10), ddim(100), learned(100)],
        [ddim(25), ddim(50), learned(50), learned(200), *(fixed(n) for n in (10, 100))]
        + [ddim(n, stride="even") for n in (10, 100)]
        + [learned(n, stride="constant") for n in (10, 100)],
    ),
    (
        "large_batches_help_hybrid_not_ddim",
        [learned(50), learned(50, **OTHERWISE)],
        [
            learned(100, **LARGE),
            learned(50, stride="constant", **LARGE),
            fixed(50),
            fixed(50, **LARGE),
            ddim(50, stride="even"),
            bound(),
            bound(**LARGE),
        ],
    ),
    (
        "large_batches_help_hybrid_not_ddim",
        [ddim(50), ddim(50, **OTHERWISE)],
        [ddim(100, **LARGE), ddim(50, stride="even", **LARGE), ddim(50, eta=0.5, **LARGE)]
        + [learned(50, stride="constant", **size) for size in ({}, LARGE)],
    ),
    (
        "quality_by_batch",
        [fixed(50), fixed(100, **OTHERWISE)],
        [bound(), bound(**LARGE), learned(50, **LARGE)],
    ),
    ("overfitting", UNREAD[:2], [bound(steps=5), learned(steps=10)]),
    ("overfitting", BOUNDS[:2], [fixed(steps=5), bound(asked=TRAIN, steps=10)]),
    (
        "early_stopping",
        [fixed(steps=5), fixed(steps=10), fixed(steps=20, dropout=0.1)],
        [bound(steps=5), bound(steps=10), bound(steps=20, dropout=0.1)],
    ),
    (
        "early_stopping",
        [fixed(steps=5), fixed(steps=10), fixed(steps=10, asked=AVERAGES[1])],
        [bound(steps=5), bound(steps=10), bound(steps=10, asked=AVERAGES[1])],
    ),
    (
        "networks_overfit",
        [bound(steps=5), bound(steps=10), bound(steps=10, asked={**TRAIN, "images": 50})],
        [fixed(steps=5), fixed(steps=10), bound(Simple(), steps=5, asked=TRAIN)],
    ),
    (
        "cosine_reaches_its_best_sooner",
        [learned(**one) for one in BY_SCHEDULE] + BOUNDS,
        UNREAD + [bound(asked=TRAIN, **one) for one in BY_SCHEDULE],
    ),
    (
        "schedules_reach_similar_quality",
        [learned(**one) for one in BY_SCHEDULE],
        UNREAD + BOUNDS + [learned(steps=20, dropout=0.1)],
    ),
    ("small_dropout_improves_the_best_quality", *DROPOUTS),
    ("small_dropout_takes_longer", *DROPOUTS),
    (
        "slow_averages_are_best",
        [learned(steps=5), *(learned(steps=10, asked=one) for one in AVERAGES)],
        [fixed(steps=5), *(fixed(steps=10, asked=one) for one in AVERAGES)],
    ),
    (
        "best_dropout_depends_on_the_schedule",
        [learned(**one) for one in OF_EACH],
        [fixed(**one) for one in OF_EACH]
        + [learned(**{**one, "dropout": 0.2}) for one in BY_SCHEDULE],
    ),
    (
        "hybrid_is_better_between_the_ends",
        [bound(), bound(Vlb(), **RESAMPLED)],
        [*TRIO, *APART, bound(Simple()), bound(Hybrid(variance="learned"))]
        + [bound(Vlb(variance="learned"), **RESAMPLED)]
        + [bound(of, asked=a) for of in (Hybrid(), Vlb()) for a in (ESTIMATED, ENSEMBLE)],
    ),
    ("ensemble_lowers_nll", BOUND_TRIO, [*TRIO, *FIXED_TRIO, *APART, bound(Simple())]),
    ("ensemble_keeps_hybrid_quality", TRIO, [*BOUND_TRIO, *FIXED_TRIO, *APART]),
]


def is_met(need: str, asked: Sequence[Asked]) -> bool:
    return (index.CLAIMS | index.FIGURES)[need].is_met(arms_of(asked))


@pytest.mark.parametrize(("need", "few", "others"), NEEDS, ids=[need for need, _, _ in NEEDS])
def test_a_need_is_met_by_these_few_arms_and_without_one_of_them_by_no_others(
    need: str, few: list[Asked], others: list[Asked]
) -> None:
    assert is_met(need, few)
    assert is_met(need, [*few, *others])
    for place in range(len(few)):
        assert not is_met(need, [*few[:place], *few[place + 1 :], *others]), few[place]


@pytest.mark.parametrize(("need", "few"), [(need, few) for need, few, _ in NEEDS])
def test_a_claim_takes_the_parts_of_its_few_arms(need: str, few: list[Asked]) -> None:
    parts = {arm.evaluation for arm in arms_of(few)}
    if need in index.CLAIMS:
        assert parts == set(index.CLAIMS[need].parts)
    else:
        assert parts <= set(index.FIGURES[need].parts)
