"""Tables 1 and 2: what schedule, T and objective do to bits/dim and FID."""

from collections.abc import Iterator
from functools import partial

from iddpm.config import Schedule
from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import (
    BOTH,
    BOUND_STEPS,
    COSINE,
    EVEN,
    HYBRID,
    LIKELIHOOD,
    LINEAR,
    OBJECTIVE,
    SAMPLES,
    SCHEDULE,
    SIMPLE,
    SIMPLE_AND_HYBRID,
    SKIP,
    TIMESTEPS,
    VARIANCE,
    VLB,
    T,
    every,
    has,
    is_bound,
    is_own,
    several,
    together,
)
from studies.published.networks import IMAGES
from studies.published.published import OVER_ALL_STEPS, WHOLE_TEST_SET, Inferred, Published
from studies.tables.answer import ANY, Answer

Row = tuple[int, int, Schedule, str, float, float]
TABLES: tuple[tuple[str, str, int, tuple[Row, ...]], ...] = (
    (
        "Table 1",
        "imagenet64",
        10_000,
        (
            (200_000, 1000, "linear", "simple", 3.99, 32.5),
            (200_000, 4000, "linear", "simple", 3.77, 31.3),
            (200_000, 4000, "linear", "hybrid", 3.66, 32.2),
            (200_000, 4000, "cosine", "simple", 3.68, 27.0),
            (200_000, 4000, "cosine", "hybrid", 3.62, 28.0),
            (200_000, 4000, "cosine", "vlb", 3.57, 56.7),
            (1_500_000, 4000, "cosine", "hybrid", 3.57, 19.2),
            (1_500_000, 4000, "cosine", "vlb", 3.53, 40.1),
        ),
    ),
    (
        "Table 2",
        "cifar10",
        50_000,
        (
            (500_000, 1000, "linear", "simple", 3.73, 3.29),
            (500_000, 4000, "linear", "simple", 3.37, 2.90),
            (500_000, 4000, "linear", "hybrid", 3.26, 3.07),
            (500_000, 4000, "cosine", "simple", 3.26, 3.05),
            (500_000, 4000, "cosine", "hybrid", 3.17, 3.19),
            (500_000, 4000, "cosine", "vlb", 2.94, 11.47),
        ),
    ),
)
"""(table, data, images of its FID, rows of (training steps, T, schedule, objective, NLL, FID))."""


OFFICIAL_SIGMA = Inferred(("Σ",), "Σ = β for L_simple, the default of the official code")


def table_numbers() -> Iterator[Published]:
    """Tables 1 and 2: bits/dim and FID over all T steps.

    L_hybrid and L_vlb learn their Σ (Eq. 15); of the L_simple rows the paper states that of the
    first alone, as β.
    """
    for source, data, images, rows in TABLES:
        for row, (training_steps, length, schedule, objective, nll, fid) in enumerate(rows):
            sigma = (OFFICIAL_SIGMA,) if objective == "simple" and row > 0 else ()
            shared = partial(
                Published,
                source=source,
                tag="exact",
                error=None,
                data=data,
                T=length,
                schedule=schedule,
                objective=objective,
                training_steps=training_steps,
                variance="beta" if objective == "simple" else "range",
                steps=length,
            )
            yield shared(
                value=nll,
                metric="bits_per_dim",
                sampler=None,
                images=IMAGES[data][1],
                inferred=(*sigma, WHOLE_TEST_SET),
            )
            yield shared(
                value=fid,
                metric="frechet_distance",
                sampler="ancestral",
                images=images,
                inferred=(*sigma, OVER_ALL_STEPS),
            )


KEPT = 0.10
"""Largest share by which a Fréchet distance may exceed another's and still count as kept. Fixed
beforehand; the paper's own are 3 to 6%."""
DRAWS_OF_THE_PAPER = 200_000 * 128 // 4000
"""Images for which a training of Table 1 drew each t of its longer chain."""

ANALYSIS = Analysis(
    figures={
        "objective_table": Need(BOTH),
    },
    claims={
        "longer_chain_lowers_nll": Need(
            LIKELIHOOD,
            f"the likelihood of one network with several lengths ({T})",
            (T,),
            several(is_bound, T, beside=(BOUND_STEPS,)),
        ),
        "cosine_lowers_nll": Need(
            LIKELIHOOD,
            f"the likelihood of one network with the schedules linear and cosine ({SCHEDULE})",
            (SCHEDULE,),
            together(is_bound, (SCHEDULE,), LINEAR, COSINE),
        ),
        "vlb_gives_lowest_nll": Need(
            LIKELIHOOD,
            f"the likelihood of an L_vlb network and of another objective's ({OBJECTIVE})",
            (OBJECTIVE,),
            lambda arms: len({arm[OBJECTIVE] == "vlb" for arm in arms if is_bound(arm)}) == 2,
        ),
        "vlb_worsens_samples": Need(
            SAMPLES,
            f"samples of L_vlb and L_hybrid networks trained alike, with their learned variance "
            f"({OBJECTIVE})",
            (OBJECTIVE, VARIANCE),
            together(every(is_own, EVEN, has(SKIP, 0)), (OBJECTIVE, TIMESTEPS), HYBRID, VLB),
        ),
        "hybrid_keeps_quality": Need(
            SAMPLES,
            f"samples of {SIMPLE_AND_HYBRID}, with beta and with the learned variance",
            (OBJECTIVE, VARIANCE),
            together(every(is_own, EVEN, has(SKIP, 0)), (OBJECTIVE, VARIANCE), SIMPLE, HYBRID),
        ),
    },
    answers={
        "objective_ablation": Answer(
            metric="bits_per_dim",
            baseline={"objective": "simple", "variance": "beta"},
            against=({"objective": ANY, "variance": "range"},),
            beside=("train.timesteps", "steps"),
        ),
    },
    numbers=table_numbers,
    places={"objective_ablation": Place("3.4", 1, "Tables 1 and 2")},
)
