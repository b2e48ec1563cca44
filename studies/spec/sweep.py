"""A sweep file and its preset, read: which arms are compared, over which seeds, and for what.

A sweep asks a question; a preset brings data, a network and budgets. Later layers win: preset,
its conditions, sweep, block, cell, what the preset says of this very sweep, `--set`. Everything is
typed here, and refused here or not at all as far as the words of the files go; what needs the data
or a schedule is checked by the plan.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from iddpm.bounds import MOST_SEED
from iddpm.config import ConfigError, TrainConfig
from studies.spec.combinations import (
    MAX_CELLS,
    VARYING,
    Combination,
    Override,
    Rule,
    checked,
    combinations,
    laid,
    layers_over,
    override,
    refuse_seed,
    rules,
    strongest,
    with_data,
)
from studies.spec.documents import Node, children, fault, nearest, only, parse, read_text, short
from studies.spec.evaluations import SCOPES, Evaluation, Latents
from studies.spec.naming import MOST_BYTES, composed, unseen
from studies.spec.presets import (
    EVALUATIONS,
    PRESET_KEYS,
    Base,
    ForSweep,
    Preset,
    When,
    fixed,
    read_preset,
)
from studies.spec.reading import Written, read
from studies.spec.resources import resources
from studies.spec.rivals import Rival, read_rivals

BLOCK_KEYS = ("train", "evaluate", *VARYING)
SWEEP_KEYS = (
    *("study", "question", "preset", "seeds", *BLOCK_KEYS, "blocks", "figures", "claims"),
    *("rivals", "resources"),
)

TRAIN, RIVALS = "train", "rivals"
"""Parts of a sweep beside its evaluations: the trainings, and what stands beside them."""
PRESETS = Path(__file__).parents[2] / "sweeps" / "presets"
"""Where presets lie when none stand beside the sweep."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configs of an arm were written."""

    train: Written
    evaluation: Written
    """That of the training, if nothing is asked beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSpec:
    """One arm of the comparison, run under every seed of the sweep; its configs hold no seed."""

    train: TrainConfig
    evaluation: Evaluation | None
    """None: nothing is asked beyond the training."""
    origin: Origin = field(compare=False, repr=False)
    resources: tuple[Node, ...] = field(default=(), compare=False, repr=False)
    """What conditions of the preset ask of a cluster for it: layers above the preset's own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a sweep asks for."""

    parts: frozenset[str]
    arms: tuple[ArmSpec, ...]
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class SweepOrigin:
    """Where a sweep was written, so that a check on the whole of it can say so."""

    sweep: Node
    path: Path
    presets_dir: Path | str | None

    def names(self, key: str) -> Node:
        """The list of the figures or claims."""
        return children(self.sweep, "")[key]

    def name(self, key: str, index: int) -> Node:
        """One of them, at its own line."""
        listed = self.names(key).value
        assert isinstance(listed, list)
        return listed[index]

    def as_written(self) -> Asked | None:
        """What the sweep asks for by itself: nothing left out by a preset, nothing set by hand.

        None if it cannot stand by itself.
        """
        try:
            name = _text(self.sweep, "preset")
            preset_path = _preset_path(name, self.path, self.presets_dir)
            _, base = _document(preset_path, "a preset", PRESET_KEYS)
            preset = _layers(base, preset_path, _name(self.sweep, "study"))
            return _asked(self.sweep, replace(preset, rules={}), ForSweep(), [], 1)
        except ConfigError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSpec:
    """A whole sweep under one preset."""

    study: str
    question: str
    preset: str
    description: str
    """The preset's."""
    tuned: bool
    """Whether what is varied is sized for the preset's scale: not if it says nothing of a sweep."""
    seeds: tuple[int, ...]
    parts: frozenset[str]
    """What it asks for: evaluations, `TRAIN`, `RIVALS`; cells that a preset leaves out as well."""
    arms: tuple[ArmSpec, ...]
    rivals: tuple[Rival, ...] = ()
    """What the arms stand beside: a GAN, or images from elsewhere."""
    figures: tuple[str, ...]
    claims: tuple[str, ...]
    resources: tuple[Node, ...] = field(default=(), compare=False, repr=False)
    """What the preset and then the sweep ask of a cluster, as `studies.spec.resources` reads it: a
    layer of each, with nothing in it where it asks for nothing."""
    overrides: tuple[tuple[str, str], ...]
    sweep_path: str
    sweep_text: str
    preset_text: str
    origin: SweepOrigin = field(compare=False, repr=False)

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
    name = composed(preset or _text(sweep, "preset"))
    preset_path = _preset_path(name, path, presets_dir)
    preset_text, base = _document(preset_path, "a preset", PRESET_KEYS)
    study = _name(sweep, "study")
    _refuse_long(sweep, study, name)
    layers = _layers(base, preset_path, study)
    wishes = layers.sweeps.get(study, ForSweep())
    chosen = _seeds(sweep, seeds, wishes.seeds or layers.seeds)
    sets = [_override(key, text) for key, text in overrides]
    asked = _asked(sweep, layers, wishes, sets, len(chosen))
    return SweepSpec(
        study=study,
        question=_text(sweep, "question"),
        preset=name,
        description=_text(base, "description"),
        tuned=layers.scale == "laptop" or study in layers.sweeps,
        seeds=chosen,
        parts=asked.parts,
        arms=asked.arms,
        rivals=asked.rivals,
        figures=_names(sweep, "figures"),
        claims=_names(sweep, "claims"),
        resources=_resources(base, sweep, layers.whens),
        overrides=tuple(overrides),
        sweep_path=str(path),
        sweep_text=sweep_text,
        preset_text=preset_text,
        origin=SweepOrigin(sweep, path, presets_dir),
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
    known: dict[str, list[Path]] = {}
    for path in sorted(presets.glob("*.yaml")):
        known.setdefault(composed(path.stem), []).append(path)
    if (wanted := composed(name)) not in known:
        expected, hint = f"one in {presets}", nearest(name, known)
        raise ConfigError("preset", expected, short(name), hint, str(sweep))
    if letter := unseen(wanted):
        expected = "a name of characters that can be seen"
        raise ConfigError("preset", expected, letter, "rename its file", str(sweep))
    if len(alike := known[wanted]) > 1:
        expected = f"one file of this name in {presets}"
        found = f"{' and '.join(ascii(path.name) for path in alike)}, which look alike"
        raise ConfigError("preset", expected, found, "rename one of them", str(sweep))
    return alike[0]


def _layers(base: Node, path: Path, study: str) -> Preset:
    """The preset of a file, which may be for the study and for the sweeps beside its folder."""
    return read_preset(base, {study, *(file.stem for file in path.parent.parent.glob("*.yaml"))})


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


def _refuse_long(sweep: Node, study: str, preset: str) -> None:
    if (found := len(f"{study}-{preset}".encode())) > MOST_BYTES:
        expected = f"a name that takes at most {MOST_BYTES} bytes with that of the preset"
        hint = "both name files; shorten one of them"
        raise fault(_required(sweep, "study"), "study", expected, found=f"{found}", hint=hint)


def _asked(
    sweep: Node, preset: Preset, wishes: ForSweep, sets: Sequence[Override], seeds: int
) -> Asked:
    overlaid = [*wishes.overrides, *sets]
    rivals = _rivals(sweep, preset, overlaid)
    sweep = wishes.spoken_on(sweep)
    blocks = _blocks(sweep, preset, wishes, overlaid)
    arms = _arms(sweep, blocks, preset, wishes, overlaid, seeds, rivals)
    return Asked(frozenset(_parts(blocks, rivals)), arms, rivals)


def _names(root: Node, key: str) -> tuple[str, ...]:
    """The figures or claims that the sweep asks for; whether there are such is not known here."""
    if (node := children(root, "").get(key)) is None:
        return ()
    names: tuple[str, ...] = read(tuple[str, ...], node, key)
    for i, name in enumerate(names):
        if name in names[:i]:
            raise fault(node, key, "each name once", found=f"{name!r} twice")
    return names


def _resources(base: Node, sweep: Node, whens: Sequence[When]) -> tuple[Node, ...]:
    nothing = Node({}, base.place)
    under, over = (children(file, "").get("resources", nothing) for file in (base, sweep))
    for layer in [nothing, *(when.resources for when in whens if when.resources)]:
        resources([under, layer, over])  # refuses what is wrong in them
    return under, over


def _seeds(root: Node, given: Sequence[int] | None, wished: Node | None) -> tuple[int, ...]:
    node = wished or _required(root, "seeds")
    if given is not None:
        node = Node([Node(seed, "--seeds") for seed in given], "--seeds")
    seeds: tuple[int, ...] = read(tuple[int, ...], node, "seeds")
    if not seeds:
        raise fault(node, "seeds", "at least one seed", found="none")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise fault(node, "seeds", "whole numbers of at least 0, each once")
    if max(seeds) > MOST_SEED:
        raise fault(node, "seeds", f"whole numbers of at most {MOST_SEED}")
    return seeds


def _override(key: str, text: str) -> Override:
    place = f"--set {key}={text:.60}"
    return override(key, parse(text, lambda line: place, "a value"))


def _rivals(sweep: Node, preset: Preset, overrides: Sequence[Override]) -> tuple[Rival, ...]:
    """What the arms stand beside, on the data that the preset or the whole sweep names."""
    found = children(sweep, "")
    if "rivals" not in found:
        return ()
    layers = [checked("train", found["train"], "train")] if "train" in found else []
    held = strongest(overrides, None)
    over = [item for item in held if item.key.split(".")[:2] == ["train", "data"]]
    train = laid(preset.train, [*layers, *layers_over(Node({}, sweep.place), "train", over)])
    return read_rivals(
        found["rivals"],
        data=children(train, "train")["data"],
        gan=preset.gan,
        samples=preset.evaluations.get("samples", Node({}, sweep.place)),
        overrides=held,
    )


# ------------------------------------------------------------------------------------ the blocks


@dataclass(frozen=True, slots=True)
class _Ask:
    """One entry of `evaluate`: an evaluation of every trained network of its block."""

    scope: str
    node: Node
    path: str
    base: Base
    combinations: list[Combination]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Trainings, and what is asked of each of them."""

    node: Node
    path: str
    base: Base
    combinations: list[Combination]
    rules: tuple[Rule, ...]
    asks: list[_Ask]
    overrides: list[Override]
    """Those that hold in this block."""


def _blocks(
    sweep: Node, preset: Preset, wishes: ForSweep, overrides: Sequence[Override]
) -> list[_Block]:
    found = children(sweep, "")
    listed = found["blocks"].value if "blocks" in found else []
    count = len(listed) if isinstance(listed, list) else 0
    chosen = wishes.chosen_blocks(count)
    for item in overrides:
        if item.block is not None and item.block >= count:
            expected = f"a block of the sweep, which has {count or 'none'}"
            raise fault(item.node, item.written, expected, found=f"blocks[{item.block}]")
    if "blocks" not in found:
        return [_block(sweep, "", [sweep], preset, strongest(overrides, None))]
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
        if i in chosen:
            held = strongest(overrides, i)
            blocks.append(_block(node, f"blocks[{i}]", [sweep, node], preset, held))
    return blocks


def _block(
    node: Node, path: str, layers: list[Node], preset: Preset, overrides: list[Override]
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
        Base(preset, "train", trains, "train"),
        combinations(node, path, "train", overrides),
        rules(node, path, "train"),
        _asks(evaluate[-1], where, preset, overrides) if evaluate else [],
        overrides,
    )


def _asks(node: Node, path: str, preset: Preset, overrides: Sequence[Override]) -> list[_Ask]:
    if not isinstance(node.value, list) or not node.value:
        raise fault(node, path, "a list of at least one evaluation", hint="write - samples: {...}")
    return [_ask(item, f"{path}[{i}]", preset, overrides) for i, item in enumerate(node.value)]


def _ask(node: Node, path: str, preset: Preset, overrides: Sequence[Override]) -> _Ask:
    if isinstance(node.value, str):
        node = Node({node.value: Node({}, node.place)}, node.place)
    found = only(node, path, EVALUATIONS)
    if len(found) != 1:
        raise fault(node, path, f"one of {' or '.join(EVALUATIONS)}")
    (scope, section), *_ = found.items()
    path = f"{path}.{scope}"
    return _Ask(
        scope,
        section,
        path,
        Base(preset, scope, [fixed(section, path, scope)], path),
        combinations(section, path, scope, overrides),
        rules(section, path, scope),
    )


# -------------------------------------------------------------------------------------- the arms


class _Arms:
    """The arms of a sweep, gathered block by block.

    Lays the layers of every cell, leaves out what is excluded, refuses a cell that a block has
    twice, and keeps one of those that several blocks have.

    Args:
        preset: Leaves out what is beyond its budget.
        wishes: Its word on this sweep.
        overrides: All that win over the sweep: those of the wishes, and every `--set`.
    """

    def __init__(self, preset: Preset, wishes: ForSweep, overrides: Sequence[Override]) -> None:
        self._preset = preset
        self._wishes = wishes
        self._overrides = overrides
        self._used: set[Rule] = set()
        self._trains: dict[TrainConfig, TrainConfig] = {}
        self._arms: dict[tuple[object, Evaluation | None], ArmSpec] = {}

    def gathered(self) -> tuple[ArmSpec, ...]:
        """All of them.

        Raises:
            ConfigError: If a rule of the preset for this sweep left out none.
        """
        if all(item.of_preset for item in self._overrides):
            _all_used(self._wishes.rules, self._used)
        return tuple(self._arms.values())

    def gather(self, block: _Block) -> None:
        """Add the arms of one block."""
        asks = [
            _Asked(ask, layers_over(ask.node, ask.scope, block.overrides)) for ask in block.asks
        ]
        over_trainings = layers_over(block.node, "train", block.overrides)
        used: set[Rule] = set()
        seen: set[tuple[int, Evaluation | None]] = set()
        trained, reached = 0, False
        for combination in block.combinations:
            plain = block.base.laid((), [*combination.layers, *over_trainings])
            tree = self._tree(block.base, plain, [*combination.layers, *over_trainings])
            if _excluded(combination, block.rules, {"train": tree}, used):
                continue
            trained += 1
            if self._is_beyond("train", {"train": tree}):
                continue
            reached = True
            written = Written(TrainConfig, tree, "train")
            train, resources = self._train(written), self._resources(plain)
            if not asks:
                arm = ArmSpec(train=train, evaluation=None, origin=Origin(written, written))
                self._add(replace(arm, resources=resources), block.node, [combination], seen)
            for asked in asks:
                for inner, arm in asked.arms(train, written, self._is_beyond, used):
                    whole = replace(arm, resources=resources)
                    self._add(whole, asked.ask.node, [combination, inner], seen)
        if not self._overrides:
            _all_used([*block.rules, *(rule for ask in block.asks for rule in ask.rules)], used)
            _some_left(block, trained, asks if reached else [])

    def _tree(self, base: Base, plain: Node, layers: list[Node]) -> Node:
        """The training config of a cell, given the one in which no condition holds."""
        holding = base.holding(plain, {})
        return base.laid(holding, layers) if holding else plain

    def _resources(self, plain: Node) -> tuple[Node, ...]:
        """What conditions ask of a cluster for a cell."""
        return tuple(
            when.resources
            for when in self._preset.whens
            if when.resources and when.rule.matches({"train": plain})
        )

    def _is_beyond(self, scope: str, trees: dict[str, Node]) -> bool:
        """Whether the preset leaves a cell out, be it an included one; notes its rules that do."""
        budget = self._preset.rules.get(scope, ())
        wished = [
            rule for rule in self._wishes.rules if rule.scope == scope and rule.matches(trees)
        ]
        self._used.update(wished)
        return bool(wished) or any(rule.matches(trees) for rule in budget)

    def _train(self, written: Written) -> TrainConfig:
        refuse_seed(written.node, written.path)
        train: TrainConfig = written.read()
        return self._trains.setdefault(train, train)

    def _add(
        self,
        arm: ArmSpec,
        node: Node,
        within: Sequence[Combination],
        seen: set[tuple[int, Evaluation | None]],
    ) -> None:
        key = id(arm.train), arm.evaluation
        if key in seen:
            settings = "; ".join(str(combination) for combination in within if combination.settings)
            found = f"two alike ({settings or 'nothing varies'})"
            raise fault(node, arm.origin.evaluation.path, "each cell once", found=found)
        seen.add(key)
        if isinstance(arm.evaluation, Latents):  # of all the training, these are what it looks at
            self._arms.setdefault(((arm.train.data, arm.train.diffusion), arm.evaluation), arm)
        else:
            self._arms.setdefault(key, arm)


_Key = tuple[int, tuple[When, ...]]
"""Place of a cell among those of its evaluation, and the conditions that hold in it."""

_IsBeyond = Callable[[str, dict[str, Node]], bool]


class _Asked:
    """The cells of one evaluation, each laid and read once for all trainings on the same data."""

    def __init__(self, ask: _Ask, over: list[Node]) -> None:
        self.ask = ask
        self.left = 0
        """Cells met so far that no rule of the sweep leaves out; a preset's may."""
        self._layers = [[*combination.layers, *over] for combination in ask.combinations]
        self._trees: dict[_Key, Node] = {
            (index, ()): ask.base.laid((), layers) for index, layers in enumerate(self._layers)
        }
        self._read: dict[tuple[_Key, int], tuple[Written, Evaluation]] = {}

    def arms(
        self, train: TrainConfig, of_train: Written, is_beyond: _IsBeyond, used: set[Rule]
    ) -> Iterator[tuple[Combination, ArmSpec]]:
        """The arms that this evaluation makes of one training, each with its cell."""
        ask, data = self.ask, of_train.below("data").node
        for index, combination in enumerate(ask.combinations):
            key = self._key(index, of_train.node)
            trees = {"train": of_train.node, ask.scope: self._trees[key]}
            if _excluded(combination, ask.rules, trees, used):
                continue
            self.left += 1
            if is_beyond(ask.scope, trees):
                continue
            written, evaluation = self._evaluation(key, data)
            origin = Origin(of_train, written)
            yield combination, ArmSpec(train=train, evaluation=evaluation, origin=origin)

    def _key(self, index: int, train_tree: Node) -> _Key:
        """Which cell it is under which of the preset's conditions; its tree is laid."""
        holding = self.ask.base.holding(self._trees[index, ()], {"train": train_tree})
        if (key := (index, holding)) not in self._trees:
            self._trees[key] = self.ask.base.laid(holding, self._layers[index])
        return key

    def _evaluation(self, combination: _Key, data: Node) -> tuple[Written, Evaluation]:
        key = combination, id(data)
        if key not in self._read:
            tree = with_data(self._trees[combination], data)
            refuse_seed(tree, self.ask.path)
            written = Written(SCOPES[self.ask.scope], tree, self.ask.path)
            self._read[key] = written, written.read()
        return self._read[key]


def _excluded(
    combination: Combination, own: Sequence[Rule], trees: dict[str, Node], used: set[Rule]
) -> bool:
    """Whether a rule of the sweep leaves the cell out; notes every rule that does."""
    matching = [] if combination.included else [rule for rule in own if rule.matches(trees)]
    used.update(matching)
    return bool(matching)


def _all_used(own: Sequence[Rule], used: set[Rule]) -> None:
    for rule in own:
        if rule not in used:
            expected, found = "a rule that leaves out a cell", "one that matches none"
            raise ConfigError(rule.path, expected, found, "mend or remove it", rule.place)


def _some_left(block: _Block, trained: int, asks: Sequence[_Asked]) -> None:
    """Refuse rules that leave nothing of a block, or of an evaluation: it was written to be run."""
    counts = [(trained, block.node, block.path), *((a.left, a.ask.node, a.ask.path) for a in asks)]
    for count, node, path in counts:
        if not count:
            where = f"{path}.exclude" if path else "exclude"
            raise fault(node, where, "a cell left to run", found="every one excluded")


def _parts(blocks: Sequence[_Block], rivals: Sequence[Rival]) -> set[str]:
    """What the sweep asks for, cells that a preset leaves out as well."""
    asked = {ask.scope for block in blocks for ask in block.asks}
    trains = any(not block.asks for block in blocks) or asked - {"latents"}
    return asked | ({TRAIN} if trains else set()) | ({RIVALS} if rivals else set())


def _arms(
    sweep: Node,
    blocks: Sequence[_Block],
    preset: Preset,
    wishes: ForSweep,
    overrides: Sequence[Override],
    seeds: int,
    rivals: Sequence[Rival],
) -> tuple[ArmSpec, ...]:
    count = (
        sum(len(b.combinations) * (sum(len(a.combinations) for a in b.asks) or 1) for b in blocks)
        * seeds
    )
    if count > MAX_CELLS:
        raise fault(sweep, "grid", f"at most {MAX_CELLS} cells", found=str(count))
    for item in overrides:
        among = [b for b in blocks if item.block is None or b.path == f"blocks[{item.block}]"]
        scopes = {"train", *(ask.scope for block in among for ask in block.asks)}
        scopes |= {rival.kind for rival in rivals}
        if item.scope not in scopes:
            what = "the sweep" if item.block is None else "the block"
            expected = f"a setting of what {what} does ({', '.join(sorted(scopes))})"
            raise fault(item.node, item.written, expected, found=repr(item.scope))
    arms = _Arms(preset, wishes, overrides)
    for block in blocks:
        arms.gather(block)
    if not (gathered := arms.gathered()):
        raise fault(sweep, "exclude", "a cell left to run", found="every one excluded")
    return gathered
