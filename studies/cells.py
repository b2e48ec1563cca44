"""Which combinations of settings a section of a sweep asks for, and which it leaves out.

`grid` combines every value with every other, `zip` takes its lists in step, `include` adds cells
one by one and `exclude` leaves out every cell that holds all the settings of one of its rules.
The keys are dotted: at the top of a sweep `train.objective`, inside an evaluation `steps`.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iddpm.config import ConfigError
from studies.documents import Node, children, fault, overlaid, shown
from studies.evaluations import SCOPES
from studies.reading import Keys, leaves, nested, setting, spelled_out

MAX_CELLS = 100_000
"""Combinations that one sweep may ask for, seeds counted."""

VARYING = ("grid", "zip", "include", "exclude")
"""The keys of a section that this room reads."""

Setting = tuple[str, Node]
"""A dotted key and its value."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of the settings that vary."""

    settings: tuple[Setting, ...]
    layers: tuple[Node, ...]
    """The same as partial configs, to be laid over the fixed settings in this order."""
    included: bool
    """Named by `include`, so that the section's `exclude` does not apply."""

    def __str__(self) -> str:
        return ", ".join(f"{key} {shown(node)}" for key, node in self.settings)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What `exclude` leaves out: the cells that hold every one of some settings."""

    place: str
    path: str
    conditions: tuple[tuple[str, Keys, Any], ...]
    """(scope, names down to the setting, its value)."""

    def matches(self, trees: Mapping[str, Node]) -> bool:
        """Whether the configs of a cell, one tree per scope, hold every setting of the rule."""
        return all(
            setting(SCOPES[scope], trees[scope], keys) == value
            for scope, keys, value in self.conditions
        )


@dataclass(frozen=True, slots=True)
class Override:
    """One `--set`: a dotted key whose value wins over everything in the files."""

    key: str
    scope: str
    node: Node

    @property
    def values(self) -> Node:
        """The list that stands in for a grid's, where the grid varies this very key."""
        is_list = isinstance(self.node.value, list)
        return self.node if is_list else Node([self.node], self.node.place)


def override(key: str, node: Node) -> Override:
    """The `--set` of a key that begins with the name of a scope.

    Raises:
        ConfigError: If it begins with none, or names no setting.
    """
    scope, _, rest = key.partition(".")
    if scope not in SCOPES or not rest:
        expected = f"a key that begins with {', '.join(f'{name}.' for name in SCOPES)}"
        raise ConfigError(f"{node.place}: {key}: expected {expected}, found {key!r}")
    return Override(key, scope, node)


def overlay(section: Node, scope: str, overrides: Sequence[Override]) -> list[Node]:
    """The overrides as layers over every cell of a section, those of its grid's keys left out.

    Raises:
        ConfigError: If one names no setting, or gives it a value of another type.
    """
    grid = children(section, "").get("grid", Node({}, section.place))
    varied = [_override_of(key, scope, overrides) for key in children(grid, "")]
    chosen = [item for item in overrides if item.scope == scope and item not in varied]
    return [
        checked(scope, nested(tuple(item.key.split(".")[1:]), item.node), scope)
        for item in sorted(chosen, key=_depth)
    ]


def cells(section: Node, path: str, scope: str, overrides: Sequence[Override]) -> list[Cell]:
    """Every cell of a section; the one without settings where nothing varies.

    Raises:
        ConfigError: If a list is empty, lists in step differ in length, a key is no setting, a
            value is none of the setting's, or there are more than MAX_CELLS.
    """
    parts = children(section, path)
    axes = [
        *_grid(parts.get("grid"), _joined(path, "grid"), scope, overrides),
        *_zip(parts.get("zip"), _joined(path, "zip"), scope, overrides),
    ]
    count = math.prod(len(axis) for axis in axes)
    if count > MAX_CELLS:
        raise fault(section, path or "grid", f"at most {MAX_CELLS} cells", found=str(count))
    included = list(_include(parts.get("include"), _joined(path, "include"), scope))
    if not axes and included:
        return included
    return [_cell(itertools.chain(*row)) for row in itertools.product(*axes)] + included


def rules(section: Node, path: str, scope: str) -> tuple[Rule, ...]:
    """The `exclude` rules of a section.

    Raises:
        ConfigError: If a rule is empty, or names what is no setting.
    """
    node = children(section, path).get("exclude")
    if node is None:
        return ()
    path = _joined(path, "exclude")
    items = enumerate(_nonempty_list(node, path))
    return tuple(_rule(item, f"{path}[{i}]", scope) for i, item in items)


def laid(under: Node, layers: Sequence[Node]) -> Node:
    """Layers of settings laid one upon the other, the last on top."""
    for layer in layers:
        under = overlaid(under, layer)
    return under


def refuse_seed(tree: Node, path: str) -> None:
    """Refuse a seed among the settings of a section.

    Raises:
        ConfigError: If there is one.
    """
    if seed := children(tree, path).get("seed"):
        hint = "list seeds under `seeds`: a cell trains, samples and scores with its own"
        raise fault(seed, f"{path}.seed", "no seed here", hint=hint)


