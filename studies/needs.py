"""What figures and claims need of the arms of a sweep, beside the parts that `studies.names` tells.

Each need is a predicate over the planned arms: mostly that there are arms which are alike in all
but some settings, and differ in those as the figure or claim compares them. A need is necessary,
not sufficient: it refuses what cannot be drawn or decided whatever the results will be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from iddpm.config import Hybrid, LearnedVariance, TrainConfig, Vlb
from studies.spec.documents import Scalar
from studies.spec.evaluations import Evaluation
from studies.spec.settings import Leaves, leaves_and_extra, scope, shown

LEARNED = get_args(LearnedVariance)
OBJECTIVE, TIMESTEPS, LENGTH = "train.objective", "train.timesteps", "train.steps"
SCHEDULE, T, DROPOUT = "train.diffusion.schedule", "train.diffusion.steps", "train.network.dropout"
WIDTH, BATCH = "train.network.model_channels", "train.batch_size"
RATE = "train.optimizer.learning_rate"
HEADS, SIDES = "train.network.heads", "train.network.attention_resolutions"
SCALE_SHIFT, LABELS = "train.network.scale_shift", "train.network.class_conditional"
SAMPLER, VARIANCE, STRIDE = "samples.sampler", "samples.sampler.variance", "samples.sampler.stride"
SKIP, IMAGES, DECAY = "samples.skip", "samples.images", "samples.ema_decay"
STEPS, BOUND_STEPS = "samples.steps", "likelihood.steps"
BOUND_STRIDE, SPLIT = "likelihood.stride", "likelihood.split"
ENSEMBLES = ("likelihood.ensemble", "samples.ensemble")


@dataclass(frozen=True, slots=True)
class Arm:
    """One planned arm."""

    evaluation: str
    leaves: Leaves
    """Every setting of it by its dotted name, step counts written out."""
    telling: Mapping[str, Scalar]
    """Those that tell it from other arms of the sweep."""
    learned: str | None
    """The Σ that its network learns."""
    knows_bound: bool
    """Whether the bound is part of its objective."""

    def __getitem__(self, name: str) -> Any:
        return self.leaves.get(name)


Arms = Sequence[Arm]
Test = Callable[[Arm], bool]


@dataclass(frozen=True, slots=True)
class Need:
    """What a figure or claim is made from."""

    what: str
    """In words that name the settings to vary."""
    settings: tuple[str, ...]
    """Those that say what a sweep has of it."""
    is_met: Callable[[Arms], bool]

    def found(self, arms: Arms) -> str:
        """What a sweep has of it, in words."""
        said = []
        for name in self.settings:
            values = {str(arm[name]): None for arm in arms if name in arm.leaves}
            said.append(f"{name} {', '.join(values) if values else 'nowhere'}")
        return f"one with {'; '.join(said)}"


def arms_of(asked: Sequence[tuple[TrainConfig, Evaluation | None]]) -> list[Arm]:
    """The arms of a sweep, as needs look at them."""
    leaves, extra = leaves_and_extra(asked)
    return [
        Arm(
            scope(evaluation),
            {**own, **_whole_chains(own)},
            {**shown(own, extra), "steps": next(iter(_whole_chains(own).values()), None)},
            train.learned_variance,
            isinstance(train.objective, Vlb | Hybrid),
        )
        for (train, evaluation), own in zip(asked, leaves, strict=True)
    ]


def _whole_chains(leaves: Leaves) -> dict[str, Scalar]:
    """Step counts that are not given, which are all T."""
    return {key: leaves[key] or leaves[T] for key in (STEPS, BOUND_STEPS) if key in leaves}


# ---------------------------------------------------------------------------------- the vocabulary

SHORT = {
    OBJECTIVE: "objective",
    SCHEDULE: "schedule",
    T: "T",
    VARIANCE: "variance",
    SAMPLER: "sampler",
    STRIDE: "stride",
    BOUND_STRIDE: "stride",
    STEPS: "steps",
    BOUND_STEPS: "steps",
    SKIP: "skip",
    DECAY: "ema_decay",
    IMAGES: "images",
}
"""Names under which an arm goes by settings that every arm has."""


def alike(arms: Arms, apart: Sequence[str]) -> Iterator[Arms]:
    """Arms that differ in nothing but these settings and what belongs to them."""
    names = {SHORT.get(name, name) for name in apart}
    groups: dict[tuple[Any, ...], list[Arm]] = {}
    for arm in arms:
        key = tuple(
            (name, value)
            for name, value in arm.telling.items()
            if name not in names and not name.startswith(tuple(f"{one}." for one in apart))
        )
        groups.setdefault(key, []).append(arm)
    yield from groups.values()


def together(
    of: Test, apart: Sequence[str], *tests: Test, at: str | None = None
) -> Callable[[Arms], bool]:
    """Whether some arms are alike but for settings, and each of the tests holds of one of them.

    Args:
        of: Which arms are looked at.
        apart: The settings in which they may differ.
        tests: What must be there.
        at: A setting that must be the same in all that the tests hold of.
    """

    def is_met(arms: Arms) -> bool:
        for group in alike([arm for arm in arms if of(arm)], apart):
            holding = [[arm for arm in group if test(arm)] for test in tests]
            if at is None and all(holding):
                return True
            if at is not None and set.intersection(*({a[at] for a in one} for one in holding)):
                return True
        return False

    return is_met


def several(
    of: Test, name: str, *, beside: Sequence[str] = (), count: int = 2
) -> Callable[[Arms], bool]:
    """Whether some arms are alike but for a setting (and those beside it), and take so many."""

    def is_met(arms: Arms) -> bool:
        groups = alike([arm for arm in arms if of(arm)], (name, *beside))
        return any(len({arm[name] for arm in group}) >= count for group in groups)

    return is_met


def both(*needs: Callable[[Arms], bool]) -> Callable[[Arms], bool]:
    """Whether all are met."""
    return lambda arms: all(need(arms) for need in needs)


def either(*needs: Callable[[Arms], bool]) -> Callable[[Arms], bool]:
    """Whether one of them is met."""
    return lambda arms: any(need(arms) for need in needs)


def has(name: str, *values: Scalar) -> Test:
    """That a setting is one of these values."""
    return lambda arm: arm[name] in values


def every(*tests: Test) -> Test:
    """That all of them hold."""
    return lambda arm: all(test(arm) for test in tests)


def is_trained(arm: Arm) -> bool:
    """Whether it has a network."""
    return arm.evaluation != "latents"


def is_bound(arm: Arm) -> bool:
    return arm.evaluation == "likelihood"


def is_samples(arm: Arm) -> bool:
    return arm.evaluation == "samples"


def is_noise(arm: Arm) -> bool:
    return arm.evaluation == "gradient_noise"


def is_ancestral(arm: Arm) -> bool:
    return is_samples(arm) and arm[SAMPLER] == "ancestral"


def is_own(arm: Arm) -> bool:
    """Samples with the Σ that the network learned, or with β where it learned none."""
    return is_samples(arm) and str(arm[VARIANCE]) == (arm.learned or "beta")


def is_read(arm: Arm) -> bool:
    """Samples of a network that learned no Σ, or with the one that it learned."""
    return is_samples(arm) and (arm.learned is None or arm[VARIANCE] in LEARNED)


def is_hybrid_learned(arm: Arm) -> bool:
    return arm[OBJECTIVE] == "hybrid" and (not is_samples(arm) or arm[VARIANCE] in LEARNED)


def is_ddim(arm: Arm) -> bool:
    """Of L_simple, without noise."""
    named = arm[OBJECTIVE] == "simple" and arm[SAMPLER] == "ddim"
    return named and bool(arm["samples.sampler.eta"] == 0)


def is_ensemble(arm: Arm) -> bool:
    return any(arm[name] is not None for name in ENSEMBLES)


def is_alone(arm: Arm) -> bool:
    return not is_ensemble(arm)


def is_few(name: str, *, few: bool = True) -> Test:
    """Over at most a twentieth of the chain, or over more."""
    return lambda arm: bool(arm[name] <= arm[T] / 20) == few


def over(name: str, least: float) -> Test:
    return lambda arm: bool(arm[name] > least)


def under(name: str, most: float) -> Test:
    return lambda arm: bool(arm[name] < most)


def is_whole(arm: Arm) -> bool:
    return bool(arm[BOUND_STEPS] == arm[T])


SIMPLE, HYBRID, VLB = (has(OBJECTIVE, name) for name in ("simple", "hybrid", "vlb"))
UNIFORM, RESAMPLED = (has(TIMESTEPS, name) for name in ("uniform", "loss_second_moment"))
LINEAR, COSINE = (has(SCHEDULE, name) for name in ("linear", "cosine"))
EVEN, CONSTANT = (has(STRIDE, name) for name in ("even", "constant"))
BETA, BETA_TILDE = (has(VARIANCE, name) for name in ("beta", "beta_tilde"))
TEST_BOUND = every(is_bound, has(SPLIT, "test"))
SIZES = (RATE, "train.network.groups", LENGTH)
SAMPLING = (OBJECTIVE, VARIANCE, SAMPLER, "eta", STRIDE, STEPS)
TRAINING = (BATCH, RATE, LENGTH)


def _along(of: Test, *tests: Test, apart: str) -> Callable[[Arms], bool]:
    """Whether trainings looked at after several lengths differ in another setting so."""

    def is_met(arms: Arms) -> bool:
        curves = alike([arm for arm in arms if of(arm)], (LENGTH,))
        whole = [curve for curve in curves if len({arm[LENGTH] for arm in curve}) > 1]
        return together(of, (apart, LENGTH), *tests)([arm for curve in whole for arm in curve])

    return is_met


def _points(of: Test) -> Callable[[Arms], bool]:
    """At least three networks of several sizes."""

    def is_met(arms: Arms) -> bool:
        for group in alike([arm for arm in arms if of(arm)], (WIDTH, *SIZES)):
            networks = {(arm[WIDTH], arm[LENGTH]) for arm in group}
            if len({width for width, _ in networks}) > 1 and len(networks) >= 3:
                return True
        return False

    return is_met


def _same_length(of: Test) -> Callable[[Arms], bool]:
    """Networks of several sizes after the same number of training steps."""
    return several(of, WIDTH, beside=SIZES[:2])


# ------------------------------------------------------------------------------------- the figures

_LENGTHS = f"trainings looked at after several lengths ({LENGTH})"
_SIZES = f"networks of several sizes ({WIDTH})"
_TERMS = Need(
    f"the likelihood of an L_hybrid and of an L_vlb network trained alike ({OBJECTIVE})",
    (OBJECTIVE,),
    together(
        every(is_bound, is_alone, lambda arm: arm.learned == "range"),
        (OBJECTIVE, TIMESTEPS),
        HYBRID,
        VLB,
    ),
)
_COUNTS = Need(
    f"samples of one network, scored over several numbers of them ({IMAGES})",
    (IMAGES,),
    several(is_samples, IMAGES),
)

FIGURES: dict[str, Need] = {
    "quality_by_batch": Need(
        f"samples of networks trained with several batch sizes ({BATCH})",
        (BATCH,),
        several(is_samples, BATCH, beside=(RATE, LENGTH, STEPS)),
    ),
    "model_size": Need(
        _SIZES,
        (WIDTH,),
        either(*(several(of, WIDTH, beside=SIZES) for of in (is_samples, is_bound))),
    ),
    "class_grid": Need(
        f"samples of a class-conditional network ({LABELS}: true)",
        (LABELS,),
        together(is_samples, (), has(LABELS, True)),
    ),
    "sample_count": _COUNTS,
    "nll_vs_steps": Need(
        f"the likelihood of one network over several numbers of steps ({BOUND_STEPS})",
        (BOUND_STEPS,),
        several(is_bound, BOUND_STEPS, beside=(BOUND_STRIDE,)),
    ),
    "overfitting": Need(
        _LENGTHS, (LENGTH,), either(*(several(of, LENGTH) for of in (is_samples, is_bound)))
    ),
    "early_stopping": Need(
        f"samples of {_LENGTHS}, with several dropouts ({DROPOUT}) or averages of the weights "
        f"({DECAY})",
        (LENGTH, DROPOUT, DECAY),
        both(
            several(is_samples, LENGTH),
            either(
                several(is_samples, DROPOUT, beside=(LENGTH,)),
                several(is_samples, DECAY),
            ),
        ),
    ),
    "architecture": Need(
        f"networks that differ in their architecture ({HEADS}, {SIDES}, {SCALE_SHIFT})",
        (HEADS, SIDES, SCALE_SHIFT),
        either(*(several(is_trained, name) for name in (HEADS, SIDES, SCALE_SHIFT))),
    ),
    "term_ratio": _TERMS,
    "skip_prefix": Need(
        f"samples of one network that skip several shares of the chain ({SKIP})",
        (SKIP,),
        several(is_samples, SKIP),
    ),
    "learning_curves": Need(
        f"a training whose objective knows the bound ({OBJECTIVE}: vlb or hybrid)",
        (OBJECTIVE,),
        lambda arms: any(arm.knows_bound for arm in arms if is_trained(arm)),
    ),
}

# -------------------------------------------------------------------------------------- the claims

_SIMPLE_AND_HYBRID = f"networks of L_simple and L_hybrid trained alike ({OBJECTIVE})"
_BOTH_STRIDES = Need(
    "the likelihood of one network over at most T/20 steps with both strides even and "
    f"even_plus_first, and over all T ({BOUND_STEPS}, {BOUND_STRIDE})",
    (BOUND_STEPS, BOUND_STRIDE, T),
    lambda arms: any(
        together(
            lambda arm: True,
            (BOUND_STRIDE,),
            every(is_few(BOUND_STEPS), has(BOUND_STRIDE, "even")),
            every(is_few(BOUND_STEPS), has(BOUND_STRIDE, "even_plus_first")),
        )(group)
        and any(map(is_whole, group))
        for group in alike([arm for arm in arms if is_bound(arm)], (BOUND_STEPS, BOUND_STRIDE))
    ),
)
_BY_DROPOUT = Need(
    f"samples of {_LENGTHS}, without dropout and with some ({DROPOUT})",
    (LENGTH, DROPOUT),
    _along(is_read, has(DROPOUT, 0), over(DROPOUT, 0), apart=DROPOUT),
)
_BOTH_SCHEDULES = f"{_LENGTHS}, with the schedules linear and cosine ({SCHEDULE})"
_RESAMPLED = f"with t drawn uniformly and by importance ({TIMESTEPS}: uniform, loss_second_moment)"


def _drawn_both_ways(name: str, objective: Test) -> Need:
    return Need(
        f"the likelihood of {name} networks trained {_RESAMPLED}",
        (OBJECTIVE, TIMESTEPS),
        together(every(is_bound, objective, is_alone), (TIMESTEPS,), UNIFORM, RESAMPLED),
    )


def _trio(of: Test, what: str) -> Need:
    return Need(
        f"{what} of an ensemble, and of its L_hybrid and L_vlb networks alone (an evaluation with "
        "ensemble: ends, and one without for each)",
        (OBJECTIVE, *ENSEMBLES),
        together(
            of,
            (OBJECTIVE, TIMESTEPS, VARIANCE, *ENSEMBLES),
            is_ensemble,
            every(is_alone, HYBRID),
            every(is_alone, VLB),
        ),
    )


CLAIMS: dict[str, Need] = {
    "sigma_choice_is_minor_at_many_steps": Need(
        f"ancestral samples of one network with the variances beta and beta_tilde ({VARIANCE})",
        (SAMPLER, VARIANCE),
        together(is_ancestral, (VARIANCE, STEPS), BETA, BETA_TILDE, at=STEPS),
    ),
    "learned_sigma_lowers_nll": Need(
        f"the likelihood of {_SIMPLE_AND_HYBRID}",
        (OBJECTIVE,),
        together(is_bound, (OBJECTIVE,), SIMPLE, HYBRID),
    ),
    "learned_sigma_keeps_quality_at_few_steps": Need(
        "ancestral samples of L_hybrid with its learned variance and of L_simple with beta and "
        f"with beta_tilde, over at most T/20 steps and over more ({OBJECTIVE}, {VARIANCE}, "
        f"{STEPS})",
        (OBJECTIVE, VARIANCE, STEPS),
        both(
            *(
                together(
                    every(is_ancestral, is_few(STEPS, few=few)),
                    (OBJECTIVE, VARIANCE, STEPS),
                    is_hybrid_learned,
                    every(SIMPLE, variance),
                    at=STEPS,
                )
                for few in (True, False)
                for variance in (BETA, BETA_TILDE)
            )
        ),
    ),
    "learned_v_stays_in_range": Need(
        f"the likelihood of a network that learns Σ in a range ({OBJECTIVE}: hybrid or vlb)",
        (OBJECTIVE,),
        lambda arms: any(arm.learned == "range" for arm in arms if is_bound(arm)),
    ),
    "hundred_steps_are_nearly_enough": Need(
        f"samples of L_hybrid with its learned variance over 100 steps and over more ({STEPS})",
        (OBJECTIVE, VARIANCE, STEPS),
        together(
            every(is_samples, is_hybrid_learned, EVEN),
            (STEPS,),
            has(STEPS, 100),
            over(STEPS, 100),
        ),
    ),
    "even_stride_hurts_ddim": Need(
        f"samples of L_simple by DDIM with the strides even and constant ({STRIDE})",
        (OBJECTIVE, SAMPLER, STRIDE),
        together(every(is_samples, is_ddim), (STRIDE, STEPS), EVEN, CONSTANT, at=STEPS),
    ),
    "even_stride_helps_ancestral_sampling": Need(
        f"samples of L_hybrid with its learned variance and the strides even and constant "
        f"({STRIDE})",
        (OBJECTIVE, VARIANCE, STRIDE),
        together(every(is_samples, is_hybrid_learned), (STRIDE, STEPS), EVEN, CONSTANT, at=STEPS),
    ),
    "ddim_wins_below_fifty_steps": Need(
        "samples of L_simple by DDIM and of L_hybrid with its learned variance, over fewer than "
        f"50 steps and over more ({OBJECTIVE}, {SAMPLER}, {STEPS})",
        (OBJECTIVE, SAMPLER, STEPS),
        both(
            *(
                together(
                    every(is_samples, of_steps),
                    SAMPLING,
                    every(is_ddim, CONSTANT),
                    every(is_hybrid_learned, EVEN),
                    at=STEPS,
                )
                for of_steps in (under(STEPS, 50), over(STEPS, 50))
            )
        ),
    ),
    "large_batches_help_hybrid_not_ddim": Need(
        "samples of L_hybrid with its learned variance, or of L_simple by DDIM, of networks "
        f"trained with several batch sizes ({BATCH})",
        (OBJECTIVE, SAMPLER, BATCH),
        either(
            *(
                several(every(is_samples, arm), BATCH, beside=TRAINING)
                for arm in (every(is_hybrid_learned, EVEN), every(is_ddim, CONSTANT))
            )
        ),
    ),
    "quality_follows_a_power_law_of_compute": Need(
        f"samples and the likelihood of three or more networks, of several sizes ({WIDTH}, "
        f"{LENGTH})",
        (WIDTH, LENGTH),
        both(_points(is_read), _points(is_bound)),
    ),
    "larger_networks_are_better": Need(
        f"samples and the likelihood of {_SIZES} after equally many steps",
        (WIDTH, LENGTH),
        both(_same_length(is_read), _same_length(is_bound)),
    ),
    "longer_chain_lowers_nll": Need(
        f"the likelihood of one network with several lengths ({T})",
        (T,),
        several(is_bound, T, beside=(BOUND_STEPS,)),
    ),
    "cosine_lowers_nll": Need(
        f"the likelihood of one network with the schedules linear and cosine ({SCHEDULE})",
        (SCHEDULE,),
        together(is_bound, (SCHEDULE,), LINEAR, COSINE),
    ),
    "vlb_gives_lowest_nll": Need(
        f"the likelihood of an L_vlb network and of another objective's ({OBJECTIVE})",
        (OBJECTIVE,),
        lambda arms: len({arm[OBJECTIVE] == "vlb" for arm in arms if is_bound(arm)}) == 2,
    ),
    "vlb_worsens_samples": Need(
        f"samples of L_vlb and L_hybrid networks trained alike, with their learned variance "
        f"({OBJECTIVE})",
        (OBJECTIVE, VARIANCE),
        together(every(is_own, EVEN, has(SKIP, 0)), (OBJECTIVE, TIMESTEPS), HYBRID, VLB),
    ),
    "hybrid_keeps_quality": Need(
        f"samples of {_SIMPLE_AND_HYBRID}, with beta and with the learned variance",
        (OBJECTIVE, VARIANCE),
        together(every(is_own, EVEN, has(SKIP, 0)), (OBJECTIVE, VARIANCE), SIMPLE, HYBRID),
    ),
    "more_samples_lower_distance": _COUNTS,
    "even_stride_costs_likelihood": _BOTH_STRIDES,
    "first_steps_win_back_likelihood": _BOTH_STRIDES,
    "learned_sigma_has_the_best_short_bound": Need(
        f"the likelihood of {_SIMPLE_AND_HYBRID}, with the stride even_plus_first or over all T "
        f"({BOUND_STRIDE})",
        (OBJECTIVE, BOUND_STRIDE),
        together(
            lambda arm: is_bound(arm) and (arm[BOUND_STRIDE] == "even_plus_first" or is_whole(arm)),
            (OBJECTIVE, BOUND_STEPS, BOUND_STRIDE),
            SIMPLE,
            HYBRID,
            at=BOUND_STEPS,
        ),
    ),
    "networks_overfit": Need(
        f"the likelihood of training and of test images ({SPLIT}) of {_LENGTHS}",
        (LENGTH, SPLIT),
        both(
            several(TEST_BOUND, LENGTH),
            together(is_bound, (SPLIT, "images"), has(SPLIT, "train"), has(SPLIT, "test")),
        ),
    ),
    "cosine_reaches_its_best_sooner": Need(
        f"samples and the likelihood of {_BOTH_SCHEDULES}",
        (LENGTH, SCHEDULE),
        both(
            _along(is_read, LINEAR, COSINE, apart=SCHEDULE),
            _along(TEST_BOUND, LINEAR, COSINE, apart=SCHEDULE),
        ),
    ),
    "schedules_reach_similar_quality": Need(
        f"samples of {_BOTH_SCHEDULES}",
        (LENGTH, SCHEDULE),
        _along(is_read, LINEAR, COSINE, apart=SCHEDULE),
    ),
    "small_dropout_improves_the_best_quality": _BY_DROPOUT,
    "small_dropout_takes_longer": _BY_DROPOUT,
    "slow_averages_are_best": Need(
        f"samples of {_LENGTHS}, with averages of three decays ({DECAY})",
        (LENGTH, DECAY),
        both(several(is_read, LENGTH), several(is_read, DECAY, count=3)),
    ),
    "best_dropout_depends_on_the_schedule": Need(
        f"samples of {_LENGTHS}, with dropout 0.1 and 0.3 ({DROPOUT}) under the schedules linear "
        f"and cosine ({SCHEDULE})",
        (LENGTH, DROPOUT, SCHEDULE),
        both(
            *(
                _along(every(is_read, one), has(DROPOUT, 0.1), has(DROPOUT, 0.3), apart=DROPOUT)
                for one in (LINEAR, COSINE)
            )
        ),
    ),
    "architecture_improves_quality": Need(
        f"samples of networks with one and several heads ({HEADS}), with attention at one and "
        f"several resolutions ({SIDES}), and with either conditioning ({SCALE_SHIFT})",
        (HEADS, SIDES, SCALE_SHIFT),
        both(*(several(is_read, name) for name in (HEADS, SIDES, SCALE_SHIFT))),
    ),
    "vlb_gradient_is_noisier": Need(
        f"the gradient noise of L_vlb and L_hybrid networks trained alike ({OBJECTIVE})",
        (OBJECTIVE,),
        together(is_noise, (OBJECTIVE,), HYBRID, VLB),
    ),
    "hybrid_is_better_between_the_ends": _TERMS,
    "ensemble_lowers_nll": _trio(is_bound, "the likelihood"),
    "ensemble_keeps_hybrid_quality": _trio(every(is_samples, has(VARIANCE, "range")), "samples"),
    "only_large_diffusion_beats_gan": Need(
        f"samples of {_SIZES}",
        (WIDTH,),
        lambda arms: len({arm[WIDTH] for arm in arms if is_samples(arm)}) > 1,
    ),
    "linear_spares_a_skipped_fifth": Need(
        f"samples of one network of the linear schedule that skip 0 and 0.2 of the chain "
        f"({SCHEDULE}, {SKIP})",
        (SCHEDULE, SKIP),
        together(every(is_samples, LINEAR), (SKIP,), has(SKIP, 0), has(SKIP, 0.2)),
    ),
    "cosine_suffers_from_any_skip": Need(
        "samples of networks of the schedules cosine and linear that skip 0 and 0.2 of the chain, "
        f"with cosine 0.05 too ({SCHEDULE}, {SKIP})",
        (SCHEDULE, SKIP),
        together(
            is_samples,
            (SCHEDULE, SKIP),
            *(every(LINEAR, has(SKIP, share)) for share in (0, 0.2)),
            *(every(COSINE, has(SKIP, share)) for share in (0, 0.05, 0.2)),
        ),
    ),
    "hybrid_beats_vlb_in_training": Need(
        "the likelihood of L_hybrid and L_vlb networks trained alike with t drawn uniformly "
        f"({OBJECTIVE})",
        (OBJECTIVE, TIMESTEPS),
        together(every(is_bound, UNIFORM, is_alone), (OBJECTIVE,), HYBRID, VLB),
    ),
    "importance_sampling_steadies_vlb": _drawn_both_ways("L_vlb", VLB),
    "importance_sampling_lowers_vlb": _drawn_both_ways("L_vlb", VLB),
    "importance_sampling_does_not_help_hybrid": _drawn_both_ways("L_hybrid", HYBRID),
}
