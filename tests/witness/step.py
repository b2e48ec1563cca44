"""A step of a job as `srun --kill-on-bad-exit=1` runs it, all of it on this machine.

Each process has the number that the cluster would give it, and a folder of that name to be in, as
if it had a node of its own. If one ends badly, the others are killed.
"""

import os
import signal
import sys
import traceback

from studies.execute.slurm import job
from tests.witness import rank_faults

HANGS_S = 200
"""A process that has not ended by then is."""


def run(
    store_root: str, array: str, environment: dict[str, str], by_rank: dict[int, str], once: str
) -> None:
    """Do it with two processes and leave with the worst of their statuses.

    Args:
        store_root: The store.
        array: The name of the array.
        environment: What the script tells its processes.
        by_rank: By number, the fault that a process meets in its third step.
        once: A file that is there once there was a fault, if there is to be one alone.
    """
    os.environ.update(environment)
    rank_faults.install(3, by_rank, once)
    processes, worst = {os.fork() or _be(number, store_root, array) for number in "01"}, 0
    while processes:
        ended, status = os.wait()
        processes.remove(ended)
        code = os.waitstatus_to_exitcode(status)
        worst = max(worst, code if code >= 0 else 128 - code)
        for other in processes if code else ():
            os.kill(other, signal.SIGKILL)
    os._exit(worst)


def _be(number: str, store_root: str, array: str) -> int:
    signal.alarm(HANGS_S)
    told = {"SLURM_NTASKS": "2", "SLURM_PROCID": number, "SLURM_LOCALID": number}
    told["STUDIES_FOLDER"] = os.path.join(os.environ["STUDIES_FOLDER"], number)
    os.environ.update(told)
    status = 1
    try:
        status = job.main(store_root, array)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)
