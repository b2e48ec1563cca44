"""The axis of distances: linear for FIDs alone, and where it ends."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from studies.drawing.distance_axis import above_note, is_linear, scale_note, scale_y


@pytest.mark.parametrize(
    ("means", "low", "high", "above"),
    [
        ([3.0, 10.0], 3 - 7.7 / 4, 3 + 7.7, 0),  # a tenth more than they span
        ([3.0, 99.0, 23.0], 0, 23, 1),  # 20 more than the lowest, as in Fig. 8
        ([30.0, 200.0, 61.0, 60.0], 30 - 7.5, 60, 2),  # as much again as the lowest
        ([5.0, 5.0], 0, 25, 0),
    ],
)
def test_a_linear_axis_ends_by_its_lowest_distance_and_tells_what_lies_above(
    means: list[float], low: float, high: float, above: int
) -> None:
    axes = Figure().subplots()
    scale_y(axes, ["FID"], pd.Series(means))
    assert axes.get_yscale() == "linear"
    assert axes.get_ylim() == pytest.approx((low, high))
    said = f"{above} of {len(means)} points lie above the axis, up to {max(means):.3g}. "
    assert above_note(["FID"], pd.Series(means)) == (said if above else "")


def test_beside_another_distance_an_fid_is_on_a_log_axis_too() -> None:
    assert is_linear(["FID", "FID@10k"])
    assert not is_linear(["FID", "FD[digits-classifier:ab]"])
    assert scale_note(["FD[x]"]) == "both axes logarithmic"
    assert above_note(["FD[x]"], pd.Series([1.0, 99.0])) == ""
