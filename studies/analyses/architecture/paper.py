"""Appendix A: heads, resolutions of attention, and how the step enters the network."""

from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import (
    BOTH,
    HEADS,
    SAMPLES,
    SCALE_SHIFT,
    SIDES,
    both,
    either,
    is_read,
    is_trained,
    several,
)
from studies.tables.answer import FIRST, Answer

ANALYSIS = Analysis(
    figures={
        "architecture": Need(
            BOTH,
            f"networks that differ in their architecture ({HEADS}, {SIDES}, {SCALE_SHIFT})",
            (HEADS, SIDES, SCALE_SHIFT),
            either(*(several(is_trained, name) for name in (HEADS, SIDES, SCALE_SHIFT))),
        ),
    },
    claims={
        "architecture_improves_quality": Need(
            SAMPLES,
            f"samples of networks with one and several heads ({HEADS}), with attention at one and "
            f"several resolutions ({SIDES}), and with either conditioning ({SCALE_SHIFT})",
            (HEADS, SIDES, SCALE_SHIFT),
            both(*(several(is_read, name) for name in (HEADS, SIDES, SCALE_SHIFT))),
        ),
    },
    answers={
        "architecture": Answer(
            metric="frechet_distance", baseline={HEADS: FIRST, SIDES: FIRST, SCALE_SHIFT: FIRST}
        ),
    },
    places={"architecture": Place("A", 0, "")},
)
