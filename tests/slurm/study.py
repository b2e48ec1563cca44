"""A small study on the test cluster: run as a person runs it, watched, and waited for."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studies import run, status
from studies.execute.slurm.queue import Job, queued
from studies.store.store import Store
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

MODEST = ("--resource", "memory_gb=1", "--resource", "time_min=5")

TRAINING = """
study: training
question: Does it arrive?
preset: tiny
seeds: [0]
"""
"""One training and nothing else."""


class Study:
    """A sweep in a folder of its own, and its store.

    Args:
        folder: Where both stand.
        options: Of every run.
        sweep: The sweep's text.
        preset: The text of its preset, which is called `tiny`.
    """

    def __init__(
        self, folder: Path, *options: str, sweep: str = SWEEP, preset: str = PRESET
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.path = write_sweep(folder, sweep, preset)
        self.store = Store(folder / "store")
        self.options = options

    def arguments(self, *more: str, executor: str = "slurm") -> list[str]:
        """Of `python -m studies.run`."""
        store = ("--store", str(self.store.root), "--executor", executor)
        modest = MODEST if executor == "slurm" else ()
        return [str(self.path), *store, *modest, *self.options, *more]

    def run(self, *more: str, executor: str = "slurm") -> int:
        """The exit code of a run."""
        return run.main(self.arguments(*more, executor=executor))

    def status(self, capsys: pytest.CaptureFixture[str]) -> str:
        """What `python -m studies.status` prints, a line per task."""
        (study,) = self.store.studies()
        capsys.readouterr()
        assert status.main([study, "--store", str(self.store.root)]) == 0
        return capsys.readouterr().out

    def results(self) -> dict[str, bytes]:
        """The bytes of every result, by address."""
        paths = self.store.root.glob("tasks/*/result.json")
        return {path.parent.name: path.read_bytes() for path in paths}

    def tasks(self, kind: str = "") -> list[str]:
        """Addresses of the study's tasks of a kind, or of all."""
        (name,) = self.store.studies()
        return [a for a in self.store.study(name)["tasks"] if a.startswith(kind)]

    def job(self, address: str) -> Job | None:
        """The job that is to do a task; None: it is not in the queue."""
        element = self.store.submissions.element(address)
        return queued({element.array}).get(element) if element else None

    def is_done(self) -> bool:
        """Whether every task has its result."""
        return all(self.store.result(address) is not None for address in self.tasks())

    def wait_for(self, what: Callable[[], object], seconds: float = 120.0) -> None:
        """Return when it holds; fail with the state of all tasks if it does not in time."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self._told()
            time.sleep(0.2)

    def wait_for_progress(self, address: str, units: int) -> None:
        """Return when a task has done so many units of its work."""
        self.wait_for(lambda: (beat := self.store.progress(address)) and beat.done >= units)

    def finish(self, seconds: float = 240.0) -> None:
        """Wait until every task is done."""
        self.wait_for(self.is_done, seconds)

    def _told(self) -> str:
        states = {address: self.store.state(address) for address in self.tasks()}
        logs = sorted(self.store.root.glob("submissions/*/*.out"))
        words = "\n".join(f"{path.name}:\n{path.read_text()[-600:]}" for path in logs[-4:])
        return f"{states}\n{words}"
