"""What the artists draw, against one-line expressions over the tables and results behind them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy import stats

from iddpm.config import Digits, Photos
from iddpm.data import describe
from studies.analyses import index
from studies.analyses.drawings import FIGURES
from studies.analyses.sample_gallery.sample_grid import COLUMNS, step_counts
from studies.analyses.sampling_stride.paper import fig_8_numbers
from studies.drawing import style, vector
from studies.store.store import Store
from studies.tables.tables import Tables, tables
from tests.witness.made_up_store import MadeUp, terms, variant, write_store
from tests.witness.made_up_tables import made_up, planned
from tests.witness.marks import slow_except

STUDY = MadeUp()


@pytest.fixture(autouse=True)
def every_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves of the made-up chains are drawn point by point."""
    monkeypatch.setattr(style, "MOST_POINTS", 300)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = write_store(tmp_path_factory.mktemp("figures") / "store", STUDY)
    return tables(Store(root), STUDY.study)


def a_study(folder: Path, made_up: MadeUp) -> Tables:
    return tables(Store(write_store(folder / "store", made_up)), made_up.study)


def drawn(name: str, study: Tables) -> tuple[pd.DataFrame, Figure]:
    table = FIGURES[name].table(study)
    return table, FIGURES[name].draw(table)


def curves(axes: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in axes.lines}


def points(line: Line2D) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def caption(name: str, study: Tables) -> str:
    return FIGURES[name].caption(FIGURES[name].table(study), study)


def test_the_figures_are_those_that_a_sweep_may_name() -> None:
    assert tuple(FIGURES) == tuple(index.FIGURES)


# ----------------------------------------------------------------------------------- beta_ratio


def test_the_ratio_is_drawn_for_three_lengths_on_a_log_axis(study: Tables) -> None:
    _, figure = drawn("beta_ratio", study)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert list(curves(axes)) == ["T = 100", "T = 1,000", "T = 10,000"]
    for T, line in zip((100, 1000, 10_000), axes.lines, strict=True):
        noise = 1 - np.cumprod(1 - np.linspace(0.1 / T, 20 / T, T))
        places, ratios = points(line)
        np.testing.assert_allclose(places, np.arange(2, T + 1) / T)
        np.testing.assert_allclose(ratios, noise[:-1] / noise[1:], rtol=1e-12)


def test_the_digitised_points_of_fig_1_lie_on_the_drawn_curve(study: Tables) -> None:
    _, figure = drawn("beta_ratio", study)
    ratio = np.asarray(figure.axes[0].lines[0].get_ydata())  # step 0 is not drawn
    digitised = {2: 0.451, 3: 0.564, 5: 0.701, 10: 0.833, 20: 0.923}
    for step, value in digitised.items():
        assert ratio[step - 1] == pytest.approx(value, abs=0.01)  # one hundredth of the axis


def test_the_first_ratio_is_zero_and_said_in_words(study: Tables) -> None:
    assert FIGURES["beta_ratio"].table(study).groupby("T")["ratio"].first().eq(0).all()
    assert "exactly zero, which a log axis cannot show" in caption("beta_ratio", study)


# ------------------------------------------------------------------------------------ vlb_terms


def test_each_term_is_the_mean_over_seeds(study: Tables) -> None:
    table, figure = drawn("vlb_terms", study)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[1] == pytest.approx(2 * table["mean"].max())
    assert axes.get_xlim() == (-0.01 * STUDY.T, STUDY.T)
    (strip,) = (one for one in axes.patches if isinstance(one, Rectangle))
    assert (strip.get_x(), strip.get_width()) == (0, 0.05 * STUDY.T)
    assert len(axes.lines) == 5
    shown = study.steps[study.steps["part"] != "prior"]
    shown = shown[(shown["objective"] == "hybrid") & (shown["variance"] == "range")]
    line = curves(axes)[r"$L_{\mathrm{hybrid}}$, Σ learned"]
    expected = shown.groupby("step")["mean"].mean()
    steps, means = points(line)
    np.testing.assert_allclose(means, expected, rtol=1e-12)
    np.testing.assert_array_equal(steps, expected.index)


