"""The record of a study in the store, checked as it is read.

A file that lies in `studies/` of a store need not be ours: somebody's notes, or the record of
another version. Whoever reads one names it, says what it lacks and what to try.
"""

from collections.abc import Mapping
from typing import Any

from studies.store.store import Store, StoreError

HALF = "half_trained"
"""Key of a cell's tasks as they are asked of its network after half of the training."""
WHOLE: dict[str, type] = {
    "study": str,
    "question": str,
    "preset": str,
    "description": str,
    "seeds": list,
    "figures": list,
    "claims": list,
    "overrides": list,
    "sweep_path": str,
    "sweep_text": str,
    "preset_text": str,
    "cells": list,
    "tasks": list,
}
"""What `studies.plan.plan.record` gives, and its types in JSON."""


def whole(store: Store, study: str) -> Mapping[str, Any]:
    """The record of a study, with all that a report is made from.

    Raises:
        StoreError: If there is none of this name, or its file holds something else.
    """
    record = store.study(study)
    for name, kind in WHOLE.items():
        _require(isinstance(record.get(name), kind), store, study, f"a value of {name!r}")
    its_own = study == f"{record['study']}-{record['preset']}"
    _require(its_own, store, study, "the study and preset that its file is named after")
    _require_tasks(record["tasks"], store, study)
    _require(all(map(_is_cell, record["cells"])), store, study, "arm, seed and tasks of each cell")
    seeds, overrides = record["seeds"], record["overrides"]
    _require(all(type(seed) is int for seed in seeds), store, study, "whole numbers as seeds")
    pairs = all(isinstance(item, list) and len(item) == 2 for item in overrides)
    _require(pairs, store, study, "a key and a value in each of its overrides")
    for name in ("figures", "claims"):
        named = all(isinstance(item, str) for item in record[name])
        _require(named, store, study, f"names as {name}")
    return record


def asked_of(cell: Mapping[str, Any]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The tasks of a cell by role, of its network whole and half trained; of these maybe none."""
    return cell["tasks"], cell.get(HALF, {})


def tasks(store: Store, study: str) -> list[str]:
    """The addresses of a study's tasks, each after all that it needs.

    Raises:
        StoreError: If there is no such study, or its file holds something else.
    """
    found = store.study(study).get("tasks")
    _require_tasks(found, store, study)
    return list(found or [])


def _require_tasks(found: object, store: Store, study: str) -> None:
    holds = isinstance(found, list) and all(map(_is_address, found))
    _require(holds, store, study, "the addresses of its tasks")


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value != "" and not set("/\0") & set(value)


def _is_cell(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    arm, tasks, half = value.get("arm"), value.get("tasks"), value.get(HALF, {})
    if not (isinstance(arm, dict) and isinstance(tasks, dict) and isinstance(half, dict)):
        return False
    asked = arm.get("evaluation")
    return (
        isinstance(asked, str)
        and answering(asked) in tasks
        and (not half or answering(asked) in half)
        and type(value.get("seed")) is int
        and all(map(_is_address, (*tasks.values(), *half.values())))
    )


def answering(evaluation: str) -> str:
    """The role, among the tasks of a cell, of the one whose result answers its evaluation."""
    return {"samples": "score"}.get(evaluation, evaluation)


def _require(holds: bool, store: Store, study: str, what: str) -> None:
    if not holds:
        raise StoreError(
            f"{store.root / 'studies' / study}.json: expected the record of a study, found one "
            f"without {what}; run its sweep again, which writes it anew, or move the file away"
        )
