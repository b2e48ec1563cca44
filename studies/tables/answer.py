"""How a study is answered at a glance: which arms stand against which baseline, in which metric.

An answer is a value, so that whoever plans a sweep may read it: no pandas here. What it says of the
results is computed by `studies.tables.paired`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANY, LEAST, FIRST = object(), object(), object()
"""Stand for a value of a column: any that there is, the least, that of the first arm."""

RATIOS = ("frechet_distance", "log_noise_scale")
"""Metrics that are compared by ratios. Of others the differences have a unit that people know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Arms against a baseline, paired by seed."""

    metric: str
    """Of a study's results."""
    baseline: Mapping[str, Any]
    """The columns of the results by which the baseline is known, with their values."""
    against: tuple[Mapping[str, Any], ...] = ()
    """The same of the arms that stand against it; none named: every other arm."""
    along: str = ""
    """The column along which they are followed, such as `steps`; empty: they stand side by side."""
    beside: tuple[str, ...] = ()
    """Further columns in which an arm may differ from its baseline, because they go with it."""
    alike: tuple[str, ...] | None = None
    """The columns in which an arm and its baseline agree; None: in all but those above."""
    among: tuple[Mapping[str, Any], ...] = ({},)
    """Rows that are looked at: those of any of these values."""

    @property
    def is_ratio(self) -> bool:
        """Whether arms are compared by ratios."""
        return self.metric in RATIOS

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns in which an arm may differ from its baseline."""
        named = dict.fromkeys([*self.baseline, *(key for arm in self.against for key in arm)])
        return (*named, *self.beside)
