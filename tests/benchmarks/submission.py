"""`python -m tests.benchmarks.submission`: what a cluster's queue costs the person who waits.

Submits a study of about a thousand tasks to the cluster that SLURM's commands find, then asks for
its status, and cancels it. Then asks for the status of about ten thousand planned tasks.
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from studies import cancel, run, status
from studies.plan.plan import expand, record
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from tests.benchmarks.planning import MANY_EVALUATIONS, PRESET
from tests.witness.sweep_files import write_sweep

THOUSAND = MANY_EVALUATIONS.replace(str(list(range(10, 135))), str(list(range(10, 23))))


def seconds(call: Callable[[], object]) -> float:
    """Wall time of a call, whatever it prints."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        call()
    return time.perf_counter() - began


def submission(folder: Path) -> None:
    """Submit, ask and cancel about a thousand tasks."""
    sweep, store = write_sweep(folder, THOUSAND, PRESET).as_posix(), str(folder / "store")
    options = ["--preset", "tiny", "--store", store, "--executor", "slurm"]
    modest = ["--resource", "memory_gb=1", "--pack", "0"]
    took = seconds(lambda: run.main([sweep, *options, *modest]))
    arrays = len(list((folder / "store" / "submissions").glob("*/script.sh")))
    tasks = len(Store(Path(store)).addresses())
    print(f"submitting {tasks} tasks: {took:.1f} s, {arrays} calls of sbatch")
    (study,) = Store(Path(store)).studies()
    print(f"their status: {seconds(lambda: status.main([study, '--store', store])):.2f} s")
    print(f"submitting nothing more: {seconds(lambda: run.main([sweep, *options, *modest])):.1f} s")
    print(f"cancelling them: {seconds(lambda: cancel.main([study, '--store', store])):.1f} s")


def many(folder: Path) -> None:
    """Ask for the status of about ten thousand planned tasks."""
    plan = expand(read_sweep(write_sweep(folder, MANY_EVALUATIONS, PRESET), preset="tiny"))
    store = Store(folder / "store")
    store.record_study(plan.study, record(plan))
    for task in plan.tasks.values():
        store.create(task)
    took = seconds(lambda: status.main([plan.study, "--store", str(store.root)]))
    print(f"status of {len(plan.tasks)} planned tasks: {took:.2f} s")


def main() -> None:
    for measure in (submission, many):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))


if __name__ == "__main__":
    main()
