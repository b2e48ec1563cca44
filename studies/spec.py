"""A sweep file and its preset, read: which arms are compared, over which seeds, and for what.

A sweep asks a question; a preset brings data, a network and budgets. Later layers win: preset,
sweep, block, cell, `--set`. Everything is typed here, and refused here or not at all as far as
the words of the files go; what needs the data or a schedule is checked by the plan.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iddpm.config import ConfigError, Data, TrainConfig
from studies.cells import (
    MAX_CELLS,
    VARYING,
    Cell,
    Override,
    Rule,
    cells,
    checked,
    laid,
    overlay,
    override,
    refuse_seed,
    rules,
    with_data,
)
from studies.documents import Node, children, fault, nearest, only, parse, read_text
from studies.evaluations import SCOPES, Evaluation
from studies.names import CLAIMS, FIGURES
from studies.reading import placed, read, refuse_nameless
from studies.resources import resources
from studies.rivals import Rival, read_rivals

BLOCK_KEYS = ("train", "evaluate", *VARYING)
SWEEP_KEYS = (
    *("study", "question", "preset", "seeds", *BLOCK_KEYS, "blocks", "figures", "claims"),
    *("rivals", "resources"),
)
PRESET_KEYS = ("description", "data", "train", "evaluate", "gan", "resources")
EVALUATIONS = ("likelihood", "samples", "gradient_noise")

PRESETS = Path(__file__).parents[1] / "sweeps" / "presets"
"""Where presets lie when none stand beside the sweep."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configs of an arm were written, so that a check on them can say so."""

    train: Node
    evaluation: Node
    path: str
    """Dotted path of the evaluation: `evaluate[1].samples`."""

    def placed(self, error: ConfigError, scope: str) -> ConfigError:
        """An error about the config of a scope (or the data), with file, line and dotted path."""
        if scope == "train":
            return placed(error, TrainConfig, self.train, "train")
        if scope == "data":
            return placed(error, Data, children(self.train, "train")["data"], "train.data")
        return placed(error, SCOPES[scope], self.evaluation, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSpec:
    """One arm of the comparison, run under every seed of the sweep; its configs hold no seed."""

    train: TrainConfig
    evaluation: Evaluation | None
    """None: nothing is asked beyond the training."""
    origin: Origin = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSpec:
    """A whole sweep under one preset."""

    study: str
    question: str
    preset: str
    description: str
    """The preset's."""
    seeds: tuple[int, ...]
    arms: tuple[ArmSpec, ...]
    rivals: tuple[Rival, ...] = ()
    """What the arms stand beside: a GAN, or images from elsewhere."""
    figures: tuple[str, ...]
    claims: tuple[str, ...]
    resources: tuple[Node, ...] = field(default=(), compare=False, repr=False)
    """What the preset and then the sweep ask of a cluster, as `studies.resources` reads it."""
    overrides: tuple[tuple[str, str], ...]
    sweep_path: str
    sweep_text: str
    preset_text: str

    @property
    def id(self) -> str:
        """The name of the study in a store."""
        return f"{self.study}-{self.preset}"


# -------------------------------------------------------------------------------- the whole file


def read_sweep(
    path: Path | str,
    *,
    preset: str | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    seeds: Sequence[int] | None = None,
    presets_dir: Path | str | None = None,
) -> SweepSpec:
    """The sweep in a file, under the preset that the caller or the sweep names.

    Args:
        path: The sweep file.
        preset: Name of a preset; None: the one that the sweep names.
        overrides: (dotted key, YAML text) that win over everything. For a key of a grid, they
            stand in for the grid's values.
        seeds: Instead of the sweep's.
        presets_dir: Where presets lie; None: `presets` beside the sweep, else the project's own.

    Raises:
        ConfigError: At the first thing wrong in the two files or the overrides.
    """
    path = Path(path)
    sweep_text, sweep = _document(path, "a sweep file", SWEEP_KEYS)
    name = preset or _text(sweep, "preset")
    preset_path = _preset_path(name, path, presets_dir)
    preset_text, base = _document(preset_path, "a preset", PRESET_KEYS)
    sets = [_override(key, text) for key, text in overrides]
    chosen = _seeds(sweep, seeds)
    budgets = _preset(base)
    rivals = _rivals(sweep, budgets, sets)
    return SweepSpec(
        study=_name(sweep, "study"),
        question=_text(sweep, "question"),
        preset=name,
        description=_text(base, "description"),
        seeds=chosen,
        arms=_arms(sweep, budgets, sets, len(chosen), [rival.kind for rival in rivals]),
        rivals=rivals,
        figures=_known_names(sweep, "figures", FIGURES),
        claims=_known_names(sweep, "claims", CLAIMS),
        resources=_resources([base, sweep]),
        overrides=tuple(overrides),
        sweep_path=str(path),
        sweep_text=sweep_text,
        preset_text=preset_text,
    )


def _document(path: Path, what: str, keys: Sequence[str]) -> tuple[str, Node]:
    text = read_text(path, what)
    root = parse(text, lambda line: f"{path}:{line}", what)
    if not isinstance(root.value, dict):
        raise fault(root, keys[0], f"{what} with keys such as {keys[0]}")
    only(root, "", keys)
    return text, root


def _preset_path(name: str, sweep: Path, folder: Path | str | None) -> Path:
    beside = sweep.parent / "presets"
    presets = Path(folder) if folder else beside if beside.is_dir() else PRESETS
    known = sorted(path.stem for path in presets.glob("*.yaml"))
    if name not in known:
        hint = nearest(name, known)
        raise ConfigError(f"{sweep}: preset: expected one in {presets}, found {name!r}; {hint}")
    return presets / f"{name}.yaml"


def _required(root: Node, key: str) -> Node:
    if key not in (found := children(root, "")):
        raise fault(root, key, "a value", found="none (it has no default)")
    return found[key]


def _text(root: Node, key: str) -> str:
    return str(read(str, _required(root, key), key))


def _name(root: Node, key: str) -> str:
    text = _text(root, key)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        expected = "a name of letters, digits, _, - and . (it names a folder)"
        raise fault(_required(root, key), key, expected)
    return text


def _known_names(root: Node, key: str, known: Sequence[str]) -> tuple[str, ...]:
    node = children(root, "").get(key)
    if node is None:
        return ()
    names: tuple[str, ...] = read(tuple[str, ...], node, key)
    for i, name in enumerate(names):
        if name not in known:
            raise ConfigError(f"{node.place}: {key}: no such name {name!r}; {nearest(name, known)}")
        if name in names[:i]:
            raise fault(node, key, "each name once", found=f"{name!r} twice")
    return names


def _resources(files: Sequence[Node]) -> tuple[Node, ...]:
    layers = tuple(
        found["resources"] for file in files if "resources" in (found := children(file, ""))
    )
    resources(layers)  # refuses what is wrong in them
    return layers


def _seeds(root: Node, given: Sequence[int] | None) -> tuple[int, ...]:
    if given is None:
        node = _required(root, "seeds")
    else:
        node = Node([Node(seed, "--seeds") for seed in given], "--seeds")
    seeds: tuple[int, ...] = read(tuple[int, ...], node, "seeds")
    if not seeds:
        raise fault(node, "seeds", "at least one seed", found="none")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise fault(node, "seeds", "whole numbers of at least 0, each once")
    return seeds


def _override(key: str, text: str) -> Override:
    place = f"--set {key}={text:.60}"
    return override(key, parse(text, lambda line: place, "a value"))


# ------------------------------------------------------------------------------------ the preset


@dataclass(frozen=True, slots=True)
class _Preset:
    train: Node
    evaluations: dict[str, Node]
    """By kind of evaluation: its fixed settings."""
    rules: dict[str, tuple[Rule, ...]]
    """By kind of evaluation: cells that are beyond the preset's budget, if a sweep has them."""
    gan: Node
    """What a GAN is given, if a sweep has one."""


def _preset(base: Node) -> _Preset:
    data = Node({"data": _required(base, "data")}, base.place)
    found = children(base, "")
    train = [checked("train", data, "train")]
    if "train" in found:
        train.append(checked("train", found["train"], "train"))
    sections = only(found.get("evaluate", Node({}, base.place)), "evaluate", EVALUATIONS)
    paths = {kind: f"evaluate.{kind}" for kind in sections}
    return _Preset(
        laid(train[0], train[1:]),
        {kind: _fixed(node, paths[kind], kind) for kind, node in sections.items()},
        {kind: rules(node, paths[kind], kind) for kind, node in sections.items()},
        checked("gan", found.get("gan", Node({}, base.place)), "gan"),
    )


def _fixed(section: Node, path: str, scope: str) -> Node:
    """The settings of an evaluation that do not vary."""
    found = children(section, path)
    fixed = {key: child for key, child in found.items() if key not in VARYING}
    return checked(scope, Node(fixed, section.place), path)


def _rivals(sweep: Node, preset: _Preset, overrides: Sequence[Override]) -> tuple[Rival, ...]:
    """What the arms stand beside, on the data that the preset or the whole sweep names."""
    found = children(sweep, "")
    if "rivals" not in found:
        return ()
    layers = [checked("train", found["train"], "train")] if "train" in found else []
    over = [item for item in overrides if item.key.split(".")[:2] == ["train", "data"]]
    train = laid(preset.train, [*layers, *overlay(Node({}, sweep.place), "train", over)])
    return read_rivals(
        found["rivals"],
        data=children(train, "train")["data"],
        gan=preset.gan,
        samples=preset.evaluations.get("samples", Node({}, sweep.place)),
        overrides=overrides,
    )


# ------------------------------------------------------------------------------------ the blocks


@dataclass(frozen=True, slots=True)
class _Ask:
    """One entry of `evaluate`: an evaluation of every trained network of its block."""

    scope: str
    node: Node
    path: str
    fixed: Node
    cells: list[Cell]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Trainings, and what is asked of each of them."""

    node: Node
    path: str
    train: Node
    cells: list[Cell]
    rules: tuple[Rule, ...]
    asks: list[_Ask]


def _blocks(sweep: Node, preset: _Preset, overrides: Sequence[Override]) -> list[_Block]:
    found = children(sweep, "")
    if "blocks" not in found:
        return [_block(sweep, "", [sweep], preset, overrides)]
    for key in VARYING:
        if key in found:
            hint = "move it into the blocks that it is meant for"
            raise fault(found[key], key, "no such key beside blocks", hint=hint)
    items = found["blocks"].value
    if not isinstance(items, list) or not items:
        raise fault(found["blocks"], "blocks", "a list of at least one block")
    blocks = []
    for i, node in enumerate(items):
        only(node, f"blocks[{i}]", BLOCK_KEYS)
        blocks.append(_block(node, f"blocks[{i}]", [sweep, node], preset, overrides))
    return blocks


def _block(
    node: Node, path: str, layers: list[Node], preset: _Preset, overrides: Sequence[Override]
) -> _Block:
    """One block. `train` adds to what the layers above it say, `evaluate` stands in its place."""
    trains = [
        checked("train", found["train"], "train")
        for layer in layers
        if "train" in (found := children(layer, ""))
    ]
    evaluate = [
        above["evaluate"] for layer in layers if "evaluate" in (above := children(layer, ""))
    ]
    where = f"{path}.evaluate" if path and "evaluate" in children(node, path) else "evaluate"
    return _Block(
        node,
        path,
        _base("train", [preset.train, *trains], "train"),
        cells(node, path, "train", overrides),
        rules(node, path, "train"),
        _asks(evaluate[-1], where, preset, overrides) if evaluate else [],
    )


def _base(scope: str, layers: list[Node], path: str) -> Node:
    """The settings that hold in every cell, before those that vary."""
    base = laid(layers[0], layers[1:])
    refuse_nameless(SCOPES[scope], base, path)
    return base


def _asks(node: Node, path: str, preset: _Preset, overrides: Sequence[Override]) -> list[_Ask]:
    if not isinstance(node.value, list) or not node.value:
        raise fault(node, path, "a list of at least one evaluation", hint="write - samples: {...}")
    return [_ask(item, f"{path}[{i}]", preset, overrides) for i, item in enumerate(node.value)]


def _ask(node: Node, path: str, preset: _Preset, overrides: Sequence[Override]) -> _Ask:
    if isinstance(node.value, str):
        node = Node({node.value: Node({}, node.place)}, node.place)
    found = only(node, path, EVALUATIONS)
    if len(found) != 1:
        raise fault(node, path, f"one of {' or '.join(EVALUATIONS)}")
    (scope, section), *_ = found.items()
    path = f"{path}.{scope}"
    beneath = [preset.evaluations[scope]] if scope in preset.evaluations else []
    return _Ask(
        scope,
        section,
        path,
        _base(scope, [*beneath, _fixed(section, path, scope)], path),
        cells(section, path, scope, overrides),
        rules(section, path, scope),
    )


# -------------------------------------------------------------------------------------- the arms


class _Arms:
    """The arms of a sweep, gathered block by block.

    Lays the layers of every cell, leaves out what is excluded, refuses a cell that a block has
    twice, and keeps one of those that several blocks have.
    """

    def __init__(self, preset: _Preset, overrides: Sequence[Override]) -> None:
        self._preset = preset
        self._overrides = overrides
        self._trains: dict[TrainConfig, TrainConfig] = {}
        self._arms: dict[tuple[int, Evaluation | None], ArmSpec] = {}

    def gathered(self) -> tuple[ArmSpec, ...]:
        return tuple(self._arms.values())

    def gather(self, block: _Block) -> None:
        """Add the arms of one block."""
        asks = [_Asked(ask, overlay(ask.node, ask.scope, self._overrides)) for ask in block.asks]
        over = overlay(block.node, "train", self._overrides)
        used: set[Rule] = set()
        seen: set[tuple[int, Evaluation | None]] = set()
        trained = 0
        for cell in block.cells:
            tree = laid(block.train, [*cell.layers, *over])
            if _excluded(cell, block.rules, {"train": tree}, used):
                continue
            trained += 1
            train = self._train(tree)
            if not asks:
                arm = ArmSpec(train=train, evaluation=None, origin=Origin(tree, tree, "train"))
                self._add(arm, block.node, [cell], seen)
            for asked in asks:
                beyond = self._preset.rules.get(asked.ask.scope, ())
                for inner, arm in asked.arms(train, tree, beyond, used):
                    self._add(arm, asked.ask.node, [cell, inner], seen)
        if not self._overrides:
            _all_used([*block.rules, *(rule for ask in block.asks for rule in ask.rules)], used)
            _some_left(block, trained, asks)

    def _train(self, tree: Node) -> TrainConfig:
        refuse_seed(tree, "train")
        train: TrainConfig = read(TrainConfig, tree, "train")
        return self._trains.setdefault(train, train)

    def _add(
        self,
        arm: ArmSpec,
        node: Node,
        within: Sequence[Cell],
        seen: set[tuple[int, Evaluation | None]],
    ) -> None:
        key = id(arm.train), arm.evaluation
        if key in seen:
            settings = "; ".join(str(cell) for cell in within if cell.settings)
            found = f"two alike ({settings or 'nothing varies'})"
            raise fault(node, arm.origin.path, "each cell once", found=found)
        seen.add(key)
        self._arms.setdefault(key, arm)


class _Asked:
    """The cells of one evaluation, each laid and read once for all trainings on the same data."""

    def __init__(self, ask: _Ask, over: list[Node]) -> None:
        self.ask = ask
        self.left = 0
        """Cells met so far that no rule of the sweep leaves out; a preset's may."""
        self._trees = [laid(ask.fixed, [*cell.layers, *over]) for cell in ask.cells]
        self._read: dict[tuple[int, int], tuple[Node, Evaluation]] = {}

    def arms(
        self, train: TrainConfig, train_tree: Node, beyond: Sequence[Rule], used: set[Rule]
    ) -> Iterator[tuple[Cell, ArmSpec]]:
        """The arms that this evaluation makes of one training, each with its cell."""
        ask = self.ask
        data = children(train_tree, "train")["data"]
        for index, cell in enumerate(ask.cells):
            trees = {"train": train_tree, ask.scope: self._trees[index]}
            if _excluded(cell, ask.rules, trees, used):
                continue
            self.left += 1
            if any(rule.matches(trees) for rule in beyond):
                continue
            tree, evaluation = self._evaluation(index, data)
            origin = Origin(train_tree, tree, ask.path)
            yield cell, ArmSpec(train=train, evaluation=evaluation, origin=origin)

    def _evaluation(self, index: int, data: Node) -> tuple[Node, Evaluation]:
        key = index, id(data)
        if key not in self._read:
            tree = with_data(self._trees[index], data)
            refuse_seed(tree, self.ask.path)
            self._read[key] = tree, read(SCOPES[self.ask.scope], tree, self.ask.path)
        return self._read[key]


def _excluded(cell: Cell, own: Sequence[Rule], trees: dict[str, Node], used: set[Rule]) -> bool:
    """Whether a rule of the sweep leaves the cell out; notes every rule that does."""
    matching = [] if cell.included else [rule for rule in own if rule.matches(trees)]
    used.update(matching)
    return bool(matching)


def _all_used(own: Sequence[Rule], used: set[Rule]) -> None:
    for rule in own:
        if rule not in used:
            expected = "a rule that leaves out a cell"
            raise ConfigError(
                f"{rule.place}: {rule.path}: expected {expected}, found one that matches none; "
                "mend or remove it"
            )


def _some_left(block: _Block, trained: int, asks: Sequence[_Asked]) -> None:
    """Refuse rules that leave nothing of a block, or of an evaluation: it was written to be run."""
    counts = [(trained, block.node, block.path), *((a.left, a.ask.node, a.ask.path) for a in asks)]
    for count, node, path in counts:
        if not count:
            where = f"{path}.exclude" if path else "exclude"
            raise fault(node, where, "a cell left to run", found="every one excluded")


def _arms(
    sweep: Node,
    preset: _Preset,
    overrides: Sequence[Override],
    seeds: int,
    rivals: Sequence[str],
) -> tuple[ArmSpec, ...]:
    blocks = _blocks(sweep, preset, overrides)
    count = sum(len(b.cells) * (sum(len(a.cells) for a in b.asks) or 1) for b in blocks) * seeds
    if count > MAX_CELLS:
        raise fault(sweep, "grid", f"at most {MAX_CELLS} cells", found=str(count))
    scopes = {"train", *(ask.scope for block in blocks for ask in block.asks), *rivals}
    for item in overrides:
        if item.scope not in scopes:
            expected = f"a setting of what the sweep does ({', '.join(sorted(scopes))})"
            raise fault(item.node, item.key, expected, found=repr(item.scope))
    arms = _Arms(preset, overrides)
    for block in blocks:
        arms.gather(block)
    if not (gathered := arms.gathered()):
        raise fault(sweep, "exclude", "a cell left to run", found="every one excluded")
    return gathered
