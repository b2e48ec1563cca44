"""What the paper says of schedule, T and objective: Section 3.4, Tables 1 and 2.

Networks are compared as the rows of those tables, each read with its own Σ (`table_rows`).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from studies.claims.rows import mean, named
from studies.claims.verdicts import Claim, Measured, Measurement
from studies.intervals import paired_differences, t_interval
from studies.labels import TIMESTEPS, is_resampled
from studies.table_rows import bounds, distances
from studies.tables import Tables, by_seed, network_columns

MARGIN = 0.10
"""Largest share by which a Fréchet distance may be the larger and still count as kept."""


SCORED = ["images", "ema_decay"]
"""What two networks must share beside their recipe to be compared."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two rows of a table that differ in nothing but what a claim is about."""

    first: pd.DataFrame
    second: pd.DataFrame

    @property
    def name(self) -> str:
        return f"{_name(self.first)} minus {_name(self.second)}"

    @property
    def values(self) -> tuple[dict[int, float], dict[int, float]]:
        return by_seed(self.first), by_seed(self.second)


def _name(network: pd.DataFrame) -> str:
    return str(network["row"].iloc[0])


def _pairs(
    rows: pd.DataFrame, column: str, values: list[Any], *, also: tuple[str, ...] = ()
) -> Iterator[_Pair]:
    """Pairs of each value with the one before it, alike in all but this column and those of `also`.

    Args:
        rows: As `table_rows` names them.
        column: In which the two differ.
        values: In order: the second of a pair comes before its first.
        also: Columns in which they may differ too.
    """
    if rows.empty:
        return
    fixed = [name for name in network_columns(rows) if name not in (column, *also)]
    fixed += SCORED if column == "T" else [*SCORED, "steps"]  # a bound is over all T steps
    for _, alike in named(rows, fixed):
        networks = [alike[alike[column] == value] for value in values]
        for second, first in pairwise(network for network in networks if len(network)):
            yield _Pair(first, second)


def _measured(
    pairs: list[_Pair], measure: Callable[[_Pair], Measurement | None], nothing: str
) -> Measured:
    """The measurements, and the pairs that lack one; `nothing` if the study holds no pair."""
    found = [(pair, measure(pair)) for pair in pairs]
    missing = [pair.name for pair, measurement in found if measurement is None]
    return Measured([m for _, m in found if m], missing if pairs else [nothing])


def _fewer_bits(pair: _Pair) -> Measurement | None:
    first, second = pair.values
    if not (differences := paired_differences(first, second)):
        return None
    return Measurement(
        what=pair.name,
        interval=t_interval(list(differences.values())),
        unit="bits/dim",
        high=0.0,
        detail=f"{mean(first):.4g} against {mean(second):.4g} bits/dim",
    )


# ------------------------------------------------------------------------------------- bits/dim


def _longer_chain(tables: Tables) -> Measured:
    rows = bounds(tables)
    pairs = list(_pairs(rows, "T", sorted(rows["T"].unique())))
    return _measured(pairs, _fewer_bits, "one network with two lengths T")


def _cosine(tables: Tables) -> Measured:
    pairs = list(_pairs(bounds(tables), "schedule", ["linear", "cosine"]))
    return _measured(pairs, _fewer_bits, "one objective and T with both schedules")


def _vlb_lowest(tables: Tables) -> Measured:
    """L_vlb as the paper trains it, resampled where the study has it so, against all others."""
    rows = bounds(tables)
    pairs: list[_Pair] = []
    for _, alike in named(rows, SCORED):
        networks = [network for _, network in alike.groupby("row", sort=False)]
        vlb = [network for network in networks if _objective(network) == "vlb"]
        if any(map(_is_resampled, vlb)):
            vlb = [network for network in vlb if _is_resampled(network)]
        others = [network for network in networks if _objective(network) != "vlb"]
        pairs += [_Pair(one, other) for one in vlb for other in others]
    return _measured(pairs, _fewer_bits, "a network of L_vlb and one of another objective")


def _objective(network: pd.DataFrame) -> str:
    return str(network["objective"].iloc[0])


