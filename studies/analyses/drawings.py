"""The figures of the paper, a room each: `table` picks the data, `draw` draws just that.

A figure's room has the name by which a sweep asks for it, in the folder of its analysis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pandas as pd
from matplotlib.figure import Figure

from studies.analyses.index import ANALYSES
from studies.tables.tables import Tables


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure by name. An empty table means that nothing has been measured to draw it from."""

    title: str
    table: Callable[[Tables], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    caption: Callable[[pd.DataFrame, Tables], str]


def _drawing(analysis: str, name: str) -> Drawing:
    room = import_module(f"studies.analyses.{analysis}.{name}")
    return Drawing(room.TITLE, room.table, room.draw, room.caption)


FIGURES: dict[str, Drawing] = {
    name: _drawing(folder, name)
    for folder, analysis in ANALYSES.items()
    for name in analysis.figures
}