def with_data(tree: Node, data: Node) -> Node:
    """A feature network is of the data that is trained on, unless it says otherwise."""
    extractor = children(tree, "").get("extractor")
    if extractor is None or "data" in (found := children(extractor, "extractor")):
        return tree
    return Node(
        {**children(tree, ""), "extractor": Node({**found, "data": data}, extractor.place)},
        tree.place,
    )


# ------------------------------------------------------------------------------------ their parts

_Part = tuple[str, Node, Node]
"""A dotted key, its value, and the partial config that the two stand for."""


def _grid(
    node: Node | None, path: str, scope: str, overrides: Sequence[Override]
) -> Iterator[list[list[_Part]]]:
    if node is None:
        return
    for key, values in _nonempty(node, path).items():
        chosen = _override_of(key, scope, overrides)
        options = _nonempty_list(chosen.values if chosen else values, f"{path}.{key}")
        yield [[_part(key, value, path, scope)] for value in options]


def _zip(
    node: Node | None, path: str, scope: str, overrides: Sequence[Override]
) -> Iterator[list[list[_Part]]]:
    if node is None:
        return
    columns = []
    for key, values in _nonempty(node, path).items():
        if chosen := _override_of(key, scope, overrides):
            hint = "edit the lists in the file"
            expected = "a setting that the sweep does not vary in step"
            raise fault(chosen.node, chosen.key, expected, found="one of its zip", hint=hint)
        items = _nonempty_list(values, f"{path}.{key}")
        columns.append([_part(key, value, path, scope) for value in items])
        if len(items) != len(columns[0]):
            expected = f"{len(columns[0])} values, as many as the first list of the zip has"
            raise fault(values, f"{path}.{key}", expected, found=str(len(items)))
    yield [list(row) for row in zip(*columns, strict=True)]


def _include(node: Node | None, path: str, scope: str) -> Iterator[Cell]:
    if node is None:
        return
    for i, item in enumerate(_nonempty_list(node, path)):
        where = f"{path}[{i}]"
        parts = [_part(key, value, where, scope) for key, value in _nonempty(item, where).items()]
        yield _cell(parts, included=True)


def _cell(parts: Iterator[_Part] | list[_Part], *, included: bool = False) -> Cell:
    """The shortest keys are laid first, so that `objective.vlb_weight` adjusts `objective`."""
    ordered = sorted(parts, key=_depth)
    settings = tuple((key, node) for key, node, _ in ordered)
    return Cell(settings, tuple(layer for _, _, layer in ordered), included)


def _depth(part: "_Part | Override") -> int:
    key = part.key if isinstance(part, Override) else part[0]
    return key.count(".")


def _part(key: str, node: Node, path: str, scope: str) -> _Part:
    names = tuple(key.split("."))
    if scope == "train":
        if names[0] != "train" or len(names) == 1:
            hint = "settings of an evaluation vary inside `evaluate`"
            raise fault(node, path, "a key that begins with train.", found=repr(key), hint=hint)
        path, names = f"{path}.train", names[1:]
    return key, node, checked(scope, nested(names, node), path)


def checked(scope: str, layer: Node, path: str) -> Node:
    """A partial config, spelled out.

    Raises:
        ConfigError: If it names what is no setting, or gives one a value of another type.
    """
    layer = spelled_out(SCOPES[scope], layer, path)
    for _ in leaves(SCOPES[scope], layer, path):
        pass
    return layer


def _rule(node: Node, path: str, scope: str) -> Rule:
    conditions: list[tuple[str, Keys, Any]] = []
    for key, value in _nonempty(node, path).items():
        first, *rest = key.split(".")
        inside = first == "train" and rest
        if scope == "train" and not inside:
            raise fault(value, path, "a key that begins with train.", found=repr(key))
        names, owner = (tuple(rest), "train") if inside else ((first, *rest), scope)
        where = f"{path}.train" if inside else path
        layer = spelled_out(SCOPES[owner], nested(names, value), where)
        conditions += [(owner, keys, leaf) for keys, leaf in leaves(SCOPES[owner], layer, where)]
    return Rule(node.place, path, tuple(conditions))


def _override_of(key: str, scope: str, overrides: Sequence[Override]) -> Override | None:
    full = key if scope == "train" else f"{scope}.{key}"
    return next((chosen for chosen in overrides if chosen.key == full), None)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _nonempty(node: Node, path: str) -> dict[str, Node]:
    found = children(node, path)
    if not found:
        raise fault(node, path, "at least one setting", found="none")
    return found


def _nonempty_list(node: Node, path: str) -> list[Node]:
    if not isinstance(node.value, list):
        raise fault(node, path, "a list", hint="put it in [ ]")
    if not node.value:
        raise fault(node, path, "a list of at least one", found="an empty one")
    return node.value
