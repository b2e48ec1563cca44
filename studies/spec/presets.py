"""What a preset brings to every sweep: data, a network and budgets.

It may also say which settings hold only where others do (`when`), which combinations are beyond
its budget (`exclude`), and what a sweep varies when it is run at the preset's scale (`sweeps`).
Its settings are the weakest of all, and the ones under `when` lie just above them. What either says
within a choice (λ of `hybrid`) holds wherever a sweep chooses `hybrid` and does not say λ itself.
What a preset says of one sweep wins over that sweep, and yields to the command line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from studies.spec.combinations import (
    VARYING,
    Override,
    Rule,
    checked,
    combinations,
    dotted_rule,
    laid,
    override,
    rules,
)
from studies.spec.documents import Node, children, completed, fault, items, nearest, only
from studies.spec.evaluations import RIVAL_TYPES, SCOPES
from studies.spec.reading import read, refuse_nameless
from studies.spec.resources import OF_NETWORK

PRESET_KEYS = (
    *("description", "scale", "seeds", "data", "train", "evaluate", "gan", "when", "sweeps"),
    *("half_trained", "resources"),
)
Scale = Literal["laptop", "paper"]
"""What a preset's budgets are sized for. A sweep's own grid is sized for a laptop."""
EVALUATIONS = tuple(scope for scope in SCOPES if scope not in ("train", *RIVAL_TYPES))
OF_SWEEP = ("seeds", "include", "blocks", "exclude", "half_trained")
"""What a preset may say of a sweep beside the values of dotted keys."""


@dataclass(frozen=True, slots=True, eq=False)
class When:
    """Settings that hold wherever some other settings do."""

    rule: Rule
    settings: dict[str, Node]
    """A partial config for each scope that it speaks of."""
    resources: Node | None
    """What is asked of a cluster for a training that holds the others, and for its network."""


@dataclass(frozen=True, slots=True)
class ForSweep:
    """What one sweep varies under this preset."""

    overrides: tuple[Override, ...] = ()
    seeds: Node | None = None
    """None: the seeds that the preset names for all sweeps, or else the sweep's own."""
    include: Node | None = None
    """Trainings that stand in for the ones that the sweep lists under `include`."""
    blocks: Node | None = None
    """The blocks that are run, counted from 0; None: all of them."""
    rules: tuple[Rule, ...] = ()
    """Which combinations are left out."""
    half_trained: Node | None = None
    """The evaluations that are made of networks half trained too; None: the preset's word."""

    def chosen_blocks(self, count: int) -> list[int]:
        """Which of the blocks of a sweep are run, in their order.

        Args:
            count: How many blocks the sweep has.

        Raises:
            ConfigError: If the preset names a block that the sweep does not have.
        """
        if self.blocks is None:
            return list(range(count))
        chosen: tuple[int, ...] = read(tuple[int, ...], self.blocks, "blocks")
        if not chosen or not set(chosen) <= set(range(count)):
            expected = f"some of the sweep's blocks, which are 0 to {count - 1}"
            none = "no such key for a sweep without blocks"
            raise fault(self.blocks, "blocks", expected if count else none)
        return sorted(set(chosen))

    def spoken_on(self, sweep: Node) -> Node:
        """The sweep with the trainings that it is to include."""
        if self.include is None:
            return sweep
        found = children(sweep, "")
        if "include" not in found:
            expected = "a sweep that lists trainings under include, to be replaced"
            raise fault(self.include, "include", expected, found="one that lists none")
        return Node({**found, "include": self.include}, sweep.place)


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset's words, checked as far as they go without a sweep."""

    train: Node
    evaluations: dict[str, Node]
    """By kind of evaluation, the settings that do not vary."""
    rules: dict[str, tuple[Rule, ...]]
    """By kind of evaluation, which combinations of a sweep are beyond the preset's budget."""
    gan: Node
    """The settings of a GAN, if a sweep has one."""
    whens: tuple[When, ...]
    sweeps: dict[str, ForSweep]
    """By name of a study, what its sweep varies."""
    scale: Scale
    seeds: Node | None
    """None: the seeds are the sweep's own."""
    half_trained: Node | None
    """As in `ForSweep`, for all sweeps; None: each sweep's own word."""
    unheard: tuple[str, ...]
    """Of each sweep in `sweeps` that is not there, a sentence: what is said of it has no effect."""

    def under(self, scope: str) -> list[Node]:
        """The fixed settings of a scope; empty for an evaluation that the preset does not name."""
        if scope == "train":
            return [self.train]
        return [self.evaluations[scope]] if scope in self.evaluations else []


