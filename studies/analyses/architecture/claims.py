"""What the paper says of its changes to the network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import pandas as pd

from studies.analyses.needs import HEADS, SCALE_SHIFT, SIDES
from studies.judging.comparison import BELOW_ZERO, QUANTITIES, Comparison, compared
from studies.judging.verdicts import Claim, Measured
from studies.tables.groupings import by_seed
from studies.tables.intervals import mean
from studies.tables.rows import alike, judged, parted, with_own_variance
from studies.tables.tables import Tables


@dataclass(frozen=True, slots=True)
class _Choice:
    """One choice of the network: a setting and, of two values, whether the first is the paper's."""

    column: str
    what: str
    is_change: Callable[[object, object], bool]
    """Whether the paper changed from the second value to the first."""


def _more_heads(ours: object, theirs: object) -> bool:
    return int(str(ours)) > 1 and int(str(theirs)) == 1


def _lower_too(ours: object, theirs: object) -> bool:
    """From the larger of the resolutions alone to several."""
    many, one = ({int(side) for side in str(sides).split(",") if side} for sides in (ours, theirs))
    return len(many) > 1 and one == {max(many)}


def _scale_shift(ours: object, theirs: object) -> bool:
    return bool(ours) and not bool(theirs)


CHOICES = (
    _Choice(HEADS, "several heads against one", _more_heads),
    _Choice(SIDES, "attention at the lower resolution too against the higher alone", _lower_too),
    _Choice(SCALE_SHIFT, "scale-shift against plain conditioning", _scale_shift),
)


def _improves(tables: Tables) -> Measured:
    found = Measured([], [])
    for choice in CHOICES:
        found += compared(_comparisons(tables, choice, "frechet_distance"), choice.what)
        found += compared(_comparisons(tables, choice, "bits_per_dim", decides=False))
    return found


def _comparisons(
    tables: Tables, choice: _Choice, metric: str, *, decides: bool = True
) -> Iterator[Comparison]:
    """The paper's choice against the former one, of arms that differ in this choice alone."""
    quantity, changes = QUANTITIES[metric], list(_changes(tables, choice, metric))
    for name, *arms in changes:
        said = f"{choice.what}, {name}" if len(changes) > 1 else choice.what
        ours, theirs = map(by_seed, arms)
        yield Comparison(
            what=f"{quantity.name}, {said}",
            values=quantity.compared_by(ours, theirs),
            unit=quantity.unit,
            region=BELOW_ZERO,
            decides=decides,
            networks=tuple(arms),
            matters=0.0,  # the paper's word is "slightly"
            detail=f"{mean(ours):.4g} against {mean(theirs):.4g}",
            missing=said,
        )


def _changes(
    tables: Tables, choice: _Choice, metric: str
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """What tells a pair of arms from the others, and the two."""
    rows = with_own_variance(judged(tables, metric))
    if choice.column not in rows:
        return
    rows = rows.assign(**{choice.column: rows[choice.column].astype(object)})
    for name, arms in alike(rows, choice.column):
        for ours, theirs in product(arms[choice.column].unique(), repeat=2):
            if choice.is_change(ours, theirs):
                one, two = parted(arms, choice.column, ours, theirs)
                yield name, one, two


CLAIMS: dict[str, Claim] = {
    "architecture_improves_quality": Claim(
        says="Several attention heads, attention at the lower resolution too, and scale-shift "
        "conditioning each slightly improve FID.",
        source="Appendix A",
        method="For networks that differ in one of these choices alone: the log of the mean "
        "Fréchet distance with the paper's choice over that with the former one, paired by seed. "
        "Supported if the intervals of all three lie below zero. The differences in bits/dim, per "
        "seed, are given and decide nothing.",
        measure=_improves,
        of_trained=True,
    ),
}
