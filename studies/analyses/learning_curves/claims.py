"""What the paper says of learning curves and of importance sampling: Section 3.3, Fig. 6."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from studies.analyses.learning_curves.paper import CONSIDERABLY, HELP
from studies.judging.comparison import BELOW_ZERO, Comparison, Region, Values, compared
from studies.judging.importance import how_much, lack_of_importance
from studies.judging.pairs import Pair, fewer_bits, network_pairs
from studies.judging.verdicts import Claim, Measured
from studies.tables.groupings import network_columns, records
from studies.tables.intervals import Made, mean, paired_differences, paired_log_ratios
from studies.tables.labels import OBJECTIVES, TIMESTEPS, is_resampled
from studies.tables.table_rows import bounds
from studies.tables.tables import Tables

DRAWS = ["uniform", "loss_second_moment"]

# ----------------------------------------------------------------- both ways of drawing t


def _drawn_both_ways(tables: Tables, objective: str) -> list[Pair]:
    """The network that was to draw t by importance, and the one that drew uniformly."""
    found = network_pairs(bounds(tables), TIMESTEPS, DRAWS)
    return [pair for pair in found if pair.first["objective"].iloc[0] == objective]


def _of_resampling(
    tables: Tables, objective: str, compare: Callable[[Pair], Comparison]
) -> Measured:
    """What importance sampling changed, where it began; and how much of a training it was."""
    found = _drawn_both_ways(tables, objective)
    measured = compared(
        [replace(compare(pair), untold=lack_of_importance(*_resampled(pair))) for pair in found],
        f"{OBJECTIVES[objective]} with both ways of drawing t",
    )
    return replace(measured, reasons=[text for p in found if (text := how_much(*_resampled(p)))])


def _resampled(pair: Pair) -> tuple[pd.DataFrame, str]:
    """The network that was to draw t by importance, and its name."""
    return pair.first, pair.names[0]


# ------------------------------------------------------------------------------ noise of a curve


def _steadier(tables: Tables) -> Measured:
    return _of_resampling(tables, "vlb", lambda pair: _less_noise(tables, pair))


def _less_noise(tables: Tables, pair: Pair) -> Comparison:
    resampled, uniform = (_noises(tables, network) for network in pair.arms)
    return Comparison(
        what=f"log of the curve's noise, {pair.name}",
        values=paired_log_ratios(resampled, uniform),
        unit="log ratio",
        region=Region(high=math.log(CONSIDERABLY)),
        detail=f"standard deviation {mean(resampled):.3g} against {mean(uniform):.3g} bits/dim on "
        "average",
        missing=pair.name,
    )


def _noises(tables: Tables, network: pd.DataFrame) -> Made:
    """Noise of each seed's curve; a seed whose training is not finished has none."""
    curves = dict(_curves(tables, network))
    noises = {seed: noise_of(curve) for seed, curve in curves.items()}
    # neither unknown nor that of a curve too short to have any
    found = Made({seed: noise for seed, noise in noises.items() if noise > 0})
    return found.by("noise", *_late(network, curves, found))


def _late(
    network: pd.DataFrame, curves: Mapping[int, pd.DataFrame], seeds: Iterable[int]
) -> tuple[Any, ...]:
    """Where the results hold the curves of some seeds, the window that begins the late half, T."""
    addresses = [(seed, curves[seed]["address"].iloc[0]) for seed in seeds]
    steps = next((curve["step"] for curve in curves.values()), pd.Series(dtype=int))
    late = int(steps.le(steps.max() / 2).sum())
    paths = tuple((seed, address, ("loss_curve", "vlb")) for seed, address in addresses)
    return ("results", paths), late, int(network["T"].iloc[0])