def test_the_bands_are_95_percent_t_intervals(study: Tables) -> None:
    _, figure = drawn("vlb_terms", study)
    bands = [c for c in figure.axes[0].collections if isinstance(c, PolyCollection)]
    assert len(bands) == 5
    shown = study.steps[(study.steps["objective"] == "simple") & (study.steps["part"] != "prior")]
    beta = shown[shown["variance"] == "beta"].pivot_table("mean", "step", "seed").to_numpy()
    half = stats.t.ppf(0.975, 2) * stats.sem(beta, axis=1)
    vertices = bands[0].get_paths()[0].vertices
    low, high = beta.mean(axis=1) - half, beta.mean(axis=1) + half
    heights = np.sort(np.asarray(vertices)[:, 1])
    assert heights[[0, -1]] == pytest.approx([low[-1], high[0]], rel=1e-9)
    assert np.isin(np.round(np.log(high), 9), np.round(np.log(heights), 9)).all()


def test_terms_that_are_zero_are_left_out_and_said_in_words(tmp_path: Path) -> None:
    def ending_in_zero(total: float, T: int) -> list[float]:
        return [*terms(total, T)[:-3], 0.0, 0.0, 0.0]

    study = a_study(tmp_path, variant(terms=ending_in_zero))
    _, figure = drawn("vlb_terms", study)
    assert {len(np.asarray(line.get_xdata())) for line in figure.axes[0].lines} == {197}
    said = caption("vlb_terms", study)
    assert "are the terms: 3 of L_simple, Σ = β (steps 197 to 199; zero)" in said


def test_the_axis_of_the_terms_begins_as_the_papers_and_what_is_below_is_told(
    tmp_path: Path,
) -> None:
    def beginning_low(total: float, T: int) -> list[float]:
        return [2e-14, *terms(total, T)[1:]]

    study = a_study(tmp_path, variant(terms=beginning_low))
    _, figure = drawn("vlb_terms", study)
    assert figure.axes[0].get_ylim()[0] == 1e-7
    said = caption("vlb_terms", study)
    assert "which begins at 1e-07, are the terms: 1 of L_simple, Σ = β (step 0; 2e-14); " in said


def test_the_axis_goes_down_with_all_but_a_hundredth_of_the_terms(tmp_path: Path) -> None:
    def tiny(total: float, T: int) -> list[float]:
        return [term * 1e-6 for term in terms(total, T)]

    table, figure = drawn("vlb_terms", a_study(tmp_path, variant(terms=tiny)))
    low = figure.axes[0].get_ylim()[0]
    assert low == pytest.approx(1e-11)  # 200 terms fall as k^-2.2 from about 1.7e-6
    assert (table["mean"] < low).mean() <= 0.01


def test_curves_that_coincide_are_marked_at_steps_of_their_own(study: Tables) -> None:
    _, figure = drawn("vlb_terms", study)
    marked = []
    for line in figure.axes[0].lines:
        start, every = line.get_markevery()  # type: ignore[misc]
        marked += list(points(line)[0][start::every])
    assert len(marked) == len(set(marked)) == 5 * 8
    looks = {(line.get_color(), line.get_markerfacecolor()) for line in figure.axes[0].lines}
    assert len(looks) == 5


def test_the_papers_terms_are_described_and_not_overlaid(study: Tables) -> None:
    said = caption("vlb_terms", study)
    assert "falls from about 1.1 at the first step to about 5e-08 at the last (digitised)" in said
    assert "It is not overlaid: the paper does not say which network and data it shows." in said
    assert "No term is below the axis, which begins at 1e-07." in said


# ----------------------------------------------------------------------------- quality_vs_steps


def test_each_curve_is_the_mean_over_seeds_at_each_number_of_steps(study: Tables) -> None:
    _, figure = drawn("quality_vs_steps", study)
    (axes,) = figure.axes
    results = study.results[study.results["metric"] == "frechet_distance"]
    arms = results.groupby(["objective", results["variance"].fillna("ddim")])
    assert len(axes.lines) == arms.ngroups == 6
    expected = [tuple(arm.groupby("steps")["value"].mean().round(12)) for _, arm in arms]
    found = [tuple(np.asarray(line.get_ydata()).round(12)) for line in axes.lines]
    assert sorted(found) == sorted(expected)
    assert all(tuple(points(line)[0]) == STUDY.steps for line in axes.lines)
    beta_tilde = results[(results["objective"] == "simple") & (results["variance"] == "beta_tilde")]
    values = beta_tilde.pivot_table("value", "steps", "seed").to_numpy()
    high = values.mean(axis=1) + stats.t.ppf(0.975, 2) * stats.sem(values, axis=1)
    band = np.asarray(axes.collections[1].get_paths()[0].vertices)[:, 1]
    assert all(np.isclose(band, end, rtol=1e-12).any() for end in high)


