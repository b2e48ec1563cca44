"""Quality by batch size, and networks looked at before their end, on made-up distances."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from studies.analyses.drawings import FIGURES
from studies.drawing import style
from studies.tables.groupings import is_longest
from studies.tables.tables import Tables
from tests.studies.analyses.test_sampling_claims import STEPS, as_in_the_paper, study
from tests.witness.made_up_rows import tables_of


def with_rows(tables: Tables, rows: pd.DataFrame) -> Tables:
    return replace(tables, results=pd.concat([tables.results, rows], ignore_index=True))


@pytest.fixture(scope="module")
def both() -> Tables:
    return study(as_in_the_paper)


def test_each_curve_is_the_mean_over_seeds_of_one_way_of_training(both: Tables) -> None:
    table = FIGURES["quality_by_batch"].table(both)
    figure = FIGURES["quality_by_batch"].draw(table)
    rows = both.results.fillna({"variance": "", "eta": 0})
    arms = ["objective", "stride", "train.batch_size"]
    expected = rows.groupby([*arms, "steps"])["value"].mean().unstack("steps").to_numpy()
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in figure.axes[0].lines]
    assert sorted(map(tuple, np.round(drawn, 9))) == sorted(map(tuple, np.round(expected, 9)))
    assert list(np.asarray(figure.axes[0].lines[0].get_xdata())) == list(STEPS)


def test_ways_of_training_are_told_apart_by_name_and_without_colour(both: Tables) -> None:
    figure = FIGURES["quality_by_batch"].draw(FIGURES["quality_by_batch"].table(both))
    lines = figure.axes[0].lines
    assert all("batch size = " in str(line.get_label()) for line in lines)
    looks = {
        (line.get_linestyle(), line.get_marker(), line.get_color(), line.get_markerfacecolor())
        for line in lines
    }
    assert len(looks) == len(lines) == 8


def test_an_arm_that_was_trained_one_way_alone_is_not_drawn(both: Tables) -> None:
    alone = both.results[both.results["train.batch_size"] == 64].assign(objective="vlb")
    table = FIGURES["quality_by_batch"].table(with_rows(both, alone))
    assert set(table["objective"]) == {"simple", "hybrid"}


def test_larger_batches_of_as_many_images_in_fewer_steps_are_a_second_way(both: Tables) -> None:
    steps = 800 * 32 // both.results["train.batch_size"].astype(int)
    shorter = both.results.assign(**{"train.steps": steps}, training_steps=steps)
    table = FIGURES["quality_by_batch"].table(replace(both, results=shorter))
    assert sorted(table["mean"]) == sorted(FIGURES["quality_by_batch"].table(both)["mean"])


def test_without_a_second_way_there_is_nothing_to_draw(both: Tables) -> None:
    one = replace(both, results=both.results.drop(columns="train.batch_size"))
    assert FIGURES["quality_by_batch"].table(one).empty
    assert FIGURES["quality_by_batch"].table(tables_of([])).empty


def test_quality_against_steps_leaves_the_rarer_batch_to_the_other_figure(both: Tables) -> None:
    rare = both.results["train.batch_size"] == 32
    fewer = replace(both, results=both.results[~rare | (both.results["objective"] == "simple")])
    table = FIGURES["quality_vs_steps"].table(fewer)
    usual = fewer.results[fewer.results["train.batch_size"] == 64]
    assert len(table) == len(usual) / 3  # one row for three seeds


def test_networks_before_their_end_are_dashed_and_the_caption_says_so(both: Tables) -> None:
    whole = both.results[both.results["train.batch_size"] == 64].assign(**{"train.steps": 800})
    half = whole.assign(**{"train.steps": 400}, training_steps=400)
    rows = pd.concat([whole, half], ignore_index=True)
    assert list(is_longest(rows)) == [True] * len(whole) + [False] * len(half)
    study = replace(both, results=rows)
    table = FIGURES["quality_vs_steps"].table(study)
    lines = FIGURES["quality_vs_steps"].draw(table).axes[0].lines
    looks = {str(line.get_label()): line for line in lines}
    dashed = [name for name, line in looks.items() if line.get_linestyle() == "--"]
    assert dashed == [name for name in looks if "400 training steps" in name] != []
    said = FIGURES["quality_vs_steps"].caption(table, study)
    assert "Dashed: the same trainings after 400 steps." in said


@pytest.mark.parametrize(("length", "columns"), [(1, 7), (20, 2), (200, 1)])
def test_names_stand_below_the_axes_in_as_few_rows_as_fit(length: int, columns: int) -> None:
    figure, axes = style.new(3.0)
    names = [length * str(i) for i in range(7)]
    for i, name in enumerate(names):
        axes.plot([0, 1], [i, i], label=name)
    style.legend(axes)
    assert axes.get_legend() is None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    figure.draw_without_rendering()
    places = {round(text.get_window_extent().x0) for text in figure.legends[0].get_texts()}
    assert len(places) == columns
    assert figure.legends[0].get_window_extent().y1 < axes.get_window_extent().y0
