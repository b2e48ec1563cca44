"""What the store recorded of how its results were made: work, machines, versions, commit, times."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from studies.store.forecasts import Foreseen
from studies.store.integrity import finished
from studies.store.store import Store, StoreError

NEEDED = (
    *("started", "ended", "seconds", "peak_memory_mb", "dirty", "commit", "versions"),
    *("host", "executor", "device", "cpu", "threads"),
)


Made = Mapping[str, Mapping[str, Any]]
"""The provenance of finished tasks by their addresses."""


def made(store: Store, addresses: Iterable[str], read: Made = MappingProxyType({})) -> Made:
    """The provenance of those tasks that are finished.

    Args:
        store: Where they are.
        addresses: Of the tasks.
        read: What was read of it before, by address.

    Raises:
        StoreError: If a record of provenance is not what a task leaves.
    """
    records: dict[str, Mapping[str, Any]] = {}
    for address in addresses:
        if address in read:
            records[address] = read[address]
        elif (found := finished(store.folder(address))) and found[1] is not None:
            records[address] = found[1]
    for address, record in records.items():
        if lacking := [name for name in NEEDED if name not in record]:
            raise StoreError(
                f"{store.folder(address) / 'provenance.json'}: expected the provenance of a task, "
                f"found one without {lacking[0]!r}; delete it and result.json, and run again"
            )
    return records


def work_done(
    records: Made, foreseen: Mapping[str, Foreseen] = MappingProxyType({})
) -> dict[str, Any]:
    """The provenance of finished tasks, put together; empty where there is none.

    Args:
        records: The provenance, by address.
        foreseen: How long tasks were expected to take before they began, by address.

    Returns:
        `kinds` (per kind of task: how many, seconds in all, peak memory), `facts` (everything else
        by name, each as its distinct values), `started` and `ended` (UTC, ISO 8601), and
        `forecasts` (per kind and in all: tasks, seconds forecast and taken, whether a guess).
    """
    if not records:
        return {}
    return {
        "kinds": _kinds(records),
        "forecasts": _forecasts(records, foreseen),
        "facts": _facts(records.values()),
        "started": min(record["started"] for record in records.values()),
        "ended": max(record["ended"] for record in records.values()),
    }


def _kinds(records: Made) -> list[dict[str, Any]]:
    grouped: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for address, record in records.items():
        grouped[_kind(address)].append(record)
    return [
        {
            "kind": kind,
            "tasks": len(group),
            "seconds": sum(record["seconds"] for record in group),
            "peak_memory_mb": max(record["peak_memory_mb"] for record in group),
        }
        for kind, group in sorted(grouped.items())
    ]


def _forecasts(records: Made, foreseen: Mapping[str, Foreseen]) -> list[dict[str, Any]]:
    """Of the tasks that were done at one go after something was foreseen of them."""
    whole = [a for a in records if a in foreseen and records[a]["attempt"] == 1]
    if not whole:
        return []
    grouped = {kind: [a for a in whole if _kind(a) == kind] for kind in map(_kind, whole)}
    return [
        {
            "kind": kind,
            "tasks": len(group),
            "foreseen": sum(foreseen[address].seconds for address in group),
            "taken": sum(records[address]["seconds"] for address in group),
            "is_guess": any(foreseen[address].is_guess for address in group),
        }
        for kind, group in [*sorted(grouped.items()), ("all", whole)]
    ]


def _kind(address: str) -> str:
    return address.partition("-")[0]


def _facts(records: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for name in ("host", "executor", "device", "cpu", "threads"):
            found[name].add(str(record[name]))
        changed = " (with uncommitted changes)" if record["dirty"] else ""
        found["commit"].add(f"{record['commit'] or 'not known'}{changed}")
        for name, version in record["versions"].items():
            found[name].add(str(version or "not installed"))
    return {name: sorted(values) for name, values in found.items()}
