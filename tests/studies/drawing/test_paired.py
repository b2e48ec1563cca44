"""The paired figure: what is drawn is what the table holds."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from studies.drawing.paired import caption, draw, ends
from studies.tables.answer import Answer

RATIO = Answer(metric="frechet_distance", baseline={"variance": "beta"}, along="steps")
DIFFERENCE = Answer(metric="bits_per_dim", baseline={"variance": "beta"})


def row(arm: str, at: float, estimate: float, low: float, high: float) -> dict[str, Any]:
    middle = 1.0 if at else 0.0
    seeds = {0: estimate * 0.9, 1: estimate * 1.1}
    return {
        "rank": 0, "arm": arm, "baseline": "L_simple, Σ = β", "at": at, "seeds": seeds,
        "estimate": estimate, "low": low, "high": high, "middle": middle, "n": 2, "left_out": 0,
    }  # fmt: skip


ALONG = pd.DataFrame(
    [
        row("DDIM", 10, 0.5, 0.4, 0.6),
        row("DDIM", 100, 1.1, 0.9, 1.3),
        row("L_hybrid", 10, 1.6, 1.5, 1.7),
        row("L_hybrid", 100, 1.0, 0.7, math.inf),
    ]
)
BESIDE = pd.DataFrame([row("L_hybrid", 0, -0.08, -0.1, -0.06), row("L_vlb", 0, 0.2, -0.4, 0.8)])


def means(axes: Axes) -> list[tuple[float, float, bool]]:
    """Place, mean, and whether the marker is filled, of every mean that is drawn."""
    lines = [one.lines[0] for one in axes.containers if isinstance(one, ErrorbarContainer)]
    return [
        (
            float(np.ravel(line.get_xdata())[0]),
            float(np.ravel(line.get_ydata())[0]),
            to_hex(line.get_markerfacecolor()) != "#ffffff",
        )
        for line in lines
    ]


def test_means_stand_at_their_place_and_are_filled_where_the_interval_tells() -> None:
    (axes,) = draw(ALONG, RATIO).axes
    found = means(axes)
    assert [(round(x), y) for x, y, _ in found] == [
        (int(at > 10), estimate)
        for at, estimate in zip(ALONG["at"], ALONG["estimate"], strict=True)
    ]
    assert [filled for *_, filled in found] == [True, False, True, False]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "100"]


def test_an_interval_is_drawn_from_end_to_end_and_none_where_there_is_none() -> None:
    (axes,) = draw(ALONG, RATIO).axes
    bars = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
    spans = [
        [float(y) for y in bar.lines[2][0].get_segments()[0][:, 1]] for bar in bars if bar.has_yerr
    ]
    assert spans == [pytest.approx(ends) for ends in ([0.4, 0.6], [0.9, 1.3], [1.5, 1.7])]


def test_each_end_of_an_interval_is_at_its_own_distance_from_the_mean() -> None:
    uneven = pd.DataFrame([row("L_hybrid", at, 0.5, 0.2, 0.6) for at in (10, 100)])
    for table, answer, axis in ((uneven, RATIO, 1), (uneven.head(1), DIFFERENCE, 0)):
        (axes,) = draw(table, answer).axes
        bars = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
        assert list(bars[0].lines[2][0].get_segments()[0][:, axis]) == pytest.approx([0.2, 0.6])


def test_every_seed_is_a_dot() -> None:
    (axes,) = draw(ALONG, RATIO).axes
    dots = [
        y for line in axes.lines if line.get_marker() == "." for y in np.ravel(line.get_ydata())
    ]
    assert dots == [value for seeds in ALONG["seeds"] for value in seeds.values()]


def test_arms_side_by_side_stand_below_each_other() -> None:
    (axes,) = draw(BESIDE, DIFFERENCE).axes
    assert [(x, y) for x, y, _ in means(axes)] == [(-0.08, 0.0), (0.2, 1.0)]
    assert [filled for *_, filled in means(axes)] == [True, False]
    assert axes.get_xscale() == "linear"
    top, bottom = sorted(axes.get_ylim())
    assert (top, bottom) == (-0.6, 1.6)


@pytest.mark.parametrize(("table", "answer"), [(ALONG, RATIO), (BESIDE, DIFFERENCE)])
def test_the_axis_holds_the_baseline_and_every_seed(table: pd.DataFrame, answer: Answer) -> None:
    (axes,) = draw(table, answer).axes
    low, high = axes.get_ylim() if answer.along else axes.get_xlim()
    values = [value for seeds in table["seeds"] for value in seeds.values()]
    assert low < min(*values, table["middle"].iloc[0])
    assert high > max(*values, table["middle"].iloc[0])


def test_the_axis_ends_behind_seeds_and_intervals_up_to_thrice_as_far() -> None:
    table = pd.DataFrame([{"seeds": {0: -1.0, 1: 0.5}, "low": -10.0, "high": 2.0}])
    assert ends(table, DIFFERENCE) == pytest.approx((-3 - 0.08 * 5, 2 + 0.08 * 5))
    other = pd.DataFrame([{"seeds": {0: 1.0, 1: -0.5}, "low": -2.0, "high": math.inf}])
    assert ends(other, DIFFERENCE) == pytest.approx((-2 - 0.08 * 3, 1 + 0.08 * 3))
    far = table.assign(low=-2.0, high=10.0)
    assert ends(far, DIFFERENCE) == pytest.approx((-2 - 0.08 * 5, 3 + 0.08 * 5))
    ratios = pd.DataFrame([{"seeds": {0: math.e}, "low": math.exp(-10), "high": math.exp(2)}])
    assert ends(ratios, RATIO) == pytest.approx((math.exp(-3.4), math.exp(2.4)))


def test_a_ratio_is_over_the_baseline_at_one_and_a_difference_from_it_at_zero() -> None:
    (axes,) = draw(ALONG, RATIO).axes
    assert axes.get_yscale() == "log"
    assert [1, 1] in [list(np.ravel(line.get_ydata())) for line in axes.lines]
    assert " over that of " in axes.get_ylabel().replace("\n", " ")
    (axes,) = draw(BESIDE, DIFFERENCE).axes
    assert [0, 0] in [list(np.ravel(line.get_xdata())) for line in axes.lines]
    assert " minus that of " in axes.get_xlabel()


def test_the_caption_says_how_many_intervals_are_not_corrected() -> None:
    assert "2 seeds" in caption(ALONG)
    assert "left out" not in caption(ALONG)
    assert "The 4 intervals are pointwise, not corrected for their number." in caption(ALONG)


def test_the_caption_says_how_seeds_differ_and_what_has_no_ratio() -> None:
    told = caption(ALONG.assign(n=[1, 3, 2, 3], left_out=[2, 0, 1, 0]))
    assert "(1 to 3 seeds)" in told
    assert told.endswith("3 pairs with a distance of zero have no ratio and are left out.")


def test_a_long_name_of_the_baseline_stays_within_the_figure() -> None:
    long = ALONG.assign(baseline="L_hybrid, Σ learned, attention at 8 and 4, 4 heads, 32 channels")
    figure = draw(long, RATIO)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    label = axes.yaxis.label.get_window_extent()
    assert label.y0 >= 0
    assert label.y1 <= figure.bbox.height
