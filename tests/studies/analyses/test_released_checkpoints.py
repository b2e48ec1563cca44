"""Released networks beside what was published of them, under the presets of the paper's scale."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studies.analyses.released_checkpoints import released_checkpoints as figure
from studies.analyses.released_checkpoints.paper import OTHERS
from tests.witness.made_up_tables import made_up, planned

METRICS = ("frechet_distance", "precision", "recall")


def drawn(preset: str) -> pd.DataFrame:
    def value(row: Mapping[str, Any]) -> float:
        return 3.0 + float(row["steps"]) / 1000

    plan = planned("released_checkpoints", preset=preset)
    return figure.table(made_up(plan, value, METRICS))


def test_the_curve_of_fig_8_and_the_rows_of_table_2_stand_beside_cifar10() -> None:
    table = drawn("cifar10")
    curve = table[table["source"] == "Fig. 8"].sort_values("steps")
    assert list(curve["mean"]) == [10.6, 5.6, 4.0, 3.4, 3.3, 3.2, 3.2]
    rows = table[table["source"] == "Table 2"]
    assert set(rows[rows["metric"] == "frechet_distance"]["mean"]) == {3.19, 11.47}
    assert set(rows[rows["metric"] == "bits_per_dim"]["mean"]) == {3.17, 2.94}
    assert OTHERS not in set(table["source"])  # they read the network of ImageNet 64


def test_the_ensemble_and_the_bounds_of_others_stand_beside_imagenet64() -> None:
    table = drawn("imagenet64")
    bounds = table[table["metric"] == "bits_per_dim"]
    ensemble = bounds[bounds["arm"].str.contains("ensemble")]
    assert 3.52 in set(ensemble["mean"])  # App. D
    assert OTHERS not in set(ensemble["source"])
    others = bounds[bounds["source"] == OTHERS]
    learned = others[others["arm"].str.contains("learned")].sort_values("steps")
    assert list(learned["steps"]) == [25, 50, 100, 200, 400, 1000, 4000]
    assert list(learned["mean"]) == [18.91, 8.46, 5.27, 4.24, 3.86, 3.68, 3.57]
    assert len(others) == 3 * 7
    assert set(others[others["steps"] < 4000]["stride"]) == {"even"}
    tables = bounds[bounds["source"] == "Table 1"]
    assert set(tables["mean"]) == {3.57, 3.53}


def test_the_large_network_of_table_4_stands_beside_its_file() -> None:
    table = drawn("imagenet64_cond")
    theirs = table[table["source"] == "Table 4"]
    assert dict(zip(theirs["metric"], theirs["mean"], strict=True)) == {
        "frechet_distance": 2.92,
        "precision": 0.82,
        "recall": 0.71,
    }


def test_networks_trained_here_have_no_row_and_a_whole_chain_has_no_stride() -> None:
    tables = made_up(planned("released_checkpoints", preset="cifar10"), lambda row: 3.0, METRICS)
    rows = tables.results
    whole = rows["steps"] == rows["T"]
    assert whole.any()
    ours = rows.assign(settings='{"train": {}}', value=99.0)
    other = rows.assign(stride=rows["stride"].mask(whole, "constant"))
    more = replace(tables, results=pd.concat([ours, other], ignore_index=True))
    pd.testing.assert_frame_equal(figure.table(more), figure.table(tables))


@pytest.mark.parametrize("preset", ["cifar10", "imagenet64"])
def test_every_row_has_a_dot_of_ours_and_a_published_mark(preset: str) -> None:
    table = drawn(preset)
    for _, row in table.groupby(figure.BY, dropna=False):
        assert list(row["source"]).count("this study") == 1
        assert len(row) > 1
    drawing = figure.draw(table)
    scales = {axes.get_xlabel().partition(" ")[0]: axes.get_xscale() for axes in drawing.axes}
    assert scales.pop("bits/dim") == "log"
    assert set(scales.values()) == {"log"}
    assert all(axes.get_ylim()[0] > axes.get_ylim()[1] == -0.5 for axes in drawing.axes)
    ours = [
        line
        for axes in drawing.axes
        for line in axes.get_lines()
        if line.get_label() == "this study"
    ]
    dots = sum(np.size(line.get_xdata()) for line in ours)
    assert dots == sum(source == "this study" for source in table["source"])
    tables = made_up(planned("released_checkpoints", preset=preset), lambda row: 3.0, METRICS)
    caption = figure.caption(table, tables)
    assert ("Squares: Bao et al. (2022)" in caption) == (preset == "imagenet64")
    assert "nothing was trained" in caption
