"""Fig. 8: FID against the number of sampling steps."""

import math
from collections.abc import Iterator

from iddpm.config import Variance
from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import (
    BATCH,
    CONSTANT,
    EVEN,
    LENGTH,
    OBJECTIVE,
    RATE,
    SAMPLER,
    SAMPLES,
    STEPS,
    STRIDE,
    VARIANCE,
    both,
    either,
    every,
    has,
    is_ddim,
    is_hybrid_learned,
    is_samples,
    over,
    several,
    together,
    under,
)
from studies.published.published import OCCLUDED, Inferred, Published
from studies.tables.answer import FIRST, Answer

FIG_8_STEPS = (25, 50, 100, 200, 400, 1000, 4000)
FIG_8_ERROR = 0.1
"""Of the digitisation of a marker in full view, one side."""
OFF = math.nan
"""The marker lies above the figure's axis (40 on ImageNet 64, 20 on CIFAR-10)."""

FIG_8: dict[tuple[str, int, str, str], tuple[float, ...]] = {
    ("imagenet64", 500_000, "simple", "beta"): (OFF, OFF, OFF, 32.2, 26.2, 22.8, 22.3),
    ("imagenet64", 1_500_000, "simple", "beta"): (OFF, OFF, OFF, 30.5, 23.0, 19.5, 18.4),
    ("imagenet64", 500_000, "simple", "beta_tilde"): (34.8, 27.7, 25.4, 24.4, 23.2, 22.9, 22.6),
    ("imagenet64", 1_500_000, "simple", "beta_tilde"): (31.7, 24.1, 21.5, 19.5, 19.2, 19.1, 18.6),
    ("imagenet64", 500_000, "simple", "ddim"): (29.8, 26.6, 24.9, 23.7, 24.0, 24.5, 24.2),
    ("imagenet64", 1_500_000, "simple", "ddim"): (26.2, 22.9, 21.1, 20.3, 19.8, 20.0, 19.7),
    ("imagenet64", 500_000, "hybrid", "range"): (28.4, 23.6, 22.7, 22.4, 22.3, 22.1, 22.5),
    ("imagenet64", 1_500_000, "hybrid", "range"): (26.9, 21.8, 20.3, 19.2, 19.2, 18.8, 19.2),
    ("cifar10", 200_000, "simple", "beta"): (OFF, OFF, OFF, 10.3, 4.3, 2.9, 3.55),
    ("cifar10", 500_000, "simple", "beta"): (OFF, OFF, OFF, 12.3, 4.9, 2.7, 3.05),
    ("cifar10", 200_000, "simple", "beta_tilde"): (15.6, 10.8, 8.1, 6.4, 5.35, 4.7, 4.1),
    ("cifar10", 500_000, "simple", "beta_tilde"): (15.1, 9.6, 6.9, 5.4, 4.5, 3.85, 3.4),
    ("cifar10", 200_000, "simple", "ddim"): (9.2, 7.4, 6.4, 6.0, 5.75, 5.5, 5.4),
    ("cifar10", 500_000, "simple", "ddim"): (7.9, 5.9, 4.9, 4.3, 4.1, 3.85, 3.75),
    ("cifar10", 200_000, "hybrid", "range"): (10.8, 6.5, 4.9, 4.2, 3.95, 3.9, 3.9),
    ("cifar10", 500_000, "hybrid", "range"): (10.6, 5.6, 4.0, 3.4, 3.3, 3.2, 3.2),
}
"""FID by number of steps, digitised. Keys: data, training steps, objective, Σ (or "ddim")."""

FIG_8_OCCLUDED: dict[tuple[str, int, str, str], tuple[int, ...]] = {
    ("imagenet64", 500_000, "simple", "beta"): (1000, 4000),
    ("imagenet64", 1_500_000, "simple", "beta"): (400, 1000, 4000),
    ("imagenet64", 500_000, "simple", "beta_tilde"): (4000,),
    ("imagenet64", 1_500_000, "simple", "beta_tilde"): (50, 100, 200, 400, 1000),
    ("cifar10", 200_000, "simple", "beta"): (400, 1000, 4000),
    ("cifar10", 500_000, "simple", "beta"): (400, 4000),
    ("cifar10", 200_000, "simple", "beta_tilde"): (4000,),
    ("cifar10", 500_000, "simple", "beta_tilde"): (1000, 4000),
    ("cifar10", 500_000, "simple", "ddim"): (50, 100, 200, 400, 1000, 4000),
}
"""The steps whose marker others partly hide."""

TWO_VERSIONS = ("imagenet64", 500_000, "simple", "beta_tilde"), 4000
TWO_VERSIONS_ERROR = 22.6 - 21.2
"""Of the one marker in which two versions of the figure differ: 22.6 in one, 21.2 in the other."""

OF_TABLE_2 = Inferred(
    ("schedule",),
    "the cosine schedule for L_simple, whose FID on CIFAR-10 with Σ = β at 4,000 steps is the one "
    "that Table 2 has for it",
)


