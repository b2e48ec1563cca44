"""A published number, and whether it may stand beside one of ours."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iddpm.config import Variance

Metric = Literal["frechet_distance", "bits_per_dim"]
INCEPTION = "inception-2015-12-05"
ENSEMBLE = ("samples.ensemble", "likelihood.ensemble")
"""Columns of a study that has ensembles: what kind of one, where an arm is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One number of the paper and everything it depends on, as far as the paper says.

    A setting that the paper leaves open is None, and matches nothing.
    """

    value: float
    metric: Metric
    source: str
    """Table or figure."""
    tag: Literal["exact", "digitised"]
    error: float | None
    """Of the digitisation, one side; None: exact."""
    data: str
    T: int
    schedule: str | None
    objective: str
    training_steps: int | None
    variance: Variance | None
    sampler: Literal["ancestral", "ddim"] | None
    """None: not sampled (a bound)."""
    steps: int
    """Reverse steps sampled or scored."""
    images: int | None
    """Images generated or scored; None: not stated."""
    networks: Literal["one", "an ensemble"] = "one"
    """What takes the steps of the chain."""
    skip: float = 0.0
    """Fraction of the reverse process left out."""

    def settings(self) -> dict[str, Any]:
        """What a result must share with this number to stand beside it."""
        shared = {
            "training set": self.data,
            "T": self.T,
            "schedule": self.schedule,
            "objective": self.objective,
            "training steps": self.training_steps,
            "images": self.images,
            "networks": self.networks,
        }
        if self.metric == "frechet_distance":
            shared |= {"features": INCEPTION, "reference set": f"{self.data}/train"}
        return shared


def settings_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one row of the results table, under the names of `Published.settings`.

    Args:
        row: A row of `tables.results` that has a recipe.
    """
    recipe = json.loads(row["recipe"])
    reference = recipe.get("reference") or recipe.get("split") or "?"
    return {
        "training set": reference.partition("/")[0],
        "T": row["T"],
        "schedule": row["schedule"],
        "objective": row["objective"],
        "training steps": row["training_steps"],
        "images": row["images"],
        "networks": "an ensemble" if any(_given(row, key) for key in ENSEMBLE) else "one",
        "features": recipe.get("extractor", "").partition(":")[0],
        "reference set": reference,
    }


def reasons_against(published: Published, ours: Mapping[str, Any]) -> list[str]:
    """What keeps a published number from standing beside a result of ours; empty: nothing.

    Args:
        published: The paper's number.
        ours: The result's settings, as `settings_of` gives them.
    """
    return [
        f"{name} ({_said(ours[name])} here, {_said(theirs)} in the paper)"
        for name, theirs in published.settings().items()
        if theirs is None or ours[name] != theirs
    ]


def _given(row: Mapping[str, Any], column: str) -> bool:
    return isinstance(row.get(column), str)


def _said(value: str | int | None) -> str:
    if value is None:
        return "not stated"
    return value if isinstance(value, str) else f"{int(value):,}"


def same_cell(published: Published, row: Mapping[str, Any]) -> bool:
    """True if both are read with the same Σ and sampler over the same steps."""
    chosen = "sampler" if "ddim" in (published.sampler, row["sampler"]) else "variance"
    skip = row.get("skip")
    skipped = 0.0 if skip is None or math.isnan(skip) else skip
    ours = row[chosen], row["steps"], skipped
    return ours == (getattr(published, chosen), published.steps, published.skip)