def test_both_axes_of_quality_are_logarithmic_and_the_distance_is_never_called_fid(
    study: Tables,
) -> None:
    _, figure = drawn("quality_vs_steps", study)
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_ylabel().startswith("FD[digits-classifier:ab12cd34]")


def test_the_axis_of_an_fid_is_linear_ends_as_the_papers_and_its_caption_says_so() -> None:
    def far_at_few_steps(row: Mapping[str, Any]) -> float:
        return 150.0 if (row["variance"], row["steps"]) == ("beta", 25) else 3 + 100 / row["steps"]

    study = made_up(planned("sigma_ablation", preset="cifar10"), far_at_few_steps)
    table, figure = drawn("quality_vs_steps", study)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.get_ylim()[0] == 0
    lowest = table["mean"].min()  # of the paper's own, which are overlaid: about 3
    assert axes.get_ylim()[1] == pytest.approx(lowest + 20)
    said = caption("quality_vs_steps", study)
    assert "the axis of distances linear and the other logarithmic, as in the paper" in said
    above = (table["mean"] > lowest + 20).sum()
    assert above > 0
    assert f"{above} of {len(table)} points lie above the axis, up to " in said


def test_the_axis_of_another_distance_is_logarithmic_and_its_caption_says_so(study: Tables) -> None:
    said = caption("quality_vs_steps", study)
    assert "both axes logarithmic" in said
    assert "above the axis" not in said


