"""The arms of a sweep: each combination of its settings, laid upon a preset's settings and read.

A block trains networks and asks evaluations of each of them; a sweep without blocks is one itself.
Its trainings and each of its evaluations are sections: settings that are fixed, combinations of
settings that vary, and rules that leave some combinations out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from iddpm.bounds import ConfigError
from iddpm.config import TrainConfig
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
    refuse_seed,
    rules,
    strongest,
    with_data,
)
from studies.spec.documents import Node, children, fault, items, only
from studies.spec.evaluations import SCOPES, Evaluation, Latents
from studies.spec.imported import imported
from studies.spec.presets import EVALUATIONS, Base, ForSweep, Preset, When, fixed
from studies.spec.reading import Written
from studies.spec.rivals import Rival, read_rivals

BLOCK_KEYS = ("train", "evaluate", *VARYING)
TRAIN, RIVALS = "train", "rivals"
"""The parts of a sweep beside its evaluations: the trainings, and what stands beside them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configs of an arm were written."""

    train: Written
    evaluation: Written
    """The same as `train`, if nothing is asked beyond the training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSpec:
    """One arm of the comparison, run under every seed of the sweep; its configs hold no seed."""

    train: TrainConfig
    """One object for all arms with the same training: a plan knows the training by its `id`."""
    evaluation: Evaluation | None
    """None: nothing is asked beyond the training."""
    origin: Origin = field(compare=False, repr=False)
    resources: tuple[Node, ...] = field(default=(), compare=False, repr=False)
    """What conditions of the preset ask of a cluster for the arm: layers above the preset's own."""
    whens: tuple[When, ...] = field(default=(), compare=False, repr=False)
    """The conditions of the preset that hold for its training."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a sweep asks for."""

    parts: frozenset[str]
    arms: tuple[ArmSpec, ...]
    rivals: tuple[Rival, ...]


