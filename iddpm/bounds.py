"""The bounds of settings: stated beside each field, and held by one loop.

Every count has an upper bound. It is far above what anybody has asked for, and low enough that
whatever keeps to it is planned in seconds.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from iddpm.field_types import FieldType, field_types, of_type


@dataclass(eq=False)
class ConfigError(ValueError):
    """A setting with a value that is not allowed.

    Its text says where, what was expected and found, what to try.
    """

    path: str
    """The dotted path of the setting, or the option of a command; empty: the place says enough."""
    expected: str
    """What could stand there; empty: nothing could, and `found` says why."""
    found: str
    hint: str = ""
    """What to try."""
    place: str = ""
    """Where the setting was written, `file:line`; empty: whoever raises does not know."""

    def __post_init__(self) -> None:
        """Hands the fields to the exception, which is copied and pickled by them."""
        super().__init__(self.path, self.expected, self.found, self.hint, self.place)

    def __str__(self) -> str:
        problem = f"expected {self.expected}, found {self.found}" if self.expected else self.found
        said = ": ".join(part for part in (self.place, self.path, problem) if part)
        return visible(f"{said}; {self.hint}" if self.hint else said)


def visible(text: str) -> str:
    """The text for a terminal: a character that would steer it, or is not seen, as its escape."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def require(holds: bool, path: str, expected: str, found: object, hint: str = "") -> None:
    """Raise ConfigError unless `holds` is true.

    Raises:
        ConfigError: If it does not hold.
    """
    if not holds:
        text = repr(found)
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise ConfigError(path, expected, shown, hint)


def require_type(path: str, hint: Any, value: object) -> None:
    """Refuse an argument that is not of a type, as a field of a config is refused.

    Raises:
        ConfigError: Naming what the type takes, and what may have been meant.
    """
    where, _, name = path.rpartition(".")
    _hold(of_type(name, hint), where, value)


def _hold(item: FieldType, where: str, value: object) -> None:
    if value.__class__ not in item.classes and not item.fits(value):
        require(False, f"{where}.{item.name}", item.words(), value, item.advice(value))


@dataclass(frozen=True, slots=True)
class Between:
    """A bound of a count, stated beside its field: `Annotated[int, Between(1, 100)]`.

    Every count has an upper bound: a number with three zeros too many is refused at once, and not
    planned until the memory is full.
    """

    least: int
    most: int
    low: str = ""
    """What was expected, where less was found; empty: `at least 1`."""

    def check(self, where: str, value: int) -> None:
        """Refuse a count outside of the bound.

        Raises:
            ConfigError: If it is less or more.
        """
        require(value >= self.least, where, self.low or f"at least {self.least}", value)
        require(value <= self.most, where, f"at most {self.most}", value)


@dataclass(frozen=True, slots=True)
class Where:
    """Something that must hold for a value, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]

    def check(self, where: str, value: object) -> None:
        """Refuse a value for which it does not hold.

        Raises:
            ConfigError: If it does not; the words say what was expected.
        """
        require(self.holds(value), where, self.words, value)


def at_most(most: int) -> Where:
    """The upper bound of a count whose lower one follows from other fields."""
    return Where(f"at most {most}", lambda value: value <= most)


class Bounded:
    """A config whose fields are of their types and keep to the bounds that stand beside them."""

    __slots__ = ()
    where: ClassVar[str]
    """How a message calls the config."""

    def __post_init__(self) -> None:
        """Holds each field against its type and bounds, then the fields against each other."""
        config_type: Any = self.__class__
        for item in field_types(config_type):
            _hold(item, self.where, getattr(self, item.name))
        for name, bounds in _bounds(config_type):
            if (value := getattr(self, name)) is not None:
                for bound in bounds:
                    bound.check(f"{self.where}.{name}", value)
        self._check()

    def _check(self) -> None:
        """Holds the fields against each other.

        Raises:
            ConfigError: If two of them do not go together.
        """


@lru_cache
def _bounds(config_type: Any) -> tuple[tuple[str, tuple[Between | Where, ...]], ...]:
    """Name and bounds of each field that has some."""
    hints = get_type_hints(config_type, include_extras=True)
    found = ((item.name, _of_hint(hints[item.name])) for item in fields(config_type))
    return tuple((name, bounds) for name, bounds in found if bounds)


def _of_hint(hint: Any) -> tuple[Between | Where, ...]:
    if get_origin(hint) is Annotated:
        return tuple(hint.__metadata__)
    return tuple(bound for part in get_args(hint) for bound in _of_hint(part))


# ---------------------------------------------------------------------------- a bound per kind

MOST_IMAGES = 100_000_000
"""Above every set of images that a score or a bound was ever taken over; ImageNet has 1.3 million.
"""
MOST_UPDATES = 100_000_000
"""A hundred times the longest training of the paper."""
MOST_T = 100_000
"""25 times the longest chain of the paper; a sweep is planned with tables of so many steps."""
MOST_CHANNELS = 100_000_000
"""The width of one layer; a network as a whole is bounded by `MOST_PARAMETERS`."""
MOST_PARAMETERS = 100_000_000_000
"""Above the largest diffusion models there are, of some ten thousand million."""
MOST_BATCH = 1_000_000
MOST_CLASSES = 100_000
"""Above ImageNet-21k's 21,843. A label beyond is an identifier, not a class."""
MOST_PIXELS = 4096
"""The side of an image."""
MOST_LEVELS = 16
"""A level of a network halves the side of the one before: 4096 pixels have 13."""
MOST_SEED = 2**53 - 1
"""The last whole number before which tables, JSON and figures hold each exactly."""

Count = Annotated[int, Between(1, MOST_IMAGES)]
Channels = Annotated[int, Between(1, MOST_CHANNELS)]
Few = Annotated[int, Between(1, MOST_CLASSES)]
"""A count of classes, features or neighbours."""
Batch = Annotated[int, Between(1, MOST_BATCH)]
Updates = Annotated[int, Between(1, MOST_UPDATES)]
Steps = Annotated[int, Between(2, MOST_T)]
Some = Annotated[int, Between(2, MOST_IMAGES)]
"""A count of images that have a spread: two or more."""
Seed = Annotated[int, Between(0, MOST_SEED, low="a number of at least 0")]
Block = Annotated[int, at_most(MOST_IMAGES)]
"""The place of a block; the config that has two of them checks their order."""
Multipliers = Annotated[
    tuple[int, ...],
    Where(
        "one multiplier of at least 1 per level", lambda found: len(found) > 0 and min(found) > 0
    ),
    Where(
        f"at most {MOST_LEVELS} multipliers of at most 1000",
        lambda found: len(found) <= MOST_LEVELS and max(found) <= 1000,
    ),
]
Positive = Annotated[float, Where("a positive number", lambda value: 0 < value < math.inf)]
Share = Annotated[float, Where("a share in [0, 1)", lambda value: 0 <= value < 1)]
Betas = Annotated[
    tuple[float, float],
    Where("two numbers in [0, 1)", lambda betas: all(0 <= beta < 1 for beta in betas)),
]
Name = Annotated[
    str,
    Where(
        "small letters, digits, _, - and .",
        lambda name: bool(re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name)),
    ),
    Where("at most 100 letters", lambda name: len(name) <= 100),
]