def fig_8_numbers() -> Iterator[Published]:
    """Fig. 8: FID against the number of sampling steps, T = 4000."""
    for curve, values in FIG_8.items():
        data, training_steps, objective, mode = curve
        for steps, value in zip(FIG_8_STEPS, values, strict=True):
            if math.isnan(value):
                continue
            yield Published(
                value=value,
                metric="frechet_distance",
                source="Fig. 8",
                tag="digitised",
                error=_error(curve, steps),
                data=data,
                T=4000,
                schedule="cosine",
                objective=objective,
                training_steps=training_steps,
                variance=_VARIANCES.get(mode),
                sampler="ddim" if mode == "ddim" else "ancestral",
                steps=steps,
                images=50_000 if data == "cifar10" else 10_000,
                inferred=(OF_TABLE_2,) if objective == "simple" else (),
            )


def _error(curve: tuple[str, int, str, str], steps: int) -> float:
    if (curve, steps) == TWO_VERSIONS:
        return TWO_VERSIONS_ERROR
    return FIG_8_ERROR * (OCCLUDED if steps in FIG_8_OCCLUDED.get(curve, ()) else 1)


_VARIANCES: dict[str, Variance] = {"beta": "beta", "beta_tilde": "beta_tilde", "range": "range"}


ENOUGH_STEPS = 100
"""Sampling steps that the paper says are nearly enough with a learned Σ (Section 4)."""
NEAR_OPTIMAL = 1.3
"""Largest ratio of a Fréchet distance to that of the most steps that is near-optimal. Fixed
beforehand; the paper's own is 4.0 over 3.2."""
MUCH_WORSE = NEAR_OPTIMAL
"""Smallest ratio of two Fréchet distances of which one is much worse: it is no longer near the
other. Fixed beforehand; the paper gives no number."""
MANY_STEPS = 50
"""Sampling steps from which on the paper finds DDIM behind (Appendix B)."""

SAMPLING = (OBJECTIVE, VARIANCE, SAMPLER, "eta", STRIDE, STEPS)

TRAINING = (BATCH, RATE, LENGTH)

ANALYSIS = Analysis(
    figures={
        "quality_vs_steps": Need(SAMPLES),
        "quality_by_batch": Need(
            SAMPLES,
            f"samples of networks trained with several batch sizes ({BATCH})",
            (BATCH,),
            several(is_samples, BATCH, beside=(RATE, LENGTH, STEPS)),
        ),
    },
    claims={
        "hundred_steps_are_nearly_enough": Need(
            SAMPLES,
            f"samples of L_hybrid with its learned variance over {ENOUGH_STEPS} steps and "
            f"over more ({STEPS})",
            (OBJECTIVE, VARIANCE, STEPS),
            together(
                every(is_samples, is_hybrid_learned, EVEN),
                (STEPS,),
                has(STEPS, ENOUGH_STEPS),
                over(STEPS, ENOUGH_STEPS),
            ),
        ),
        "even_stride_hurts_ddim": Need(
            SAMPLES,
            f"samples of L_simple by DDIM with the strides even and constant ({STRIDE})",
            (OBJECTIVE, SAMPLER, STRIDE),
            together(every(is_samples, is_ddim), (STRIDE, STEPS), EVEN, CONSTANT, at=STEPS),
        ),
        "even_stride_helps_ancestral_sampling": Need(
            SAMPLES,
            f"samples of L_hybrid with its learned variance and the strides even and constant "
            f"({STRIDE})",
            (OBJECTIVE, VARIANCE, STRIDE),
            together(
                every(is_samples, is_hybrid_learned), (STRIDE, STEPS), EVEN, CONSTANT, at=STEPS
            ),
        ),
        "ddim_wins_below_fifty_steps": Need(
            SAMPLES,
            "samples of L_simple by DDIM and of L_hybrid with its learned variance, over fewer "
            f"than {MANY_STEPS} steps and over more ({OBJECTIVE}, {SAMPLER}, {STEPS})",
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
                    for of_steps in (under(STEPS, MANY_STEPS), over(STEPS, MANY_STEPS))
                )
            ),
        ),
        "large_batches_help_hybrid_not_ddim": Need(
            SAMPLES,
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
    },
    answers={
        "sampling_stride": Answer(
            metric="frechet_distance",
            baseline={"objective": "hybrid", "variance": "range", "stride": "even"},
            against=(
                {"objective": "hybrid", "variance": "range", "stride": "constant"},
                {"objective": "simple", "sampler": "ddim", "eta": 0.0, "stride": "constant"},
                {"objective": "simple", "sampler": "ddim", "eta": 0.0, "stride": "even"},
            ),
            along="steps",
            among=({BATCH: FIRST, RATE: FIRST},),
        ),
    },
    numbers=fig_8_numbers,
    places={"sampling_stride": Place("4", 8, "Figs. 8 and 11")},
)
