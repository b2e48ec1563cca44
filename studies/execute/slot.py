"""A process that runs the tasks it is told of, one after the other: a slot of the local pool.

It reads one address a line and answers each with an empty line; all else is in the store. Where
several slots do a task together, the address is followed by this one's number, by how many they
are and by the file where they meet, as JSON. The first of them records what becomes of the task;
another one answers with what went wrong in it, as a line of JSON, and leaves.

When its input ends, because the pool closes it or has died, it saves at the next step boundary and
leaves. Started by `python -m studies.execute.slot STORE`, so that it shares nothing with
whoever started it: no open file, no half-imported module.
"""

import json
import os
import sys
import threading
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies.execute.signals import StopFlag, stop_requests
from studies.execute.worker import DESERTED, failure_of, follow_task, is_of_ranks, run_task
from studies.store.memory import peak_mb
from studies.store.store import Failure


def main(store_root: str) -> int:
    """Serve until the input ends; the exit status says whether the store could be written."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    lines: SimpleQueue[str | None] = SimpleQueue()
    with stop_requests() as stop:
        stop.reason = "cancelled"  # also where another of several was asked: no time runs out here
        threading.Thread(target=_listen, args=(lines, stop), daemon=True).start()
        while (line := lines.get()) is not None:
            try:
                failure, status = _do(store_root, *line.split(maxsplit=3))
            except Interrupted:
                return 0
            except StorageError as error:
                print(error, file=sys.stderr)
                return os.EX_IOERR
            except Exception as error:
                traceback.print_exception(error)
                return DESERTED if is_of_ranks(error) else 1
            os.write(answers, f"{json.dumps(asdict(failure)) if failure else ''}\n".encode())
            if failure:
                return status
    return 0


def _listen(lines: "SimpleQueue[str | None]", stop: StopFlag) -> None:
    for line in sys.stdin:
        lines.put(line.strip())
    stop.set()
    lines.put(None)


def _do(store_root: str, address: str, *team: str) -> tuple[Failure | None, int]:
    """Do a task, alone or together.

    Returns:
        What went wrong in this process, if it is not the first, and the exit status that tells
        whether the first may have met the same.
    """
    if not team:
        run_task(store_root, address)
        return None, 0
    from iddpm.running.ranks import joined
    from studies import runners

    number, count, meeting = int(team[0]), int(team[1]), Path(json.loads(team[2]))
    with joined(number=number, count=count, meeting=meeting, device=runners.device()) as ranks:
        try:
            if number == 0:
                run_task(store_root, address, ranks)
                return None, 0
            met, status = follow_task(store_root, address, ranks), DESERTED
        except (Interrupted, StorageError):
            raise
        except Exception as error:
            if number == 0 or is_of_ranks(error):
                raise
            met, status = error, os.EX_SOFTWARE
    if met is None:
        return None, 0
    failure = failure_of(met, address, "local", peak_mb())
    message = f"process {number + 1} of {count}: {failure.message}"
    return replace(failure, message=message), status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
