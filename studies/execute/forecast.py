"""How long tasks will take, from how long others like them took in the same store.

Two tasks are alike if they are of one kind and compute with the same network on the same number of
images at once. Their times are then in proportion to their amount of work: training steps, network
calls or images (`studies.tasks.effort`). A training that continues another one only takes the steps
that are left. Of a task that nothing like it was measured for, nothing is known here;
`studies.execute.guesses` has a guess.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable

from studies.store.store import Store, StoreError
from studies.tasks.counts import alike, amount, steps_before
from studies.tasks.task import Task


class Forecast:
    """Seconds per unit of work, by likeness, as measured in a store.

    Args:
        store: Where done tasks say how long they took.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        measured: dict[tuple[object, ...], list[float]] = defaultdict(list)
        for address in store.addresses():
            made = store.provenance(address)
            if made is None:
                continue
            before = made.get("steps_before")
            if before is None and made["attempt"] > 1:  # an earlier attempt may have done a part
                continue
            try:
                task = store.task(address)
                likeness, units = alike(task, store.task), amount(task, store.task)
            except StoreError:  # of another version of this program: nothing is like it
                continue
            measured[likeness].append(made["seconds"] / max(units - (before or 0), 1))
        self._rates = {likeness: statistics.median(rates) for likeness, rates in measured.items()}

    def seconds(self, task: Task, parent: Callable[[str], Task]) -> float | None:
        """How long the task will take; None: nothing like it was measured.

        Args:
            task: The task. What it comes after is taken to be done by then.
            parent: From the address of a task that it needs or comes after to that task.
        """
        rate = self._rates.get(alike(task, parent))
        left = amount(task, parent) - steps_before(task, parent)
        return None if rate is None else rate * max(left, 1)