def read_preset(root: Node, studies: Iterable[str]) -> Preset:
    """The preset that a document holds.

    Args:
        root: The document, a mapping with keys of `PRESET_KEYS`.
        studies: Names of all studies.

    Raises:
        ConfigError: At the first thing wrong.
    """
    found = children(root, "")
    if "data" not in found:
        raise fault(root, "data", "a value", found="none (it has no default)")
    train = [checked("train", Node({"data": found["data"]}, root.place), "train")]
    if "train" in found:
        train.append(checked("train", found["train"], "train"))
    sections = only(found.get("evaluate", Node({}, root.place)), "evaluate", EVALUATIONS)
    paths = {kind: f"evaluate.{kind}" for kind in sections}
    sweeps = _sweeps(found["sweeps"]) if "sweeps" in found else {}
    return Preset(
        laid(train[0], train[1:]),
        {kind: fixed(node, paths[kind], kind) for kind, node in sections.items()},
        {kind: rules(node, paths[kind], kind) for kind, node in sections.items()},
        checked("gan", found.get("gan", Node({}, root.place)), "gan"),
        tuple(_whens(found.get("when"))),
        sweeps,
        read(Scale, found["scale"], "scale") if "scale" in found else "laptop",
        found.get("seeds"),
        found.get("half_trained"),
        tuple(_unheard(found["sweeps"], sweeps, sorted(studies)) if sweeps else ()),
    )


def fixed(section: Node, path: str, scope: str) -> Node:
    """The settings of an evaluation that do not vary."""
    found = children(section, path)
    kept = {key: child for key, child in found.items() if key not in VARYING}
    return checked(scope, Node(kept, section.place), path)


# ------------------------------------------------------------------ settings that depend on others


class Base:
    """The settings that hold in every combination of a section, by which conditions hold in it.

    A condition is asked of the combination as it is without the settings of any condition. Their
    order therefore matters only where two of them set the same: the later one wins.

    Args:
        preset: Its settings lie lowest, the settings of its conditions above them.
        scope: The scope of the section.
        layers: What the sweep says above that, from weak to strong.
        path: The dotted path of the section.
    """

    def __init__(self, preset: Preset, scope: str, layers: Sequence[Node], path: str) -> None:
        self._under = preset.under(scope)
        self._whens = [when for when in preset.whens if scope in when.settings]
        self._scope = scope
        self.layers = layers
        self._path = path
        self._bases: dict[tuple[When, ...], tuple[Node, Node]] = {}
        self.laid((), [])  # refuses a choice that nothing names

    def holding(self, tree: Node, others: Mapping[str, Node]) -> tuple[When, ...]:
        """The conditions that hold in a combination.

        Args:
            tree: The combination as `laid((), ...)` gives it.
            others: The trees of its other scopes.
        """
        trees = {**others, self._scope: tree}
        return tuple(when for when in self._whens if when.rule.matches(trees))

    def laid(self, whens: tuple[When, ...], layers: Sequence[Node]) -> Node:
        """The settings of a combination in which just these conditions hold.

        Args:
            whens: The conditions.
            layers: What the combination says, from weak to strong.

        Raises:
            ConfigError: If there are settings of a choice that nothing names.
        """
        if whens not in self._bases:
            words = [*self._under, *(when.settings[self._scope] for when in whens)]
            usual = laid(words[0], words[1:]) if words else Node({}, self.layers[0].place)
            base = laid(usual, self.layers)
            refuse_nameless(SCOPES[self._scope], base, self._path)
            self._bases[whens] = usual, base
        usual, base = self._bases[whens]
        return completed(laid(base, layers), usual)


