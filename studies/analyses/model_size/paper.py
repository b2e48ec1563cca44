"""Fig. 10: FID and bits/dim against training compute, on ImageNet 64."""

import math
from collections.abc import Callable, Iterator

from studies.analyses.analysis import Analysis, Arms, Need, Place, Test
from studies.analyses.model_size.power_law import LEAST_POINTS, PowerLaw
from studies.analyses.needs import (
    BOTH,
    LENGTH,
    RATE,
    SIZES,
    WIDTH,
    alike,
    both,
    either,
    is_bound,
    is_read,
    is_samples,
    several,
)
from studies.published.networks import IMAGES
from studies.published.published import (
    OCCLUDED,
    OVER_ALL_STEPS,
    WHOLE_TEST_SET,
    Metric,
    Published,
)
from studies.tables.answer import LEAST, Answer

FIG_10_LAWS: dict[Metric, PowerLaw] = {
    "frechet_distance": PowerLaw.of(4.00, 2.500e-25, 0.22),
    "bits_per_dim": PowerLaw.of(3.40, 3.000e-15, 0.17),
}
"""The trend lines as the figure prints them. Their constants were fixed beforehand: 4.00 as the FID
of images of the data, 3.40 as the best published bits/dim (3.43), rounded down."""

FIG_10_ERROR = 0.015
"""Of the digitised values, relative."""
FIG_10_STEPS = (50_000, 100_000, 200_000, 500_000, 1_000_000, 1_500_000)
ABSENT = math.nan

FIG_10: dict[tuple[Metric, int], tuple[float, ...]] = {
    ("frechet_distance", 64): (65.5, 38.8, ABSENT, 28.8, 27.2, 26.4),
    ("frechet_distance", 96): (53.6, 35.0, 29.4, 24.4, 22.6, 21.7),
    ("frechet_distance", 128): (53.3, 34.6, 28.2, 22.7, 20.0, 19.35),
    ("frechet_distance", 192): (52.2, 31.6, 25.6, 19.7, 17.1, ABSENT),
    ("bits_per_dim", 64): (3.812, 3.713, 3.68, 3.651, 3.638, 3.632),
    ("bits_per_dim", 96): (3.760, 3.668, 3.637, 3.613, 3.599, 3.594),
    ("bits_per_dim", 128): (3.716, 3.647, 3.617, 3.59, 3.577, 3.570),
    ("bits_per_dim", 192): (3.685, 3.618, 3.593, 3.567, 3.555, ABSENT),
}
"""By quantity and channels of the first layer: the values after each of FIG_10_STEPS, digitised."""


FIG_10_OCCLUDED: dict[tuple[Metric, int], tuple[int, ...]] = {
    ("frechet_distance", 64): (500_000,),
    ("frechet_distance", 96): (200_000,),
    ("frechet_distance", 128): (1_000_000,),
    ("frechet_distance", 192): (1_000_000,),
    ("bits_per_dim", 64): (200_000,),
    ("bits_per_dim", 96): (200_000,),
    ("bits_per_dim", 128): (200_000, 500_000),
}
"""After how many steps a marker is partly hidden by others."""


def fig_10_numbers() -> Iterator[Published]:
    """Fig. 10: L_hybrid, cosine schedule, T = 4000; bits/dim of the validation set."""
    for (metric, channels), values in FIG_10.items():
        for training_steps, value in zip(FIG_10_STEPS, values, strict=True):
            if math.isnan(value):
                continue
            scored = metric == "bits_per_dim"
            is_occluded = training_steps in FIG_10_OCCLUDED.get((metric, channels), ())
            yield Published(
                value=value,
                metric=metric,
                source="Fig. 10",
                tag="digitised",
                error=FIG_10_ERROR * value * (OCCLUDED if is_occluded else 1),
                data="imagenet64",
                T=4000,
                schedule="cosine",
                objective="hybrid",
                training_steps=training_steps,
                channels=channels,
                variance="range",
                sampler=None if scored else "ancestral",
                steps=4000,
                images=IMAGES["imagenet64"][1] if scored else 10_000,
                inferred=(WHOLE_TEST_SET if scored else OVER_ALL_STEPS,),
            )


FOLLOWS = (RATE, "train.network.groups")
"""Settings that change with the width of a network."""
TRAINED_APART = (*FOLLOWS, LENGTH)
"""Settings in which networks of several sizes may differ beside their size."""


def _points(of: Test) -> Callable[[Arms], bool]:
    """Networks of several sizes, as many as a power law takes."""

    def is_met(arms: Arms) -> bool:
        for group in alike([arm for arm in arms if of(arm)], (WIDTH, *TRAINED_APART)):
            networks = {(arm[WIDTH], arm[LENGTH]) for arm in group}
            if len({width for width, _ in networks}) > 1 and len(networks) >= LEAST_POINTS:
                return True
        return False

    return is_met


def _same_length(of: Test) -> Callable[[Arms], bool]:
    """Networks of several sizes after the same number of training steps."""
    return several(of, WIDTH, beside=FOLLOWS)


ANALYSIS = Analysis(
    figures={
        "model_size": Need(
            BOTH,
            SIZES,
            (WIDTH,),
            either(*(several(of, WIDTH, beside=TRAINED_APART) for of in (is_samples, is_bound))),
        ),
    },
    claims={
        "quality_follows_a_power_law_of_compute": Need(
            BOTH,
            f"samples and the likelihood of three or more networks, of several sizes ({WIDTH}, "
            f"{LENGTH})",
            (WIDTH, LENGTH),
            both(_points(is_read), _points(is_bound)),
        ),
        "larger_networks_are_better": Need(
            BOTH,
            f"samples and the likelihood of {SIZES} after equally many steps",
            (WIDTH, LENGTH),
            both(_same_length(is_read), _same_length(is_bound)),
        ),
    },
    answers={
        "model_size": Answer(
            metric="frechet_distance",
            baseline={WIDTH: LEAST},
            along=LENGTH,
            beside=TRAINED_APART[:2],
        ),
    },
    numbers=fig_10_numbers,
    places={"model_size": Place("6", 10, "Fig. 10")},
)