def _curves(tables: Tables, network: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """The curves of one network by seed."""
    losses = tables.losses
    if losses.empty:
        return
    settings = next(records(network[[*network_columns(network), "training_steps"]].head(1)))
    same = (losses[list(settings)] == pd.Series(settings)).all(axis=1)
    for seed, curve in losses[same].groupby("seed"):
        if len(second_half(curve)):
            yield int(str(seed)), curve


def noise_of(curve: pd.DataFrame) -> float:
    """How far a window's value lies from what is expected of it, in the second half of a training.

    The standard deviation of the differences of consecutive windows over √2: a slow trend cancels,
    independent noise remains.
    """
    differences = second_half(curve)["bits_per_dim"].diff()
    return float(differences.std()) / math.sqrt(2)


def second_half(curve: pd.DataFrame) -> pd.DataFrame:
    """The windows of the second half of a training that have a value, in order."""
    late = curve[curve["step"].gt(int(curve["step"].max()) / 2)]
    return late.sort_values("step").dropna(subset=["bits_per_dim"])


# --------------------------------------------------------------------------- where trainings end


def _lower(tables: Tables) -> Measured:
    aside = [_lower_curve(tables, pair) for pair in _drawn_both_ways(tables, "vlb")]
    return _of_resampling(tables, "vlb", fewer_bits) + compared(aside)


def _lower_curve(tables: Tables, pair: Pair) -> Comparison:
    resampled, uniform = (_ends(tables, network) for network in pair.arms)
    return Comparison(
        what=f"by the curves, {pair.name}",
        values=paired_differences(resampled, uniform),
        unit="bits/dim",
        region=BELOW_ZERO,
        decides=False,
        detail=f"{mean(resampled):.3g} against {mean(uniform):.3g} bits/dim while training",
    )


def _ends(tables: Tables, network: pd.DataFrame) -> Values:
    """Mean of the second half of each seed's curve."""
    curves = dict(_curves(tables, network))
    means = {s: float(second_half(curve)["bits_per_dim"].mean()) for s, curve in curves.items()}
    return Made(means).by("level", *_late(network, curves, means))


def _no_help(tables: Tables) -> Measured:
    return _of_resampling(tables, "hybrid", _share_saved)


def _share_saved(pair: Pair) -> Comparison:
    resampled, uniform = pair.values
    return Comparison(
        what=f"log of the bits/dim without importance sampling over those with it, {pair.name}",
        values=paired_log_ratios(uniform, resampled),
        unit="log ratio",
        region=Region(high=-math.log1p(-HELP)),
        detail=f"{mean(resampled):.4g} against {mean(uniform):.4g} bits/dim",
        missing=pair.name,
    )


def _hybrid_lower(tables: Tables) -> Measured:
    rows = bounds(tables)
    uniform = rows[[not is_resampled(row) for row in records(rows)]] if len(rows) else rows
    found = network_pairs(uniform, "objective", ["vlb", "hybrid"])
    return compared(map(fewer_bits, found), "L_hybrid and L_vlb with t drawn uniformly")


_EXACT = (
    "The bound of the trained network over every step t, on the images that the study scores (in "
    "learning_curves those of the training set): what the curves estimate, without their noise."
)
_BEGUN = (
    " Where a training ended before importance sampling began, its values are given and decide "
    "nothing."
)

CLAIMS: dict[str, Claim] = {
    "hybrid_beats_vlb_in_training": Claim(
        says="With t drawn uniformly, L_hybrid reaches fewer bits/dim on the training set than "
        "L_vlb does in the same training time.",
        source="Section 3.3 and Fig. 6",
        method="Bits/dim of L_hybrid minus that of L_vlb, per seed, both with t drawn uniformly. "
        f"Supported if the interval lies below zero. {_EXACT}",
        measure=_hybrid_lower,
    ),
    "importance_sampling_steadies_vlb": Claim(
        says="Importance sampling of t makes the learning curve of L_vlb considerably less noisy.",
        source="Section 3.3 and Fig. 6",
        method="Noise is the standard deviation of the differences of consecutive windows of the "
        "training's curve over the second half of it, over √2: a slow trend cancels. Natural log "
        "of the noise with importance sampling over that with uniform draws, per seed. Supported "
        f"if the interval lies below log {CONSIDERABLY:g}, contradicted if above: considerably "
        f"less is less than half, fixed beforehand.{_BEGUN}",
        measure=_steadier,
    ),
    "importance_sampling_lowers_vlb": Claim(
        says="With importance sampling of t, training on L_vlb ends at fewer bits/dim.",
        source="Section 3.3 and Fig. 6",
        method="Bits/dim of L_vlb with importance sampling minus that with uniform draws, per "
        f"seed. Supported if the interval lies below zero. {_EXACT} The difference of the curves' "
        "own means over the second half of the training is given and decides nothing." + _BEGUN,
        measure=_lower,
    ),
    "importance_sampling_does_not_help_hybrid": Claim(
        says="Importance sampling of t does not help training on L_hybrid.",
        source="Section 3.3",
        method="The log of the bits/dim with uniform draws over those with importance sampling, "
        f"per seed. Help means to save at least {HELP:.0%} of them, fixed beforehand: supported if "
        f"the interval lies below that, contradicted if it lies above. {_EXACT}{_BEGUN}",
        measure=_no_help,
    ),
}
