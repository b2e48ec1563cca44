"""A process that runs the tasks it is told of, one after the other: a slot of the local pool.

It reads one address a line and answers each with an empty line; all else is in the store. When
its input ends, because the pool closes it or has died, it saves at the next step boundary and
leaves. Started by `python -m studies.execute.slot STORE`, so that it shares nothing with
whoever started it: no open file, no half-imported module.
"""

import os
import sys
import threading
from queue import SimpleQueue

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies.execute.signals import StopFlag, stop_requests
from studies.execute.worker import run_task


def main(store_root: str) -> int:
    """Serve until the input ends; the exit status says whether the store could be written."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    addresses: SimpleQueue[str | None] = SimpleQueue()
    with stop_requests() as stop:
        threading.Thread(target=_listen, args=(addresses, stop), daemon=True).start()
        while (address := addresses.get()) is not None:
            try:
                run_task(store_root, address)
            except Interrupted:
                return 0
            except StorageError as error:
                print(error, file=sys.stderr)
                return os.EX_IOERR
            os.write(answers, b"\n")
    return 0


def _listen(addresses: "SimpleQueue[str | None]", stop: StopFlag) -> None:
    for line in sys.stdin:
        addresses.put(line.strip())
    stop.set()
    addresses.put(None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
