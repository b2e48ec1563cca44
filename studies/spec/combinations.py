"""Which combinations of settings a section of a sweep asks for, and which it leaves out.

`grid` combines every value with every other, `zip` takes its lists in step, `include` adds single
combinations and `exclude` leaves out each one that holds all the settings of one of its rules.
The keys are dotted: at the top of a sweep `train.objective`, inside an evaluation `steps`.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iddpm.bounds import ConfigError
from iddpm.evaluation.config import Inception
from studies.spec.documents import Node, children, fault, layered, shown
from studies.spec.evaluations import SCOPES
from studies.spec.reading import Keys, leaves, nested, setting, spelled_out

MAX_CELLS = 20_000
"""How many combinations a sweep may ask for, each counted once per seed. So many are planned in
seconds."""

VARYING = ("grid", "zip", "include", "exclude")
"""The keys of a section that this room reads."""

Setting = tuple[str, Node]
"""A dotted key and its value."""
Condition = tuple[str, Keys, Any]
"""A scope, the names from it down to a setting, and the value that the setting must have."""


@dataclass(frozen=True, slots=True)
class Combination:
    """One combination of the settings that vary."""

    settings: tuple[Setting, ...]
    layers: tuple[Node, ...]
    """The settings as partial configs, to be laid over the fixed settings in this order."""
    included: bool
    """Whether `include` names it, so that the section's `exclude` does not apply."""

    def __str__(self) -> str:
        return ", ".join(f"{key} {shown(node)}" for key, node in self.settings)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Some settings, which stand for every combination that holds all of them."""

    place: str
    path: str
    conditions: tuple[Condition, ...]

    @property
    def scope(self) -> str:
        """The evaluation that the rule leaves out, or `train` if it leaves out whole trainings."""
        scopes = {scope for scope, _, _ in self.conditions} - {"train"}
        return min(scopes, default="train")

    def matches(self, trees: Mapping[str, Node]) -> bool:
        """Whether configs, given as one tree per scope, hold every setting of the rule."""
        return all(
            setting(SCOPES[scope], trees[scope], keys) == value
            for scope, keys, value in self.conditions
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A dotted key whose value wins over the sweep file: a `--set`, or what a preset says of it."""

    key: str
    scope: str
    node: Node
    path: str
    """Where its scope was written: `train`, or `sweeps.my_question.train` in a preset."""
    of_preset: bool
    """Whether a preset says it, so that it is laid beneath every `--set`."""
    block: int | None
    """The one block that the override is for; None: it is for all blocks."""

    @property
    def written(self) -> str:
        """The whole dotted path that the override was written under."""
        return f"{self.path}.{self.key.partition('.')[2]}"

    @property
    def values(self) -> Node:
        """The values that stand in for those of a sweep that varies this very key."""
        is_list = isinstance(self.node.value, list)
        return self.node if is_list else Node([self.node], self.node.place)

    @property
    def is_axis(self) -> bool:
        """Whether the override lists several values of a setting that is no list itself."""
        if not isinstance(self.node.value, list):
            return False
        try:
            self.layer(self.node)
        except ConfigError:
            return True
        return False

    def layer(self, value: Node) -> Node:
        """The partial config that gives the key this value.

        Raises:
            ConfigError: If the key names no setting, or the value is of another type.
        """
        return checked(self.scope, nested(tuple(self.key.split(".")[1:]), value), self.path)

    def part(self, value: Node) -> "_Part":
        """One of the override's values as a part of a combination."""
        key = self.key if self.scope == "train" else self.key.partition(".")[2]
        return key, value, self.layer(value)


def override(key: str, node: Node, *, within: str = "") -> Override:
    """The override of a key that begins with the name of a scope, perhaps after that of a block.

    Args:
        key: The whole dotted key, as `--set` takes it: `train.steps`, `blocks[1].samples.images`.
        node: Its value.
        within: The dotted path of the preset's mapping that holds the key; empty: it is a `--set`.

    Raises:
        ConfigError: If the key begins with no scope.
    """
    block = re.match(r"blocks\[(\d+)\]\.", key)
    setting_key = key[block.end() :] if block else key
    scope, _, rest = setting_key.partition(".")
    if scope not in SCOPES or not rest:
        expected = f"a key that begins with {', '.join(f'{name}.' for name in SCOPES)}"
        raise fault(node, within or key, expected, found=repr(key))
    path = _joined(within, f"{block[0]}{scope}" if block else scope)
    return Override(setting_key, scope, node, path, bool(within), int(block[1]) if block else None)


