"""Appendix D: L_hybrid and L_vlb networks that share a chain."""

from collections.abc import Iterator

from iddpm.evaluation.config import Ends
from studies.analyses.analysis import Analysis, Need, Place, Test
from studies.analyses.needs import (
    ENSEMBLES,
    ESTIMATE,
    HYBRID,
    LIKELIHOOD,
    OBJECTIVE,
    SAMPLES,
    TIMESTEPS,
    VARIANCE,
    VLB,
    every,
    has,
    has_terms,
    is_alone,
    is_bound,
    is_ensemble,
    is_samples,
    together,
)
from studies.published.networks import IMAGES
from studies.published.published import (
    OVER_ALL_STEPS,
    WHOLE_TEST_SET,
    Inferred,
    Metric,
    Published,
)
from studies.tables.answer import ANY, Answer

APPENDIX_D: dict[Metric, float] = {"bits_per_dim": 3.52, "frechet_distance": 19.9}
"""Of the ensemble on ImageNet 64. Alone, the networks of 1.5 million steps have 3.57 bits/dim and
an FID of 19.2 (L_hybrid), and 3.53 and 40.1 (L_vlb): the last rows of Table 1."""


ENDS_SHARE = Ends().share
"""Share of the steps that L_vlb's network takes at either end of the chain."""

TO_THE_END = Inferred(
    ("training steps", "schedule", "T"),
    "both networks after 1,500,000 training steps, cosine, T = 4,000: the FID of 19.9 lies beside "
    "the 19.2 that L_hybrid alone has there, not beside its 28.0 after 200,000",
)


def appendix_d_numbers() -> Iterator[Published]:
    """Appendix D: bits/dim and FID of the ensemble, T = 4000, cosine."""
    for metric, value in APPENDIX_D.items():
        scored = metric == "bits_per_dim"
        yield Published(
            value=value,
            metric=metric,
            source="App. D",
            tag="exact",
            error=None,
            data="imagenet64",
            T=4000,
            schedule="cosine",
            objective="hybrid",
            training_steps=1_500_000,
            variance="range",
            sampler=None if scored else "ancestral",
            steps=4000,
            images=IMAGES["imagenet64"][1] if scored else 10_000,
            networks="an ensemble",
            inferred=(TO_THE_END, WHOLE_TEST_SET if scored else OVER_ALL_STEPS),
        )


_TERMS = Need(
    LIKELIHOOD,
    "the likelihood of an L_hybrid and of an L_vlb network trained alike "
    f"({OBJECTIVE}), both exact ({ESTIMATE}: null)",
    (OBJECTIVE, ESTIMATE),
    together(
        every(has_terms, is_alone, lambda arm: arm.learned == "range"),
        (OBJECTIVE, TIMESTEPS),
        HYBRID,
        VLB,
    ),
)


def _trio(parts: tuple[str, ...], of: Test, what: str) -> Need:
    return Need(
        parts,
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


ANALYSIS = Analysis(
    figures={
        "term_ratio": _TERMS,
    },
    claims={
        "hybrid_is_better_between_the_ends": _TERMS,
        "ensemble_lowers_nll": _trio(LIKELIHOOD, is_bound, "the likelihood"),
        "ensemble_keeps_hybrid_quality": _trio(
            SAMPLES, every(is_samples, has(VARIANCE, "range")), "samples"
        ),
    },
    answers={
        "hybrid_vlb_ensemble": Answer(
            metric="bits_per_dim",
            baseline={"objective": "hybrid", "variance": "range", ENSEMBLES[0]: None},
            against=(
                {"variance": "range", ENSEMBLES[0]: ANY},
                {"objective": "vlb", "variance": "range", ENSEMBLES[0]: None},
            ),
            beside=("train.timesteps",),
        ),
    },
    numbers=appendix_d_numbers,
    places={"hybrid_vlb_ensemble": Place("D", 13, "Figs. 13 and 14")},
)
