"""Whether a value is of the type of a config's field, and what to write where it is not.

YAML is read strictly; this holds for whoever makes a config in Python. True is no number, a list
is no tuple, and a name is no choice that has settings of its own.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from iddpm.registry import nearest

Fits = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of one field."""

    name: str
    hint: Any
    classes: frozenset[type]
    """Any value of these classes fits, whatever `fits` would say."""
    fits: Fits
    """Whether the field may hold a value."""

    def words(self) -> str:
        """What the field takes, in the words of a message."""
        return _listed(list(dict.fromkeys(_words(self.hint))))

    def advice(self, value: object) -> str:
        """What may have been meant by a value that does not fit; empty: nothing is known."""
        parts = (self.hint, *get_args(self.hint))
        names = [name for part in parts if get_origin(part) is Literal for name in get_args(part)]
        choices = {kind(part): part for part in parts if is_dataclass(part)}
        if isinstance(value, str) and choices:
            called = nearest(value, choices).removeprefix("did you mean '").removesuffix("'?")
            return f"write {_call(choices[called])}" if called in choices else ""
        if isinstance(value, str) and names:
            return nearest(value, names)
        if isinstance(value, list) and self.fits(tuple(value)):
            return f"write {tuple(value)}"
        return ""


@lru_cache
def field_types(config_type: Any) -> tuple[FieldType, ...]:
    """The types of all fields of a config."""
    hints = get_type_hints(config_type)
    return tuple(of_type(item.name, hints[item.name]) for item in fields(config_type))


def of_type(name: str, hint: Any) -> FieldType:
    """A field of this type."""
    return FieldType(name, hint, frozenset(_classes(hint)), _fits(hint))


def _classes(hint: Any) -> set[type]:
    """The classes all of whose values are of a type."""
    if get_origin(hint) in (Literal, tuple):
        return set()
    if get_args(hint):
        return {found for option in get_args(hint) for found in _classes(option)}
    return {float, int} if hint is float else {hint}


@lru_cache
def _fits(hint: Any) -> Fits:
    """The test for a type; types are taken apart once, values are tested for every config."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in options
    if origin is tuple:
        return _fits_in_order(options)
    if options:
        ways = tuple(map(_fits, options))
        return lambda value: any(fits(value) for fits in ways)
    classes = _classes(hint)
    return lambda value: value.__class__ in classes


def _fits_in_order(options: tuple[Any, ...]) -> Fits:
    """The test for a tuple, of any length where an ellipsis ends its type."""
    if options[1:] == (...,):
        first = _fits(options[0])
        return lambda value: isinstance(value, tuple) and all(map(first, value))
    items = tuple(map(_fits, options))
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(items)
        and all(fits(item) for fits, item in zip(items, value, strict=True))
    )


NAMED = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}


def _words(hint: Any) -> list[str]:
    """What a type accepts, an entry for each way."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return [repr(option) for option in options]
    if origin is tuple:
        count = "" if options[1:] == (...,) else f"{len(options)} "
        return [f"a tuple of {count}{NAMED[options[0]].removeprefix('a ')}s"]
    if options:
        return [word for option in options for word in _words(option)]
    return ["None" if hint is NoneType else NAMED.get(hint, hint.__name__)]


def _listed(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def kind(choice: Any) -> str:
    """The name of one of several configs, by which it is chosen; empty: it stands alone."""
    return next((str(item.default) for item in fields(choice) if item.name == "kind"), "")


def _call(choice: Any) -> str:
    """How a choice is made, with a place for each setting that has no default."""
    needed = [
        f"{item.name}=..."
        for item in fields(choice)
        if item.default is MISSING and item.default_factory is MISSING
    ]
    return f"{choice.__name__}({', '.join(needed)})"
