"""One daemon: a process that outlives us, found again by its pid file, with a log to quote from."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SPAWN_SECONDS = 5.0
START_SECONDS = 40.0
GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1
LOG_LINES = 15

SPAWN = 'echo $$ > "$0" && exec "$@"'
"""Shell: note the process id in the file $0, then become the command."""


class ClusterError(Exception):
    """The cluster or one of its clients did not do what was asked; says which and why."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A command that runs in the foreground, and the folder that holds its pid and log files."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]

    @property
    def log(self) -> Path:
        """All that the daemon has said."""
        return self.folder / "log" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Its process id, written by the process itself."""
        return self.folder / "pid" / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its process id; None if it does not run."""
        try:
            pid = int(self.pid_file.read_text())
            program, state = _program_and_state(pid)
        except (OSError, ValueError):
            return None
        return pid if program == self.command[0] and state != "Z" else None

    def start(self, answers: Callable[[], bool]) -> None:
        """Start it in a session of its own, and wait until it answers.

        Raises:
            ClusterError: If it dies or does not answer in time; quotes the end of its log.
        """
        self._spawn()
        try:
            wait_until(lambda: self.pid() is not None, SPAWN_SECONDS, "its process")
            wait_until(lambda: self.pid() is None or answers(), START_SECONDS, "its answer")
        except ClusterError as error:
            raise self._failure(str(error)) from error
        if self.pid() is None:
            raise self._failure("it died")

    def _failure(self, cause: str) -> ClusterError:
        end = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        lines = "\n".join(end)
        return ClusterError(f"{self.name} did not come up: {cause}; {self.log} ends:\n{lines}")

    def _spawn(self) -> None:
        self.pid_file.unlink(missing_ok=True)
        command = ["setsid", "--fork", "sh", "-c", SPAWN, str(self.pid_file), *self.command]
        environment = {**os.environ, **self.environment}
        with self.log.open("a") as log:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder,
                check=True,
            )

    def end(self) -> None:
        """Ask it to stop, kill it after a grace, return when it is gone."""
        self.signal(signal.SIGTERM)
        with suppress(ClusterError):
            wait_until(lambda: self.pid() is None, GRACE_SECONDS, f"{self.name} to stop")
        self.kill()

    def kill(self) -> None:
        """Kill it, and return when it is gone."""
        self.signal(signal.SIGKILL)
        wait_until(lambda: self.pid() is None, GRACE_SECONDS, f"{self.name} to die")

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        pid = self.pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _program_and_state(pid: int) -> tuple[str, str]:
    """The name of a process and the letter of its state.

    Raises:
        OSError: If there is no such process.
    """
    name, rest = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(") ", 1)
    return name, rest[0]


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait for something to hold; the seconds that it took.

    Raises:
        ClusterError: If it takes longer than `seconds`.
    """
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            raise ClusterError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begun
