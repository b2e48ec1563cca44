"""Every analysis there is, found by listing the folders, and a sweep held against what they need.

What needs no data and no schedule is refused here in one sentence before anything is planned: a
figure or claim that there is not, or that nothing in the sweep can feed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

from iddpm.bounds import ConfigError
from iddpm.config import TrainConfig
from iddpm.data import outline
from studies.analyses.analysis import Analysis, Arms, Need, Place, arms_of
from studies.plan.plan import Plan
from studies.published.published import Published
from studies.spec.arms import ArmSpec
from studies.spec.documents import fault, nearest
from studies.spec.evaluations import Latents
from studies.spec.reading import leaves
from studies.spec.seeds import takes_one_seed
from studies.spec.sweep import SweepSpec
from studies.tables.answer import Answer

ANALYSES: dict[str, Analysis] = {
    path.parent.name: import_module(f"studies.analyses.{path.parent.name}.paper").ANALYSIS
    for path in sorted(Path(__file__).parent.glob("*/paper.py"))
}
"""By the name of the folder."""
FIGURES: dict[str, Need] = {
    name: need for analysis in ANALYSES.values() for name, need in analysis.figures.items()
}
CLAIMS: dict[str, Need] = {
    name: need for analysis in ANALYSES.values() for name, need in analysis.claims.items()
}
ANSWERS: dict[str, Answer] = {
    study: answer for analysis in ANALYSES.values() for study, answer in analysis.answers.items()
}
PLACES: dict[str, Place] = {
    study: place for analysis in ANALYSES.values() for study, place in analysis.places.items()
}


@cache
def numbers() -> tuple[Published, ...]:
    """The numbers of Nichol & Dhariwal (2021, arXiv:2102.09672) that a result could stand beside.

    Those of a table come before those that were read off a figure.
    """
    every = [number for analysis in ANALYSES.values() for number in analysis.numbers()]
    return tuple(sorted(every, key=lambda number: number.tag != "exact"))


def checked(spec: SweepSpec) -> SweepSpec:
    """The sweep, if there are its figures and claims and something in it feeds each of them.

    What the sweep feeds by itself is not refused because a preset or an override leaves out what it
    is made from: its page says so.

    Raises:
        ConfigError: At the first that nothing feeds, with the line of its name.
    """
    _check(spec, "figures", spec.figures, FIGURES)
    _check(spec, "claims", spec.claims, CLAIMS)
    return spec


def _check(spec: SweepSpec, key: str, names: Sequence[str], known: Mapping[str, Need]) -> None:
    for index, name in enumerate(names):
        if name not in known:
            place, instead = spec.origin.names(key).place, nearest(name, list(known))
            raise ConfigError(key, "", f"no such name {name!r}", instead, place)
        whole = key == "claims"
        lack = _lacking(known[name], spec.parts, spec.arms, whole=whole)
        if not lack:
            continue
        alone = spec.origin.as_written()
        if alone and not _lacking(known[name], alone.parts, alone.arms, whole=whole):
            continue
        expected, found = lack
        raise fault(
            spec.origin.name(key, index),
            key,
            f"a sweep that asks for {expected}, which {name!r} is made from",
            found=found,
            hint=f"add it, or leave {name!r} out",
        )


def _lacking(
    need: Need, parts: frozenset[str], arms: Sequence[ArmSpec], *, whole: bool
) -> tuple[str, str] | None:
    """What a sweep lacks and what it has instead, in words; None: it lacks nothing.

    Args:
        need: Of a figure or claim.
        parts: Of the sweep.
        arms: Of the sweep.
        whole: Whether all the parts of the need are needed, or one of them.
    """
    lacking = [part for part in need.parts if part not in parts]
    if lacking and (whole or len(lacking) == len(need.parts)):
        there = f"one that asks for {', '.join(sorted(parts))}"
        return (" and " if whole else " or ").join(lacking), there
    planned = arms_of([(arm.train, arm.evaluation) for arm in arms])
    if need.is_met(planned):
        return None
    return need.arms, need.found(planned) + _also_apart(need, planned)


def _also_apart(need: Need, arms: Arms) -> str:
    """The settings that keep the arms from being compared: without their difference they were."""
    varied = [
        name
        for name in dict.fromkeys(name for arm in arms for name in arm.telling)
        if len({arm.telling.get(name) for arm in arms}) > 1
    ]
    for count in (1, 2):
        for names in combinations(varied, count):
            if need.is_met([arm.without(names) for arm in arms]):
                return f", whose arms differ in {' and '.join(names)} as well"
    return ""


def cautions(plans: Sequence[Plan]) -> list[str]:
    """What to know of the plans before they are run, a sentence for each thing."""
    untuned = [
        f"{plan.study}: the preset {plan.spec.preset}, of the paper's scale, was not tuned for "
        "this sweep, so its grid is a laptop's."
        for plan in plans
        if not plan.spec.tuned
    ]
    told = [f"{plan.study}: data.folder: {line}" for plan in plans for line in _told(plan.spec)]
    told += dict.fromkeys(sentence for plan in plans for sentence in plan.spec.unheard)
    told += [f"{plan.study}: {line}" for plan in plans for line in _confounded(plan.spec)]
    return [*told, *untuned, *_lone_seeds([plan.spec for plan in plans])]


def _lone_seeds(specs: Sequence[SweepSpec]) -> Iterator[str]:
    """Which sweeps have claims that one seed cannot decide, by whether they can have more."""
    alone = [spec for spec in specs if len(spec.seeds) == 1 and _over_seeds(spec)]
    if few := [spec.id for spec in alone if not takes_one_seed(spec.arms)]:
        yield (
            "One seed has no spread, so claims over seeds will be inconclusive (--seeds 0 1 2 asks "
            f"for three): {', '.join(few)}."
        )
    if fixed := [spec.id for spec in alone if takes_one_seed(spec.arms)]:
        yield (
            "A network from a file, or a part with a seed of its own, allows one seed, which has "
            f"no spread, so claims over seeds will be inconclusive: {', '.join(fixed)}."
        )


def _confounded(spec: SweepSpec) -> Iterator[str]:
    """What conditions of the preset change along with a setting that the sweep varies."""
    trained = [arm for arm in spec.arms if not isinstance(arm.evaluation, Latents)]
    for when in dict.fromkeys(when for arm in trained for when in arm.whens):
        asked = " and ".join(
            f"{_dotted(scope, keys)} is {value}" for scope, keys, value in when.rule.conditions
        )
        for keys, _ in leaves(TrainConfig, when.settings["train"], "train"):
            there = {_at(arm.train, keys) for arm in trained if when in arm.whens}
            elsewhere = {_at(arm.train, keys) for arm in trained if when not in arm.whens}
            if elsewhere - there:
                yield (
                    f"the preset {spec.preset} sets {_dotted('train', keys)} to "
                    f"{_values(there)} where {asked}, and elsewhere it is {_values(elsewhere)}: "
                    "arms that differ in the one differ in the other. Set it in the sweep to vary "
                    "one thing alone."
                )


def _dotted(scope: str, keys: Sequence[str]) -> str:
    return ".".join([scope, *(key for key in keys if key != "kind")])


def _at(value: Any, keys: Sequence[str]) -> Any:
    """A setting of a config; a choice that has no such setting has None."""
    for key in keys:
        value = getattr(value, key, None)
    return value


def _values(found: Iterable[Any]) -> str:
    return " or ".join(sorted(map(str, found)))


def _told(spec: SweepSpec) -> list[str]:
    """What was left out, turned or converted of the files that it reads."""
    every = dict.fromkeys(arm.train.data for arm in spec.arms)
    return [line for data in every for line in outline(data).told]


def _over_seeds(spec: SweepSpec) -> bool:
    """Whether a claim needs a spread: those of the schedules alone are exact."""
    return any(CLAIMS[name].parts for name in spec.claims)
