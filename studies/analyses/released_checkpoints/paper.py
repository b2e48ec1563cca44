"""The released networks, whose published numbers are those of other analyses.

Bao et al. (2022, arXiv:2201.06503) measured one of them too: their bits/dim stand in `nll_stride`.
"""

from studies.analyses.analysis import Analysis, Need
from studies.analyses.needs import BOTH

FROM = "train.from"
OTHERS = "Bao et al. (2022), Tables 1 and 8"
OF_OTHERS = "imagenet64_uncond_100M_1500K"
"""The network that they measured, by the name of its file."""

ANALYSIS = Analysis(
    figures={
        "released_checkpoints": Need(
            BOTH,
            f"a network that is read from a file ({FROM})",
            (FROM,),
            lambda arms: any(arm[FROM] is not None for arm in arms),
        ),
    },
)
