"""Tables of a real sweep whose values are made up: what its figures and claims would be given.

The cells are those of the sweep file under its preset, so that a sweep that cannot feed what it
asks for is found without a training.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from iddpm.config import data_name
from iddpm.evaluation.config import FeaturesConfig, Inception
from studies.plan.plan import Plan, expand, record
from studies.spec.sweep import read_sweep
from studies.tables.tables import ARM, MEASURED, Tables, settings_behind

NAMED = (*ARM, "evaluation")
ROOT = Path(__file__).parents[2]

Value = Callable[[Mapping[str, Any]], float | None]
"""The value of a row by its settings, metric and seed; None: it has not been measured."""


def planned(sweep: str, **options: Any) -> Plan:
    """The plan of one of the project's sweeps; its data need not be there.

    On the digits that it names itself, under seeds 0 to 2 where it has several.
    """
    spec = read_sweep(ROOT / "sweeps" / f"{sweep}.yaml", **options)
    if not {"preset", "seeds"} & options.keys() and len(spec.seeds) > 1:
        spec = replace(spec, seeds=(0, 1, 2))
    return expand(spec, outlined=True)


def made_up(
    plan: Plan, value: Value, metrics: Sequence[str] = ("frechet_distance",), **recipe: Any
) -> Tables:
    """The tables of the plan's study.

    Args:
        plan: A study.
        value: What each row holds.
        metrics: Of each score.
        recipe: Settings of every recipe, in place of the usual ones.
    """
    written = record(plan)
    cells = written["cells"]
    rows = [row for cell in cells for row in _rows(plan, cell, value, metrics, recipe)]
    swept = [n for n in dict.fromkeys(chain(*(c["arm"] for c in cells))) if n not in NAMED]
    columns = ["study", "evaluation", *ARM, *swept, *MEASURED]
    return Tables(
        study=plan.study,
        record=written,
        results=pd.DataFrame(rows, columns=columns),
        steps=pd.DataFrame(
            columns=[*ARM, *swept, "seed", "recipe", "address", "part", "step", "mean"]
        ),
        samples=pd.DataFrame(columns=[*ARM, *swept, "seed", "path", "levels"]),
    )


def _rows(
    plan: Plan,
    cell: Mapping[str, Any],
    value: Value,
    metrics: Sequence[str],
    recipe: Mapping[str, Any],
) -> Sequence[dict[str, Any]]:
    arm = dict(cell["arm"])
    tasks = cell["tasks"]
    train: Any = plan.tasks[tasks.get("train") or tasks["gan"]].config
    if arm["evaluation"] == "samples":
        settings = _recipe(plan, cell) | {"weights": f"ema {arm['ema_decay']}"}
        asked = [{"metric": name} for name in metrics]
    else:
        split = arm.get("likelihood.split") or "test"
        settings = {"split": f"{data_name(train.data)}/{split}", "images": arm["images"]}
        settings |= {"weights": f"ema {arm['ema_decay']}"}
        asked = [{"metric": "bits_per_dim", "variance": v} for v in train.variances]
    shared = {
        **arm,
        "study": plan.study,
        "steps": 0 if arm.get("rival") else arm["steps"] or arm["T"],
        "seed": cell["seed"],
        "training_steps": train.steps,
        "compute": cell["compute"],
        "settings": settings_behind({role: plan.tasks[address] for role, address in tasks.items()}),
        "state": "done",
        "reason": "",
    }
    rows = [{**shared, **one} for one in asked]
    for row in rows:
        row["value"] = value(row)
        if row["value"] is not None:
            row["recipe"] = json.dumps(settings | dict(recipe), sort_keys=True)
    return rows


def _recipe(plan: Plan, cell: Mapping[str, Any]) -> dict[str, Any]:
    """Of a score, as far as it is planned."""
    score: Any = plan.tasks[cell["tasks"]["score"]]
    needs = dict(score.inputs)
    generated, real = (plan.tasks[needs[role]].config for role in ("generated", "reference"))
    extractor = plan.tasks[dict(plan.tasks[needs["reference"]].inputs)["extractor"]].config
    assert isinstance(generated, FeaturesConfig)
    assert isinstance(real, FeaturesConfig)
    assert real.data is not None
    is_inception = isinstance(extractor, Inception)
    return {
        "extractor": "inception-2015-12-05:67" if is_inception else "digits-classifier:ab12cd34",
        "reference": f"{data_name(real.data)}/{real.split}",
        "reference_images": real.images,
        "images": generated.images,
        "neighbours": score.config.neighbours,
        **({} if real.keep is None else {"neighbours_among": real.keep}),
    }
