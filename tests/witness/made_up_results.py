"""Tables put together by hand, for claims and figures that need no store."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from studies.tables.tables import ARM, MEASURED, Tables
from tests.witness.made_up_rows import SETTINGS

COLUMNS = ["study", "evaluation", *ARM, *MEASURED]

BOUND: dict[str, Any] = {
    "study": "made-digits",
    "evaluation": "likelihood",
    "objective": "simple",
    "schedule": "cosine",
    "T": 1000,
    "prediction": "eps",
    "variance": "beta",
    "sampler": None,
    "eta": None,
    "stride": "even",
    "steps": 1000,
    "skip": None,
    "ema_decay": 0.99,
    "images": 64,
    "seed": 0,
    "metric": "bits_per_dim",
    "value": None,
    "standard_error": 0.01,
    "recipe": json.dumps({"split": "digits/test", "images": 64}),
    "settings": SETTINGS,
    "training_steps": 800,
    "state": "done",
    "reason": "",
    "address": "likelihood-0",
}
"""A row of a bound."""

SCORE: dict[str, Any] = BOUND | {
    "evaluation": "samples",
    "objective": "hybrid",
    "variance": "range",
    "sampler": "ancestral",
    "steps": 100,
    "skip": 0.0,
    "images": 192,
    "metric": "frechet_distance",
    "recipe": json.dumps(
        {"extractor": "digits-classifier:ab", "reference": "digits/train", "images": 192}
    ),
    "address": "score-0",
}
"""A row of a Fréchet distance."""


def study(rows: Iterable[dict[str, Any]]) -> Tables:
    """The tables of a study of these rows and nothing else."""
    results = pd.DataFrame(list(rows), columns=COLUMNS)
    results["value"] = results["value"].astype(float)
    empty = pd.DataFrame()
    return Tables(
        study="made-digits",
        record={"preset": "digits"},
        results=results,
        steps=empty,
        samples=empty,
    )


def planned(row: dict[str, Any]) -> dict[str, Any]:
    """The same row before its task has run."""
    return row | {"value": None, "recipe": None, "state": "planned"}
