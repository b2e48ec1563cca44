"""Tables of a real sweep whose values are made up: what its figures and claims would be given.

The cells are those of the sweep file under its preset, so that a sweep that cannot feed what it
asks for is found without a training.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from studies.plan import Plan, expand, record
from studies.spec import read_sweep
from studies.tables import ARM, MEASURED, Tables

ROOT = Path(__file__).parents[2]

Value = Callable[[Mapping[str, Any]], float | None]
"""The value of a row by its settings, metric and seed; None: it has not been measured."""


def planned(sweep: str, **options: Any) -> Plan:
    """The plan of one of the project's sweeps."""
    return expand(read_sweep(ROOT / "sweeps" / f"{sweep}.yaml", **options))


def made_up(plan: Plan, value: Value, **recipe: Any) -> Tables:
    """The tables of the plan's study.

    Args:
        plan: A study.
        value: What each row holds.
        recipe: Settings of every recipe, in place of the usual ones.
    """
    rows = [row for cell in record(plan)["cells"] for row in _rows(plan, cell, value, recipe)]
    swept = [n for n in plan.cells[0].arm if n not in (*ARM, "evaluation")]
    columns = ["study", "evaluation", *ARM, *swept, *MEASURED]
    return Tables(
        study=plan.study,
        record=record(plan),
        results=pd.DataFrame(rows, columns=columns),
        steps=pd.DataFrame(columns=[*ARM, *swept, "seed", "recipe", "part", "step", "mean"]),
        samples=pd.DataFrame(columns=[*ARM, *swept, "seed", "path", "levels"]),
    )


def _rows(
    plan: Plan, cell: Mapping[str, Any], value: Value, recipe: Mapping[str, Any]
) -> Sequence[dict[str, Any]]:
    arm = dict(cell["arm"])
    train: Any = plan.tasks[cell["tasks"]["train"]].config
    if arm["evaluation"] == "samples":
        settings = {"extractor": "digits-classifier:ab12cd34", "reference": "digits/train"}
        settings |= {"images": arm["images"], "weights": f"ema {arm['ema_decay']}"}
        asked = [{"metric": "frechet_distance"}]
    else:
        split = arm.get("likelihood.split") or "test"
        settings = {"split": f"digits/{split}", "weights": f"ema {arm['ema_decay']}"}
        asked = [{"metric": "bits_per_dim", "variance": v} for v in train.variances]
    shared = {
        **arm,
        "study": plan.study,
        "steps": arm["steps"] or arm["T"],
        "seed": cell["seed"],
        "training_steps": train.steps,
        "compute": cell["compute"],
        "state": "done",
        "reason": "",
    }
    rows = [{**shared, **one} for one in asked]
    for row in rows:
        row["value"] = value(row)
        if row["value"] is not None:
            row["recipe"] = json.dumps(settings | dict(recipe), sort_keys=True)
    return rows
