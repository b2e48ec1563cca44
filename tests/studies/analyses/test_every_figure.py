"""What a reader asks of any figure: text that is large enough, whole, and in nobody's way.

Each figure is drawn from a made-up study of the sweep whose page shows it, with the names and the
sizes of numbers that such a page has: distances of some tens to some thousands, and wide intervals.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from studies.analyses import index
from studies.analyses.drawings import FIGURES
from studies.plan.plan import record
from studies.published.published import SAMPLE_METRICS
from studies.tables.tables import ARM, Tables
from tests.studies.analyses import (
    test_gradient_noise,
    test_hybrid_vlb_ensemble,
    test_learning_curves,
    test_lottery,
)
from tests.witness.made_up_rows import distance_rows, network, tables_of
from tests.witness.made_up_tables import made_up, planned

WOBBLE = (0.6, 1.0, 1.3)
"""Of the seeds of one arm."""
SIZE = 8
"""Pixels a side of an image."""


def value(row: Mapping[str, Any]) -> float:
    """A few bits/dim, a distance of some tens; both are far larger for L_vlb, as on digits."""
    wobble = WOBBLE[row["seed"] % 3]
    worse = 30.0 if row["objective"] == "vlb" else 1.0
    short: float = 1 + 10 / row["steps"] + 800 / row["training_steps"]
    if row["metric"] == "frechet_distance":
        return 60 * wobble * worse * short
    return 2.5 * float((wobble * worse * short) ** 0.2)


def of_sweep(sweep: str) -> Callable[[Path], Tables]:
    return lambda folder: made_up(planned(sweep), value)


def with_samples(sweep: str, classes: int | None = None) -> Callable[[Path], Tables]:
    """The sweep's samples of one seed, all in one file."""

    def study(folder: Path) -> Tables:
        path = folder / "samples.npy"
        np.save(path, np.arange(80 * SIZE**2, dtype=np.uint8).reshape(80, SIZE, SIZE, 1) % 17)
        drawn = {"path": path, "shards": (path,), "classes": classes, "levels": 17}
        cells = [c for c in record(planned(sweep))["cells"] if c["arm"]["evaluation"] == "samples"]
        rows = [
            c["arm"] | {"seed": c["seed"], "steps": c["arm"]["steps"] or c["arm"]["T"]}
            for c in cells
        ]
        samples = pd.DataFrame([row | drawn for row in rows]).drop(columns="evaluation")
        return replace(tables_of([]), samples=samples)

    return study


def terms(folder: Path) -> Tables:
    """Terms that coincide, the first of them far below the others."""
    study = made_up(planned("sigma_ablation"), value)
    bounds = study.results[study.results["metric"] == "bits_per_dim"]
    parts = [
        bounds.drop(columns="steps").assign(
            part="kl", T=200, steps=200, step=step, mean=1e-4 / step if step else 1e-14
        )
        for step in range(200)
    ]
    return replace(study, steps=pd.concat(parts, ignore_index=True)[study.steps.columns])


def latents(folder: Path) -> Tables:
    np.save(folder / "latents.npy", np.zeros((11, SIZE, SIZE, 1), dtype=np.float32))
    arm = dict.fromkeys(ARM) | {"T": 1000, "seed": 0, "path": folder / "latents.npy"}
    rows = [
        arm | {"schedule": schedule, "place": place, "step": 100 * place, "alpha_bar": 0.5}
        for schedule in ("linear", "cosine")
        for place in range(11)
    ]
    return replace(tables_of([]), latents=pd.DataFrame(rows))


def models(folder: Path) -> Tables:
    """Two diffusion models beside a GAN, all with wide intervals."""
    recipe = {"extractor": "digits-classifier:ab12cd34", "reference": "digits/train"}
    counts = {"images": 192, "reference_images": 1500, "neighbours": 3}
    rows = [
        row | {"metric": metric, "rival": rival, "train.network.dropout": dropout}
        for rival, dropout in ((None, 0.0), (None, 0.125), ("GAN", None))
        for metric in SAMPLE_METRICS
        for row in distance_rows(
            network("hybrid"), "range", WOBBLE, recipe=json.dumps(recipe | counts)
        )
    ]
    return tables_of(rows)


