"""A study as the runs of a tracker: names, settings, curves over steps, and last numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from iddpm.config import TrainConfig
from studies.plan.costs import arm_label, training_label
from studies.spec.settings import leaves_of
from studies.store.records import answering, whole
from studies.store.store import Store
from studies.tables.study_files import StudyFiles
from studies.tables.tables import results as results_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One line of a tracker."""

    key: str
    """The address of the task that it is of."""
    name: str
    settings: Mapping[str, Any]
    series: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)
    """By name, pairs of a training step, counted from 1, and a value."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What it came to."""

    def points(self) -> list[tuple[str, int | None, float]]:
        """Every number with its name and step; what it came to has none."""
        ends: list[tuple[str, int | None, float]] = [
            (tag, None, v) for tag, v in self.numbers.items()
        ]
        return [(tag, *point) for tag, series in self.series.items() for point in series] + ends


def curves(store: Store, study: str) -> list[Run]:
    """A run for each finished training of a study: the means of its losses over windows of steps.

    Raises:
        StoreError: If there is no such study, or a file of it is damaged.
    """
    files = StudyFiles(store, study, whole(store, study)["cells"])
    found: dict[str, Run] = {}
    for cell in files.cells:
        address = cell["tasks"].get("train", "")
        if address in found or not address or (result := files.result(address)) is None:
            continue
        config = files.task(address).config
        if not isinstance(config, TrainConfig):
            continue
        with files.reading(address):
            curve = dict(result["loss_curve"])
            steps = curve.pop("step")
            series = {name: _points(steps, values) for name, values in curve.items()}
        name = f"{training_label(cell['arm'])}, seed {cell['seed']}"
        settings = dict(leaves_of(config, "train"))
        found[address] = Run(key=address, name=name, settings=settings, series=series)
    return list(found.values())


def _points(steps: list[int], values: list[float | None]) -> list[tuple[int, float]]:
    pairs = zip(steps, values, strict=True)
    return [(step, value) for step, value in pairs if value is not None]


def results(store: Store, study: str) -> list[Run]:
    """A run for each finished arm and seed of a study: its numbers.

    Raises:
        StoreError: If there is no such study, or a file of it is damaged.
    """
    files = StudyFiles(store, study, whole(store, study)["cells"])
    rows = results_table(files).dropna(subset="value")
    numbers = {
        address: dict(zip(own["metric"], own["value"], strict=True))
        for address, own in rows.groupby("address", sort=False)
    }
    found = {}
    for cell in files.cells:
        address = cell["tasks"][answering(cell["arm"]["evaluation"])]
        if address in numbers:
            found[address] = Run(
                key=address,
                name=f"{arm_label(cell['arm'])}, seed {cell['seed']}",
                settings={**cell["arm"], "seed": cell["seed"]},
                numbers=numbers[address],
            )
    return list(found.values())


def table(runs: list[Run]) -> pd.DataFrame:
    """The runs as one tidy table: a row for each number, and each step of a curve."""
    rows = [
        {"run": run.key, "name": run.name, **run.settings, "step": step, "metric": tag}
        | {"value": value}
        for run in runs
        for tag, step, value in run.points()
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all").convert_dtypes()
