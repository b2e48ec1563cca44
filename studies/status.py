"""`python -m studies.status [STUDY]`: one line per study, or one per task of a study.

With `--verify` every file is read, and each that is damaged is named with its remedy."""

import argparse
import os
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from shutil import get_terminal_size as terminal_size
from types import MappingProxyType
from typing import NamedTuple

from iddpm.bounds import ConfigError
from iddpm.running.strip_file import STRIP_FILE, steps_of
from studies.door import door, is_read, path, sentence, told
from studies.execute.console import counted
from studies.execute.devices import Device, done_on, here
from studies.execute.forecast import Left
from studies.execute.standing import UNREADABLE, Standing, standings
from studies.plan.costs import labels
from studies.plan.plan import Cell, chained
from studies.store.nodes import bad_nodes
from studies.store.records import tasks
from studies.store.store import Store, StoreError
from studies.store.verification import damages
from studies.tasks.kinds import kind_of

INCOMPLETE = 1
WATCH_SECONDS = 30
LONGEST_WAIT_SECONDS = 600
"""The scheduler of a cluster is shared: it is not asked more often, and less and less often while
it does not answer."""

LOG_LINES = 3
UNWATCHED = ("done", "planned", "waiting")
NO_NAMES: Mapping[str, str] = MappingProxyType({})
ENDED = ("done", "failed", "waiting", UNREADABLE)
"""States of tasks that take no more time."""
CLEAR = "\x1b[H\x1b[2J"
"""Takes a terminal back to its first line, and empties it."""

VERIFIED_PER_LINE = 500
"""After so many tasks `--verify` says how far it is."""


