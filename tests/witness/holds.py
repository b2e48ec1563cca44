"""A training of a job is held at a counted step until its cluster tells it to end.

So it is still under way when a test has the cluster do something to it, however fast the machine
is. The process that goes on with it later is not held.
"""

import os
import shlex
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def task_prolog(folder: Path, *, step: int, mark: Path, heeds: bool) -> Path:
    """A program that SLURM runs before each process of jobs submitted with it as SLURM_TASK_PROLOG.

    By it they do `install`, with these arguments. Nothing else reaches Python's path in a job: its
    script sets it.

    Args:
        folder: Where it is written, and what it has Python find.
        step: When to hold.
        mark: What tells of it.
        heeds: Whether it ends when it is told to.
    """
    (folder / "sitecustomize.py").write_text(
        "from tests.witness import holds\n"
        f"holds.install(step={step}, mark={str(mark)!r}, heeds={heeds})\n"
    )
    prolog = folder / "prolog.sh"
    path = f'{shlex.quote(str(folder))}:"$PYTHONPATH":{shlex.quote(str(ROOT))}'
    prolog.write_text(f"#!/bin/sh\necho export PYTHONPATH={path}\n")
    prolog.chmod(0o700)
    return prolog


def install(*, step: int, mark: str, heeds: bool) -> None:
    """Hold this process once a training has done so many steps, if none was held so before.

    Args:
        step: How many.
        mark: A file that is there once one is held.
        heeds: Whether it goes on when it is told to end; else it is at work until it is killed.
    """
    from iddpm.training import Training
    from studies.execute.signals import stop_requests

    advance = Training.advance

    def watched(self: Training) -> None:
        advance(self)
        if self.step == step and not os.path.exists(mark):
            Path(mark).touch()
            with stop_requests() as stop:
                while not (heeds and stop.is_set()):
                    time.sleep(0.05)

    Training.advance = watched  # type: ignore[method-assign]
