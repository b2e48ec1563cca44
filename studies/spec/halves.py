"""Which networks are evaluated after half of their training too, and by what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from studies.spec.arms import ArmSpec
from studies.spec.combinations import Rule, listed_rules
from studies.spec.documents import Node, fault, only
from studies.spec.reading import read
from studies.spec.settings import scope

HalfTrained = Literal["likelihood", "samples"]
"""What may be asked of networks after half of their training."""
KINDS: tuple[HalfTrained, ...] = get_args(HalfTrained)
KEY = "half_trained"


@dataclass(frozen=True, slots=True)
class Halves:
    """An evaluation that is made of networks after half of their training too."""

    kind: HalfTrained
    rules: tuple[Rule, ...] | None = None
    """It is made where an arm holds every setting of one of them; None: of every arm."""

    def ask_of(self, arm: ArmSpec) -> bool:
        """Whether it is asked of the network of an arm, which has such a half."""
        return arm.train.source is None and arm.train.steps > 1 and self.stand_for(arm)

    def stand_for(self, arm: ArmSpec) -> bool:
        """Whether an arm is of the evaluation and holds one of its rules."""
        if scope(arm.evaluation) != self.kind:
            return False
        trees = {"train": arm.origin.train.node, self.kind: arm.origin.evaluation.node}
        return self.rules is None or any(rule.matches(trees) for rule in self.rules)

    def idle(self, arms: Sequence[ArmSpec]) -> Iterator[str]:
        """A sentence on each rule that no arm holds: it is mistyped, or its arms are left out."""
        for rule in self.rules or ():
            if not any(map(Halves(self.kind, (rule,)).stand_for, arms)):
                yield f"{rule.place}: {rule.path}: no arm holds this rule, so it asks for nothing"


def read_halves(node: Node, parts: frozenset[str]) -> tuple[Halves, ...]:
    """What a sweep or a preset asks of networks half trained.

    Args:
        node: A list of evaluations, each alone or with the rules of those that are asked for.
        parts: What the sweep asks for, even if a preset leaves out its arms.

    Raises:
        ConfigError: If it is no such list, or has an evaluation twice or one that the sweep does
            not ask for.
    """
    if not isinstance(node.value, list):
        raise fault(node, KEY, f"a list of {' or '.join(map(repr, KINDS))}")
    found = [one for i, item in enumerate(node.value) for one in _halves(item, f"{KEY}[{i}]")]
    for i, one in enumerate(found):
        if one.kind not in parts:
            hint = "ask for it under evaluate, or leave it out here"
            raise fault(node, KEY, "evaluations that the sweep asks for", found=one.kind, hint=hint)
        if one.kind in [other.kind for other in found[:i]]:
            raise fault(node, KEY, "each evaluation once", found=f"{one.kind} twice")
    return tuple(found)


def _halves(item: Node, path: str) -> Iterator[Halves]:
    """`samples` for all of its arms, or `samples: [rules]` for some."""
    if isinstance(item.value, dict) and item.value:
        found = only(item, path, KINDS)
        for kind in KINDS:
            if kind in found:
                yield Halves(kind, listed_rules(found[kind], f"{path}.{kind}", kind))
    else:
        yield Halves(read(HalfTrained, item, path))
