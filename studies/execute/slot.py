"""A process that runs the tasks it is told of, one after the other: a slot of the local pool.

It reads one address a line and answers each with an empty line; all else is in the store. Where
several slots do a task together, the address is followed by this one's number, by how many they
are and by the file where they meet, as JSON. Whichever meets an error records it and leaves.

When its input ends, because the pool closes it or has died, it saves at the next step boundary and
leaves. Started by `python -m studies.execute.slot STORE`, so that it shares nothing with
whoever started it: no open file, no half-imported module.
"""

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies.execute.signals import StopFlag, stop_requests
from studies.execute.worker import (
    DESERTED,
    PARTED,
    PartedError,
    follow_task,
    is_of_ranks,
    run_task,
)


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
                _do(store_root, *line.split(maxsplit=3))
            except Interrupted:
                return 0
            except PartedError:
                return PARTED
            except StorageError as error:
                print(error, file=sys.stderr)
                return os.EX_IOERR
            except Exception as error:
                traceback.print_exception(error)
                return DESERTED if is_of_ranks(error) else 1
            os.write(answers, b"\n")
    return 0


def _listen(lines: "SimpleQueue[str | None]", stop: StopFlag) -> None:
    for line in sys.stdin:
        lines.put(line.strip())
    stop.set()
    lines.put(None)


def _do(store_root: str, address: str, *team: str) -> None:
    """Do a task, alone or together."""
    if not team:
        run_task(store_root, address)
        return
    from iddpm.running.ranks import joined
    from studies import runners

    number, count, meeting = int(team[0]), int(team[1]), Path(json.loads(team[2]))
    with joined(number=number, count=count, meeting=meeting, device=runners.device()) as ranks:
        (follow_task if number else run_task)(store_root, address, ranks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
