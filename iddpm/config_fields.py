"""What fields of configs are called, and which of them make the address of a task."""

from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from typing import Any, get_args, get_type_hints

NOT_HASHED = {"hashed": False}
"""Metadata of a field that says where something lies, not what it is: no address has it."""
STATED = {"hashed": False, "told": False}
"""Metadata of a field that says what another one holds once it is read: no arm is told by it."""


def written(item: "Field[Any]") -> str:
    """What a sweep file calls a field of a config."""
    return str(item.metadata.get("written", item.name))


@lru_cache
def kinds(choice: Any) -> tuple[str, ...]:
    """The names that a choice between types with a `kind` goes by.

    Args:
        choice: One such type, or a union of them; any other has none.
    """
    members = [item for item in get_args(choice) or (choice,) if is_dataclass(item)]
    hints = (get_type_hints(member).get("kind") for member in members)
    return tuple(name for hint in hints for name in get_args(hint))


def canonical(value: Any) -> Any:
    """What is hashed of a config, as plain JSON values.

    Every field stands under its own name, whatever its default, with two exceptions named in a
    field's metadata: `hashed: False` keeps it out, and `legacy: value` keeps it out while it
    holds that value, so that a field added later leaves the older addresses alone. A whole
    float is written as an integer: 1 and 1.0 are one setting.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, tuple):
        return [canonical(item) for item in value]
    return {
        name: canonical(item)
        for name, legacy in _hashed(value.__class__)
        if (item := getattr(value, name)) is not legacy and (legacy is MISSING or item != legacy)
    }


@lru_cache
def _hashed(config_type: Any) -> tuple[tuple[str, object], ...]:
    """Name and legacy value (MISSING: none) of each field that belongs to the address."""
    return tuple(
        (item.name, item.metadata.get("legacy", MISSING))
        for item in fields(config_type)
        if item.metadata.get("hashed", True)
    )
