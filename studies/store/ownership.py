"""Whose work a task is: the claim that its worker writes, and whether that worker still lives.

On one machine a claim is dead when its process is. Of another machine's process only the
heartbeat is seen: a file that the worker replaces every second. Clocks of two machines need not
agree, so its content is only compared with what it was; when it has stood still for
`LEASE_SECONDS` of the observer's own clock, the claim is dead.
"""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

LEASE_SECONDS = 120.0
"""How long the heartbeat of another machine's worker may stand still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process number means something: one machine, since its last boot, one namespace."""

    host: str
    boot: str
    namespace: str


@cache
def here() -> Place:
    """The place of this process."""
    return Place(host=socket.gethostname(), boot=_boot(), namespace=_namespace())


def _boot() -> str:
    """An id that differs after every start of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    """Containers of one machine may share its name and still not see each other's processes."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def process_start(pid: int) -> str | None:
    """When the process began, as its system writes it; None: there is no such process.

    A number is used again in time, a number with its start is not. A process that has ended
    but was not yet waited for by its parent counts as gone.
    """
    if not Path("/proc/self/stat").exists():
        return _process_start_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = stat.rpartition(")")[2].split()  # the name may hold blanks and parentheses
    state, start = after_name[0], after_name[19]
    return None if state in "ZX" else start


def _process_start_by_ps(pid: int) -> str | None:
    """The same on systems without /proc, such as macOS."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, start = subprocess.run(
        command, capture_output=True, text=True, check=False
    ).stdout.partition(" ")
    return None if not start or state.startswith("Z") else start.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's word that it is at a task. The token is drawn anew for every claim."""

    address: str
    attempt: int
    """Counts the claims that this task has had, from 1."""
    executor: str
    job: str | None
    """The cluster's number for the job, where there is a cluster."""
    place: Place
    pid: int
    process_start: str
    token: str
    claimed_at: str
    """UTC, ISO 8601; for people, and held against the start of a job on the same machine."""


def new_claim(address: str, attempt: int) -> Claim:
    """A claim of this process."""
    pid = os.getpid()
    return Claim(
        address=address,
        attempt=attempt,
        executor=os.environ.get("STUDIES_EXECUTOR", "inline"),
        job=os.environ.get("SLURM_JOB_ID"),
        place=here(),
        pid=pid,
        process_start=process_start(pid) or "",
        token=secrets.token_hex(16),
        claimed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _is_of_this_job(claim: Claim) -> bool:
    """Whether a cluster's job made the claim that this process now goes on with elsewhere.

    A job that was queued again keeps its number, and its earlier processes are gone.
    """
    job, executor = os.environ.get("SLURM_JOB_ID"), os.environ.get("STUDIES_EXECUTOR")
    return executor == claim.executor == "slurm" and claim.job == job


@dataclass(slots=True)
class Observer:
    """Tells dead claims from live ones; remembers when it last saw each heartbeat change."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[object, float]] = field(default_factory=dict)

    def is_dead(self, claim: Claim, heartbeat: bytes | None) -> bool:
        """Whether nobody is behind the claim any more.

        Args:
            claim: What the worker wrote when it began.
            heartbeat: Content of the worker's heartbeat file now; None: there is none yet.
        """
        if claim.place != here() and _is_of_this_job(claim):
            return True
        if claim.place.host != here().host:
            return self._stands_still(claim, heartbeat)
        if claim.place.boot != here().boot:
            return True
        if claim.place.namespace != here().namespace:
            return self._stands_still(claim, heartbeat)
        return process_start(claim.pid) != claim.process_start

    def _stands_still(self, claim: Claim, heartbeat: bytes | None) -> bool:
        sign, now = (claim.token, heartbeat), self.clock()
        if self._seen.get(claim.address, (None, now))[0] != sign:
            self._seen[claim.address] = (sign, now)
        return now - self._seen[claim.address][1] > LEASE_SECONDS