def test_curves_are_told_apart_without_colour(study: Tables) -> None:
    _, figure = drawn("quality_vs_steps", study)
    looks = {(line.get_linestyle(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(looks) == 6


def test_captions_say_what_the_bands_are_and_over_how_many_seeds(study: Tables) -> None:
    for name in ("vlb_terms", "quality_vs_steps"):
        assert "means over seeds, bands their 95% t intervals (n = 3 seeds)" in caption(name, study)


def test_one_seed_draws_no_band_and_says_so(tmp_path: Path) -> None:
    study = a_study(tmp_path, variant(seeds=(0,)))
    for name in ("vlb_terms", "quality_vs_steps"):
        _, figure = drawn(name, study)
        heights = [path for band in figure.axes[0].collections for path in band.get_paths()]
        assert all(len(np.asarray(path.vertices)) <= 3 for path in heights)
        assert "One seed only: there is no spread to show" in caption(name, study)


def at_scale(*overrides: tuple[str, str]) -> Tables:
    """The Σ-ablation under the paper's settings, every distance 10."""
    plan = planned("sigma_ablation", preset="cifar10", overrides=overrides)
    return made_up(plan, lambda row: 10.0)


def test_the_papers_curves_are_overlaid_where_every_setting_is_the_papers() -> None:
    study = at_scale()
    table, figure = drawn("quality_vs_steps", study)
    overlaid = table[(table["source"] == "Fig. 8") & (table["objective"] == "hybrid")]
    full = overlaid[overlaid["training_steps"] == 500_000].set_index("steps")["mean"]
    assert full.to_dict() == dict(
        zip((25, 50, 100, 200, 400, 1000, 4000), (10.6, 5.6, 4.0, 3.4, 3.3, 3.2, 3.2), strict=True)
    )
    black = [line for line in figure.axes[0].lines if line.get_color() == "black"]
    assert len(black) == 8
    (line,) = (one for one in black if list(np.asarray(one.get_ydata())) == list(full))
    assert (line.get_markerfacecolor(), line.get_marker()) == ("black", style.marker("range"))
    hollow = {line.get_marker() for line in black if line.get_markerfacecolor() == "white"}
    assert hollow == {style.marker(mode) for mode in ("beta", "beta_tilde", "ddim")}
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert [name for name in named if name.startswith("paper")] == [
        "paper, Fig. 8 (digitised);\ninferred: schedule",
        "paper, Fig. 8 (digitised)",
    ]
    assert figure.axes[0].get_ylabel().startswith("FID\n")
    said = caption("quality_vs_steps", study)
    assert "digitised from its Fig. 8, where every setting agrees that the paper or its" in said
    assert "Their bars are the error of the digitisation." in said
    assert "the cosine schedule for L_simple" in said


def test_the_bar_of_a_digitised_value_is_its_error() -> None:
    _, figure = drawn("quality_vs_steps", at_scale())
    bars = [c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)]
    ends = [segment for one in bars for segment in one.lines[2][0].get_segments()]
    assert len(ends) == len([p for p in fig_8_numbers() if p.data == "cifar10"])
    halves = {(float(s[0, 0]), round(float(s[1, 1] - s[0, 1]) / 2, 9)) for s in ends}
    assert (4000.0, 0.3) in halves  # DDIM's last marker is partly hidden
    assert {half for _, half in halves} == {0.1, 0.3}


def test_10000_images_of_the_same_features_are_fid_at_10k_and_not_overlaid() -> None:
    table, figure = drawn("quality_vs_steps", at_scale(("samples.images", "10000")))
    assert set(table["source"]) == {"this study"}
    assert figure.axes[0].get_ylabel().startswith("FID@10k\n")


def test_digits_never_meet_the_papers_numbers_and_the_caption_says_why(study: Tables) -> None:
    table, _ = drawn("quality_vs_steps", study)
    assert set(table["source"]) == {"this study"}
    said = caption("quality_vs_steps", study)
    assert "features (digits-classifier here, inception-2015-12-05 in the paper)" in said
    assert "The paper's curves are not overlaid" in said


# ---------------------------------------------------------------------------------- sample_grid


def test_the_strips_are_the_stored_images_enlarged_pixel_by_pixel(study: Tables) -> None:
    table, figure = drawn("sample_grid", study)
    pictures = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert len(pictures) == 6 * 3
    paths = study.samples[(study.samples["seed"] == 0) & (study.samples["steps"] == 10)]["path"]
    stored = np.load(paths.iloc[0])[:COLUMNS]
    grey = np.round(stored[..., 0].astype(float) * 255 / 16).astype(np.uint8)
    framed = [np.pad(image, ((0, 0), (0, 1)), constant_values=255) for image in grey]
    expected = np.kron(np.hstack(framed)[:, :-1], np.ones((4, 4), dtype=np.uint8))
    np.testing.assert_array_equal(pictures[0][..., 0], expected)
    assert (set(table["levels"]), set(table["seed"])) == ({17}, {0})
    assert table["column"].max() + 1 == 12
    between = pd.concat([study.samples, study.samples.assign(steps=25)], ignore_index=True)
    more = FIGURES["sample_grid"].table(replace(study, samples=between))
    assert list(dict.fromkeys(more["steps"])) == [10, 50, 200]  # of 24 strips


def test_each_row_is_named_in_words_and_grouped_by_steps(study: Tables) -> None:
    _, figure = drawn("sample_grid", study)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in said if text.endswith("steps")] == [
        "10 steps",
        "50 steps",
        "200 steps",
    ]
    assert said.count(r"$L_{\mathrm{hybrid}}$, Σ learned") == 3


def test_every_name_has_room_beside_its_strip(study: Tables) -> None:
    table, short = drawn("sample_grid", study)
    long = FIGURES["sample_grid"].draw(table.assign(arm=table["arm"] + " and more and more words"))
    for figure in (short, long):
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
        assert min(box.x0 for box in boxes) > 0
        names = [box for box in boxes if box.x0 < figure.axes[0].images[0].get_window_extent().x0]
        assert not any(a.overlaps(b) for a, b in combinations(names, 2))


def test_names_without_end_leave_room_for_the_images(study: Tables) -> None:
    table = FIGURES["sample_grid"].table(study)
    figure = FIGURES["sample_grid"].draw(table.assign(arm=table["arm"] + 50 * " and more"))
    box = figure.axes[0].images[0].get_window_extent()
    assert box.width > figure.bbox.width / 2
    names = [text for text in figure.axes[0].texts if " and more" in text.get_text()]
    assert {text.get_text().count("more") for text in names} == {50}
    boxes = [text.get_window_extent() for text in names]
    assert min(b.x0 for b in boxes) > 0
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_a_name_is_broken_at_commas_and_where_these_do_not_help_at_words() -> None:
    name = "L_simple, DDIM, even stride, batch size = 64, learning rate = 0.002"
    first, *rest = style.in_lines(name, most_in=2.0).split("\n")
    assert first == "$L_{\\mathrm{simple}}$, DDIM"
    assert rest == ["even stride, batch size = 64", "learning rate = 0.002"]
    assert style.in_lines("a b c d", most_in=0.01).split("\n") == ["a", "b", "c", "d"]
    assert style.in_lines(name).split("\n")[1:] == [name.partition("DDIM, ")[2]]


def test_the_step_counts_shown_are_the_fewest_the_middle_and_the_most() -> None:
    assert step_counts(pd.Series([10, 25, 50, 100, 250, 1000])) == [10, 100, 1000]
    assert step_counts(pd.Series([50, 10])) == [10, 50]


def test_grey_levels_are_those_of_the_data(study: Tables) -> None:
    assert set(study.samples["levels"]) == {describe(Digits()).levels}
    assert describe(Photos()).levels == 256


# ----------------------------------------------------------------------------------- every figure


@pytest.mark.parametrize("name", slow_except(STUDY.figures, "beta_ratio", "quality_vs_steps"))
def test_the_same_table_gives_the_same_svg_bytes(name: str, study: Tables) -> None:
    table, figure = drawn(name, study)
    again = vector.svg(FIGURES[name].draw(table))
    assert vector.svg(figure) == again
    assert again.startswith("<svg ")
    assert "<dc:date>" not in again
    assert "<text" not in again  # drawn as paths, so no font is asked of the reader


@pytest.mark.parametrize("name", [name for name in STUDY.figures if name != "beta_ratio"])
def test_nothing_measured_is_an_empty_table(name: str, tmp_path: Path) -> None:
    study = a_study(tmp_path, variant(likelihood=False, arms=(), steps=()))
    assert FIGURES[name].table(study).empty


def test_colours_of_the_arms_are_apart_for_every_common_kind_of_sight() -> None:
    found = [tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)) for c in style.COLOURS.values()]
    grey = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in found)
    assert len(set(found)) == len(found)
    assert all(not math.isclose(a, b, abs_tol=1e-3) for a, b in pairwise(grey))


