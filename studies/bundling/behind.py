"""Where the settings of a row of results stand in the tasks behind it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from studies.store.store import Store, StoreError
from studies.tasks.task import identity

OF_TRAINING = {
    "seed": ["seed"],
    "objective": ["objective", "kind"],
    "schedule": ["diffusion", "schedule"],
    "T": ["diffusion", "steps"],
    "prediction": ["prediction"],
    "training_steps": ["steps"],
}
OF_SAMPLES = {
    "sampler": ["sampler", "kind"],
    "variance": ["sampler", "variance"],
    "eta": ["sampler", "eta"],
    "stride": ["sampler", "stride"],
    "steps": ["steps"],
    "skip": ["skip"],
    "ema_decay": ["ema_decay"],
}
OF_BOUNDS = {"stride": ["stride"], "steps": ["steps"], "ema_decay": ["ema_decay"]}
KINDS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "train": ("train", OF_TRAINING),
    "samples": ("sample", OF_SAMPLES),
    "likelihood": ("likelihood", OF_BOUNDS),
}
"""By role in a sweep: the kind of its task, and the columns that its config tells."""


def settings_behind(store: Store, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By evaluation and column: the needs that lead from a row's task to another, and a path there.

    A column is told where it is what the config says in every row that has both, and one has.

    Raises:
        StoreError: If one that every network has is so in some rows and not in others.
    """
    found: dict[str, Any] = {}
    for evaluation in dict.fromkeys(row["evaluation"] for row in rows):
        of = [row for row in rows if row["evaluation"] == evaluation]
        ways = _ways(store, of[0]["address"])
        candidates = [
            (column, ways[kind], path)
            for kind, column, path in _candidates(of[0])
            if kind in ways and column in of[0]
        ]
        found[evaluation] = {}
        for column, way, path in candidates:
            agree = {_agrees(store, row, column, way, path) for row in of} - {None}
            if agree == {True, False} and column in OF_TRAINING:
                raise StoreError(
                    f"{column}: expected what the tasks behind rows of {evaluation} say in all of "
                    "them, found others; please report it"
                )
            if agree == {True}:
                found[evaluation][column] = [way, path]
    return found


def _candidates(row: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for role, (kind, columns) in KINDS.items():
        yield from ((kind, column, path) for column, path in columns.items())
        for column in row:
            if column.startswith(f"{role}."):
                path = column.split(".")[1:]
                yield from ((kind, column, [*path, *more]) for more in ([], ["kind"]))


def _ways(store: Store, address: str) -> dict[str, list[str]]:
    """By kind: the roles of the needs that lead to the nearest task of it, itself included."""
    found: dict[str, list[str]] = {}
    waiting: list[tuple[str, list[str]]] = [(address, [])]
    for one, way in waiting:  # grows as it goes
        found.setdefault(one.partition("-")[0], way)
        waiting += [(need, [*way, role]) for role, need in _identity(store, one)["needs"].items()]
    return found


def _agrees(
    store: Store, row: Mapping[str, Any], column: str, way: Sequence[str], path: Sequence[str]
) -> bool | None:
    """Whether a row says what a config does; None: the config says nothing."""
    address = row["address"]
    for role in way:
        address = _identity(store, address)["needs"].get(role, "")
        if not address:
            return False
    setting = _identity(store, address)["config"]
    for name in path:
        setting = setting.get(name) if isinstance(setting, dict) else None
    if setting is None:
        return None
    shown = float(row[column]) if type(setting) in (int, float) else str(row[column])
    return bool(shown == setting)


@lru_cache(maxsize=4096)
def _identity(store: Store, address: str) -> dict[str, Any]:
    """What the address of a task is the hash of."""
    found: dict[str, Any] = json.loads(identity(store.task(address)))
    return found
