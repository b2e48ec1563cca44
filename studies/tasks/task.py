"""A task is one piece of work, and its address is a hash of all that it is.

All that it is: the kind and the version of the kind's code, the whole resolved config with its
defaults, the digests of the data it reads, and the addresses of the tasks it needs, by role. Two
tasks with equal addresses are therefore the same work, done once and shared.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from iddpm.config_fields import canonical
from iddpm.evaluation.config import RadiiConfig, ScoreConfig
from studies.tasks.kinds import KINDS, TaskConfig

SCHEMA_VERSION = 1
"""Of the text that is hashed and of task.json. Raising it moves every address."""

PART = "part"
"""The name of the digest, in place of its usual one, of images that are read in part.

Such a task takes the first of one fixed permutation (`iddpm.data.first_rows`), a task that reads
the whole takes the order of the files. The name is hashed, so the two have different addresses, and
the digest itself says what the files hold for both. Digits and photos are shuffled already: their
parts are the first of their files, and have no such name.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work: what to do, on the results of which other tasks and on which data.

    Raises:
        ValueError: If the kind is unknown, the config is not one of this kind, or a need of a role
            in `DERIVED` is not the one that follows from the rest.
    """

    kind: str
    config: TaskConfig
    inputs: tuple[tuple[str, str], ...] = ()
    """(role, address) of each task whose result it reads, sorted so that shard 10 follows 9; in
    files they are its `needs`."""
    digests: tuple[tuple[str, str], ...] = ()
    """(name, digest) of each data set it reads."""
    after: tuple[str, ...] = field(default=(), compare=False)
    """Addresses of tasks of the same run that are better done first, though this one can do without
    them: the shorter training that a training continues. No part of what the task is."""
    address: str = field(init=False, compare=False)
    """The kind and 16 hex digits: `train-0123456789abcdef`."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"task kind: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        if not isinstance(self.config, KINDS[self.kind].config):
            found = type(self.config).__name__
            raise ValueError(f"{self.kind} task: expected a config of this kind, found {found}")
        object.__setattr__(self, "inputs", tuple(sorted(self.inputs, key=_shortest_first)))
        object.__setattr__(self, "digests", tuple(sorted(self.digests)))
        object.__setattr__(self, "address", _address(self))
        for role, found in self.inputs:
            if role in DERIVED and found != (follows := DERIVED[role](self)):
                raise ValueError(f"{self.kind} task: expected the {role} {follows}, found {found}")

    @property
    def first(self) -> tuple[str, ...]:
        """Addresses of all that is to be done before it: what it needs, and what it comes after."""
        return (*(need for _, need in self.inputs), *self.after)

    @property
    def takes_a_part(self) -> bool:
        """Whether it reads the first images of a fixed permutation of what its digest names."""
        return PART in dict(self.digests)

    @property
    def parents(self) -> dict[str, str]:
        """Address by role of every task that this one needs."""
        return dict(self.inputs)


def following(task: Task, after: tuple[str, ...]) -> Task:
    """The same task, better done after others.

    Args:
        task: A task; its address is its own, and is not computed again.
        after: Addresses of the others.
    """
    found = copy(task)
    object.__setattr__(found, "after", after)
    return found


def radii(reference: str, neighbours: int) -> Task:
    """The task for the radii of real features.

    Args:
        reference: Address of the features.
        neighbours: The k of the scores that read the radii.
    """
    config = RadiiConfig(neighbours=neighbours)
    return Task(kind="radii", config=config, inputs=(("features", reference),))


@lru_cache(maxsize=64)
def _radii_address(reference: str, neighbours: int) -> str:
    return radii(reference, neighbours).address


def _radii_of_score(score: Task) -> str:
    assert isinstance(score.config, ScoreConfig)
    return _radii_address(score.parents["reference"], score.config.neighbours)


DERIVED: dict[str, Callable[[Task], str]] = {"radii": _radii_of_score}
"""Roles of needs that an address leaves out, and from a task to the only address each can have.

The radii of a score are a function of its reference and its k, which the address holds already: a
score is the same score whether it reads them or computes them itself, as scores of older versions
did. In task.json such needs stand apart from the others, under `derived`.
"""


def _inputs(task: Task, *, derived: bool) -> dict[str, str]:
    return {role: need for role, need in task.inputs if (role in DERIVED) == derived}


def _shortest_first(need: tuple[str, str]) -> tuple[int, str]:
    role, _ = need
    return len(role), role


def _address(task: Task) -> str:
    return f"{task.kind}-{hashlib.sha256(identity(task).encode()).hexdigest()[:16]}"


def identity(task: Task) -> str:
    """The text that an address is the hash of: all that the task is, as canonical JSON."""
    whole = {
        "schema": SCHEMA_VERSION,
        "kind": task.kind,
        "version": KINDS[task.kind].version,
        "config": canonical(task.config),
        "needs": _inputs(task, derived=False),
        "digests": dict(task.digests),
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)


def task_json(task: Task) -> dict[str, Any]:
    """The task as JSON, whole: fields that are not hashed included."""
    derived = _inputs(task, derived=True)
    return {
        "schema": SCHEMA_VERSION,
        "address": task.address,
        "kind": task.kind,
        "version": KINDS[task.kind].version,
        "config": _plain(task.config),
        "needs": _inputs(task, derived=False),
        **({"derived": derived} if derived else {}),
        "digests": dict(task.digests),
    }


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def task_from_json(data: Mapping[str, Any]) -> Task:
    """The task that `task_json` wrote.

    Raises:
        ValueError: If it was written by a newer schema or another version of the kind's code, is
            not a task at all, or no longer hashes to its own address.
    """
    schema = data.get("schema")
    if schema != SCHEMA_VERSION:
        raise ValueError(
            f"task: expected schema {SCHEMA_VERSION}, found {schema!r}; "
            "another version of this program wrote it"
        )
    try:
        kind = KINDS[data["kind"]]
        config = _reader(kind.name).validate_json(json.dumps(data["config"]), strict=True)
        task = Task(
            kind=kind.name,
            config=config,
            inputs=(*data["needs"].items(), *data.get("derived", {}).items()),
            digests=tuple(data["digests"].items()),
        )
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise ValueError(f"task: expected the fields of a task, found {error}") from error
    if task.address != data["address"]:
        raise ValueError(
            f"task: expected the address {task.address} (version {kind.version} of "
            f"{kind.name}), found {data['address']!r} (version {data.get('version')!r}); "
            "its config was edited, or another version of this program wrote it"
        )
    return task


@lru_cache
def _reader(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind].config)