def _whens(node: Node | None) -> Iterable[When]:
    if node is None:
        return
    hint = "write - {if: {...}, train: {...}}"
    for i, item in enumerate(items(node, "when", "a list of at least one", hint)):
        yield _when(item, f"when[{i}]")


def _when(node: Node, path: str) -> When:
    found = only(node, path, ("if", "train", "evaluate", "resources"))
    if "if" not in found:
        raise fault(node, f"{path}.if", "the settings that it depends on", found="none")
    rule = dotted_rule(found["if"], f"{path}.if")
    settings = {}
    if "train" in found:
        settings["train"] = checked("train", found["train"], f"{path}.train")
    if "evaluate" in found:
        for kind, section in only(found["evaluate"], f"{path}.evaluate", EVALUATIONS).items():
            settings[kind] = checked(kind, section, f"{path}.evaluate.{kind}")
    if not settings and "resources" not in found:
        hint = "or of what is asked of a cluster, under resources"
        raise fault(node, path, "settings under train or evaluate", found="none", hint=hint)
    for scope in settings:
        where = f"{path}.train" if scope == "train" else f"{path}.evaluate.{scope}"
        _check_dependence(rule, found["if"], path, where, scope)
    if "resources" in found:
        only(found["resources"], f"{path}.resources", OF_NETWORK)
        _check_dependence(rule, found["if"], path, f"{path}.resources", "train")
    return When(rule, settings, found.get("resources"))


def _check_dependence(rule: Rule, given: Node, path: str, where: str, scope: str) -> None:
    """Refuse a condition on another evaluation than the one at `where`, which depends on it."""
    asked = {of for of, _, _ in rule.conditions} - {"train", scope}
    if asked:
        raise fault(
            given,
            f"{path}.if",
            f"keys that begin with {' or '.join(sorted({'train.', f'{scope}.'}))}, "
            f"which {where} can depend on",
            found=f"one that begins with {min(asked)}.",
        )


# -------------------------------------------------------------------------------- a single sweep


def _sweeps(node: Node) -> dict[str, ForSweep]:
    found = children(node, "sweeps")
    return {study: _for_sweep(item, f"sweeps.{study}") for study, item in found.items()}


def _unheard(node: Node, named: Iterable[str], studies: Sequence[str]) -> Iterator[str]:
    """Sweeps may be renamed or lie elsewhere, which is no reason to refuse the others."""
    found = children(node, "sweeps")
    for name in named:
        if name not in studies:
            place, hint = found[name].place, nearest(name, studies)
            yield f"{place}: sweeps.{name}: no such sweep here, so it changes nothing; {hint}"


def _for_sweep(node: Node, path: str) -> ForSweep:
    found = dict(children(node, path))
    seeds, include, blocks, left_out, half_trained = (found.pop(key, None) for key in OF_SWEEP)
    if include is not None:
        combinations(Node({"include": include}, node.place), path, "train", [])
    for key, item in found.items():
        if "." not in key:
            hint = nearest(key, [*OF_SWEEP, *(f"{scope}." for scope in SCOPES)])
            expected = f"{', '.join(OF_SWEEP)} or a dotted key such as train.steps"
            raise fault(item, path, expected, found=repr(key), hint=hint)
    overrides = tuple(override(key, item, within=path) for key, item in found.items())
    for chosen in overrides:
        values = chosen.values.value if chosen.is_axis else [chosen.node]
        assert isinstance(values, list)
        for value in values:
            chosen.layer(value)
    rules = _left_out(left_out, f"{path}.exclude")
    return ForSweep(overrides, seeds, include, blocks, rules, half_trained)


def _left_out(node: Node | None, path: str) -> tuple[Rule, ...]:
    if node is None:
        return ()
    listed = items(node, path, "a list of at least one rule")
    found = tuple(dotted_rule(item, f"{path}[{i}]") for i, item in enumerate(listed))
    for rule, item in zip(found, listed, strict=True):
        scopes = {scope for scope, _, _ in rule.conditions} - {"train"}
        if len(scopes) > 1:
            expected = "settings of one kind of evaluation"
            raise fault(item, rule.path, expected, found=" and ".join(sorted(scopes)))
    return found
