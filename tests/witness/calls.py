"""What a piece of work calls, and how much, which no other work on the machine changes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def calls(work: Callable[[], object]) -> int:
    """How many functions of Python and of C this thread calls while it does the work."""
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    with _profiled(seen):
        work()
    return count


def given(function: Callable[..., object], name: str, work: Callable[[], object]) -> list[Any]:
    """What a function of Python is given under a name, at each call of it that the work makes."""
    found = []

    def seen(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is function.__code__:
            found.append(frame.f_locals[name])

    with _profiled(seen):
        work()
    return found


@contextmanager
def _profiled(seen: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        yield
    finally:
        sys.setprofile(before)
