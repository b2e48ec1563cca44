"""Asking a run to stop: the signals of a terminal and of a cluster set a flag, nothing more.

Ctrl-C and Ctrl-\\ (SIGINT, SIGQUIT), a terminal that closes (SIGHUP), `kill` (SIGTERM) and a
cluster's warnings are alike in this.

Whoever works looks at the flag where it is safe to stop, at the next step boundary, and leaves
its partial work behind whole. Only a second Ctrl-C interrupts at once.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
OF_TERMINALS = (signal.SIGHUP, signal.SIGQUIT)
"""Left alone where whoever started us has them ignored, as `nohup` and a script's `&` do."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, *OF_TERMINALS, *WARNINGS)

Reason = Literal["cancelled", "timeout"]


class CutOff(KeyboardInterrupt):
    """A run that ended at once: some of its tasks had no time to save.

    Args:
        tasks: How many of them.
    """

    def __init__(self, tasks: int) -> None:
        one = "1 task was cut off; it goes on from its last save"
        many = f"{tasks or 'no'} tasks were cut off; they go on from their last saves"
        super().__init__(f"stopped at once: {one if tasks == 1 else many}")


class StopFlag:
    """Whether a stop was asked for, by a signal or by a call, and why."""

    def __init__(self) -> None:
        self._asked = False  # a plain flag: a lock could be held when the signal comes
        self.reason: Reason = "timeout"
        """`timeout` if the time asked, by a cluster's warning or because it runs out. Until anyone
        asks it is that: where several processes work as one, the others may have been told first.
        """
        self.ends_at = math.inf
        """When the process will be killed, in seconds since 1970, as far as is known."""

    def set(self, reason: Reason = "cancelled") -> None:
        """Ask to stop; of several who ask, the first gives the reason."""
        if not self._asked:
            self.reason = reason
        self._asked = True

    def is_set(self) -> bool:
        """Whether anyone has asked to stop."""
        return self._asked

    def is_due(self, seconds: float) -> bool:
        """Whether fewer seconds than these are left; if so, a stop is asked for."""
        if self.ends_at - time.time() < seconds:
            self.set("timeout")
        return self.is_set()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler.

        Raises:
            KeyboardInterrupt: On Ctrl-C after a stop was asked for already.
        """
        if self.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.set("timeout" if number in WARNINGS else "cancelled")


@contextmanager
def stop_requests() -> Iterator[StopFlag]:
    """A flag that the stop signals set while the context is open; then the old handlers return.

    A context inside another shares its flag. Handlers belong to the main thread: on any other
    the flag is one that no signal sets.
    """
    outer = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    if isinstance(outer, StopFlag):
        yield outer
        return
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    ignored = [n for n in OF_TERMINALS if signal.getsignal(n) is signal.SIG_IGN]
    heard = [number for number in SIGNALS if number not in ignored]
    previous = {number: signal.signal(number, flag.handle) for number in heard}
    try:
        yield flag
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
