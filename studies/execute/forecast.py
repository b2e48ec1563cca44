"""How long tasks will take, from how long others like them took in the same store.

Two tasks are alike if they are of one kind and compute with the same network on the same number of
images at once. Their times are then in proportion to their amount of work: training steps, network
calls or images (`studies.tasks.effort`). A training that continues another one only takes the steps
that are left. Of a task that nothing like it was measured for, nothing is known here;
`studies.execute.guesses` has a guess.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence

from studies.execute.guesses import guess
from studies.store.store import Store, StoreError
from studies.tasks.counts import alike, amount, steps_before
from studies.tasks.task import Task

Likeness = tuple[object, ...]


class Forecast:
    """Seconds per unit of work, by likeness, as measured in a store.

    Args:
        store: Where done tasks say how long they took.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._measured: dict[Likeness, list[float]] = defaultdict(list)
        self._rates: dict[Likeness, float] = {}
        for address in store.addresses():
            self.learn(address)

    def learn(self, address: str) -> None:
        """Take in how long a task took, if it is done and says so."""
        made = self._store.provenance(address)
        if made is None:
            return
        before = made.get("steps_before")
        if before is None and made["attempt"] > 1:  # an earlier attempt may have done a part
            return
        try:
            task = self._store.task(address)
            likeness, units = alike(task, self._store.task), amount(task, self._store.task)
        except StoreError:  # of another version of this program: nothing is like it
            return
        self._measured[likeness].append(made["seconds"] / max(units - (before or 0), 1))
        self._rates.pop(likeness, None)

    def seconds(self, task: Task, parent: Callable[[str], Task]) -> float | None:
        """How long the task will take; None: nothing like it was measured.

        Args:
            task: The task. What it comes after is taken to be done by then.
            parent: From the address of a task that it needs or comes after to that task.
        """
        likeness = alike(task, parent)
        if likeness in self._measured and likeness not in self._rates:
            self._rates[likeness] = statistics.median(self._measured[likeness])
        rate = self._rates.get(likeness)
        left = amount(task, parent) - steps_before(task, parent)
        return None if rate is None else rate * max(left, 1)


class Left:
    """How long the tasks of a run still take, by what each is like and never by their number.

    Nothing is read before it is asked for: a run of which all is done asks for nothing.

    Args:
        store: Where they stand; what was measured there is asked first.
        tasks: Of the run, with all that they need or come after.
        workers: How many run side by side.
    """

    def __init__(self, store: Store, tasks: Sequence[Task], workers: int) -> None:
        self._store = store
        self._tasks = {task.address: task for task in tasks}
        self._workers = workers
        self._shares = dict.fromkeys(self._tasks, 0.0)
        self._forecast: Forecast | None = None
        self._likeness: dict[str, Likeness] = {}
        self._expected: dict[str, tuple[float, bool]] = {}

    def begun(self, address: str, share: float) -> None:
        """Say how much of a task is behind it, from 0 to 1."""
        if address in self._shares:
            self._shares[address] = share

    def ended(self, address: str) -> None:
        """Say that a task takes no more time; how long it took is learned from."""
        if self._shares.pop(address, None) is None or self._forecast is None:
            return
        self._forecast.learn(address)
        likeness = self._likeness.get(address)
        for other, its in self._likeness.items():
            if its == likeness:
                self._expected.pop(other, None)

    def seconds(self) -> tuple[float, bool]:
        """Seconds until the last one ends, and whether a guess is among them."""
        found = [(share, *self._of(address)) for address, share in self._shares.items()]
        each = [(1 - share) * seconds for share, seconds, _ in found]
        longest = max(each, default=0.0)
        return max(sum(each) / self._workers, longest), any(guessed for *_, guessed in found)

    def said(self) -> str:
        """`about 12 min left`, with `~` where a part is a guess; empty: nothing is left."""
        if not self._shares:
            return ""
        seconds, is_guess = self.seconds()
        return f"{'~' if is_guess else 'about '}{duration(seconds)} left"

    def _of(self, address: str) -> tuple[float, bool]:
        if address not in self._expected:
            self._forecast = self._forecast or Forecast(self._store)
            task, parent = self._tasks[address], self._tasks.__getitem__
            self._likeness[address] = alike(task, parent)
            seconds = self._forecast.seconds(task, parent)
            is_guess = seconds is None
            found = guess(task, parent, gpu=None) if seconds is None else seconds
            self._expected[address] = found, is_guess
        return self._expected[address]


def duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
