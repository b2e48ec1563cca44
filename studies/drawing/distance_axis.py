"""The axis of a Fréchet distance: linear for an FID, as in the paper's Fig. 8, else logarithmic.

Between a good FID and a bad one lies more than a linear axis shows of both, so it ends where the
paper's does, and the caption tells what lies above. Other distances have no range of their own.
"""

from collections.abc import Collection

import pandas as pd
from matplotlib.axes import Axes

from studies.drawing import style

ROOM = 20.0
"""A linear axis goes on for so much beyond the lowest distance, as Fig. 8 does on both data sets;
or for as much again as that distance, where it is larger."""


def is_linear(names: Collection[str]) -> bool:
    """Whether distances of these names, as `labels.distance_name` gives them, are FIDs."""
    return all(name.startswith("FID") for name in names)


def scale_y(axes: Axes, names: Collection[str], means: pd.Series) -> None:
    """Scale the vertical axis for curves of these means."""
    if is_linear(names):
        axes.set_ylim(*_ends(means))
    else:
        axes.set_yscale("log")
        style.plain_log_ticks(axes.yaxis)


def _ends(means: pd.Series) -> tuple[float, float]:
    low, high = float(means.min()), float(means.max())
    room = min(max(ROOM, low), 1.1 * (high - low) or ROOM)
    return max(0.0, low - room / 4), low + room


def scale_note(names: Collection[str]) -> str:
    """Of axes whose other one is logarithmic, in words."""
    if is_linear(names):
        return "the axis of distances linear and the other logarithmic, as in the paper"
    return "both axes logarithmic"


def above_note(names: Collection[str], means: pd.Series, *, axis: str = "axis") -> str:
    """What lies above a linear axis, as a sentence and a space; empty: nothing does.

    Args:
        names: Of the distances.
        means: Those that are drawn.
        axis: What the sentence calls it.
    """
    above = means[means > _ends(means)[1]] if is_linear(names) else means.head(0)
    if above.empty:
        return ""
    return f"{len(above)} of {len(means)} points lie above the {axis}, up to {above.max():.3g}. "
