"""What the paper says of leaving out the noisy end of the reverse process."""

import math
from collections.abc import Callable

import pandas as pd

from studies.analyses.skip_prefix.paper import A_FIFTH, AT_ONCE, HARDLY_WORSE
from studies.judging.comparison import ABOVE_ZERO, Comparison, Region, Values, compared
from studies.judging.shared import CHAINS_OF_ONE_NETWORK, TWO_CHAINS
from studies.judging.verdicts import Claim, Measured
from studies.tables.intervals import paired_differences
from studies.tables.rows import alike, judged, log_ratios, parted, tied_to_schedule
from studies.tables.tables import Tables


def _linear_spares(tables: Tables) -> Measured:
    return _compared(
        tables,
        f"log growth of FD by skipping {A_FIFTH:.0%}, linear",
        lambda arms: _growth(arms, "linear", A_FIFTH),
        Region(high=math.log1p(HARDLY_WORSE)),
    )


def _cosine_suffers(tables: Tables) -> Measured:
    alone = _compared(
        tables,
        f"log growth of FD by skipping {AT_ONCE:.0%}, cosine",
        lambda arms: _growth(arms, "cosine", AT_ONCE),
        ABOVE_ZERO,
    )
    beside_linear = _compared(
        tables,
        f"log growth of FD by skipping {A_FIFTH:.0%}, cosine minus linear",
        _sooner,
        ABOVE_ZERO,
        of_two=True,
    )
    return alone + beside_linear


def _compared(
    tables: Tables,
    what: str,
    growth: Callable[[pd.DataFrame], Values | None],
    region: Region,
    *,
    of_two: bool = False,
) -> Measured:
    """The growth in every context of the study in which it is asked for, of one network or two."""
    scores = judged(tables, "frechet_distance")
    found: list[Comparison] = []
    for name, arms in alike(scores, "schedule", "skip", *tied_to_schedule(scores)):
        if (growths := growth(arms)) is not None:
            said = f"{what}, {name}"
            found.append(
                Comparison(
                    what=said,
                    values=growths,
                    unit="log ratio",
                    region=region,
                    networks=(arms,) if of_two else (),
                )
            )
    return compared(found, what)


def _growth(arms: pd.DataFrame, schedule: str, skip: float) -> Values | None:
    """By seed: the log of FD with so much skipped over FD of the whole chain.

    None where the study does not ask for it.
    """
    rows = arms[arms["schedule"] == schedule].drop_duplicates(["seed", "skip"])
    some, whole = parted(rows, "skip", skip, 0.0)
    return log_ratios([(some, whole)]) if len(some) and len(whole) else None


def _sooner(arms: pd.DataFrame) -> Values | None:
    """By how much the cosine network's growth exceeds the linear one's of the same seed."""
    cosine, linear = (_growth(arms, schedule, A_FIFTH) for schedule in ("cosine", "linear"))
    return None if cosine is None or linear is None else paired_differences(cosine, linear)


CLAIMS: dict[str, Claim] = {
    "linear_spares_a_skipped_fifth": Claim(
        says="A network of the linear schedule draws hardly worse samples when a fifth of the "
        "reverse process is skipped.",
        source="Section 3.2 and Fig. 4",
        method=f"The log of the mean Fréchet distance with {A_FIFTH:.0%} of the reverse process "
        "skipped over that of the whole, paired by seed. Hardly worse means a growth below "
        f"{HARDLY_WORSE:.0%}, fixed beforehand: supported if the whole interval lies below, "
        "contradicted if it lies above.",
        measure=_linear_spares,
        shared=CHAINS_OF_ONE_NETWORK,
    ),
    "cosine_suffers_from_any_skip": Claim(
        says="With the cosine schedule samples get worse as soon as anything is skipped, and "
        "sooner than with the linear one.",
        source="Fig. 4",
        method=f"The same log: the growth by skipping {AT_ONCE:.0%}, and the growth by "
        f"skipping {A_FIFTH:.0%} less that of the linear network of the same seed. Supported if "
        "both intervals lie above zero.",
        measure=_cosine_suffers,
        shared=TWO_CHAINS,
        of_trained=True,
    ),
}
