"""`python -m studies.diff A B`: settings, data, versions and code that differ between two things.

A and B are two studies, two tasks by their addresses, or two arms as STUDY/ADDRESS with the address
of any of an arm's tasks. They may lie in two stores: --store-b names that of B.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from studies.door import door, path, told
from studies.spec.settings import leaves_of
from studies.store.records import whole
from studies.store.store import Store, StoreError

DIFFERENT = 1
MOST_VALUES = 8
"""More values than so many on one side are counted, not shown."""

CODE = ("commit", "dirty", "device")
"""Of a record of provenance, beside the versions."""

Facts = Mapping[str, set[str]]
"""By a dotted name, every value that it has."""


@door(StoreError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each difference; the exit code. 0: there is none. 1: some. 2: bad use."""
    options = _parser().parse_args(arguments)
    a = facts(Store(options.store), options.a)
    b = facts(Store(options.store_b or options.store), options.b)
    found = list(differences(a, b))
    for name, one, other in found:
        print(f"{name}: {one} | {other}")
    if not found:
        print("nothing differs: settings, data, versions and code are the same")
    return told() or (DIFFERENT if found else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.diff", description=__doc__)
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    parser.add_argument("--store", type=path, default=Path("store"), help="default: store")
    parser.add_argument("--store-b", type=path, help="where B is; default: where A is")
    return parser


def differences(a: Facts, b: Facts) -> Iterator[tuple[str, str, str]]:
    """What differs: its name, and its values on either side, in words."""
    for name in sorted(a.keys() | b.keys()):
        one, other = a.get(name, set()), b.get(name, set())
        if one != other:
            yield name, _words(one - other or one), _words(other - one or other)


def _words(values: set[str]) -> str:
    if not values:
        return "-"
    return ", ".join(sorted(values)) if len(values) <= MOST_VALUES else f"{len(values)} values"


def facts(store: Store, name: str) -> Facts:
    """All that decides the results of a study, a task or an arm, and what made them.

    Raises:
        StoreError: If the store has nothing of this name, or a file of it is damaged.
    """
    study, _, address = name.rpartition("/")
    found: dict[str, set[str]] = {}
    if study:
        for member in _arm(store, study, address):
            _add(found, store, member)
    elif name in store.studies():
        record = whole(store, name)
        for key in ("question", "overrides", "seeds", "figures", "claims"):
            found[f"study.{key}"] = {str(record[key])}
        for member in record["tasks"]:
            _add(found, store, member)
    else:
        _add(found, store, name)
    return found


def _arm(store: Store, study: str, address: str) -> set[str]:
    """The tasks of the cells of an arm that one task is of: all its seeds.

    Raises:
        StoreError: If it is no task of the study.
    """
    cells = whole(store, study)["cells"]
    arms = [cell["arm"] for cell in cells if address in cell["tasks"].values()]
    if not arms:
        raise StoreError(
            f"{study}: expected the address of a task of one of its cells, found {address}; "
            f"python -m studies.status {study} lists them"
        )
    return {task for cell in cells if cell["arm"] == arms[0] for task in cell["tasks"].values()}


def _add(found: dict[str, set[str]], store: Store, address: str) -> None:
    """The settings and data of a task, and the versions and code that did it."""
    task, made = store.task(address), store.provenance(address) or {}
    told = [
        *leaves_of(task.config, task.kind),
        *((f"{task.kind}.{name} (digest)", digest) for name, digest in task.digests),
        *((f"made by {name}", made[name]) for name in CODE if name in made),
        *((f"made by {name}", version) for name, version in made.get("versions", {}).items()),
    ]
    for name, value in told:
        found.setdefault(name, set()).add(str(value))


if __name__ == "__main__":
    sys.exit(main())
