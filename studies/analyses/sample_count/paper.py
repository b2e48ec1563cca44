"""How many samples a Fréchet distance is over: the paper scores 10,000 and 50,000."""

from studies.analyses.analysis import Analysis, Need
from studies.analyses.needs import IMAGES, SAMPLES, is_samples, several

_COUNTS = Need(
    SAMPLES,
    f"samples of one network, scored over several numbers of them ({IMAGES})",
    (IMAGES,),
    several(is_samples, IMAGES),
)

ANALYSIS = Analysis(
    figures={
        "sample_count": _COUNTS,
    },
    claims={
        "more_samples_lower_distance": _COUNTS,
    },
)
