"""Configs as plain values, and back: what a file can hold and no code can hide in.

The studies read YAML with pydantic, by line and name; this is for files that a program wrote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, get_args

from iddpm.bounds import ConfigError
from iddpm.field_types import field_types, kind

Config = TypeVar("Config")


def plain(config: Any) -> dict[str, Any]:
    """Every field of a config by name: numbers, text, None, lists and dicts of them."""
    return asdict(config)


def configured(config_type: type[Config], values: Any) -> Config:
    """The config that `plain` was asked of.

    A field that the values lack, as an older version wrote them, is what it stood for then.

    Raises:
        ConfigError: If the values are none of such a config.
    """
    known: Any = config_type
    where = getattr(known, "where", known.__name__)
    if not isinstance(values, Mapping):
        raise ConfigError(where, "settings by name", repr(values))
    hints = {item.name: item.hint for item in field_types(known)}
    if unknown := sorted(values.keys() - hints.keys()):
        raise ConfigError(f"{where}.{unknown[0]}", "", "no such field; a newer version wrote it?")
    found = {name: _value(hints[name], value) for name, value in values.items()}
    for item in fields(known):
        if item.name not in found and "legacy" in item.metadata:
            found[item.name] = item.metadata["legacy"]
        if item.name not in found:
            raise ConfigError(f"{where}.{item.name}", "a value", "none")
    return config_type(**found)


def _value(hint: Any, value: Any) -> Any:
    """A value of a field; its own bounds and types the config holds when it is made."""
    if isinstance(value, Mapping):
        choices: list[Any] = [one for one in get_args(hint) or (hint,) if is_dataclass(one)]
        named = [one for one in choices if kind(one) == value.get("kind", "")]
        if not named:
            raise ConfigError("kind", _listed(choices), repr(value.get("kind")))
        return configured(named[0], value)
    return tuple(value) if isinstance(value, list) else value


def _listed(choices: Sequence[Any]) -> str:
    return " or ".join(map(repr, map(kind, choices))) or "a plain value"
