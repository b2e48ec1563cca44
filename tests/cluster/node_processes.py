"""What runs on a node besides its slurmd: the guardians of job steps, and the jobs themselves.

Both outlive the slurmd that started them. A guardian (slurmstepd) keeps the node's log open; a
process of a job carries the cluster and the node in its environment, even when it has left its
parent.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.cluster.daemons import wait_until
from tests.cluster.layout import Layout

KILL_SECONDS = 10.0


def kill_jobs(layout: Layout, node: str) -> None:
    """Kill all that jobs have left running on a node, and return when it is gone."""
    wait_until(lambda: not _killed(layout, node), KILL_SECONDS, f"the jobs on {node} to die")


def _killed(layout: Layout, node: str) -> list[int]:
    found = [
        pid for pid in _pids() if _is_guardian(pid, layout, node) or _is_job(pid, layout, node)
    ]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _belongs(pid: int, layout: Layout, node: str) -> bool:
    return _is_guardian(pid, layout, node) or _is_job(pid, layout, node)


def _is_guardian(pid: int, layout: Layout, node: str) -> bool:
    with suppress(OSError):
        files = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
        return str(layout.steps_log(node)) in files
    return False


def _is_job(pid: int, layout: Layout, node: str) -> bool:
    marks = {f"SLURM_CONF={layout.slurm_conf}".encode(), f"SLURMD_NODENAME={node}".encode()}
    with suppress(OSError):
        return marks <= set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    return False
