"""Figs. 16 and 17, Appendices F and G: training long, dropout, and averages of the weights."""

from collections.abc import Callable

from studies.analyses.analysis import Analysis, Arms, Need, Place, Test
from studies.analyses.needs import (
    BOTH,
    COSINE,
    DECAY,
    DROPOUT,
    LENGTH,
    LIKELIHOOD,
    LINEAR,
    SAMPLES,
    SCHEDULE,
    SPLIT,
    TEST_BOUND,
    alike,
    both,
    either,
    every,
    has,
    is_bound,
    is_read,
    is_samples,
    over,
    several,
    together,
)
from studies.tables.answer import Answer

SIMILAR = 0.10
"""Largest share by which one best Fréchet distance exceeds another that counts as similar. Fixed
beforehand; the paper gives no number."""
BEST_DROPOUT = {"linear": 0.1, "cosine": 0.3}
"""By schedule: the dropout that the paper found best on CIFAR-10 (Appendix A)."""


def _along(of: Test, *tests: Test, apart: str) -> Callable[[Arms], bool]:
    """Whether trainings looked at after several lengths differ in another setting so."""

    def is_met(arms: Arms) -> bool:
        curves = alike([arm for arm in arms if of(arm)], (LENGTH,))
        whole = [curve for curve in curves if len({arm[LENGTH] for arm in curve}) > 1]
        return together(of, (apart, LENGTH), *tests)([arm for curve in whole for arm in curve])

    return is_met


_LENGTHS = f"trainings looked at after several lengths ({LENGTH})"

_DROPOUTS = " and ".join(f"{dropout:g}" for dropout in BEST_DROPOUT.values())
_EACH_DROPOUT = [has(DROPOUT, dropout) for dropout in BEST_DROPOUT.values()]
_BY_DROPOUT = Need(
    SAMPLES,
    f"samples of {_LENGTHS}, without dropout and with some ({DROPOUT})",
    (LENGTH, DROPOUT),
    _along(is_read, has(DROPOUT, 0), over(DROPOUT, 0), apart=DROPOUT),
)

_BOTH_SCHEDULES = f"{_LENGTHS}, with the schedules linear and cosine ({SCHEDULE})"

ANALYSIS = Analysis(
    figures={
        "overfitting": Need(
            BOTH,
            _LENGTHS,
            (LENGTH,),
            either(*(several(of, LENGTH) for of in (is_samples, is_bound))),
        ),
        "early_stopping": Need(
            SAMPLES,
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
    },
    claims={
        "networks_overfit": Need(
            LIKELIHOOD,
            f"the likelihood of training and of test images ({SPLIT}) of {_LENGTHS}",
            (LENGTH, SPLIT),
            both(
                several(TEST_BOUND, LENGTH),
                together(is_bound, (SPLIT, "images"), has(SPLIT, "train"), has(SPLIT, "test")),
            ),
        ),
        "cosine_reaches_its_best_sooner": Need(
            BOTH,
            f"samples and the likelihood of {_BOTH_SCHEDULES}",
            (LENGTH, SCHEDULE),
            both(
                _along(is_read, LINEAR, COSINE, apart=SCHEDULE),
                _along(TEST_BOUND, LINEAR, COSINE, apart=SCHEDULE),
            ),
        ),
        "schedules_reach_similar_quality": Need(
            SAMPLES,
            f"samples of {_BOTH_SCHEDULES}",
            (LENGTH, SCHEDULE),
            _along(is_read, LINEAR, COSINE, apart=SCHEDULE),
        ),
        "small_dropout_improves_the_best_quality": _BY_DROPOUT,
        "small_dropout_takes_longer": _BY_DROPOUT,
        "slow_averages_are_best": Need(
            SAMPLES,
            f"samples of {_LENGTHS}, with averages of three decays ({DECAY})",
            (LENGTH, DECAY),
            both(several(is_read, LENGTH), several(is_read, DECAY, count=3)),
        ),
        "best_dropout_depends_on_the_schedule": Need(
            SAMPLES,
            f"samples of {_LENGTHS}, with dropout {_DROPOUTS} ({DROPOUT}) under the schedules "
            f"linear and cosine ({SCHEDULE})",
            (LENGTH, DROPOUT, SCHEDULE),
            both(
                *(
                    _along(every(is_read, schedule), *_EACH_DROPOUT, apart=DROPOUT)
                    for schedule in (LINEAR, COSINE)
                )
            ),
        ),
    },
    answers={
        "overfitting": Answer(
            metric="bits_per_dim",
            baseline={"schedule": "linear"},
            against=({"schedule": "cosine"},),
            along=LENGTH,
            among=({SPLIT: "test", "variance": "range"},),
        ),
        "early_stopping": Answer(metric="frechet_distance", baseline={DROPOUT: 0.0}, along=LENGTH),
    },
    places={
        "overfitting": Place("F", 16, "Fig. 16"),
        "early_stopping": Place("G", 17, "Fig. 17"),
    },
)
