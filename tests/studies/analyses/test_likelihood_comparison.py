"""Table 3: its thirteen models, where they are drawn, and the sweep of two lengths of chains."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from scipy import stats

from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.analyses.likelihood_comparison.paper import TABLE_3, table_3
from studies.analyses.objective_ablation.paper import table_numbers
from studies.drawing import style
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from studies.tables.groupings import records
from studies.tables.tables import Tables
from tests.witness.made_up_rows import bound_rows, network, tables_of
from tests.witness.made_up_tables import made_up, planned

SWEEPS = Path(__file__).parents[3] / "sweeps"

AS_PUBLISHED = """
Glow                | 3.81 | 3.35
Flow++              | 3.69 | 3.08
PixelCNN            | 3.57 | 3.14
SPN                 | 3.52 | -
NVAE                | -    | 2.91
Very Deep VAE       | 3.52 | 2.87
PixelSNAIL          | 3.52 | 2.85
Image Transformer   | 3.48 | 2.90
Sparse Transformer  | 3.44 | 2.80
Routing Transformer | 3.43 | -
DDPM                | 3.77 | 3.70
DDPM (cont flow)    | -    | 2.99
Improved DDPM       | 3.53 | 2.94
"""


def test_table_3_is_as_published() -> None:
    lines = [line.split("|") for line in AS_PUBLISHED.strip().splitlines()]
    columns = {"imagenet64": 1, "cifar10": 2}
    for data, column in columns.items():
        expected = {
            line[0].strip(): float(line[column]) for line in lines if line[column].strip() != "-"
        }
        assert table_3(data) == expected
    assert [model for model, *_ in TABLE_3] == [line[0].strip() for line in lines]
    assert len(TABLE_3) == 13
    assert (len(table_3("imagenet64")), len(table_3("cifar10"))) == (11, 11)


def test_the_papers_own_rows_are_those_of_its_ablations() -> None:
    bits = [p for p in table_numbers() if p.metric == "bits_per_dim"]
    for data in ("imagenet64", "cifar10"):
        assert table_3(data)["Improved DDPM"] == min(p.value for p in bits if p.data == data)
    assert table_3("imagenet64")["DDPM"] == next(
        p.value for p in bits if (p.T, p.schedule, p.objective) == (4000, "linear", "simple")
    )


def test_other_data_have_no_published_numbers() -> None:
    assert table_3("digits") == table_3("photos") == {}


# ---------------------------------------------------------------------------------------- the sweep


def test_the_sweep_is_two_rows_of_the_table_with_two_lengths() -> None:
    spec = read_sweep(SWEEPS / "likelihood_comparison.yaml")
    found = {
        (a.train.diffusion.schedule, a.train.objective.kind, a.train.diffusion.steps)
        for a in spec.arms
    }
    assert found == {
        (schedule, objective, T)
        for schedule, objective in (("linear", "simple"), ("cosine", "vlb"))
        for T in (32, 128)
    }


def test_its_networks_but_the_short_l_vlb_are_those_of_tables_1_and_2() -> None:
    names = ("objective_ablation", "likelihood_comparison")
    tables, plan = (expand(read_sweep(SWEEPS / f"{name}.yaml")) for name in names)
    trained = {cell.tasks["train"]: (cell.arm["objective"], cell.arm["T"]) for cell in plan.cells}
    own = [network for address, network in trained.items() if address not in tables.tasks]
    assert (len(trained), own) == (4 * 6, [("vlb", 32)] * 6)


# --------------------------------------------------------------------------------------- the figure

SIMPLE = (3.9, 4.0, 4.1)
VLB = (3.5, 3.55, 3.6)


def study(data: str) -> Tables:
    recipe = f'{{"split": "{data}/test", "images": 16}}'
    resampled = network("vlb", timesteps="loss_second_moment")
    return tables_of(
        [
            *bound_rows(network("simple", "linear", 1000), "beta", SIMPLE, recipe=recipe),
            *bound_rows(resampled, "range", VLB, recipe=recipe),
            *bound_rows(resampled, "beta", [9.0, 9.0, 9.0], recipe=recipe),
        ]
    )


def figure_of(tables: Tables) -> Figure:
    return FIGURES["likelihood_comparison"].draw(FIGURES["likelihood_comparison"].table(tables))


def caption(tables: Tables) -> str:
    drawing = FIGURES["likelihood_comparison"]
    return drawing.caption(drawing.table(tables), tables)


def test_on_digits_only_this_studys_networks_are_drawn() -> None:
    figure = figure_of(study("digits"))
    (axes,) = figure.axes
    points = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    means = [float(np.asarray(point.lines[0].get_xdata())[0]) for point in points]
    assert means == pytest.approx([np.mean(SIMPLE), np.mean(VLB)])
    assert axes.get_ylim() == pytest.approx((1.6, -0.6))  # the most bits/dim at the top
    segment = points[1].lines[2][0].get_segments()[0]
    half = stats.t.ppf(0.975, 2) * stats.sem(VLB)
    np.testing.assert_allclose(segment[:, 0], [np.mean(VLB) - half, np.mean(VLB) + half])
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [
        style.mathematical("T = 1,000, linear, L_simple"),
        style.mathematical("T = 4,000, cosine, L_vlb (resampled)"),
    ]
    assert not any(str(line.get_label()).startswith("paper") for line in axes.lines)
    assert "The 13 models of the paper's Table 3 are not drawn" in caption(study("digits"))
    assert "these of digits" in caption(study("digits"))


def at_scale(data: str, *overrides: tuple[str, str]) -> Tables:
    whole = ("likelihood.images", "null")
    plan = planned("likelihood_comparison", preset=data, overrides=[whole, *overrides])
    return made_up(plan, lambda row: 3.0)


@pytest.mark.parametrize("data", ["cifar10", "imagenet64"])
def test_on_its_own_data_every_published_model_stands_at_its_place(data: str) -> None:
    study = at_scale(data)
    figure = figure_of(study)
    (axes,) = figure.axes
    crosses = next(line for line in axes.lines if str(line.get_label()).startswith("paper"))
    bits = list(np.asarray(crosses.get_xdata()))
    assert bits == sorted(table_3(data).values(), reverse=True)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    places = np.asarray(crosses.get_ydata(), dtype=int)
    found = {labels[place]: value for place, value in zip(places, bits, strict=True)}
    assert found == table_3(data)
    assert len(labels) == 11 + 4
    assert crosses.get_label() == "paper, Table 3;\ninferred: images"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [crosses.get_label()]
    said = caption(study)
    assert "Black: the models of the paper's Table 3, each with settings of its own" in said
    assert "inferred: bits/dim over the whole test set" in said
    assert "L_vlb with a fixed" not in said  # from memory alone


@pytest.mark.parametrize(
    ("override", "named"),
    [
        (("train.network.model_channels", "64"), "model channels (64 here, 128 in the paper)"),
        (("likelihood.images", "999"), "images (999 here, 10,000 inferred for the paper)"),
        (("likelihood.split", "train"), "split (train here, test in the paper)"),
    ],
)
def test_without_the_papers_own_network_its_table_is_not_drawn(
    override: tuple[str, str], named: str
) -> None:
    study = at_scale("cifar10", override)
    assert set(FIGURES["likelihood_comparison"].table(study)["source"]) == {"this study"}
    assert "are not drawn; what differs from its own: " in caption(study)
    assert named in caption(study)


def test_without_a_bound_there_is_nothing_to_draw() -> None:
    assert FIGURES["likelihood_comparison"].table(tables_of([])).empty
    waiting = tables_of(bound_rows(network("hybrid"), "range", [None]))
    assert FIGURES["likelihood_comparison"].table(waiting).empty


def test_the_caption_says_over_what_and_how_many_seeds() -> None:
    assert "over 16 images and all T steps" in caption(study("digits"))
    assert "95% t intervals (n = 3)" in caption(study("digits"))
    alone = tables_of(bound_rows(network("hybrid"), "range", [3.0]))
    assert "one seed, no bars" in caption(alone)


def test_each_pair_of_lengths_is_a_claim_of_its_own() -> None:
    resampled = network("vlb", T=1000, timesteps="loss_second_moment")
    both = study("digits")
    longer = bound_rows(network("simple", "linear", 4000), "beta", [3.7, 3.8, 3.9])
    shorter = bound_rows(resampled, "range", [3.8, 3.85, 3.9])
    rows = [*records(both.results), *longer, *shorter]
    for row in rows:
        row["recipe"] = '{"split": "digits/test"}'
    finding = judge("longer_chain_lowers_nll", tables_of(rows))
    assert finding.verdict == "supported"
    assert sorted(m.what for m in finding.measurements) == [
        "T = 4,000, cosine, L_vlb (resampled) minus T = 1,000, cosine, L_vlb (resampled)",
        "T = 4,000, linear, L_simple minus T = 1,000, linear, L_simple",
    ]
