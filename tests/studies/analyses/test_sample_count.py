"""How many samples a score needs: the figure and the claim, and that counts are never averaged."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.report.summary import summary
from studies.store.store import Store
from studies.tables.groupings import records
from studies.tables.tables import Tables, tables
from tests.witness.made_up_rows import distance_rows, network, tables_of
from tests.witness.made_up_store import variant, write_store

CLAIM = "more_samples_lower_distance"
COUNTS = (96, 192, 384)
TRAINED = network("hybrid")


def study(by_count: Sequence[Sequence[float | None]]) -> Tables:
    rows = [
        row
        for images, values in zip(COUNTS, by_count, strict=True)
        for row in distance_rows(TRAINED, "range", values, images=images)
    ]
    alone = distance_rows(network("simple"), "beta", [5.0, 6.0, 7.0], images=192)
    return tables_of([*rows, *alone])


FALLING = ((30.0, 33.0, 36.0), (25.0, 27.0, 29.0), (22.0, 24.0, 26.0))


def test_the_curve_is_the_mean_over_seeds_at_each_count() -> None:
    tables = study(FALLING)
    table = FIGURES["sample_count"].table(tables)
    (axes,) = FIGURES["sample_count"].draw(table).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    waiting = distance_rows(network("simple"), "beta", [None, None], images=96)
    more = replace(tables, results=tables_of([*records(tables.results), *waiting]).results)
    pd.testing.assert_frame_equal(FIGURES["sample_count"].table(more), table)
    (line,) = axes.lines
    results = tables.results[tables.results["objective"] == "hybrid"]
    expected = results.groupby("images")["value"].mean()
    np.testing.assert_array_equal(np.asarray(line.get_xdata()), expected.index)
    np.testing.assert_allclose(np.asarray(line.get_ydata()), expected)
    half = stats.t.ppf(0.975, 2) * stats.sem(FALLING[0])
    heights = np.asarray(axes.collections[0].get_paths()[0].vertices)[:, 1]
    assert heights.max() == pytest.approx(33.0 + half)


def test_an_arm_of_one_count_alone_is_no_curve() -> None:
    assert (
        FIGURES["sample_count"].table(tables_of(distance_rows(TRAINED, "range", [1.0, 2.0]))).empty
    )
    assert FIGURES["sample_count"].table(tables_of([])).empty


def test_the_distance_keeps_its_name_and_the_caption_what_it_is_over() -> None:
    tables = study(FALLING)
    table = FIGURES["sample_count"].table(tables)
    (axes,) = FIGURES["sample_count"].draw(table).axes
    assert axes.get_ylabel() == "FD[digits-classifier:ab12cd34]\n(lower is better)"
    said = FIGURES["sample_count"].caption(table, tables)
    assert "sampled in 100 steps" in said
    assert "n = 3 seeds" in said


def test_a_distance_that_falls_supports_the_claim() -> None:
    finding = judge(CLAIM, study(FALLING))
    assert finding.verdict == "supported"
    deciding, *steps = finding.measurements
    logs = [math.log(b / a) for a, b in zip(FALLING[0], FALLING[2], strict=True)]
    assert deciding.interval.mean == pytest.approx(np.mean(logs))
    assert deciding.what == "log FD over 384 samples minus that over 96, L_hybrid, Σ learned"
    assert [m.decides for m in steps] == [False, False]


def test_one_that_rises_contradicts_it() -> None:
    assert judge(CLAIM, study(FALLING[::-1])).verdict == "contradicted"


def test_seeds_that_disagree_leave_it_open() -> None:
    assert judge(CLAIM, study(((30.0, 33.0, 22.0), *FALLING[1:]))).verdict == "inconclusive"


def test_without_two_counts_it_is_not_run() -> None:
    assert judge(CLAIM, tables_of([])).verdict == "not run"
    one = judge(CLAIM, tables_of(distance_rows(TRAINED, "range", [1.0, 2.0])))
    assert one.reason.startswith("Not measured yet: one arm over two numbers of samples.")
    half_done = judge(CLAIM, study((FALLING[0], FALLING[1], (None, None, None))))
    assert half_done.verdict == "not run"
    assert "log FD over 384 samples minus that over 96" in half_done.reason


def test_the_summary_keeps_counts_and_shorter_chains_apart(tmp_path: Path) -> None:
    made_up = variant(seeds=(0, 1), steps=(10,))
    root = write_store(tmp_path / "store", made_up)
    columns, _ = summary(tables(Store(root), made_up.study).results)
    assert columns == ["arm", "bits/dim", "FD at 10"]
    record_path = root / "studies" / f"{made_up.study}.json"
    record = json.loads(record_path.read_text())
    for cell in record["cells"]:
        if cell["arm"]["evaluation"] == "likelihood" and cell["seed"] == 1:
            cell["arm"]["steps"] = 50
        if cell["arm"]["evaluation"] == "samples" and cell["seed"] == 1:
            score = root / "tasks" / cell["tasks"]["score"] / "result.json"
            score.write_text(json.dumps(json.loads(score.read_text()) | {"generated": 32}))
    record_path.write_text(json.dumps(record))
    columns, _ = summary(tables(Store(root), made_up.study).results)
    assert columns == [
        *("arm", "bits/dim", "bits/dim at 50"),
        *("FD at 10, 16 samples", "FD at 10, 32 samples"),
    ]
