"""Functions found by the names that a sweep file may say.

`iddpm.config` admits the names, so that a sweep is read without torch; each function stands in the
room where such functions live. To add one is to write it there and to admit its name.
"""

from collections.abc import Callable, Iterable, Mapping
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