def asked(
    sweep: Node, preset: Preset, wishes: ForSweep, sets: Sequence[Override], seeds: int
) -> Asked:
    """All that a sweep asks for under a preset.

    Args:
        sweep: The document.
        preset: Its settings lie below those of the sweep.
        wishes: What the preset says of this very sweep lies above them.
        sets: Every `--set` lies on top.
        seeds: How many seeds each arm is run under.

    Raises:
        ConfigError: At the first thing wrong, or if there is nothing or too much to run.
    """
    overrides = [*wishes.overrides, *sets]
    rivals = _rivals(sweep, preset, overrides)
    sweep = wishes.spoken_on(sweep)
    blocks = _blocks(sweep, preset, wishes, overrides)
    _refuse_many(sweep, blocks, seeds)
    _refuse_pointless(overrides, blocks, rivals)
    arms = _Arms(preset, wishes, overrides)
    for block in blocks:
        arms.gather(block)
    if not (gathered := arms.gathered()):
        raise fault(sweep, "exclude", "a cell left to run", found="every one excluded")
    return Asked(_parts(blocks, rivals), gathered, rivals)


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
class _Section:
    """The trainings of a block, or an evaluation that is asked of each of their networks."""

    scope: str
    node: Node
    path: str
    base: Base
    combinations: list[Combination]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Trainings, and what is asked of each of them."""

    trainings: _Section
    evaluations: list[_Section]
    overrides: list[Override]
    """The overrides that hold in this block."""

    @property
    def cells(self) -> int:
        """How many arms the block has at most."""
        asked = sum(len(section.combinations) for section in self.evaluations)
        return len(self.trainings.combinations) * (asked or 1)

    @property
    def scopes(self) -> set[str]:
        """Which scopes have settings that mean something in this block."""
        return {section.scope for section in (self.trainings, *self.evaluations)}


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
    blocks = []
    for i, node in enumerate(items(found["blocks"], "blocks", "a list of at least one block")):
        only(node, f"blocks[{i}]", BLOCK_KEYS)
        if i in chosen:
            held = strongest(overrides, i)
            blocks.append(_block(node, f"blocks[{i}]", [sweep, node], preset, held))
    return blocks


def _block(
    node: Node, path: str, layers: list[Node], preset: Preset, overrides: list[Override]
) -> _Block:
    """One block. `train` adds to what the layers above it say, `evaluate` stands in its place."""
    above = [children(layer, "") for layer in layers]
    trains = [checked("train", found["train"], "train") for found in above if "train" in found]
    evaluate = [found["evaluate"] for found in above if "evaluate" in found]
    where = f"{path}.evaluate" if path and "evaluate" in above[-1] else "evaluate"
    base = Base(preset, "train", trains, "train")
    return _Block(
        _section("train", node, path, base, overrides),
        _evaluations(evaluate[-1], where, preset, overrides) if evaluate else [],
        overrides,
    )


def _section(
    scope: str, node: Node, path: str, base: Base, overrides: Sequence[Override]
) -> _Section:
    found = combinations(node, path, scope, overrides)
    return _Section(scope, node, path, base, found, rules(node, path, scope))


def _evaluations(
    node: Node, path: str, preset: Preset, overrides: Sequence[Override]
) -> list[_Section]:
    listed = items(node, path, "a list of at least one evaluation", "write - samples: {...}")
    return [_evaluation(item, f"{path}[{i}]", preset, overrides) for i, item in enumerate(listed)]


def _evaluation(node: Node, path: str, preset: Preset, overrides: Sequence[Override]) -> _Section:
    if isinstance(node.value, str):
        node = Node({node.value: Node({}, node.place)}, node.place)
    found = only(node, path, EVALUATIONS)
    if len(found) != 1:
        raise fault(node, path, f"one of {' or '.join(EVALUATIONS)}")
    (scope, settings), *_ = found.items()
    path = f"{path}.{scope}"
    base = Base(preset, scope, [fixed(settings, path, scope)], path)
    return _section(scope, settings, path, base, overrides)


def _parts(blocks: Sequence[_Block], rivals: Sequence[Rival]) -> frozenset[str]:
    """What the sweep asks for, be it that a preset leaves every arm of it out."""
    asked = {section.scope for block in blocks for section in block.evaluations}
    trains = any(not block.evaluations for block in blocks) or asked - {"latents"}
    return frozenset(asked | ({TRAIN} if trains else set()) | ({RIVALS} if rivals else set()))


def _refuse_many(sweep: Node, blocks: Sequence[_Block], seeds: int) -> None:
    count = sum(block.cells for block in blocks) * seeds
    if count > MAX_CELLS:
        raise fault(sweep, "grid", f"at most {MAX_CELLS} cells", found=str(count))


def _refuse_pointless(
    overrides: Sequence[Override], blocks: Sequence[_Block], rivals: Sequence[Rival]
) -> None:
    """Refuse an override of something that neither a block it is for nor a rival does."""
    for item in overrides:
        among = [
            block
            for block in blocks
            if item.block is None or block.trainings.path == f"blocks[{item.block}]"
        ]
        scopes = {"train", *(rival.kind for rival in rivals)}.union(*(b.scopes for b in among))
        if item.scope not in scopes:
            what = "the sweep" if item.block is None else "the block"
            expected = f"a setting of what {what} does ({', '.join(sorted(scopes))})"
            raise fault(item.node, item.written, expected, found=repr(item.scope))


# -------------------------------------------------------------------------------------- the arms


class _Arms:
    """The arms of a sweep, gathered block by block.

    Every combination is laid and read unless a rule leaves it out. A block that has an arm twice
    is refused; of two blocks that have the same arm, the first one keeps it.

    Args:
        preset: Its rules leave out what is beyond its budget.
        wishes: Its rules for this very sweep leave out more.
        overrides: Everything that wins over the sweep: the preset's wishes, and every `--set`.
    """

    def __init__(self, preset: Preset, wishes: ForSweep, overrides: Sequence[Override]) -> None:
        self._preset = preset
        self._wishes = wishes
        self._overrides = overrides
        self._used: set[Rule] = set()
        self._trains: dict[TrainConfig, TrainConfig] = {}
        self._arms: dict[tuple[object, Evaluation | None], ArmSpec] = {}

    def gathered(self) -> tuple[ArmSpec, ...]:
        """The arms of all blocks.

        Raises:
            ConfigError: If a rule of the preset for this sweep left out none.
        """
        if all(item.of_preset for item in self._overrides):
            _refuse_unused(self._wishes.rules, self._used)
        return tuple(self._arms.values())

    def gather(self, block: _Block) -> None:
        """Add the arms of one block.

        Raises:
            ConfigError: If a combination cannot be, or the block has an arm twice; without
                overrides also if one of its rules leaves out nothing, or they leave nothing.
        """
        trainings = block.trainings
        evaluations = [_Evaluations(one, block.overrides) for one in block.evaluations]
        over = layers_over(trainings.node, "train", block.overrides)
        used: set[Rule] = set()
        seen: set[tuple[int, Evaluation | None]] = set()
        trained, reached = 0, False
        for combination in trainings.combinations:
            layers = [*combination.layers, *over]
            plain = trainings.base.laid((), layers)
            holding = trainings.base.holding(plain, {})
            tree = trainings.base.laid(holding, layers) if holding else plain
            tree = imported(tree, [*trainings.base.layers, *layers])
            if _excluded(combination, trainings.rules, {"train": tree}, used):
                continue
            trained += 1
            if self._is_beyond("train", {"train": tree}):
                continue
            reached = True
            written = Written(TrainConfig, tree, "train")
            train, resources = self._train(written), self._resources(plain)
            if not evaluations:
                arm = ArmSpec(train=train, evaluation=None, origin=Origin(written, written))
                self._add(
                    replace(arm, resources=resources, whens=holding), trainings, [combination], seen
                )
            for one in evaluations:
                for inner, arm in one.arms(train, written, self._is_beyond, used):
                    whole = replace(arm, resources=resources, whens=holding)
                    self._add(whole, one.section, [combination, inner], seen)
        if not self._overrides:
            sections = [trainings, *block.evaluations]
            _refuse_unused([rule for section in sections for rule in section.rules], used)
            left = [(trainings, trained), *((one.section, one.left) for one in evaluations)]
            _refuse_emptied(left if reached else left[:1])

    def _resources(self, plain: Node) -> tuple[Node, ...]:
        """What conditions ask of a cluster for a training, given the one in which none holds."""
        return tuple(
            when.resources
            for when in self._preset.whens
            if when.resources and when.rule.matches({"train": plain})
        )

    def _is_beyond(self, scope: str, trees: dict[str, Node]) -> bool:
        """Whether the preset leaves a combination out, even one that the sweep includes by name.

        Its rules for this very sweep that do so count as used.
        """
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
        section: _Section,
        within: Sequence[Combination],
        seen: set[tuple[int, Evaluation | None]],
    ) -> None:
        key = id(arm.train), arm.evaluation
        if key in seen:
            settings = "; ".join(str(combination) for combination in within if combination.settings)
            found = f"two alike ({settings or 'nothing varies'})"
            raise fault(section.node, arm.origin.evaluation.path, "each cell once", found=found)
        seen.add(key)
        if isinstance(arm.evaluation, Latents):  # of all the training, these are what it looks at
            self._arms.setdefault(((arm.train.data, arm.train.diffusion), arm.evaluation), arm)
        else:
            self._arms.setdefault(key, arm)


_Key = tuple[int, tuple[When, ...]]
"""Place of a combination in its section, and the conditions of the preset that hold in it."""

_IsBeyond = Callable[[str, dict[str, Node]], bool]


class _Evaluations:
    """The combinations of one evaluation, each read once for all trainings on the same data."""

    def __init__(self, section: _Section, overrides: Sequence[Override]) -> None:
        self.section = section
        self.left = 0
        """How many combinations the sweep's own rules did not leave out; a preset's may have."""
        over = layers_over(section.node, section.scope, overrides)
        self._layers = [[*combination.layers, *over] for combination in section.combinations]
        self._trees: dict[_Key, Node] = {
            (index, ()): section.base.laid((), layers) for index, layers in enumerate(self._layers)
        }
        self._read: dict[tuple[_Key, int], tuple[Written, Evaluation]] = {}

    def arms(
        self, train: TrainConfig, of_train: Written, is_beyond: _IsBeyond, used: set[Rule]
    ) -> Iterator[tuple[Combination, ArmSpec]]:
        """The arms that this evaluation makes of one training, each with its combination."""
        section, data = self.section, of_train.below("data").node
        for index, combination in enumerate(section.combinations):
            key = self._key(index, of_train.node)
            trees = {"train": of_train.node, section.scope: self._trees[key]}
            if _excluded(combination, section.rules, trees, used):
                continue
            self.left += 1
            if is_beyond(section.scope, trees):
                continue
            written, evaluation = self._evaluation(key, data)
            origin = Origin(of_train, written)
            yield combination, ArmSpec(train=train, evaluation=evaluation, origin=origin)

    def _key(self, index: int, train_tree: Node) -> _Key:
        """The key of a combination beside a training; its tree is laid."""
        holding = self.section.base.holding(self._trees[index, ()], {"train": train_tree})
        if (key := (index, holding)) not in self._trees:
            self._trees[key] = self.section.base.laid(holding, self._layers[index])
        return key

    def _evaluation(self, combination: _Key, data: Node) -> tuple[Written, Evaluation]:
        key = combination, id(data)
        if key not in self._read:
            tree = with_data(self._trees[combination], data)
            refuse_seed(tree, self.section.path)
            written = Written(SCOPES[self.section.scope], tree, self.section.path)
            self._read[key] = written, written.read()
        return self._read[key]


def _excluded(
    combination: Combination, own: Sequence[Rule], trees: dict[str, Node], used: set[Rule]
) -> bool:
    """Whether a rule of its section leaves a combination out; adds all that do to `used`."""
    matching = [] if combination.included else [rule for rule in own if rule.matches(trees)]
    used.update(matching)
    return bool(matching)


def _refuse_unused(own: Sequence[Rule], used: set[Rule]) -> None:
    for rule in own:
        if rule not in used:
            expected, found = "a rule that leaves out a cell", "one that matches none"
            raise ConfigError(rule.path, expected, found, "mend or remove it", rule.place)


def _refuse_emptied(left: Sequence[tuple[_Section, int]]) -> None:
    """Refuse rules that leave nothing of a section: it was written to be run."""
    for section, count in left:
        if not count:
            where = f"{section.path}.exclude" if section.path else "exclude"
            raise fault(section.node, where, "a cell left to run", found="every one excluded")
