"""Rivals as they are tabled, drawn and judged."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import markupsafe
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from scipy import stats

from studies.analyses.drawings import FIGURES
from studies.analyses.gan_comparison.paper import TABLE_4, table_4_numbers
from studies.analyses.judge import judge
from studies.judging.departures import departures
from studies.judging.verdicts import Finding
from studies.published.published import SAMPLE_METRICS
from studies.report.build import build as build_pages
from studies.spec.arms import RIVALS
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.tables import Tables, tables
from tests.witness import made_up_tables
from tests.witness.rivals_sweep import written
from tests.witness.runs import running

SWEEPS = Path(__file__).parents[3] / "sweeps"

# ------------------------------------------------------------------- tables, from tasks that ran


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The study with its networks half trained beside it."""
    folder = tmp_path_factory.mktemp("rivals")
    written(folder, ("figures:", "half_trained: [samples]\nfigures:"))
    assert running(folder) == 0
    return tables(Store(folder / "store"), "rivals-tiny")


@pytest.fixture
def study(halved: Tables) -> Tables:
    return replace(halved, half_trained=None)


def test_rivals_stand_as_they_are_beside_networks_that_are_half_trained(halved: Tables) -> None:
    halves = halved.half_trained
    assert halves is not None
    both = (halved.results, halves.results)
    whole, half = (table[table["rival"].notna()].dropna(axis=1, how="all") for table in both)
    assert whole.reset_index(drop=True).equals(half.reset_index(drop=True))
    steps = [set(table.loc[table["rival"].isna(), "training_steps"]) for table in both]
    assert steps[1] == {steps // 2 for steps in steps[0]}
    finding = judge("diffusion_covers_more_than_gan", halved)
    assert all(len(one.half_trained) == 2 for one in finding.measurements if one.decides)


def test_every_model_has_its_three_numbers_by_one_recipe_but_for_the_weights(
    study: Tables,
) -> None:
    results = study.results
    assert results["value"].notna().all()
    recipes = [json.loads(recipe) for recipe in results["recipe"]]
    assert {recipe.pop("weights") for recipe in recipes} == {"ema 0.9", "ema 0.5", "as given"}
    assert len({json.dumps(recipe, sort_keys=True) for recipe in recipes}) == 1
    rivals = results[results["rival"].notna()]
    assert set(rivals["steps"]) == {0}
    assert set(rivals.query("rival == 'GAN'")["training_steps"]) == {3}
    assert set(rivals.query("rival == 'real digits'")["training_steps"]) == {0}
    assert rivals["T"].isna().all()


def test_real_images_from_elsewhere_score_as_real_images_do(study: Tables) -> None:
    fds = study.results.query("metric == 'frechet_distance'").set_index("rival")["value"]
    assert fds["real digits"] < fds["GAN"].min()


def test_a_gans_samples_stand_among_those_by_class(study: Tables) -> None:
    drawn = study.samples[study.samples["classes"].notna()]
    assert set(drawn["rival"].fillna("diffusion")) == {"diffusion", "GAN"}
    table = FIGURES["class_grid"].table(study)
    assert list(dict.fromkeys(table["arm"]))[-1] == "GAN"


@pytest.mark.parametrize("name", ["quality_vs_steps", "sample_grid"])
def test_a_rival_has_no_place_among_chains(name: str, study: Tables) -> None:
    arms = set(FIGURES[name].table(study)["arm"])
    assert arms == {"L_hybrid, Σ learned, 4 channels", "L_hybrid, Σ learned, 6 channels"}


def test_what_a_run_prints_names_the_rivals(study: Tables) -> None:
    from studies.report.summary import summary

    titles, rows = summary(study.results)
    assert titles == ["arm", "FD, no chain", "FD at 4"]
    assert [row[0] for row in rows][-2:] == ["GAN", "real digits"]


def test_the_page_shows_the_rivals_beside_the_arms(study: Tables) -> None:
    from studies.report.page import study_page

    store = Store(study.samples["path"].iloc[0].parents[2])
    page = study_page(store, study).files["index.html"]
    assert "no chain" in page
    assert "real digits" in page


HOSTILE = [
    r"$x^2$ \frac{1}{_^{}} 100% & <script>alert(1)</script> [bold]x[/] :smile: | 😀",
    "paper, Table 4, BigGAN-deep",
    "GAN of the authors",
    "=1+1",
    "L_best",
    "n" * 200,
]


def test_names_are_shown_as_they_were_given_wherever_they_stand(
    study: Tables, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    shutil.copytree(study.samples["path"].iloc[0].parents[2], root)
    record = Store(root).study("rivals-tiny")
    real = [cell for cell in record["cells"] if cell["arm"].get("rival") == "real digits"]
    record["cells"] = [cell for cell in record["cells"] if cell not in real] + [
        {**cell, "arm": {**cell["arm"], "rival": name}} for cell in real for name in HOSTILE
    ]
    Store(root).record_study("rivals-tiny", record)
    _, page = build_pages(Store(root), tmp_path / "reports")
    html = page.read_text()
    for name in HOSTILE:
        assert str(markupsafe.escape(name)) in html
    assert "<script>alert" not in html
    assert "<sub>best" not in html
    for svg in page.parent.glob("*.svg"):
        assert ElementTree.fromstring(svg.read_text()).tag.endswith("svg")
    written = pd.read_csv(page.parent / "results.csv")["rival"].dropna()
    assert set(written) == {"GAN", *(f"'{n}" if n.startswith("=") else n for n in HOSTILE)}
    drawn = pd.read_csv(page.parent / "model_comparison.csv")
    assert set(drawn.loc[drawn["arm"].isin(written), "kind"]) == {"GAN", "elsewhere"}
    said = [judge(claim, tables(Store(root), "rivals-tiny")) for claim in record["claims"]]
    aside = [m for found in said for m in found.measurements if m.decides]
    assert not any(name in f"{m.what} {m.detail}" for m in aside for name in HOSTILE)


# --------------------------------------------------------- claims and the figure, on made-up values

ARMS = {"small": 4, "large": 6}
PAPERS = {
    "small": {"frechet_distance": 6.92, "precision": 0.77, "recall": 0.72},
    "large": {"frechet_distance": 2.92, "precision": 0.82, "recall": 0.71},
    "GAN": {"frechet_distance": 4.06, "precision": 0.86, "recall": 0.59},
    "elsewhere": {"frechet_distance": 3.0, "precision": 0.5, "recall": 0.65},
}
IN_TABLE_4 = {
    "BigGAN-deep": "GAN",
    "Improved Diffusion (small)": "small",
    "Improved Diffusion (large)": "large",
}
RECIPE = {
    "extractor": "digits-classifier:ab12cd34",
    "reference": "digits/train",
    "reference_images": 1500,
    "images": 192,
    "weights": "ema 0.9",
    "resize": "none",
    "neighbours": 3,
}


def model_of(row: pd.Series) -> str:
    if not pd.isna(row["rival"]):
        return "GAN" if row["rival"] == "GAN" else "elsewhere"
    return "small" if row["train.network.model_channels"] == 4 else "large"


@pytest.fixture
def made_up(study: Tables) -> Callable[..., Tables]:
    """The study with three seeds of made-up values, spread by a hundredth of each."""

    def make(
        values: dict[str, dict[str, float]] = PAPERS,
        spread: float = 0.01,
        recipe: dict[str, Any] = RECIPE,
        seeds: tuple[int, ...] = (0, 1, 2),
    ) -> Tables:
        first = study.results.query("seed == 0")
        first = first.assign(model=[model_of(row) for _, row in first.iterrows()])
        parts = []
        for seed in seeds:
            rows = first if seed == seeds[0] else first.query("model != 'elsewhere'")
            found = [
                values[row["model"]][row["metric"]]
                * (1 + spread * ((seed * 7 + len(row["model"])) % 3 - 1))
                for _, row in rows.iterrows()
            ]
            parts.append(rows.assign(seed=seed, value=found, recipe=json.dumps(recipe)))
        whole = pd.concat(parts, ignore_index=True).drop(columns="model")
        trained = study.trainings.head(0)  # its few steps are no matter of these numbers
        return replace(study, results=whole.assign(images=recipe["images"]), trainings=trained)

    return make


CLAIMS = (
    "diffusion_covers_more_than_gan",
    "gan_is_more_precise",
    "only_large_diffusion_beats_gan",
)
METRICS = ("recall", "precision", "frechet_distance")


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_papers_numbers_support_what_it_says(
    claim: str, made_up: Callable[..., Tables]
) -> None:
    finding = judge(claim, made_up())
    assert finding.verdict == "supported"
    assert len([m for m in finding.measurements if m.decides]) == 2
    aside = [m for m in finding.measurements if not m.decides]
    assert all("real digits" in m.what for m in aside)
    assert {m.interval.n for m in finding.measurements} == {3}


@pytest.mark.parametrize(("claim", "metric"), list(zip(CLAIMS, METRICS, strict=True)))
def test_the_opposite_contradicts_it(
    claim: str, metric: str, made_up: Callable[..., Tables]
) -> None:
    swapped = {**PAPERS, "GAN": {**PAPERS["GAN"], metric: 0.9 if metric == "recall" else 0.3}}
    finding = judge(claim, made_up(swapped))
    assert finding.verdict == "contradicted"
    assert ("the GAN", "a compact one", "BigGAN-deep") in departures(
        made_up(swapped), ["samples", RIVALS]
    )


@pytest.mark.parametrize(("claim", "metric"), list(zip(CLAIMS, METRICS, strict=True)))
def test_a_wide_spread_leaves_it_open(
    claim: str, metric: str, made_up: Callable[..., Tables]
) -> None:
    alike = {model: {**values, metric: 0.7} for model, values in PAPERS.items()}
    assert judge(claim, made_up(alike, spread=0.3)).verdict == "inconclusive"


@pytest.mark.parametrize("claim", CLAIMS)
def test_another_recipe_decides_nothing(claim: str, made_up: Callable[..., Tables]) -> None:
    study = made_up()
    results = study.results
    other = json.dumps({**RECIPE, "neighbours": 5})
    recipes = results["recipe"].where(results["rival"].isna(), other)
    apart = judge(claim, replace(study, results=results.assign(recipe=recipes)))
    assert (apart.verdict, apart.measurements) == ("not run", ())
    assert "and GAN, scored alike" in apart.reason


@pytest.mark.parametrize("claim", CLAIMS)
def test_without_a_gan_there_is_nothing_to_judge(
    claim: str, made_up: Callable[..., Tables]
) -> None:
    study = made_up()
    without: Finding = judge(claim, replace(study, results=study.results.query("rival != 'GAN'")))
    assert without.verdict == "not run"
    never = study.results.query("rival != rival").drop(columns="rival")
    assert judge(claim, replace(study, results=never)).verdict == "not run"


def test_which_weights_were_drawn_from_keeps_no_two_models_apart(
    made_up: Callable[..., Tables],
) -> None:
    study = made_up()
    other = json.dumps({**RECIPE, "weights": "ema 0.5"})
    results = study.results
    recipes = results["recipe"].where(results["rival"].isna(), other)
    finding = judge(CLAIMS[0], replace(study, results=results.assign(recipe=recipes)))
    assert finding.verdict == "supported"


def test_shares_are_compared_by_the_log_of_their_odds_seed_by_seed(
    made_up: Callable[..., Tables],
) -> None:
    study = made_up()
    finding = judge("diffusion_covers_more_than_gan", study)
    recalls = study.results.query("metric == 'recall'")
    ours = recalls.query("`train.network.model_channels` == 4").sort_values("seed")["value"]
    theirs = recalls.query("rival == 'GAN'").sort_values("seed")["value"]
    logs = [np.log(each / (1 - each)) for each in (ours.to_numpy(float), theirs.to_numpy(float))]
    differences = logs[0] - logs[1]
    (found,) = (m for m in finding.measurements if m.decides and "4 channels" in m.what)
    half = stats.t.ppf(0.975, 2) * stats.sem(differences)
    assert found.interval.mean == pytest.approx(differences.mean())
    assert found.interval.high == pytest.approx(differences.mean() + half)


def dots(axes: Axes) -> dict[str, tuple[float, float]]:
    return {
        str(bars.get_label()): (float(bars[0].get_xdata()[0]), float(bars[0].get_ydata()[0]))
        for bars in axes.containers
    }


def test_a_dot_is_the_mean_over_seeds_and_its_bar_the_interval(
    made_up: Callable[..., Tables],
) -> None:
    study = made_up()
    figure = FIGURES["model_comparison"].draw(FIGURES["model_comparison"].table(study))
    shares, distances = figure.axes
    gan = study.results.query("rival == 'GAN'").groupby("metric")["value"]
    mean, half = gan.mean(), stats.t.ppf(0.975, 2) * gan.sem()
    assert dots(shares)["GAN"] == pytest.approx((mean["recall"], mean["precision"]))
    assert dots(distances)["GAN"] == pytest.approx((mean["frechet_distance"], 2))
    assert len(shares.containers) == len(distances.containers) == 4
    bars = next(c for c in distances.containers if c.get_label() == "GAN")
    ends = np.asarray(bars[2][0].get_segments()[0])[:, 0]
    fd = "frechet_distance"
    assert ends == pytest.approx([mean[fd] - half[fd], mean[fd] + half[fd]])
    alone = next(c for c in distances.containers if c.get_label() == "real digits")
    assert alone[2] == ()  # drawn once: no bar
    assert (distances.get_xlim()[0], distances.get_ylim()) == (0, (3.5, -0.5))


def test_a_model_is_shown_at_its_most_sampling_steps(made_up: Callable[..., Tables]) -> None:
    study = made_up()
    chains = study.results[study.results["rival"].isna()]
    fewer = chains.assign(steps=chains["steps"] - 1, value=9.0)
    both = replace(study, results=pd.concat([fewer, study.results], ignore_index=True))
    tables_of = FIGURES["model_comparison"].table
    pd.testing.assert_frame_equal(tables_of(both), tables_of(study))


def test_bars_end_where_a_share_or_a_distance_does_and_the_caption_says_so(
    made_up: Callable[..., Tables],
) -> None:
    study = made_up(spread=0.6)  # seeds at 0.4, 1 and 1.6 of the mean
    table = FIGURES["model_comparison"].table(study)
    gan = table[table["arm"] == "GAN"].set_index("metric")
    assert gan["low"].max() < 0
    assert gan.loc[["recall", "precision"], "high"].min() > 1
    shares, distances = FIGURES["model_comparison"].draw(table).axes
    across, along = next(c for c in shares.containers if c.get_label() == "GAN")[2]
    assert np.asarray(across.get_segments()[0])[:, 0] == pytest.approx([0, 1])
    assert np.asarray(along.get_segments()[0])[:, 1] == pytest.approx([0, 1])
    (bar,) = next(c for c in distances.containers if c.get_label() == "GAN")[2]
    ends = np.asarray(bar.get_segments()[0])[:, 0]
    assert ends == pytest.approx([0, gan.loc["frechet_distance", "high"]])
    said = FIGURES["model_comparison"].caption(table, study)
    assert "They end at 0 and, of shares, at 1, though an interval may reach beyond." in said
    near = {name: {"frechet_distance": 5.0, "precision": 0.5, "recall": 0.97} for name in PAPERS}
    full = made_up(near, spread=0.05)
    said = FIGURES["model_comparison"].caption(FIGURES["model_comparison"].table(full), full)
    assert "They end at 0 and, of shares, at 1" in said
    narrow = made_up()
    within = FIGURES["model_comparison"].caption(FIGURES["model_comparison"].table(narrow), narrow)
    assert "reach beyond" not in within


def at_scale(*overrides: tuple[str, str]) -> tuple[Tables, pd.DataFrame]:
    """Table 4's networks and a GAN under the paper's settings, and the figure's table."""
    plan = made_up_tables.planned("gan_comparison", preset="imagenet64_cond", overrides=overrides)
    study = made_up_tables.made_up(plan, lambda row: 0.5, SAMPLE_METRICS)
    return study, FIGURES["model_comparison"].table(study)


def test_networks_of_the_papers_stand_beside_all_of_table_4() -> None:
    study, table = at_scale()
    theirs = table[table["source"] == "Table 4"].set_index(["arm", "metric"])
    assert theirs["mean"].unstack().to_dict("index") == {
        f"paper, Table 4, {name}": PAPERS[model] for name, model in IN_TABLE_4.items()
    }
    small = "batch size, learning rate, T, schedule, dropout, vlb weight, rescale timesteps"
    near = "neighbours among"
    assert theirs["inferred"].groupby("metric", sort=False).agg(list).to_dict() == {
        "frechet_distance": ["", small, ""],
        "precision": [near, f"{small}, {near}", near],
        "recall": [near, f"{small}, {near}", near],
    }
    figure = FIGURES["model_comparison"].draw(table)
    shares, distances = figure.axes
    assert len(distances.containers) == len(shares.containers) == 6
    filled = [bars[0].get_markerfacecolor() for bars in distances.containers[3:]]
    assert filled == ["black", "white", "black"]
    assert {bars[0].get_markerfacecolor() for bars in shares.containers[3:]} == {"white"}
    assert dots(shares)["paper, Table 4, BigGAN-deep"] == (0.59, 0.86)
    assert distances.get_xlabel().startswith("FID")
    said = FIGURES["model_comparison"].caption(table, study)
    assert "of its Table 4, where every setting agrees that the paper or its" in said
    assert "as many real images as drawn ones" in said
    assert "not drawn" not in said


def test_a_network_that_is_not_the_papers_has_no_row_of_table_4_beside_it() -> None:
    """The large one alone is the paper's where the smaller has another width."""
    _, table = at_scale(("train.network.model_channels", "[64, 192]"))
    theirs = table[table["source"] == "Table 4"]
    assert set(theirs["arm"]) == {
        "paper, Table 4, BigGAN-deep",
        "paper, Table 4, Improved Diffusion (large)",
    }
    for other in (("samples.steps", "100"), ("train.steps", "1000"), ("samples.ema_decay", "null")):
        _, table = at_scale(other)
        assert set(table["source"]) == {"this study"}


def test_with_other_neighbours_only_the_distances_of_table_4_are_drawn() -> None:
    study, table = at_scale(("samples.neighbours", "3"))
    assert set(table[table["source"] == "Table 4"]["metric"]) == {"frechet_distance"}
    said = FIGURES["model_comparison"].caption(table, study)
    assert (
        "The paper's precision and recall are not drawn; what differs: "
        "neighbours (3 here, 5 in the paper)."
    ) in said


def test_digits_stand_alone_and_the_caption_says_why(made_up: Callable[..., Tables]) -> None:
    study = made_up()
    table = FIGURES["model_comparison"].table(study)
    assert set(table["source"]) == {"this study"}
    said = FIGURES["model_comparison"].caption(table, study)
    assert "features (digits-classifier here, inception-2015-12-05 in the paper)" in said
    assert "neighbours (3 here, 5 in the paper)" in said
    assert "neighbours among (1,500 here, 50,000 inferred for the paper)" in said
    assert "bars their 95% t intervals (n = 3). A model without bars has been drawn once." in said
    alone = made_up(seeds=(0,))
    once = FIGURES["model_comparison"].caption(FIGURES["model_comparison"].table(alone), alone)
    assert "There is one draw of each model" in once


def test_nothing_measured_draws_nothing(study: Tables) -> None:
    empty = replace(study, results=study.results.assign(value=np.nan))
    assert FIGURES["model_comparison"].table(empty).empty


def test_table_4_against_a_second_transcription() -> None:
    found = {(m.name, metric): getattr(m, metric) for m in TABLE_4 for metric in SAMPLE_METRICS}
    assert found == {
        (name, metric): PAPERS[model][metric]
        for name, model in IN_TABLE_4.items()
        for metric in SAMPLE_METRICS
    }
    lengths = [(m.channels, m.training_steps) for m in TABLE_4]
    assert lengths == [(None, 125_000), (128, 1_700_000), (192, 250_000)]
    assert {(n.steps, n.images, n.T) for n in table_4_numbers()} == {(250, 50_000, 4000)}


# ------------------------------------------------------------------------- gan_comparison.yaml


def test_the_sweep_compares_two_sizes_with_a_gan_over_ten_seeds() -> None:
    spec = read_sweep(SWEEPS / "gan_comparison.yaml")
    assert [arm.train.network.model_channels for arm in spec.arms] == [16, 32]
    assert all(arm.train.network.class_conditional for arm in spec.arms)
    assert ([rival.kind for rival in spec.rivals], len(spec.seeds)) == (["gan"], 10)
    assert spec.claims == CLAIMS


def test_its_smaller_network_is_the_one_of_the_gallery() -> None:
    ours, gallery = (
        read_sweep(SWEEPS / f"{name}.yaml") for name in ("gan_comparison", "sample_gallery")
    )
    assert ours.arms[0].train in [arm.train for arm in gallery.arms]
