"""What an analysis says of itself before anything is run: what it shows, and what shows it.

Each folder of `studies.analyses` has a room `paper` with an `ANALYSIS`. It is read by whoever plans
a sweep, so it knows no pandas and no matplotlib.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iddpm.config import Hybrid, TrainConfig, Vlb
from studies.published.published import Published
from studies.spec.documents import Scalar
from studies.spec.evaluations import Evaluation
from studies.spec.settings import Leaves, leaves_and_extra, scope, shown
from studies.tables.answer import Answer


@dataclass(frozen=True, slots=True)
class Arm:
    """One planned arm."""

    evaluation: str
    leaves: Leaves
    """Every setting of it by its dotted name, step counts written out."""
    telling: Mapping[str, Scalar]
    """Those that tell it from other arms of the sweep."""
    learned: str | None
    """The Σ that its network learns."""
    knows_bound: bool
    """Whether the bound is part of its objective."""

    def __getitem__(self, name: str) -> Any:
        return self.leaves.get(name)

    def without(self, names: Collection[str]) -> "Arm":
        """The arm as if these settings told it from no other."""
        left = {name: value for name, value in self.telling.items() if name not in names}
        return replace(self, telling=left)


Arms = Sequence[Arm]
Test = Callable[[Arm], bool]


@dataclass(frozen=True, slots=True)
class Need:
    """What a figure or claim is made from: parts of a sweep, and arms that differ as it compares.

    It is necessary, not sufficient: it refuses what cannot be drawn or decided whatever the results
    will be.
    """

    parts: tuple[str, ...] = ()
    """Evaluations, `rivals`, or `train`, the trainings themselves. A figure draws what there is, so
    one of its parts is enough; a claim takes all of its own. What is of the schedules alone needs
    none."""
    arms: str = ""
    """In words that name the settings to vary."""
    settings: tuple[str, ...] = ()
    """What the sweep has of these is told where it is refused."""
    is_met: Callable[[Arms], bool] = lambda arms: True

    def found(self, arms: Arms) -> str:
        """What a sweep has of it, in words."""
        said = []
        for name in self.settings:
            values = {str(arm[name]): None for arm in arms if name in arm.leaves}
            said.append(f"{name} {', '.join(values) if values else 'nowhere'}")
        return f"one with {'; '.join(said)}"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where the paper shows what a sweep asks about; places stand in the paper's order."""

    section: str
    """Its number, or the letter of an appendix."""
    number: int
    """Of the first figure or table, by which places within a section are ordered."""
    shown: str
    """The figures and tables, in words; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One subject of the paper: what a sweep may ask for of it, and what the paper published."""

    figures: Mapping[str, Need] = field(default_factory=dict)
    """By the name of the room that draws it, beside the `paper` room that says so."""
    claims: Mapping[str, Need] = field(default_factory=dict)
    """The `claims` room beside it holds just these."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """How studies are answered at a glance, by the name of the sweep."""
    sentences: Collection[str] = ()
    """Sweeps that no comparison answers: the room `answer` beside this one says what does."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where the paper shows what a sweep asks about, by the name of the sweep."""
    numbers: Callable[[], Iterable[Published]] = tuple
    """Those of its published numbers that a result could stand beside."""


def arms_of(asked: Sequence[tuple[TrainConfig, Evaluation | None]]) -> list[Arm]:
    """The arms of a sweep, as needs look at them."""
    leaves, extra = leaves_and_extra(asked)
    return [
        Arm(
            scope(evaluation),
            {**own, **_whole_chains(own)},
            {**shown(own, extra), "steps": next(iter(_whole_chains(own).values()), None)},
            train.learned_variance,
            isinstance(train.objective, Vlb | Hybrid),
        )
        for (train, evaluation), own in zip(asked, leaves, strict=True)
    ]


def _whole_chains(leaves: Leaves) -> dict[str, Scalar]:
    """Step counts that are not given, which are all T."""
    counts = ("samples.steps", "likelihood.steps")
    return {key: leaves[key] or leaves["train.diffusion.steps"] for key in counts if key in leaves}
