"""`python -m studies.diff A B`: settings, data, versions and code that differ between two things.

A and B are two studies, two tasks by their addresses, or two arms as STUDY/ADDRESS with the address
of any of an arm's tasks. They may lie in two stores: --store-b names that of B.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from studies.door import door, path, told
from studies.spec.settings import leaves_of
from studies.store.records import asked_of, whole
from studies.store.store import Store, StoreError
from studies.tasks.task import DERIVED

DIFFERENT = 1
MOST_VALUES = 8
"""More values than so many on one side are counted, not shown."""

CODE = ("commit", "dirty", "device")
"""Of a record of provenance, beside the versions."""

Facts = Mapping[str, set[str]]
"""By a dotted name, every value that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All that decides the results of A or of B, and what made them."""

    of_study: Facts
    settings: Mapping[str, Facts]
    """By address, settings and data of a task and of all that it needs."""
    last: frozenset[str]
    """The addresses of the tasks that no other one needs."""
    made_by: Facts

    def facts(self) -> dict[str, set[str]]:
        """Everything together."""
        found: dict[str, set[str]] = {}
        for some in (self.of_study, *self.settings.values(), self.made_by):
            _join(found, some)
        return found


@door(StoreError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each difference; the exit code. 0: there is none. 1: some. 2: bad use."""
    options = _parser().parse_args(arguments)
    a = side(Store(options.store), options.a)
    b = side(Store(options.store_b or options.store), options.b)
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


def differences(a: Side, b: Side) -> Iterator[tuple[str, str, str]]:
    """What differs: its name, and its values on either side, in words.

    Settings have the same values on both sides, and differ all the same, where other values of them
    stand together. Tasks that differ in nothing that has a name are told by their addresses.
    """
    one, other = a.facts(), b.facts()
    apart = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    for name in sorted(apart):
        yield name, *_either(one.get(name, set()), other.get(name, set()))
    together = list(_together(a, b, one.keys() - apart))
    yield from together
    told = apart - a.of_study.keys() - b.of_study.keys() - a.made_by.keys() - b.made_by.keys()
    if not told and not together and a.settings.keys() != b.settings.keys():
        yield "tasks", *_either(set(a.settings), set(b.settings))


def _together(a: Side, b: Side, names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Pairs of settings whose values stand together otherwise, in the last tasks of each kind."""
    one, other = _by_kind(a), _by_kind(b)
    for kind in sorted(one.keys() & other.keys()):
        tasks = [*one[kind], *other[kind]]
        varied = [name for name in sorted(names) if len({_value(of, name) for of in tasks}) > 1]
        for first, second in combinations(varied, 2):
            pairs = [
                {f"{_value(of, first)} with {_value(of, second)}" for of in side[kind]}
                for side in (one, other)
            ]
            if pairs[0] != pairs[1]:
                yield f"{kind} by {first} and {second}", *_either(*pairs)


def _by_kind(side: Side) -> dict[str, list[Facts]]:
    found: dict[str, list[Facts]] = {}
    for address in sorted(side.last):
        found.setdefault(address.rpartition("-")[0], []).append(side.settings[address])
    return found


def _value(of: Facts, name: str) -> str:
    return "/".join(sorted(of.get(name, {"-"})))


def _either(one: set[str], other: set[str]) -> tuple[str, str]:
    """What each side alone has; all of both where one has nothing alone."""
    if one <= other or other <= one:
        return _words(one), _words(other)
    return _words(one - other), _words(other - one)


def _words(values: set[str]) -> str:
    if not values:
        return "-"
    return ", ".join(sorted(values)) if len(values) <= MOST_VALUES else f"{len(values)} values"


def side(store: Store, name: str) -> Side:
    """All that is known of a study, a task or an arm.

    Raises:
        StoreError: If the store has nothing of this name, or a file of it is damaged.
    """
    study, _, address = name.rpartition("/")
    of_study: dict[str, set[str]] = {}
    members = [name]
    if study:
        members = sorted(_arm(store, study, address))
    elif name in store.studies():
        record = whole(store, name)
        members = record["tasks"]
        for key in ("question", "overrides", "seeds", "figures", "claims"):
            of_study[f"study.{key}"] = {str(record[key])}
    settings: dict[str, Facts] = {}
    for member in members:
        _settings(store, member, settings)
    needed = {need for one in settings for _, need in store.task(one).inputs}
    made_by: dict[str, set[str]] = {}
    for one in settings:
        _join(made_by, _made_by(store, one))
    last = frozenset(settings.keys() - needed)
    return Side(of_study=of_study, settings=settings, last=last, made_by=made_by)


def _arm(store: Store, study: str, address: str) -> set[str]:
    """The tasks of the cells of an arm that one task is of: all its seeds.

    Raises:
        StoreError: If it is no task of the study.
    """
    cells = whole(store, study)["cells"]
    found = [
        (cell["arm"], part)
        for cell in cells
        for part, tasks in enumerate(asked_of(cell))
        if address in tasks.values()
    ]
    if not found:
        raise StoreError(
            f"{study}: expected the address of a task of one of its cells, found {address}; "
            f"python -m studies.status {study} lists them"
        )
    arm, part = found[0]
    alike = (asked_of(cell)[part] for cell in cells if cell["arm"] == arm)
    return {task for tasks in alike for task in tasks.values()}


def _settings(store: Store, address: str, known: dict[str, Facts]) -> Facts:
    """The settings and data of a task and of all that it needs; both become known."""
    if address not in known:
        task = store.task(address)
        found: dict[str, set[str]] = {}
        for name, value in leaves_of(task.config, task.kind):
            _join(found, {name: {str(value)}})
        for name, digest in task.digests:
            _join(found, {f"{task.kind}.{name} (digest)": {digest}})
        for role, need in task.inputs:
            if role not in DERIVED:  # it follows from the others, and may not be there
                _join(found, _settings(store, need, known))
        known[address] = found
    return known[address]


def _made_by(store: Store, address: str) -> Facts:
    """The versions and code that did a task."""
    made = store.provenance(address) or {}
    told = {name: made[name] for name in CODE if name in made} | made.get("versions", {})
    return {f"made by {name}": {str(value)} for name, value in told.items()}


def _join(found: dict[str, set[str]], more: Facts) -> None:
    for name, values in more.items():
        found.setdefault(name, set()).update(values)


if __name__ == "__main__":
    sys.exit(main())
