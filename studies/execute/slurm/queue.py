"""What the scheduler says and is told, through its own commands.

`squeue` is asked once for everything. Accounting (`sacct`) is asked only of jobs that are gone, and
may be absent or down: then nothing is known of how they ended.
"""

import getpass
import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from studies.store.submissions import Element

CLIENT_SECONDS = 60
"""How long a command of the scheduler may take to answer."""

ARRAY_SIZE_IF_UNKNOWN = 1001

LONGEST_NAMES = 100_000
"""Characters; a system refuses a command with an argument of more than 128 KiB."""

HABITS = ("SQUEUE_", "SACCT_", "SCANCEL_")
"""How variables begin by which users choose what they are shown: none of them may hide a job."""

ALIVE = ("PENDING", "RUNNING", "REQUEUED", "SUSPENDED")
"""States in which accounting has jobs that have not ended."""

WAITS = "Dependency"
"""SLURM's reason of a job that waits for another."""

NEVER = "DependencyNeverSatisfied"
"""SLURM's reason of a job that waits for one that failed."""


TOO_MUCH = (
    *("PartitionConfig", "PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints"),
    *("AccountNotAllowed", "QOSNotAllowed", "InvalidAccount", "InvalidQOS"),
)
"""SLURM's reasons of jobs that wait for what their cluster does not have or give."""


class SlurmError(Exception):
    """The scheduler did not do what it was asked: its own words, and what to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One element of a job array that is in the queue."""

    id: str
    """The array's number and the index, as scontrol and scancel take them: `12_3`."""
    array_id: str
    number: str
    """The job's own number, by which its process knows itself."""
    state: str
    """PENDING, RUNNING, COMPLETING, ..."""
    reason: str
    node: str
    user: str

    @property
    def is_ours(self) -> bool:
        """Whether this process may cancel it."""
        return os.getuid() == 0 or self.user == getpass.getuser()

    @property
    def asks_too_much(self) -> bool:
        """Whether it can never start with the resources that it asks for."""
        return self.state == "PENDING" and self.reason in TOO_MUCH

    @property
    def is_hopeless(self) -> bool:
        """Whether it waits for a job that failed and can never run."""
        return self.reason == NEVER

    @property
    def never_starts(self) -> bool:
        """Whether it stays pending for good, for one of these two reasons."""
        return self.is_hopeless or self.asks_too_much


def queued(arrays: Collection[str]) -> dict[Element, Job]:
    """The elements of these arrays that are in the queue, of whatever user.

    Args:
        arrays: Names of job arrays.

    Raises:
        SlurmError: If the scheduler does not answer.
    """
    if not arrays:
        return {}
    names = ",".join(sorted(arrays))
    chosen = [f"--name={names}"] if len(names) <= LONGEST_NAMES else []  # else the whole queue
    form = "%j|%A|%F|%K|%T|%r|%N|%u"
    said = client(["squeue", "--all", "--noheader", "--array", *chosen, f"--format={form}"])
    jobs = {}
    for line in said.splitlines():
        if line.strip().partition("|")[0] not in arrays:
            continue
        name, number, array_id, index, state, reason, node, user = line.strip().split("|")
        jobs[Element(array=name, index=int(index))] = Job(
            id=f"{array_id}_{index}",
            array_id=array_id,
            number=number,
            state=state,
            reason=reason,
            node=node,
            user=user,
        )
    return jobs


@dataclass(frozen=True, slots=True)
class End:
    """How an element of a job array ended, as accounting has it."""

    state: str
    """FAILED, TIMEOUT, PREEMPTED, ..."""
    node: str
    """Where it ran, `node[1-2]` if on several; `None assigned`: nowhere."""


def ended(arrays: Collection[str]) -> dict[Element, End]:
    """How the elements of these arrays last ended; {} where there is no accounting."""
    if not arrays:
        return {}
    ask = [
        "sacct",
        "--noheader",
        "--parsable2",
        "--allocations",
        "--array",
        "--starttime=now-30days",
    ]
    try:
        form = "--format=JobName,JobID,State,NodeList"
        said = client([*ask, f"--name={','.join(sorted(arrays))}", form])
    except SlurmError:
        return {}
    ends = {}
    for line in said.splitlines():
        name, job, state, node = line.split("|")
        _, _, index = job.partition("_")
        if index.isdecimal():
            ends[Element(array=name, index=int(index))] = End(state.split(" ")[0], node)
    return ends


def max_array_size() -> int:
    """The cluster's limit on an array's indices: each is below it. Away from one: the usual limit.

    Raises:
        SlurmError: If the scheduler does not answer.
    """
    if not is_here():
        return ARRAY_SIZE_IF_UNKNOWN
    return int(_configured("MaxArraySize") or ARRAY_SIZE_IF_UNKNOWN)


@cache
def hides_jobs_of_others() -> bool:
    """Whether the cluster shows jobs to nobody but their own user (PrivateData).

    Raises:
        SlurmError: If the scheduler does not answer.
    """
    return "jobs" in _configured("PrivateData").split(",")


def _configured(setting: str) -> str:
    """A setting of the cluster; empty: it has no such setting."""
    for line in client(["scontrol", "show", "config"]).splitlines():
        name, _, value = line.partition("=")
        if name.strip() == setting:
            return value.strip()
    return ""


def cancel(jobs: Sequence[Job]) -> None:
    """Take jobs out of the queue; running ones are told to save and leave.

    Raises:
        SlurmError: If the scheduler refuses.
    """
    for start in range(0, len(jobs), 500):
        client(["scancel", "--quiet", *(job.id for job in jobs[start : start + 500])])


def described(job: str) -> dict[str, str]:
    """What the scheduler knows of a job by its `Job.id`, as far as it says NAME=VALUE.

    Raises:
        SlurmError: If the scheduler does not answer.
    """
    words = client(["scontrol", "--all", "show", "job", job]).split()
    pairs = (word.partition("=") for word in words)
    return {name: value for name, equals, value in pairs if equals}


def requeue(job: str) -> None:
    """Put a running job, by its `Job.id`, back into the queue under the same number.

    Raises:
        SlurmError: If the scheduler refuses.
    """
    client(["scontrol", "requeue", job])


def is_here() -> bool:
    """Whether SLURM's commands are on this machine."""
    return shutil.which("squeue") is not None


def require_scheduler() -> None:
    """Check that SLURM's commands are here.

    Raises:
        SlurmError: If they are not.
    """
    client(["squeue", "--version"])


def client(command: Sequence[str]) -> str:
    """What a command of the scheduler prints.

    Raises:
        SlurmError: If it is not installed, fails, or does not answer in time.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=CLIENT_SECONDS,
            env={name: value for name, value in os.environ.items() if not name.startswith(HABITS)},
        )
    except FileNotFoundError:
        raise SlurmError(
            f"{command[0]}: expected SLURM's commands on this machine, found none; run this on a "
            "login node of the cluster, or choose --executor local"
        ) from None
    except OSError as error:
        raise SlurmError(f"{command[0]}: cannot be called: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise SlurmError(
            f"{command[0]}: expected an answer within {CLIENT_SECONDS} s, found none; "
            "the scheduler may be down: run the same command again later"
        ) from None
    if done.returncode:
        raise SlurmError(f"{command[0]}: {_words(done.stderr)}")
    return done.stdout


def _words(stderr: str) -> str:
    """What the scheduler said, in one line."""
    return "; ".join(line.strip() for line in stderr.splitlines() if line.strip())
