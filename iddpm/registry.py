"""Things found by their names: functions that a sweep file may say, the parts of a front door.

`iddpm.config` admits the names, so that a sweep is read without torch; each function stands in the
room where such functions live. To add one is to write it there and to admit its name.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, TypeVar

Name = TypeVar("Name", bound=str)


def named(
    names: Iterable[Name], room: Mapping[str, Any], function: str = "{}"
) -> dict[Name, Callable[..., Any]]:
    """The function of each name, in the order of the names.

    Args:
        names: Those that are admitted.
        room: The room's `globals()`.
        function: What the function of name `{}` is called.

    Raises:
        LookupError: If the room has no such function.
    """
    names = tuple(names)
    missing = [called for name in names if (called := function.format(name)) not in room]
    if missing:
        raise LookupError(
            f"{room['__name__']}: expected a function {missing[0]}, found none; write it, or take "
            "its name out of iddpm/config.py"
        )
    return {name: room[function.format(name)] for name in names}


def nearest(name: str, names: Iterable[str], *, many: int = 12) -> str:
    """What to try instead of an unknown name: the nearest one, or else the names there are."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    more = ", ..." if len(known) > many else ""
    return f"there are: {', '.join(known[:many])}{more}" if known else "there are none"


def lazily(rooms: Mapping[str, Iterable[str]]) -> tuple[Callable[[str], Any], Callable[[], Any]]:
    """`__getattr__` and `__dir__` of a package whose names are loaded when they are asked for.

    Args:
        rooms: Each module, and the names that come from it.
    """
    places = {name: room for room, names in rooms.items() for name in names}

    def getter(name: str) -> Any:
        if name not in places:
            advice = "" if name.startswith("_") else f"; {nearest(name, places)}"
            raise AttributeError(f"no such name {name!r} in this package{advice}")
        return getattr(import_module(places[name]), name)

    return getter, lambda: sorted(places)
