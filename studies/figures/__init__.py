"""The figures of the paper, one room each: `table` picks the data, `draw` draws just that."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from studies.figures import (
    alpha_bar,
    architecture,
    beta_ratio,
    class_grid,
    early_stopping,
    gradient_noise,
    latents,
    learning_curves,
    likelihood_comparison,
    model_comparison,
    model_size,
    nll_vs_steps,
    objective_table,
    overfitting,
    quality_by_batch,
    quality_vs_steps,
    sample_count,
    sample_grid,
    skip_prefix,
    term_ratio,
    vlb_terms,
)
from studies.tables import Tables


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure by name. An empty table means that nothing has been measured to draw it from."""

    title: str
    table: Callable[[Tables], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    caption: Callable[[pd.DataFrame, Tables], str]


FIGURES: dict[str, Drawing] = {
    name: Drawing(room.TITLE, room.table, room.draw, room.caption)
    for name, room in (
        ("beta_ratio", beta_ratio),
        ("vlb_terms", vlb_terms),
        ("quality_vs_steps", quality_vs_steps),
        ("sample_grid", sample_grid),
        ("quality_by_batch", quality_by_batch),
        ("alpha_bar", alpha_bar),
        ("latents", latents),
        ("model_size", model_size),
        ("class_grid", class_grid),
        ("objective_table", objective_table),
        ("sample_count", sample_count),
        ("nll_vs_steps", nll_vs_steps),
        ("overfitting", overfitting),
        ("early_stopping", early_stopping),
        ("architecture", architecture),
        ("gradient_noise", gradient_noise),
        ("term_ratio", term_ratio),
        ("model_comparison", model_comparison),
        ("skip_prefix", skip_prefix),
        ("learning_curves", learning_curves),
        ("likelihood_comparison", likelihood_comparison),
    )
}
