"""What the store recorded of how its results were made: work, machines, versions, commit, times."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from studies.store.store import Store, StoreError

NEEDED = (
    *("started", "ended", "seconds", "peak_memory_mb", "dirty", "commit", "versions"),
    *("host", "executor", "device", "cpu", "threads"),
)


Made = Mapping[str, Mapping[str, Any]]
"""The provenance of finished tasks by their addresses."""


def made(store: Store, addresses: Iterable[str]) -> Made:
    """The provenance of those tasks that are finished.

    Raises:
        StoreError: If a record of provenance is not what a task leaves.
    """
    records = {
        address: record
        for address in addresses
        if (record := store.provenance(address)) is not None and store.result(address) is not None
    }
    for address, record in records.items():
        if lacking := [name for name in NEEDED if name not in record]:
            raise StoreError(
                f"{store.folder(address) / 'provenance.json'}: expected the provenance of a task, "
                f"found one without {lacking[0]!r}; delete it and result.json, and run again"
            )
    return records


def work_done(records: Made) -> dict[str, Any]:
    """The provenance of finished tasks, put together; empty where there is none.

    Returns:
        `kinds` (per kind of task: how many, seconds in all, peak memory), `facts` (everything else
        by name, each as its distinct values), and `started` and `ended` (UTC, ISO 8601).
    """
    if not records:
        return {}
    return {
        "kinds": _kinds(records),
        "facts": _facts(records.values()),
        "started": min(record["started"] for record in records.values()),
        "ended": max(record["ended"] for record in records.values()),
    }


def _kinds(records: Made) -> list[dict[str, Any]]:
    grouped: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for address, record in records.items():
        grouped[address.partition("-")[0]].append(record)
    return [
        {
            "kind": kind,
            "tasks": len(group),
            "seconds": sum(record["seconds"] for record in group),
            "peak_memory_mb": max(record["peak_memory_mb"] for record in group),
        }
        for kind, group in sorted(grouped.items())
    ]


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
