"""How long work is watched and stopped: it reports progress, and saves before it stops."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told (done, total) units after each unit of work."""

StopCheck = Callable[[], bool]
"""Asked between units of work; True means: save and raise `Interrupted`."""

TimeCheck = Callable[[float], bool]
"""Asked between units of work with the seconds that saving needs; True means the same: soon there
will be no time for it."""


class Interrupted(Exception):
    """The work was asked to stop and has saved all it had; the same call goes on from there.

    Args:
        message: What was saved.
        saved: Units of the work's progress that are on disk and need not be done again.
    """

    def __init__(self, message: str = "", *, saved: int = 0) -> None:
        super().__init__(message)
        self.saved = saved
