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
    OpenAi,
    OptimizerConfig,
    Seeds,
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
    GradientNoiseConfig,
    LikelihoodConfig,
    RandomNetwork,
    Sampler,
)
from studies.analyses import index
from studies.analyses.analysis import arms_of
from studies.spec.evaluations import Evaluation, Latents, SamplesConfig
from tests.witness.tiny import TRAINING

Asked = tuple[TrainConfig, Evaluation]
RANGE, BETA = Ancestral(variance="range"), Ancestral(variance="beta")
TILDE = Ancestral(variance="beta_tilde")


def trained(
    objective: Objective, schedule: Any, dropout: float, *, network: Any = None, **changes: Any
) -> TrainConfig:
    return replace(
        TRAINING,
        objective=objective,
        diffusion=replace(TRAINING.diffusion, schedule=schedule, steps=1000),
        network=replace(TRAINING.network, dropout=dropout, **(network or {})),
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
        extractor=RandomNetwork(data=TRAINING.data),
        **{"images": 96, "ema_decay": 0.9, **(asked or {})},
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


def latents(**training: Any) -> Asked:
    return trained(Hybrid(), "linear", 0.0, **training), Latents()


def noise(objective: Objective | None = None, **training: Any) -> Asked:
    return trained(objective or Hybrid(), "linear", 0.0, **training), GradientNoiseConfig()


def over(
    steps: int, stride: Stride = "even", /, objective: Objective | None = None, **training: Any
) -> Asked:
    """A bound over so many steps."""
    return bound(objective, asked={"steps": steps, "stride": stride}, **training)


def simple_beta(steps: int, **training: Any) -> Asked:
    return samples(Simple(), BETA, steps, **training)


def simple_tilde(steps: int, **training: Any) -> Asked:
    return samples(Simple(), TILDE, steps, **training)


def read(**training: Any) -> Asked:
    """Samples of a network that learned no Σ."""
    return samples(Simple(), BETA, **training)


def scored(**training: Any) -> Asked:
    """The bound of it."""
    return bound(Simple(), **training)


def skipping(skip: float, **how: Any) -> Asked:
    """Samples that leave a share of the chain out."""
    return fixed(asked={"skip": skip}, **how)


TRAIN, ESTIMATED = {"split": "train"}, {"estimate": Draws(most=10)}
ENSEMBLE = {"ensemble": Ends()}
RESAMPLED: dict[str, Any] = {"timesteps": LossSecondMoment()}
LARGE: dict[str, Any] = {"batch_size": 8}
WIDE, ONE_HEAD = {"model_channels": 8}, {"heads": 2}
MORE_SIDES, ADDED = {"attention_resolutions": (8,)}, {"scale_shift": False}
RATE: dict[str, Any] = {"optimizer": OptimizerConfig(learning_rate=0.5)}
BY_STEPS: list[dict[str, Any]] = [{"steps": 5}, {"steps": 7}]
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
COUNTS = (
    [fixed(asked={"images": images}) for images in (96, 192)],
    [fixed(asked={"images": 288}, steps=5)],  # of another network
)
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
    (
        "architecture_improves_quality",
        [learned(), *(learned(network=one) for one in (ONE_HEAD, MORE_SIDES, ADDED))],
        [bound(network=one) for one in ({}, ONE_HEAD, MORE_SIDES, ADDED)]
        + [fixed(network=one) for one in (ONE_HEAD, MORE_SIDES, ADDED)]
        + [learned(network=one, **LARGE) for one in (ONE_HEAD, MORE_SIDES, ADDED)],
    ),
    *(
        ("architecture", [of(), of(network=one)], [of(network=one, **LARGE), other(network=one)])
        for of, other in ((fixed, bound), (bound, fixed))
        for one in (ONE_HEAD, MORE_SIDES, ADDED)
    ),
    ("first_steps_carry_the_bound", [bound()], [bound(asked=ESTIMATED), learned(), latents()]),
    ("vlb_terms", [bound(Simple())], [bound(asked=ESTIMATED), learned(), latents()]),
    (
        "only_large_diffusion_beats_gan",
        [fixed(), learned(50, network=WIDE, **LARGE)],
        [bound(), bound(network=WIDE)],
    ),
    (
        "vlb_gradient_is_noisier",
        [noise(), noise(Vlb())],
        [noise(Simple()), noise(Vlb(), **LARGE), noise(**RESAMPLED), bound(), bound(Vlb())],
    ),
    (
        "hybrid_beats_vlb_in_training",
        [bound(), bound(Vlb())],
        [bound(of, **RESAMPLED) for of in (Hybrid(), Vlb())]
        + [bound(of, asked=ENSEMBLE) for of in (Hybrid(), Vlb())]
        + [learned(), samples(Vlb(), RANGE), bound(Vlb(), **LARGE)],
    ),
    *(
        (
            claim,
            [bound(of), bound(of, **RESAMPLED)],
            [bound(other, **how) for how in ({}, RESAMPLED)]
            + [samples(of, RANGE), samples(of, RANGE, **RESAMPLED)]
            + [bound(of, asked=ENSEMBLE), bound(of, asked=ENSEMBLE, **RESAMPLED)]
            + [bound(of, **RESAMPLED, **LARGE)],
        )
        for claim, of, other in (
            ("importance_sampling_steadies_vlb", Vlb(), Hybrid()),
            ("importance_sampling_lowers_vlb", Vlb(), Hybrid()),
            ("importance_sampling_does_not_help_hybrid", Hybrid(), Vlb()),
        )
    ),
    ("learning_curves", [learned()], [samples(Simple(), BETA), bound(Simple()), latents()]),
    *(
        (
            "lottery",
            [of(), of(seeds=Seeds(weights=7, order=7, noise=7))],
            [of(**LARGE), of(seeds=Seeds(weights=7, order=7)), latents(seeds=Seeds(noise=7))],
        )
        for of in (fixed, bound)
    ),
    *(
        ("model_size", [of(), of(network=WIDE, **RATE, steps=5)], [of(network=WIDE, **LARGE)])
        for of in (fixed, bound)
    ),
    (
        "quality_follows_a_power_law_of_compute",
        [of(**one) for of in (learned, bound) for one in (*BY_STEPS, {"network": WIDE, **RATE})],
        [fixed(**one) for one in (*BY_STEPS, {"network": WIDE, **RATE})]
        + [of(steps=steps, **LARGE) for of in (learned, bound) for steps in (5, 7, 9)],
    ),
    (
        "larger_networks_are_better",
        [of(**one) for of in (read, scored) for one in ({}, {"network": WIDE, **RATE})],
        [of(network=WIDE, **LARGE) for of in (read, scored)],
    ),
    (
        "larger_networks_are_better",
        [of(**one) for of in (learned, bound) for one in ({}, {"network": WIDE, **RATE})],
        [fixed(), fixed(network=WIDE)]
        + [of(network=WIDE, steps=5) for of in (learned, bound)]
        + [of(network=WIDE, **LARGE) for of in (learned, bound)],
    ),
    *(
        (
            claim,
            [over(50), over(50, "even_plus_first"), over(1000, "even_plus_first")],
            [over(51, one) for one in ("even", "even_plus_first")]
            + [over(50, one, **LARGE) for one in ("even", "even_plus_first", "constant")]
            + [learned(50), learned(50, stride="even_plus_first")],
        )
        for claim in ("even_stride_costs_likelihood", "first_steps_win_back_likelihood")
    ),
    (
        "nll_vs_steps",
        [over(50), over(51, "constant")],
        [over(52, **LARGE), learned(50), learned(9)],
    ),
    *(
        (
            "learned_sigma_has_the_best_short_bound",
            [over(*how, objective=of) for of in (Simple(), Hybrid())],
            [over(90, objective=of) for of in (Simple(), Hybrid())]
            + [over(10, how[-1], objective=Simple()), over(11, how[-1], objective=Hybrid())]
            + [over(*how, objective=of, **LARGE) for of in (Simple(), Vlb())],
        )
        for how in ((25, "even_plus_first"), (1000, "even"))
    ),
    *(
        ("released_checkpoints", [of(source=OpenAi(path="x.pt"))], [fixed(), bound()])
        for of in (fixed, bound)
    ),
    ("more_samples_lower_distance", *COUNTS),
    ("sample_count", *COUNTS),
    (
        "class_grid",
        [fixed(network={"class_conditional": True})],
        [fixed(), bound(network={"class_conditional": True})],
    ),
    (
        "sigma_choice_is_minor_at_many_steps",
        [fixed(), samples(Hybrid(), TILDE)],
        [ddim(), learned(), fixed(50), samples(Vlb(), BETA)]
        + [samples(of, TILDE, 25) for of in (Simple(), Hybrid())]
        + [samples(Hybrid(), TILDE, **LARGE)],
    ),
    (
        "learned_sigma_lowers_nll",
        [bound(), bound(Simple())],
        [learned(), samples(Simple(), BETA), bound(Simple(), **LARGE)]
        + [bound(of) for of in (Vlb(), Vlb(variance="learned"))],  # whose Σ is told as well
    ),
    (
        "learned_sigma_keeps_quality_at_few_steps",
        [of(n) for n in (50, 51) for of in (learned, simple_beta, simple_tilde)],
        [ddim(n) for n in (50, 51)]
        + [samples(Hybrid(), variance, n) for variance in (BETA, TILDE) for n in (50, 51)]
        + [simple_beta(25, **LARGE), learned(100, **LARGE), learned(25), learned(90)]
        + [samples(Vlb(), RANGE, n) for n in (50, 51)],
    ),
    (
        "learned_v_stays_in_range",
        [bound(Vlb())],
        [learned(), bound(Simple()), bound(Hybrid(variance="learned"))],
    ),
    ("skip_prefix", [skipping(0.0), skipping(0.3)], [skipping(0.5, steps=5), bound()]),
    (
        "linear_spares_a_skipped_fifth",
        [skipping(0.0), skipping(0.2)],
        [skipping(skip, schedule="cosine") for skip in (0.0, 0.2)]
        + [skipping(skip, **how) for skip, how in ((0.1, {}), (0.2, LARGE))],
    ),
    (
        "cosine_suffers_from_any_skip",
        [skipping(0.0), skipping(0.2)]
        + [skipping(skip, schedule="cosine") for skip in (0.0, 0.05, 0.2)],
        [skipping(0.05), skipping(0.1, schedule="cosine")]
        + [skipping(skip, schedule="cosine", **LARGE) for skip in (0.0, 0.05, 0.2)],
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


OF_EVALUATIONS = [
    (need, few)
    for need, few, _ in NEEDS
    if "train" not in (index.CLAIMS | index.FIGURES)[need].parts  # of the networks behind any
]


@pytest.mark.parametrize(("need", "few"), OF_EVALUATIONS)
def test_a_claim_takes_the_parts_of_its_few_arms(need: str, few: list[Asked]) -> None:
    parts = {arm.evaluation for arm in arms_of(few)}
    if need in index.CLAIMS:
        assert parts == set(index.CLAIMS[need].parts) - {"rivals"}
    else:
        assert parts <= set(index.FIGURES[need].parts)


def test_an_ensemble_does_not_stand_for_either_of_its_networks_alone() -> None:
    for of, asked in ((Hybrid(), BOUND_TRIO[2]), (Vlb(), BOUND_TRIO[1])):
        ensembles = [bound(one, asked=ENSEMBLE) for one in (Hybrid(), of)]
        assert not is_met("ensemble_lowers_nll", [*ensembles, asked])
