"""What the paper says of its changes to the network."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.rows import asked, mean, named, with_own_variance
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
    _Choice("train.network.heads", "several heads against one", _more_heads),
    _Choice(
        "train.network.attention_resolutions",
        "attention at the lower resolution too against the higher alone",
        _lower_too,
    ),
    _Choice("train.network.scale_shift", "scale-shift against plain conditioning", _scale_shift),
)


def _improves(tables: Tables) -> Measured:
    measurements, missing = [], []
    for choice in CHOICES:
        pairs = list(_changes(tables, choice, "frechet_distance"))
        for name, ours, theirs in pairs:
            found = _distance(choice, name, ours, theirs)
            measurements += [found] if found else []
            missing += [] if found else [f"{choice.what}{name}"]
        missing += [] if pairs else [choice.what]
        bounds = _changes(tables, choice, "bits_per_dim")
        measurements += [m for pair in bounds if (m := _bound(choice, *pair))]
    return Measured(measurements, missing)


def _changes(
    tables: Tables, choice: _Choice, metric: str
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Pairs of arms that differ in this choice alone: what tells the pair, and the two arms."""
    rows = with_own_variance(asked(tables, metric))
    if choice.column not in rows:
        return
    rows = rows.assign(**{choice.column: rows[choice.column].astype(object)})
    several = []
    for name, arms in named(rows, arm_columns(rows, without=(choice.column,))):
        values = list(dict.fromkeys(arms[choice.column]))
        several += [
            (name, arms[arms[choice.column] == ours], arms[arms[choice.column] == theirs])
            for ours in values
            for theirs in values
            if choice.is_change(ours, theirs)
        ]
    for name, one, two in several:
        yield (f", {name}" if len(several) > 1 else ""), one, two


def _distance(
    choice: _Choice, name: str, ours: pd.DataFrame, theirs: pd.DataFrame
) -> Measurement | None:
    one, two = by_seed(ours), by_seed(theirs)
    logs = paired_differences(*({s: math.log(v) for s, v in arm.items()} for arm in (one, two)))
    if not logs:
        return None
    return Measurement(
        what=f"Fréchet distance, {choice.what}{name}",
        interval=t_interval(list(logs.values())),
        unit="log ratio",
        high=0.0,
        detail=f"{mean(one):.4g} against {mean(two):.4g}",
    )


def _bound(
    choice: _Choice, name: str, ours: pd.DataFrame, theirs: pd.DataFrame
) -> Measurement | None:
    one, two = by_seed(ours), by_seed(theirs)
    differences = paired_differences(one, two)
    if not differences:
        return None
    return Measurement(
        what=f"bits/dim, {choice.what}{name}",
        interval=t_interval(list(differences.values())),
        unit="bits/dim",
        high=0.0,
        decides=False,
        detail=f"{mean(one):.4g} against {mean(two):.4g}",
    )


CLAIMS: dict[str, Claim] = {
    "architecture_improves_quality": Claim(
        says="Several attention heads, attention at the lower resolution too, and scale-shift "
        "conditioning each slightly improve FID.",
        source="Appendix A",
        method="For networks that differ in one of these choices alone: the log of the Fréchet "
        "distance with the paper's choice minus that with the former one, per seed. Supported if "
        "the intervals of all three lie below zero. The same differences in bits/dim are given and "
        "decide nothing.",
        measure=_improves,
    ),
}