@door(StoreError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Print where studies stand; the exit code.

    0: fine. 1: a study, a task or a file cannot be read or is damaged; it is named, and the others
    are shown. 2: bad use.
    """
    options = _parser().parse_args(arguments)
    try:
        store = Store(options.store)  # one for all looks: it tells a heart that stands still
        if options.verify:
            return _verify(store, options.study)
        wait = WATCH_SECONDS
        screen = terminal_size() if options.watch and sys.stdout.isatty() else None
        while (look := _show(store, options.study, screen)).moves and options.watch and is_read():
            wait = WATCH_SECONDS if look.answered else min(2 * wait, LONGEST_WAIT_SECONDS)
            time.sleep(wait)
    except KeyboardInterrupt:
        print("no longer watching; what runs goes on")
        return 0
    return told() or (INCOMPLETE if look.unread else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.status", description=__doc__)
    parser.add_argument("study", nargs="?", metavar="STUDY", help="default: all, a line each")
    parser.add_argument("--store", type=path, default=Path("store"), help="default: store")
    parser.add_argument(
        "--watch", action="store_true", help=f"again every {WATCH_SECONDS} s while anything moves"
    )
    parser.add_argument(
        "--verify", action="store_true", help="read every file, and name what is damaged"
    )
    return parser


def _verify(store: Store, study: str | None) -> int:
    """Print a line for each damaged file; the exit code."""
    seen = 0

    def count(done: int, total: int) -> None:
        nonlocal seen
        seen = total
        if done % VERIFIED_PER_LINE == 0:
            print(f"read {done} of {total} tasks", file=sys.stderr, flush=True)

    found = 0
    for line in damages(store, study, count):
        print(line, flush=True)
        found += 1
    print(f"{found} damaged files in {seen} tasks")
    return INCOMPLETE if found else 0


class _Look(NamedTuple):
    moves: bool
    """Whether a task is still running or queued."""
    answered: bool
    """Whether the scheduler answered, if it was asked."""
    unread: bool
    """Whether a study or a task cannot be read."""


def _show(store: Store, study: str | None, screen: os.terminal_size | None) -> _Look:
    """Print the lines; in place of the last ones where a terminal of this size is watched."""
    names = [study] if study else store.studies()
    if not names:
        print(f"{store.root}: holds no study yet; python -m studies.run SWEEP begins one")
    studies: dict[str, list[str]] = {}
    for name in names:
        try:
            studies[name] = tasks(store, name)
        except (StoreError, OSError) as error:
            if study:
                raise
            words = sentence(error) if isinstance(error, OSError) else error
            print(f"error: {name}: {words}", file=sys.stderr)
    addresses = list(dict.fromkeys(address for some in studies.values() for address in some))
    found, note = standings(store, addresses)
    named = _named(store, study) if study else {}
    left_out = [str(node) for node in bad_nodes(store.root, time.time())]
    lines = list(_task_lines(store, found, named) if study else _study_lines(store, studies, found))
    lines += left_out
    if screen:
        watched = _watched(store, study, found, named) if study else lines
        lines = _fitting([*left_out, *watched] if study else lines, screen)
        print(CLEAR, end="")
    for line in (*lines, *([note] if note else [])):
        print(line, flush=True)
    moves = any(s.state in ("running", "queued", "submitted") for s in found.values())
    unread = len(studies) < len(names) or any(s.state == UNREADABLE for s in found.values())
    return _Look(moves, not note, unread)


def _study_lines(
    store: Store, studies: Mapping[str, Sequence[str]], found: Mapping[str, Standing]
) -> Iterator[str]:
    for name, addresses in studies.items():
        states = Counter(found[address].state for address in addresses)
        left = _time_left(store, {address: found[address] for address in addresses})
        yield f"{name}: {len(addresses)} tasks: {counted(states)}{left}"
        for address in addresses:
            if found[address].state == UNREADABLE:
                yield f"    {address}  {UNREADABLE}  {found[address].detail}"


def _named(store: Store, study: str) -> dict[str, str]:
    """The tasks of a study in words, by address; none where its record is of another version."""
    try:
        return labels(Cell(**cell) for cell in store.study(study)["cells"])
    except (KeyError, TypeError, AttributeError):
        return {}


def _watched(
    store: Store, study: str, found: Mapping[str, Standing], named: Mapping[str, str] = NO_NAMES
) -> list[str]:
    """The tasks that a person watches for: those that failed, then the others.

    What is done or has not begun is counted.
    """
    watched = {a: s for a, s in found.items() if s.state not in UNWATCHED}
    first = sorted(watched.items(), key=lambda item: (item[1].state != "failed", item[1].state))
    counts = _study_lines(store, {study: list(found)}, found)
    return [*counts, *_task_lines(store, dict(first), named)]


def _fitting(lines: list[str], screen: os.terminal_size) -> list[str]:
    """The first lines that leave two rows of a terminal free; a long line takes several rows."""
    taken = list(accumulate(max(1, -(-len(line) // screen.columns)) for line in lines))
    if not taken or taken[-1] <= screen.lines - 2:
        return lines
    kept = bisect_right(taken, screen.lines - 3)
    return [*lines[:kept], f"and {len(lines) - kept} lines more"]


def _task_lines(
    store: Store, found: Mapping[str, Standing], named: Mapping[str, str] = NO_NAMES
) -> Iterator[str]:
    for address, standing in found.items():
        whose = f"({named[address]})" if address in named else ""
        yield "  ".join(filter(None, (address, standing.state, standing.detail, whose)))
        strip = store.folder(address) / STRIP_FILE
        if standing.state != "done" and (steps := steps_of(strip)):
            yield f"    early samples, the last after {steps[-1]} steps: {strip}"
        yield from (f"    {line}" for line in standing.log[-LOG_LINES:])


def _time_left(store: Store, found: Mapping[str, Standing]) -> str:
    """How long the rest may take on the device of what is done; empty: nothing runs, or unknown."""
    workers = sum(standing.state == "running" for standing in found.values())
    if not workers:
        return ""
    asked = [a for a, s in found.items() if s.state not in ENDED or a.startswith("train-")]
    try:
        tasks = chained(store.task(address) for address in asked)
        unended = [task for task in tasks.values() if found[task.address].state not in ENDED]
        left = Left(store, unended, workers, _device(store, found))
        for address, standing in found.items():
            if standing.beat is not None:
                left.begun(address, standing.beat, standing.seconds)
        said = left.said()
    except (StoreError, ConfigError):  # a task not written down yet, or data that are not here
        return ""
    return f", {said}"


def _device(store: Store, found: Mapping[str, Standing]) -> Device:
    """What did the tasks that are done, a GPU if any was; this machine where none is.

    Its ranks are those of the first training that is done.
    """
    done = [a for a, s in found.items() if s.state == "done"]
    done.sort(key=lambda address: not kind_of(address).uses_gpu)
    made = store.provenance(done[0]) if done else None
    if made is None:
        return here()
    gpu = made.get("device", "cpu")
    trained = next((store.provenance(a) for a in done if a.startswith("train-")), None)
    _, _, ranks = done_on(trained or {}, "train")
    return Device(cpu=made.get("cpu"), gpu=None if gpu == "cpu" else gpu, ranks=max(ranks, 1))


if __name__ == "__main__":
    sys.exit(main())