def drawn_text(label: str) -> str:
    """What matplotlib's own reading of a label leaves of it where it finds no formula in it."""
    reader: Any = Figure().text(0, 0, label)
    text, is_formula = reader._preprocess_math(label)
    assert not is_formula, label
    return str(text)


@pytest.mark.parametrize(
    "name",
    [
        "$x^2$",
        r"CFG $\frac{$",
        r"\frac{1}{2}",
        r"a\$b",
        r"\L_vlb of a back\slash",
        "a_b^c {d} % & ~",
        "MODEL_small",
        "MODEL_simple",
        "L_vlb2",
        "L_best of ours",
        "costs $5",
        "<script>alert(1)</script>",
        "[bold]x[/bold] :smile: |",
        "é and e\u0301",
    ],
)
def test_a_name_that_people_gave_is_drawn_as_it_is_written(name: str) -> None:
    assert drawn_text(style.mathematical(name)) == name
    assert drawn_text(style.in_lines(name)) == name
    figure = Figure()
    figure.text(0, 0, style.mathematical(name))
    assert ElementTree.fromstring(vector.svg(figure)).tag.endswith("svg")


def test_symbols_of_ours_are_still_set_as_the_paper_sets_them() -> None:
    assert style.mathematical("L_vlb (resampled), Σ = β̃") == (
        r"$L_{\mathrm{vlb}}$ (resampled), Σ = $\tilde{\beta}$"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", "aU+000Ab"),
        ("a\x00b", "aU+0000b"),
        ("a\u202eb", "aU+202Eb"),
        ("猫", "U+732B"),
        ("\ud800", "U+D800"),
    ],
)
def test_what_the_font_cannot_draw_is_named_by_its_number(name: str, shown: str) -> None:
    assert style.mathematical(name) == shown


def test_a_word_without_end_is_broken() -> None:
    lines = style.in_lines("$" * 200, most_in=1.8).split("\n")
    assert "".join(map(drawn_text, lines)) == "$" * 200
    assert max(map(style.width_in, lines)) <= 1.8


def test_a_long_curve_is_drawn_by_its_first_points_its_last_and_some_between() -> None:
    drawn = style.thinned(pd.DataFrame({"step": np.arange(4000)}))["step"]
    assert len(drawn) <= style.MOST_POINTS
    assert drawn.iloc[:5].tolist() == [0, 1, 2, 3, 4]
    assert drawn.iloc[-1] == 3999
    assert np.diff(drawn).max() < 4000 / 45