STUDIES: dict[str, Callable[[Path], Tables]] = {
    "beta_ratio": lambda folder: tables_of([]),
    "vlb_terms": terms,
    "quality_vs_steps": of_sweep("sigma_ablation"),
    "sample_grid": with_samples("sampling_stride"),
    "quality_by_batch": of_sweep("sampling_stride"),
    "alpha_bar": lambda folder: tables_of([]),
    "latents": latents,
    "model_size": of_sweep("model_size"),
    "class_grid": with_samples("sample_gallery", classes=10),
    "objective_table": of_sweep("objective_ablation"),
    "sample_count": of_sweep("objective_ablation"),
    "nll_vs_steps": of_sweep("nll_stride"),
    "overfitting": of_sweep("overfitting"),
    "early_stopping": of_sweep("early_stopping"),
    "architecture": of_sweep("architecture"),
    "lottery": lambda folder: made_up(planned("lottery"), test_lottery.value),
    "gradient_noise": lambda folder: test_gradient_noise.made_up(),
    "term_ratio": lambda folder: test_hybrid_vlb_ensemble.made_up(
        ratio=lambda step, seed: 1e-4 if step == 0 else 0.5 + 0.1 * seed
    ),
    "model_comparison": models,
    "skip_prefix": of_sweep("skip_prefix"),
    "learning_curves": lambda folder: test_learning_curves.study(),
    "likelihood_comparison": of_sweep("likelihood_comparison"),
    "released_checkpoints": lambda folder: made_up(
        planned("released_checkpoints", preset="imagenet64"), value
    ),
}


@pytest.fixture(scope="module", params=index.FIGURES)
def figure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    assert request.param in STUDIES, "add a made-up study that this figure is drawn from"
    drawing = FIGURES[request.param]
    table = drawing.table(STUDIES[request.param](tmp_path_factory.mktemp(request.param)))
    assert len(table)
    drawn = drawing.draw(table)
    drawn.draw_without_rendering()
    return drawn


def texts(figure: Figure) -> Iterator[Text]:
    """Every text that is seen; ticks beyond the ends of an axis are not."""
    unseen = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not axis.get_visible()
        or not axes.axison
        or not _is_between(tick.get_loc(), axis.get_view_interval())
    }
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in unseen:
            yield text


def _is_between(place: float, ends: Any) -> bool:
    low, high = sorted(ends)
    slack = 1e-9 * (high - low)
    return bool(low - slack <= place <= high + slack)


def test_text_is_at_least_8_points_at_the_width_of_a_page(figure: Figure) -> None:
    assert 5.5 <= figure.get_figwidth() <= 6.5
    small = [text.get_text() for text in texts(figure) if float(text.get_fontsize()) < 8]
    assert small == []


def test_no_text_leaves_the_canvas(figure: Figure) -> None:
    canvas = figure.bbox.padded(1)
    outside = [
        text.get_text()
        for text in texts(figure)
        for box in [text.get_window_extent()]
        if not (canvas.contains(box.x0, box.y0) and canvas.contains(box.x1, box.y1))
    ]
    assert outside == []


def test_no_two_texts_meet(figure: Figure) -> None:
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts(figure)]
    met = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]
    assert met == []


def test_no_legend_lies_over_a_curve_or_its_band(figure: Figure) -> None:
    for legend in figure.findobj(Legend):
        for axes in figure.axes:
            over = Bbox.intersection(legend.get_window_extent(), axes.get_window_extent())
            if over is not None:
                assert [artist for artist in drawn_on(axes) if crosses(artist, over)] == []


def drawn_on(axes: Axes) -> list[Line2D | PolyCollection]:
    bands = [band for band in axes.collections if isinstance(band, PolyCollection)]
    return [*axes.lines, *bands]


def crosses(artist: Line2D | PolyCollection, box: Bbox) -> bool:
    paths = [artist.get_path()] if isinstance(artist, Line2D) else artist.get_paths()
    return any(
        path.transformed(artist.get_transform()).intersects_bbox(box, filled=False)
        for path in paths
    )
