"""Rows of a results table that no store stands behind: claims and figures on numbers we choose."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from iddpm.config import Digits, TrainConfig
from iddpm.config_fields import canonical
from studies.tables.tables import ARM, MEASURED, Tables

SETTINGS = json.dumps({"train": canonical(TrainConfig(data=Digits()))})
"""Of a training on digits, whatever the other columns say."""
COLUMNS = ["study", "evaluation", *ARM, "train.timesteps", *MEASURED]


def network(
    objective: str, schedule: str = "cosine", T: int = 4000, timesteps: str = "uniform"
) -> dict[str, Any]:
    """The columns of a trained network."""
    return {
        "objective": objective,
        "schedule": schedule,
        "T": T,
        "prediction": "eps",
        "train.timesteps": timesteps,
        "ema_decay": 0.99,
        "training_steps": 800,
        "settings": SETTINGS,
    }


def bound_rows(
    trained: dict[str, Any], variance: str, values: Sequence[float | None], **changes: Any
) -> list[dict[str, Any]]:
    """Bits/dim over the whole chain, one row per seed; None: not run yet."""
    shared = {
        "evaluation": "likelihood",
        "metric": "bits_per_dim",
        "variance": variance,
        "stride": "even",
        "steps": trained["T"],
        "images": 16,
        "recipe": json.dumps({"split": "digits/test", "images": 16}),
    }
    return _by_seed({**trained, **shared, **changes}, values)


def distance_rows(
    trained: dict[str, Any],
    variance: str | None,
    values: Sequence[float | None],
    *,
    images: int = 192,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Fréchet distances of ancestral samples, one row per seed; None: not run yet."""
    recipe = {"extractor": "digits-classifier:ab12cd34", "reference": "digits/train"}
    shared = {
        "evaluation": "samples",
        "metric": "frechet_distance",
        "variance": variance,
        "sampler": "ancestral",
        "stride": "even",
        "steps": 100,
        "skip": 0.0,
        "images": images,
        "recipe": json.dumps({**recipe, "images": images}),
    }
    return _by_seed({**trained, **shared, **changes}, values)


def _by_seed(row: dict[str, Any], values: Sequence[float | None]) -> list[dict[str, Any]]:
    rows = [{**row, "seed": seed, "value": value} for seed, value in enumerate(values)]
    for one in rows:
        one["state"] = "done" if one["value"] is not None else "planned"
        one["recipe"] = one["recipe"] if one["value"] is not None else None
    return rows


(BOUND,) = bound_rows(network("simple", T=1000), "beta", [1.0], address="likelihood-0")
"""A row of a bound."""
(SCORE,) = distance_rows(network("hybrid", T=1000), "range", [1.0], address="score-0")
"""A row of a Fréchet distance."""


def planned(row: dict[str, Any]) -> dict[str, Any]:
    """The same row before its task has run."""
    return row | {"value": None, "recipe": None, "state": "planned"}


def tables_of(
    rows: Iterable[dict[str, Any]], losses: pd.DataFrame | None = None, preset: str = "digits"
) -> Tables:
    """A study that holds these rows, with whatever columns they have, and nothing else."""
    rows, none = list(rows), pd.DataFrame()
    columns = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    return Tables(
        study=f"made_up-{preset}",
        record={"preset": preset},
        results=pd.DataFrame(rows, columns=list(columns)).astype({"value": float}),
        steps=none,
        samples=none,
        losses=none if losses is None else losses,
    )
