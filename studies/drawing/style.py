"""How every figure looks.

Colour and marker say how Σ is chosen, the line's pattern says the objective, so that a curve is
told apart in grey print too. The palette is seaborn's for colour-blind readers. Text is drawn as
paths: it looks the same wherever the page is opened.
"""

import math
from collections.abc import Callable
from functools import cache, partial, wraps
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from iddpm.arrays import FloatArray
from studies.tables import labels

WIDTH_IN = 6.4
PNG_DPI = 200
GREY = "#5a5a5a"
RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": "#222222",
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 3.0,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "mathtext.fontset": "dejavusans",
    "path.simplify": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "studies",
    "xtick.color": GREY,
    "xtick.labelsize": 8.5,
    "ytick.color": GREY,
    "ytick.labelsize": 8.5,
}
PALETTE = sns.color_palette("colorblind").as_hex()
COLOURS = {
    "beta": PALETTE[3],
    "beta_tilde": PALETTE[0],
    "learned": PALETTE[4],
    "range": PALETTE[2],
    "ddim": PALETTE[1],
}
MARKERS = {"beta": "o", "beta_tilde": "s", "learned": "v", "range": "^", "ddim": "D"}
DASHED: Any = (0, (4, 1.6))
PATTERNS: dict[str, Any] = {"simple": DASHED, "hybrid": "solid", "vlb": (0, (1, 1.2))}
SCHEDULES: dict[str, dict[str, Any]] = {
    "linear": {"color": PALETTE[0], "linestyle": DASHED, "marker": "o"},
    "cosine": {"color": PALETTE[1], "linestyle": "solid", "marker": "s"},
}
BAND_ALPHA = 0.18
MOST_POINTS = 100
"""More of them along a curve are not seen, and fill a file."""
PAD_IN = 0.15
"""Between a legend and what stands above it."""
LABELS_IN = 0.5
"""What the labels of an axis and of its ticks take."""
MOST_LETTERS = 25
"""Of a word that is never broken, however wide."""


def styled(draw: Callable[[pd.DataFrame], Figure]) -> Callable[[pd.DataFrame], Figure]:
    """A drawing function that draws in the style of `RC`, whatever matplotlib is set to."""

    @wraps(draw)
    def in_style(table: pd.DataFrame) -> Figure:
        with mpl.rc_context(RC):
            return draw(table)

    return in_style


def new(height_in: float) -> tuple[Figure, Axes]:
    """A figure of the page's width with one pair of axes."""
    figure, (axes,) = panels(1, height_in)
    return figure, axes


