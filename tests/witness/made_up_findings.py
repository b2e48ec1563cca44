"""What is found of a claim that says nothing, on quantities whose values by seed are made up."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from studies.judging.verdicts import Claim, Finding, Measured, Measurement, Untold, decide
from studies.tables.intervals import t_interval

CLAIM = Claim(says="", source="", method="", measure=lambda _: Measured([], []))


def quantity(
    values: Sequence[float] | Mapping[int, float],
    *,
    low: float = -math.inf,
    high: float = 0.0,
    **changes: Any,
) -> Measurement:
    """A ratio claimed to lie between two ends; without seeds its values are of 0, 1, 2..."""
    by_seed = values if isinstance(values, Mapping) else dict(enumerate(values))
    interval = t_interval(list(by_seed.values()))
    one = Measurement(what="", interval=interval, unit="ratio", low=low, high=high)
    return replace(one, values=tuple(by_seed.items()), **changes)


def finding(*measurements: Measurement, **changes: Any) -> Finding:
    """What these quantities decide in a study of which all is done."""
    missing: list[str] = [Untold(one.untold) for one in measurements if one.untold]
    verdict, reason = decide(Measured(list(measurements), missing), done=True)
    found = Finding(
        name="x", claim=CLAIM, verdict=verdict, reason=reason, measurements=measurements
    )
    return replace(found, **{"is_untold": bool(missing), **changes})