def strongest(overrides: Sequence[Override], block: int | None) -> list[Override]:
    """The overrides that hold in a block, one for each key.

    Of two for one key, a `--set` wins over a preset's, then one that names the block.

    Args:
        overrides: The overrides of the whole sweep.
        block: Which block; None: the sweep has no blocks.
    """
    held = [item for item in overrides if item.block in (None, block)]
    ordered = sorted(held, key=lambda item: (not item.of_preset, item.block is not None))
    return list({item.key: item for item in ordered}.values())


def layers_over(section: Node, scope: str, overrides: Sequence[Override]) -> list[Node]:
    """The layers that overrides lay over every combination of a section.

    An override that stands in for a list of the section, or brings one, is no layer: it makes
    combinations.

    Raises:
        ConfigError: If one names no setting, or gives it a value of another type.
    """
    chosen = [item for item in _unvaried(section, scope, overrides) if not item.is_axis]
    ordered = sorted(chosen, key=lambda item: (not item.of_preset, _depth(item)))
    return [item.layer(item.node) for item in ordered]


def combinations(
    section: Node, path: str, scope: str, overrides: Sequence[Override]
) -> list[Combination]:
    """Every combination of a section; the one without settings where nothing varies.

    An override's list stands in for the section's list of the same key. Where the section does not
    vary the key, every combination is combined with every value of the list.

    Raises:
        ConfigError: If a list is empty, lists in step differ in length, a key is no setting, a
            value is none of the setting's, or there are more than MAX_CELLS.
    """
    parts = children(section, path)
    axes = [
        *_grid(parts.get("grid"), _joined(path, "grid"), scope, overrides),
        *_zip(parts.get("zip"), _joined(path, "zip"), scope, overrides),
    ]
    added = list(_added(section, scope, overrides))
    count = math.prod(map(len, axes)) * math.prod(map(len, added))
    if count > MAX_CELLS:
        raise fault(section, path or "grid", f"at most {MAX_CELLS} cells", found=str(count))
    own = list(_include(parts.get("include"), _joined(path, "include"), scope))
    if axes or not own:
        own = [_combination(itertools.chain(*row)) for row in itertools.product(*axes)] + own
    return [_with(combination, row) for combination in own for row in itertools.product(*added)]


def rules(section: Node, path: str, scope: str) -> tuple[Rule, ...]:
    """The `exclude` rules of a section.

    Raises:
        ConfigError: If a rule is empty, or names what is no setting.
    """
    node = children(section, path).get("exclude")
    if node is None:
        return ()
    return listed_rules(node, _joined(path, "exclude"), scope)


def listed_rules(node: Node, path: str, scope: str) -> tuple[Rule, ...]:
    """The rules of a list, whose keys are those of the section of a scope.

    Raises:
        ConfigError: If it is no list or an empty one, a rule is empty, or names what is no setting.
    """
    items = enumerate(_nonempty_list(node, path))
    return tuple(_rule(item, f"{path}[{i}]", scope) for i, item in items)


def laid(under: Node, layers: Sequence[Node]) -> Node:
    """Settings with more layers laid upon them, the last one on top."""
    for layer in layers:
        under = layered(under, layer)
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
    """The settings with `data` for a feature network that needs data and names none."""
    extractor = children(tree, "").get("extractor")
    if extractor is None or "data" in (found := children(extractor, "extractor")):
        return tree
    if "kind" in found and found["kind"].value == Inception.__dataclass_fields__["kind"].default:
        return tree  # it comes as it is
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
        yield [[part] for part in _parts(key, values, path, scope, chosen)]


def _parts(key: str, values: Node, path: str, scope: str, chosen: Override | None) -> list["_Part"]:
    """The values of one key, from the file or from the override that stands in for it."""
    if chosen is None:
        options = _nonempty_list(values, f"{path}.{key}")
        return [_part(key, value, path, scope) for value in options]
    where = chosen.written if chosen.of_preset else f"{path}.{key}"
    return [chosen.part(value) for value in _nonempty_list(chosen.values, where)]


def _added(section: Node, scope: str, overrides: Sequence[Override]) -> Iterator[list["_Part"]]:
    """The lists of overrides of keys that the section itself does not vary."""
    for item in sorted(_unvaried(section, scope, overrides), key=_depth):
        if item.is_axis:
            yield [item.part(value) for value in _nonempty_list(item.node, item.written)]


