"""What this device does in a second: the very work of tasks, begun and stopped after moments.

`measure` takes of all tasks that are alike the largest, and lets as many processes as will run side
by side do it at once, each in a store of its own that is thrown away: a network that was trained
for one step is as fast as a good one. What they say is kept in the real store, for this device.

A process of its own, `python -m studies.execute.throughput FILE`, reads tasks and prints a line of
JSON for each: its address, and the share of its work that it did in a second.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from iddpm.config import TrainConfig
from iddpm.running.files import read_json, write_json
from iddpm.running.interruption import Interrupted
from studies.execute.devices import Device, visible_gpus
from studies.execute.forecast import Forecast, Likeness
from studies.execute.guesses import guess
from studies.execute.local import slot_environments
from studies.execute.worker import Watch, one_thread_deterministic, run_task, work
from studies.store.rates import Rates, keep, name_of
from studies.store.store import Store
from studies.tasks.counts import alike, amount, training_steps
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task, task_from_json, task_json

WATCHED_S = 3.0
"""Each is watched for so long after its first unit of work, which may have to warm up."""
LEAST_SIGNS = 3
"""Of progress; the first one only begins the time."""
LONGEST_UNIT_S = 10.0
"""Tasks that are guessed to be longer silent between two signs are not measured."""
NETWORKS = ("network", "network_b")
"""What a task may need to be measured: networks, which cost nothing to make up."""


def measure(
    store: Store,
    left: Collection[str],
    tasks: Mapping[str, Task],
    device: Device,
    workers: int | None,
) -> dict[str, float]:
    """Measure this device for tasks that nothing alike was measured for, and keep what is found.

    Args:
        store: Where the rates are kept.
        left: Addresses of the tasks that are to be done.
        tasks: By address, these and all that they need; their data are there.
        device: This one.
        workers: Processes side by side; None: as many as a run has.

    Returns:
        Seconds for a unit of work of each of the tasks that were measured, by address.

    Raises:
        StorageError: If the store cannot be written.
    """
    chosen = _chosen(store, left, tasks, device)
    shares = _side_by_side(list(chosen.values()), tasks, workers) if chosen else {}
    found = {
        likeness: 1 / statistics.median(shares[task.address]) / amount(task, tasks.__getitem__)
        for likeness, task in chosen.items()
        if task.address in shares
    }
    for on_gpu in (False, True):
        name = (device.gpu if on_gpu else device.cpu) or ""
        of_it = {
            name_of(likeness): seconds
            for likeness, seconds in found.items()
            if (device.gpu_of(chosen[likeness].kind) is not None) == on_gpu
        }
        if of_it:
            keep(store.root, Rates(device=name, on_gpu=on_gpu, seconds=of_it))
    return {chosen[likeness].address: seconds for likeness, seconds in found.items()}


def _chosen(
    store: Store, left: Collection[str], tasks: Mapping[str, Task], device: Device
) -> dict[Likeness, Task]:
    """The largest of the tasks that are alike, if nothing like it was measured but can be."""
    forecast, other = Forecast(store, device, tasks), tasks.__getitem__
    found: dict[Likeness, Task] = {}
    for task in (tasks[address] for address in left):
        roles = [role for role, _ in task.inputs]
        is_simple = set(roles) <= set(NETWORKS) and amount(task, other) > 0
        networks = [tasks[need].config for _, need in task.inputs]
        if not is_simple or not all(isinstance(config, TrainConfig) for config in networks):
            continue
        if device.ranks_of(task.kind) > 1:  # one process measures, and says nothing of several
            continue
        if forecast.seconds(task, other) is None and _unit_s(task, tasks, device) < LONGEST_UNIT_S:
            likeness = alike(task, other)
            known = found.setdefault(likeness, task)
            if amount(task, other) > amount(known, other):
                found[likeness] = task
    return found


def _unit_s(task: Task, tasks: Mapping[str, Task], device: Device) -> float:
    """Seconds, by a guess, between two signs of progress: of a step, or a call on a block."""
    other = tasks.__getitem__
    asked = getattr(task.config, "part", task.config)
    at_once = 1 if training_steps(task) else getattr(asked, "block_size", 1)
    seconds = guess(task, other, gpu=device.gpu_of(task.kind))
    return seconds * at_once / amount(task, other)


def _side_by_side(
    chosen: Sequence[Task], tasks: Mapping[str, Task], workers: int | None
) -> dict[str, list[float]]:
    """What each of the processes that run at once says of each task, by address."""
    needed = [tasks[need] for task in chosen for _, need in task.inputs]
    asked = {
        "tasks": [task_json(task) for task in (*needed, *chosen)],
        "measured": [task.address for task in chosen],
    }
    said: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "asked.json"
        write_json(file, asked)
        command = [sys.executable, "-P", "-m", "studies.execute.throughput", str(file)]
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment})
            for environment in slot_environments(workers)
        ]
        try:
            answers = [process.communicate()[0] for process in running]
        except BaseException:
            for process in running:
                process.kill()
            raise
    for line in b"".join(answers).splitlines():
        address, share = json.loads(line)
        said[address].append(share)
    return said


# ------------------------------------------------------------------------- in such a process


def main(file: str) -> None:
    """Print of each task how much of its work is done in a second; nothing where it fails."""
    asked = read_json(Path(file))
    tasks = {found["address"]: task_from_json(found) for found in asked["tasks"]}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        for address in asked["measured"]:
            share = share_in_a_second(store, tasks[address], tasks)
            if share is not None:
                print(json.dumps([address, share]), flush=True)


def share_in_a_second(store: Store, task: Task, tasks: Mapping[str, Task]) -> float | None:
    """How much of a task is done in a second; None: too little was seen of it.

    Args:
        store: Where it may be begun; to be thrown away.
        task: The task.
        tasks: Those that it needs, by address.
    """
    needs = [(role, _network(store, tasks[need])) for role, need in task.inputs]
    begun = replace(task, inputs=tuple(needs))
    store.create(begun)
    on_gpu = KINDS[task.kind].uses_gpu and visible_gpus()
    seen = Seen(time.monotonic if on_gpu else time.process_time)  # others may use the core, too
    watch = Watch(seen.progress, seen.is_enough, lambda seconds: False)
    with suppress(Interrupted), one_thread_deterministic():
        work(store, begun.address, watch, nullcontext, None)
    return seen.share_in_a_second()


def _network(store: Store, task: Task) -> str:
    """The address of a network like that of a training, after one step of one image."""
    assert isinstance(task.config, TrainConfig)
    config = replace(task.config, steps=1, batch_size=1, block_size=None, source=None)
    short = Task(kind="train", config=config, digests=task.digests)
    store.create(short)
    run_task(str(store.root), short.address)
    return short.address


class Seen:
    """The progress of a task, with the times at which it was told.

    Args:
        clock: Tells these times, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = math.inf
        self._times: list[float] = []
        self._shares: list[float] = []

    def progress(self, done: int, total: int) -> None:
        """Note that so much is done."""
        self._began = min(self._began, time.monotonic())
        self._times.append(self._clock())
        self._shares.append(done / total)

    def is_enough(self) -> bool:
        """Whether enough was seen to tell how fast it goes."""
        seconds = time.monotonic() - self._began
        return len(self._times) >= LEAST_SIGNS and seconds >= WATCHED_S

    def share_in_a_second(self) -> float | None:
        """Of all the work; None: nothing is known after the first sign."""
        if len(self._times) < LEAST_SIGNS:
            return None
        return (self._shares[-1] - self._shares[0]) / (self._times[-1] - self._times[0])


if __name__ == "__main__":
    main(sys.argv[1])
