"""The words in which analyses say which arms of a sweep they are made from.

A need is a predicate over the planned arms: mostly that there are arms which are alike in all but
some settings, and differ in those as a figure or claim compares them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from iddpm.config import LearnedVariance
from studies.analyses.analysis import Arm, Arms, Test
from studies.spec.documents import Scalar

LIKELIHOOD, SAMPLES = ("likelihood",), ("samples",)
BOTH = ("likelihood", "samples")
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
ESTIMATE = "likelihood.estimate"
ENSEMBLES = ("likelihood.ensemble", "samples.ensemble")
FEW_STEPS_SHARE = 1 / 20
"""A chain or a bound has few steps if it has at most this share of T, fixed beforehand."""
FEW_STEPS = f"T/{1 / FEW_STEPS_SHARE:.0f}"
"""The most of few steps, in words."""

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
    """Whether all of these needs are met."""
    return lambda arms: all(need(arms) for need in needs)


def either(*needs: Callable[[Arms], bool]) -> Callable[[Arms], bool]:
    """Whether one of these needs is met."""
    return lambda arms: any(need(arms) for need in needs)


def has(name: str, *values: Scalar) -> Test:
    """That a setting is one of these values."""
    return lambda arm: arm[name] in values


def every(*tests: Test) -> Test:
    """That all of these tests hold."""
    return lambda arm: all(test(arm) for test in tests)


def is_trained(arm: Arm) -> bool:
    """Whether an arm has a network."""
    return arm.evaluation != "latents"


def is_bound(arm: Arm) -> bool:
    return arm.evaluation == "likelihood"


def has_terms(arm: Arm) -> bool:
    """Whether it has a bound with terms by step: an estimated one has none."""
    return is_bound(arm) and arm[ESTIMATE] is None


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
    """Samples of L_hybrid with the Σ that it learned."""
    return arm[OBJECTIVE] == "hybrid" and arm[VARIANCE] in LEARNED


def is_ddim(arm: Arm) -> bool:
    """Samples of L_simple by DDIM, without noise."""
    named = arm[OBJECTIVE] == "simple" and arm[SAMPLER] == "ddim"
    return named and bool(arm["samples.sampler.eta"] == 0)


def is_ensemble(arm: Arm) -> bool:
    return any(arm[name] is not None for name in ENSEMBLES)


def is_alone(arm: Arm) -> bool:
    return not is_ensemble(arm)


def is_few(name: str, *, few: bool = True) -> Test:
    """That an arm takes few steps of its chain, or more than few."""
    return lambda arm: bool(arm[name] <= FEW_STEPS_SHARE * arm[T]) == few


def over(name: str, least: float) -> Test:
    """That a setting is above a number."""
    return lambda arm: bool(arm[name] > least)


def under(name: str, most: float) -> Test:
    """That a setting is below a number."""
    return lambda arm: bool(arm[name] < most)


def is_whole(arm: Arm) -> bool:
    """Whether its bound is over all T steps."""
    return bool(arm[BOUND_STEPS] == arm[T])


SIMPLE, HYBRID, VLB = (has(OBJECTIVE, name) for name in ("simple", "hybrid", "vlb"))
UNIFORM, RESAMPLED = (has(TIMESTEPS, name) for name in ("uniform", "loss_second_moment"))
LINEAR, COSINE = (has(SCHEDULE, name) for name in ("linear", "cosine"))
EVEN, CONSTANT = (has(STRIDE, name) for name in ("even", "constant"))
BETA, BETA_TILDE = (has(VARIANCE, name) for name in ("beta", "beta_tilde"))
TEST_BOUND = every(is_bound, has(SPLIT, "test"))
SIMPLE_AND_HYBRID = f"networks of L_simple and L_hybrid trained alike ({OBJECTIVE})"
SIZES = f"networks of several sizes ({WIDTH})"