def _unvaried(section: Node, scope: str, overrides: Sequence[Override]) -> list[Override]:
    """The overrides of a scope whose keys the section does not vary."""
    found = children(section, "")
    varied = {
        _whole_key(key, scope)
        for name in ("grid", "zip")
        if name in found
        for key in children(found[name], "")
    }
    return [item for item in overrides if item.scope == scope and item.key not in varied]


def _zip(
    node: Node | None, path: str, scope: str, overrides: Sequence[Override]
) -> Iterator[list[list[_Part]]]:
    if node is None:
        return
    lists = _nonempty(node, path)
    chosen = {key: _override_of(key, scope, overrides) for key in lists}
    columns = {key: _parts(key, values, path, scope, chosen[key]) for key, values in lists.items()}
    first = next((key for key in lists if chosen[key] is None), next(iter(lists)))
    for key, column in columns.items():
        if len(column) != len(columns[first]):
            expected = f"{len(columns[first])} values, as many as {first} has"
            given = chosen[key]
            hint = "give lists for every key of the zip, or of this length" if given else ""
            node = given.node if given else lists[key]
            raise fault(node, f"{path}.{key}", expected, found=str(len(column)), hint=hint)
    yield [list(row) for row in zip(*columns.values(), strict=True)]


def _include(node: Node | None, path: str, scope: str) -> Iterator[Combination]:
    if node is None:
        return
    for i, item in enumerate(_nonempty_list(node, path)):
        where = f"{path}[{i}]"
        parts = [_part(key, value, where, scope) for key, value in _nonempty(item, where).items()]
        yield _combination(parts, included=True)


def _combination(parts: Iterator[_Part] | list[_Part], *, included: bool = False) -> Combination:
    """The shortest keys are laid first, so that `objective.vlb_weight` adjusts `objective`."""
    ordered = sorted(parts, key=_depth)
    settings = tuple((key, node) for key, node, _ in ordered)
    return Combination(settings, tuple(layer for _, _, layer in ordered), included)


def _with(combination: Combination, parts: Sequence[_Part]) -> Combination:
    """The combination with more settings, which win over its own."""
    keys = {key for key, _, _ in parts}
    own = tuple(item for item in combination.settings if item[0] not in keys)
    return Combination(
        (*own, *((key, node) for key, node, _ in parts)),
        (*combination.layers, *(layer for _, _, layer in parts)),
        combination.included,
    )


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


def dotted_rule(node: Node, path: str) -> Rule:
    """A rule whose keys all begin with the name of a scope, as the keys of `--set` do.

    Raises:
        ConfigError: If it is empty, a key begins with no scope, or names no setting.
    """
    conditions: list[Condition] = []
    for key, value in _nonempty(node, path).items():
        scope, _, rest = key.partition(".")
        if scope not in SCOPES or not rest:
            expected = f"a key that begins with {', '.join(f'{name}.' for name in SCOPES)}"
            raise fault(value, path, expected, found=repr(key))
        conditions += _conditions(scope, tuple(rest.split(".")), value, f"{path}.{scope}")
    return Rule(node.place, path, tuple(conditions))


def _rule(node: Node, path: str, scope: str) -> Rule:
    conditions: list[Condition] = []
    for key, value in _nonempty(node, path).items():
        first, *rest = key.split(".")
        inside = first == "train" and rest
        if scope == "train" and not inside:
            raise fault(value, path, "a key that begins with train.", found=repr(key))
        names, owner = (tuple(rest), "train") if inside else ((first, *rest), scope)
        conditions += _conditions(owner, names, value, f"{path}.train" if inside else path)
    return Rule(node.place, path, tuple(conditions))


def _conditions(scope: str, names: Keys, value: Node, path: str) -> Iterator[Condition]:
    layer = spelled_out(SCOPES[scope], nested(names, value), path)
    for keys, leaf in leaves(SCOPES[scope], layer, path):
        yield scope, keys, leaf


def _override_of(key: str, scope: str, overrides: Sequence[Override]) -> Override | None:
    whole = _whole_key(key, scope)
    return next((chosen for chosen in overrides if chosen.key == whole), None)


def _whole_key(key: str, scope: str) -> str:
    """A key of a section, with the scope that it begins with outside of the section."""
    return key if scope == "train" else f"{scope}.{key}"


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
