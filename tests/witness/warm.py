"""A process that has torch loaded and forks: workers that start in a moment and may be killed.

Loading torch takes seconds, so a test that kills a worker twenty times would take minutes; a
fork of a process that has it loaded begins at once. Nothing of the work itself is different.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]

PRELUDE = """
from pathlib import Path
from studies.execute import inline, local
from studies.store.store import Store
from studies.execute.worker import run_task
from tests.witness import kills, tiny
"""
"""What the code of every worker may name."""

LOADED = """
import torch._inductor.config  # what an optimizer and deterministic mode load when first used
import studies.runners
from iddpm import training
training.train.__kwdefaults__["checkpoint_every_s"] = 0.0  # so that kills meet saved states
"""
"""What is done once, before the first fork."""


class Worker:
    """A forked process that runs some code."""

    def __init__(self, warm: "Warm", pid: int, log: Path) -> None:
        self.pid = pid
        self._warm = warm
        self._log = log

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, if it still runs."""
        os.kill(self.pid, number)  # a zombie at worst: only `wait` reaps it

    def wait(self) -> int:
        """Its exit status, negative for the signal that killed it."""
        status: int = self._warm.ask(wait=self.pid)
        return status

    def output(self) -> str:
        """All that it printed, its traceback included."""
        return self._log.read_text()


class Warm:
    """The process that forks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.witness.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )

    def start(self, code: str) -> Worker:
        """Run code in a process of its own; it may name what the prelude names."""
        self._count += 1
        log = self._folder / f"worker-{self._count}.log"
        return Worker(self, self.ask(code=code, log=str(log)), log)

    def ask(self, **request: Any) -> int:
        """Send a request and read its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


def serve() -> None:
    """Fork a worker for each request that has code; wait for one otherwise."""
    names: dict[str, Any] = {}
    exec(PRELUDE, names)
    exec(LOADED, names)
    for line in sys.stdin:
        request = json.loads(line)
        if "code" in request:
            answer = os.fork() or _work(request, names)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        print(answer, flush=True)


def _work(request: dict[str, str], names: dict[str, Any]) -> int:
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    status = 1
    try:
        exec(request["code"], names)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