def panels(count: int, height_in: float, *, stacked: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width with so many pairs of axes, side by side or stacked."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    shape = (count, 1) if stacked else (1, count)
    axes = [figure.add_subplot(*shape, place + 1) for place in range(count)]
    for one in axes:
        sns.despine(ax=one)
    return figure, axes


def band(axes: Axes, curve: pd.DataFrame, x: str, colour: str, *, floor: float = -math.inf) -> None:
    """The interval of a curve, from its columns low and high; nothing where it has none.

    Args:
        axes: Where to draw.
        curve: In the order of x.
        x: The column that runs along the curve.
        colour: Of the curve.
        floor: Where a band ends that would reach below: a log axis has no room there.
    """
    several = curve[np.isfinite(curve["low"]) & np.isfinite(curve["high"])]
    drawn = thinned(several)
    axes.fill_between(
        drawn[x],
        drawn["low"].clip(lower=floor),
        drawn["high"],
        color=colour,
        alpha=BAND_ALPHA,
        linewidth=0,
    )


def thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """A curve for drawing: of more than `MOST_POINTS` some, half evenly spread, half ever farther.

    The first ones, where terms of a bound fall steeply, all stay, and so does the last.

    Args:
        curve: In the order in which it is drawn.
    """
    if len(curve) <= MOST_POINTS:
        return curve
    half = MOST_POINTS // 2
    places = [np.geomspace(1, len(curve), half), np.linspace(1, len(curve), half)]
    return curve.iloc[np.unique(np.concatenate(places).round().astype(int) - 1)]


def dot(axes: Axes, row: pd.Series) -> None:
    """A mean at the height of its rank, with a bar for its interval, where it has one."""
    mode = labels.mode(row)
    ends = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
    axes.errorbar(
        row["mean"],
        row["rank"],
        xerr=ends if np.isfinite(row["low"]) else None,
        color=colour(mode),
        marker=marker(mode),
        linestyle="none",
        linewidth=1.2,
        capsize=2.5,
    )


def below(curve: pd.DataFrame) -> float:
    """A tenth of the lowest mean: how far down on a log axis a curve's band may reach."""
    return float(curve["mean"].min()) / 10


def legend(*panels: Axes) -> None:
    """The names of all curves, each once, below the panels, where they hide nothing.

    They stand in as few rows as fit, and the figure grows by their height.
    """
    figure = _figure_of(panels[0])
    named = {name: handle for axes in panels for name, handle in _named(axes).items()}
    below = partial(figure.legend, named.values(), named, loc="outside lower center", borderpad=0)
    _grow(figure, _in_columns(below, len(named), most_in=figure.get_figwidth()))


def legends(panels: list[Axes]) -> None:
    """The names of each panel's curves below that panel."""
    figure = _figure_of(panels[0])
    below = ScaledTranslation(0, -LABELS_IN, figure.dpi_scale_trans)
    found = [
        _in_columns(
            partial(
                axes.legend,
                loc="upper left",
                bbox_to_anchor=(0, 0),
                bbox_transform=axes.transAxes + below,
                borderpad=0,
                borderaxespad=0,
            ),
            len(_named(axes)),
            most_in=figure.get_figwidth() / len(panels) - LABELS_IN,
        )
        for axes in panels
    ]
    _grow(figure, *found)


def _in_columns(make: Callable[..., Legend], names: int, *, most_in: float) -> Legend:
    """A legend in as few rows as this width allows, or in one column."""
    for rows in range(1, names):
        found = make(ncols=-(-names // rows))
        if found.get_window_extent().width <= most_in * found.figure.dpi:
            return found
        found.remove()
    return make(ncols=1)


def _grow(figure: Figure, *below: Legend) -> None:
    """Make room for the highest of these."""
    pixels = max(found.get_window_extent().height for found in below)
    figure.set_figheight(figure.get_figheight() + pixels / figure.dpi + PAD_IN)


def _figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _named(axes: Axes) -> dict[str, Artist]:
    handles, names = axes.get_legend_handles_labels()
    return dict(zip(names, handles, strict=True))


def plain_log_ticks(axis: Axis) -> None:
    """Ticks of a log axis at 1, 2, 3, 5 and 7 of each decade, or fewer where there is no room."""
    axis.set_major_locator(_RoomyLogLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _written(value)))
    axis.set_minor_locator(NullLocator())


class _RoomyLogLocator(LogLocator):
    """As many ticks as leave room between their labels, by the first of `TICKS` that does."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        for choice in TICKS:
            ticks = np.asarray(choice.tick_values(vmin, vmax))
            ticks = ticks[(ticks > 0) & (vmin <= ticks) & (ticks <= vmax)]
            if len(ticks) > 1 and self._leave_room(ticks, vmin, vmax):
                return ticks
        return [vmin]

    def _leave_room(self, ticks: FloatArray, vmin: float, vmax: float) -> bool:
        axis: Any = self.axis
        box, size = axis.axes.get_window_extent(), RC[f"{axis.axis_name}tick.labelsize"]
        along_x = axis.axis_name == "x"
        points = (box.width if along_x else box.height) * 72 / axis.get_figure(root=True).dpi
        places = points * np.log(ticks) / math.log(vmax / vmin)
        lengths = [size * (0.4 + 0.65 * len(_written(t)) if along_x else 1.3) for t in ticks]
        return all(
            after - before > (one + other) / 2
            for (before, after), (one, other) in zip(
                pairwise(places), pairwise(lengths), strict=True
            )
        )


TICKS: tuple[Locator, ...] = (
    *(LogLocator(subs=subs) for subs in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))),
    *(MaxNLocator(count) for count in (5, 4, 3, 2, 1)),
)
"""Ways to place the ticks of a log axis, the finest first."""


def _written(value: float) -> str:
    return f"{value:g}"


def colour(mode: str) -> str:
    """Of arms whose noise is chosen in this way."""
    return str(COLOURS.get(mode, PALETTE[5]))


def marker(mode: str) -> str:
    """The same, for print without colour."""
    return MARKERS.get(mode, "P")


def schedule_style(schedule: str) -> dict[str, Any]:
    """Colour, pattern and marker of a schedule's curve."""
    other = {"color": PALETTE[2], "linestyle": (0, (1, 1.2)), "marker": "^"}
    return SCHEDULES.get(schedule, other)


def arm_style(arm: pd.Series) -> dict[str, Any]:
    """Colour, pattern and marker of one arm's curve; hollow where it is not solid."""
    mode, pattern = labels.mode(arm), PATTERNS.get(arm["objective"], "solid")
    hollow = {} if pattern == "solid" else {"markerfacecolor": "white"}
    return {"color": colour(mode), "linestyle": pattern, "marker": marker(mode), **hollow}


def looks(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Colour, pattern and marker of each arm's curve, by its name.

    Colour and marker say how Σ is chosen. Where networks were looked at before their training
    ended, those are dashed, as in the paper; else the pattern says the objective. Arms that would
    look alike are told apart by lighter colours and hollow markers.

    Args:
        table: Rows with the columns arm, objective and those that `labels.mode` reads; `finished`,
            where it is a column, says whether the training had ended.
    """
    arms = table.drop_duplicates("arm")
    all_ended = "finished" not in arms or arms["finished"].all()
    found: dict[str, dict[str, Any]] = {}
    taken: dict[tuple[Any, ...], int] = {}
    for _, arm in arms.iterrows():
        mode, pattern = labels.mode(arm), PATTERNS.get(arm["objective"], "solid")
        if not all_ended:
            pattern = "solid" if arm["finished"] else DASHED
        kind = mode, str(pattern)
        place = taken[kind] = taken.get(kind, -1) + 1
        shade = lighter(colour(mode), place)
        found[arm["arm"]] = {
            "color": shade,
            "linestyle": pattern,
            "marker": marker(mode),
            "markerfacecolor": "white" if place else shade,
            "markeredgecolor": shade if place else "white",
            "markeredgewidth": 1.0 if place else 0.6,
        }
    return found


def lighter(colour: str, place: int) -> str:
    """The colour for the arm of this place among those that share it; 0: as it is."""
    share = 1 - 0.65**place
    red, green, blue = (part + share * (1 - part) for part in to_rgb(colour))
    return str(to_hex((red, green, blue)))


def in_lines(arm: object, *, most_in: float = math.inf) -> str:
    """The name of an arm, what follows its objective and Σ on lines below.

    Args:
        arm: The name.
        most_in: Width in inches of a line; a word that is wider is broken.
    """
    parts = drawable(str(arm)).split(", ")
    lines = [line for some in (parts[:2], parts[2:]) for line in _filled(some, ", ", most_in)]
    pieces = [
        piece
        for line in lines
        for words in _filled(line.split(" "), " ", most_in)
        for piece in _broken(words, most_in)
    ]
    return "\n".join(mathematical(piece) for piece in pieces)


def _filled(parts: list[str], between: str, most_in: float) -> list[str]:
    """The parts in lines of at most this width; one that is wider has a line of its own."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{between}{part}" if lines else part
        if lines and width_in(mathematical(longer)) <= most_in:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _broken(word: str, most_in: float) -> list[str]:
    """The word in pieces of at most this width; a single letter may be wider."""
    if len(word) < MOST_LETTERS or width_in(mathematical(word)) <= most_in:
        return [word]
    return _filled(list(word), "", most_in)


@cache
def width_in(label: str) -> float:
    """Width in inches of the widest line of a label as `mathematical` or `in_lines` gives it."""
    with mpl.rc_context(RC):
        figure = Figure()
        return float(figure.text(0, 0, label).get_window_extent().width) / figure.dpi


def mathematical(label: object) -> str:
    """A label with its symbols set as the paper sets them: L with a subscript, β under a tilde.

    Everything else is drawn as it is written: no dollar sign of it begins a formula.
    """
    text = drawable(str(label)).replace("$", r"\$")
    if "\\" in text:  # it would take the dollar sign of a symbol behind it for a plain one
        return text
    text = text.replace(labels.BETA_TILDE, r"$\tilde{\beta}$").replace("β", r"$\beta$")
    return labels.LOSS.sub(r"$L_{\\mathrm{\1}}$", text)


def drawable(text: str) -> str:
    """The text; a character that the font lacks is named by its number, as U+1F600."""
    if text.isascii() and text.isprintable():
        return text
    known = _known()
    return "".join(letter if ord(letter) in known else f"U+{ord(letter):04X}" for letter in text)


@cache
def _known() -> frozenset[int]:
    """The characters that figures are drawn with."""
    shapes = get_font(findfont(RC["font.family"])).get_charmap()
    return frozenset(code for code in shapes if chr(code).isprintable())