def _is_resampled(network: pd.DataFrame) -> bool:
    return is_resampled(network.iloc[0])


# --------------------------------------------------------------------------------------- samples


def _worse_samples(tables: Tables) -> Measured:
    pairs = _pairs(distances(tables), "objective", ["hybrid", "vlb"], also=(TIMESTEPS,))
    return _measured(list(pairs), _log_ratio, "L_vlb and L_hybrid, sampled alike")


def _log_ratio(pair: _Pair) -> Measurement | None:
    first, second = ({s: math.log(fd) for s, fd in values.items()} for values in pair.values)
    if not (differences := paired_differences(first, second)):
        return None
    return Measurement(
        what=f"log FD, {pair.name}",
        interval=t_interval(list(differences.values())),
        unit="log ratio",
        low=0.0,
        detail=_against(*pair.values),
    )


def _kept_quality(tables: Tables) -> Measured:
    pairs = _pairs(distances(tables), "objective", ["simple", "hybrid"])
    return _measured(list(pairs), _relative, "L_hybrid and L_simple, sampled alike")


def _relative(pair: _Pair) -> Measurement | None:
    first, second = pair.values
    shares = [d / second[seed] for seed, d in paired_differences(first, second).items()]
    if not shares:
        return None
    return Measurement(
        what=f"FD over that of L_simple, {pair.name}",
        interval=t_interval(shares),
        unit="%",
        high=MARGIN,
        detail=_against(first, second),
    )


def _against(first: Mapping[int, float], second: Mapping[int, float]) -> str:
    return f"mean FD {mean(first):.3g} against {mean(second):.3g}"


_READ = "Each network is read with its own Σ: β for L_simple, the learned one for the others."

CLAIMS: dict[str, Claim] = {
    "longer_chain_lowers_nll": Claim(
        says="More diffusion steps T give fewer bits/dim.",
        source="Section 3, Tables 1 and 2 (ImageNet 64: 3.99 at T = 1000, 3.77 at 4000)",
        method="For networks that differ in T alone: bits/dim at the larger T minus that at the "
        f"next smaller one, per seed. Supported if every interval lies below zero. {_READ}",
        measure=_longer_chain,
    ),
    "cosine_lowers_nll": Claim(
        says="The cosine schedule gives fewer bits/dim than the linear one.",
        source="Section 3.4, Tables 1 and 2",
        method="For networks that differ in the schedule alone: bits/dim with cosine minus that "
        f"with linear, per seed. Supported if every interval lies below zero. {_READ}",
        measure=_cosine,
    ),
    "vlb_gives_lowest_nll": Claim(
        says="Training on L_vlb gives the fewest bits/dim of all.",
        source="Section 3.4, Tables 1 and 2",
        method="Bits/dim of L_vlb minus that of every network of another objective, per seed; of "
        "several L_vlb networks those with importance sampling, as the paper's was. Supported if "
        f"every interval lies below zero. {_READ}",
        measure=_vlb_lowest,
    ),
    "vlb_worsens_samples": Claim(
        says="L_vlb gives worse samples than L_hybrid.",
        source="Section 3.4, Tables 1 and 2 (FID 56.7 against 28.0, 11.47 against 3.19)",
        method="For networks that differ in the objective alone: natural log of the Fréchet "
        "distance of L_vlb minus that of L_hybrid, per seed, both with learned Σ, equal steps and "
        "equal numbers of samples. Supported if the interval lies above zero.",
        measure=_worse_samples,
    ),
    "hybrid_keeps_quality": Claim(
        says="L_hybrid keeps about the sample quality of L_simple.",
        source="Section 3.4, Tables 1 and 2 (FID higher by 3 to 6%)",
        method="For networks that differ in the objective alone: Fréchet distance of L_hybrid with "
        "learned Σ over that of L_simple with β, less one, per seed, at equal steps and numbers of "
        f"samples. Kept means at most {MARGIN:.0%} more, fixed beforehand: supported if every "
        "interval lies below that, contradicted if one lies above.",
        measure=_kept_quality,
    ),
}
