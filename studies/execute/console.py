"""What a person sees of a run: bars with rate and time left on a terminal, else plain lines."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from studies.execute.agenda import Event, Watcher
from studies.execute.forecast import Left

LINE_EVERY_S = 30.0
"""Seconds between two lines on the progress of one task, where there is no terminal."""
STOPPING = "stopping at the next step, saving (Ctrl-C again: stop at once)"
TABLE_WIDTH = 120
WIDE = 100
"""Letters in a line that hold all columns of a bar."""


def terminal() -> Console:
    """The terminal, or lines of a width that holds the tables where there is none.

    What people wrote is shown as it is: a `[` begins no style, and `:name:` is no picture.
    """
    console = Console(markup=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(markup=False, emoji=False, width=TABLE_WIDTH)


@contextmanager
def watching(
    tasks: int,
    console: Console,
    labels: Mapping[str, str] = MappingProxyType({}),
    left: Left | None = None,
) -> Iterator[Watcher]:
    """A watcher for a run of so many tasks, fit for where its output goes.

    Args:
        tasks: How many there are.
        console: Where it is shown.
        labels: Tasks in words, by address; one that has none goes by its address.
        left: How long the whole run still takes; None: nothing is said of it.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(tasks, labels, left)
        return
    columns = _columns(console.width)
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield Bars(progress, tasks, labels, left)


def _columns(width: int) -> list[ProgressColumn]:
    """What fits: where lines are short, time gone and rate are left out, and no letters."""
    words = TextColumn("{task.description}", markup=False, table_column=Column(ratio=1))
    bar, of = BarColumn(20 if width >= WIDE else 10), MofNCompleteColumn(table_column=_whole())
    more = [Rate(table_column=_whole()), TimeElapsedColumn()] if width >= WIDE else []
    return [words, bar, of, *more, Remaining(table_column=_whole())]


def _whole() -> Column:
    return Column(no_wrap=True)


class Rate(ProgressColumn):
    """Units done per second."""

    def render(self, task: Task) -> Text:
        """The rate with its unit, empty until there is one."""
        speed, unit = task.finished_speed or task.speed, task.fields["unit"]
        said = f"{speed:.3g} {unit}/s" if speed and unit else ""
        return Text(said, style="progress.data.speed")


class Remaining(TimeRemainingColumn):
    """The time left of one task by its own rate, and of the run by what its tasks are like."""

    def render(self, task: Task) -> Text:
        """The time; empty where nothing is known of it."""
        if task.fields["unit"]:
            return super().render(task)
        return Text(task.fields["left"], style="progress.remaining")


class Bars:
    """One bar for the run and one for each task under way."""

    def __init__(
        self, progress: Progress, tasks: int, labels: Mapping[str, str], left: Left | None
    ) -> None:
        self._progress = progress
        self._labels = labels
        self._left = Pace(left)
        self._all = progress.add_task("all tasks", total=tasks, unit="", left="")
        self._bars: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        """Shows what happened; of tasks that wait for a failed one, nothing but that they ended."""
        if event.kind == "stopping":
            self._progress.console.print(STOPPING, highlight=False)
        elif event.kind == "progress" and event.beat is not None:
            bar = self._bar(event.address)
            beat = event.beat
            if beat.total:  # else it is still starting
                self._progress.update(bar, completed=beat.done, total=beat.total, unit=beat.unit)
            self._progress.update(self._all, left=self._left(event))
        elif event.kind in ("started", "elsewhere"):
            self._bar(event.address)
        else:
            self._end(event)

    def _bar(self, address: str) -> TaskID:
        if address not in self._bars:
            named = self._labels.get(address, address)
            self._bars[address] = self._progress.add_task(
                named, total=None, unit="", left="starting"
            )
        return self._bars[address]

    def _end(self, event: Event) -> None:
        if event.address in self._bars:
            self._progress.remove_task(self._bars.pop(event.address))
        if event.kind != "lost":
            self._progress.update(self._all, advance=1, left=self._left(event))
        if event.kind in ("lost", "failed"):
            said = described(event) + _whose(event, self._labels)
            self._progress.console.print(said, highlight=False)


class Lines:
    """One line for each thing that happened, with the count of tasks behind and ahead."""

    def __init__(self, tasks: int, labels: Mapping[str, str], left: Left | None) -> None:
        self._tasks = tasks
        self._labels = labels
        self._left = Pace(left)
        self._ended: Counter[str] = Counter()
        self._said: dict[str, float] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def __call__(self, event: Event) -> None:
        """Prints what happened, progress only now and then."""
        if event.kind == "stopping":
            print(STOPPING, flush=True)
            return
        if event.kind in ("found", "done", "failed", "waiting"):
            self._ended[event.kind] += 1
        left = self._left(event)
        silent = event.kind in ("found", "waiting")
        if silent or (event.kind == "progress" and not self._is_due(event)):
            return
        ended = self._ended.total()
        said = f"{described(event)}{self._pace(event)}{_whose(event, self._labels)}"
        run = ", ".join(filter(None, (f"{ended}/{self._tasks}", left)))
        print(f"[{run}] {said}", flush=True)

    def _is_due(self, event: Event) -> bool:
        now = time.monotonic()
        if now - self._said.setdefault(event.address, now) < LINE_EVERY_S:
            return False
        self._said[event.address] = now
        return True

    def _pace(self, event: Event) -> str:
        """Rate and time left of a task, from what was seen of it here."""
        if event.beat is None:
            return ""
        now, done = time.monotonic(), event.beat.done
        began, before = self._first.setdefault(event.address, (now, done))
        if done == before or now == began:
            return ""
        rate = (done - before) / (now - began)
        left = (event.beat.total - done) / rate
        return f", {rate:.3g} {event.beat.unit}/s, {left:.0f} s left"


class Pace:
    """How long the run still takes, after each thing that happened; nothing where none is known."""

    def __init__(self, left: Left | None) -> None:
        self._left = left
        self._first: dict[str, tuple[float, int]] = {}

    def __call__(self, event: Event) -> str:
        """Takes in what happened; the time left in words."""
        if self._left is None:
            return ""
        if event.beat is not None:
            now = time.monotonic()
            began, before = self._first.setdefault(event.address, (now, event.beat.done))
            self._left.begun(event.address, replace(event.beat, begun=before), now - began)
        elif event.kind in ("found", "done", "failed", "waiting"):
            self._left.ended(event.address)
        return "" if event.kind == "found" else self._left.said()


def _whose(event: Event, labels: Mapping[str, str]) -> str:
    """For whom a task begins or fails, where that is known."""
    label = labels.get(event.address, "")
    return f" ({label})" if label and event.kind in ("started", "failed") else ""


def described(event: Event) -> str:
    """The event in words."""
    if event.beat is not None:
        return f"{event.address}: {event.beat.done} of {event.beat.total} {event.beat.unit}"
    words = {
        "started": "started",
        "elsewhere": "another process is at it; waiting for that",
        "lost": f"its process ended ({event.text}); it will be tried again",
        "done": "done",
        "failed": f"failed: {event.text}",
    }
    return f"{event.address}: {words[event.kind]}"


def counted(states: Mapping[str, int]) -> str:
    """Counts of tasks by state in words: `3 done, 1 failed`."""
    return ", ".join(f"{count} {state}" for state, count in states.items() if count) or "none"
