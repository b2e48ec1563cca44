"""Seeds added look by look until the claims of a study are decided: what `run --decide` does.

At each look of `studies.judging.looks` the claims are judged by intervals that hold at every look.
Until the next one the further seeds are run, of those arms alone that a claim still open is
measured on. What is run follows from the results, so that a run that was stopped and is started
again ends with what one run would have.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iddpm.bounds import ConfigError
from studies.analyses.judge import CLAIMS, judge
from studies.judging.families import DECIDED
from studies.judging.looks import BY_LOOKS, LOOKS
from studies.judging.power import seeds_to_decide
from studies.judging.wording import to_decide, unmeasured
from studies.plan.plan import Plan, chained, record
from studies.report.more_seeds import with_more
from studies.spec.seeds import takes_one_seed
from studies.store.store import Store
from studies.tables.tables import Tables, tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the claims of a study stand at a look."""

    decided: tuple[str, ...]
    open: tuple[str, ...]
    """Those that further looks may decide."""
    beyond: Mapping[str, str]
    """Those that no look is expected to decide, and why."""


def asked(plan: Plan) -> dict[str, Any]:
    """The record of a plan whose claims are decided look by look."""
    return record(plan) | BY_LOOKS


def decide(
    store: Store,
    plan_of: Callable[[Sequence[int]], Plan],
    run: Callable[[Plan], bool],
    *,
    is_spent: Callable[[], bool],
    say: Callable[[str], None] = print,
) -> Plan:
    """Run a sweep look by look, until a look has not all its results; the last plan.

    Args:
        store: Where results are.
        plan_of: The plan of the sweep with these seeds; of none: with its own.
        run: Runs a plan, recorded as `asked`; whether all of it is done.
        is_spent: Whether no further look may be begun.
        say: Told where the claims stand at each look.

    Raises:
        ConfigError: If the sweep would be refused with several seeds.
    """
    plan = plan_of(())
    if takes_one_seed(plan.spec.arms):
        expected, found = "a sweep that can have several seeds", "one that allows a single one"
        hint = "its networks are read from files, or a part has a seed of its own"
        raise ConfigError("--decide", expected, found, hint, plan.spec.sweep_path)
    own, arms = plan.spec.seeds, None
    wanted: dict[int, frozenset[str] | None] = {}
    for look in LOOKS:
        seeds = with_more(own, look)
        wanted |= {seed: arms for seed in seeds if seed not in wanted}
        plan = restricted(plan_of(seeds), wanted)
        if not run(plan):
            return plan
        standing = standing_at(store, plan, look)
        say(_told(look, standing))
        if not standing.open or look == LOOKS[-1]:
            break
        if is_spent():
            say("The budget is spent. The same command goes on from there.")
            break
        arms = _arms_of(store, plan, standing.open)
    return plan


def standing_at(store: Store, plan: Plan, look: int) -> Standing:
    """Where the claims of a plan that is done stand at a look.

    After the first look, a claim is beyond reach if more seeds than the last look has would decide
    it at the effect measured, or if what is untold stays so with any seeds; to stop for that errs
    in no verdict.
    """
    study = tables(store, plan.study, asked(plan), plan.tasks)
    decided, still, beyond = [], [], {}
    for name in plan.spec.claims:
        finding = judge(name, study)
        is_far = look > LOOKS[0] and seeds_to_decide(finding) > LOOKS[-1]
        is_lost = finding.is_untold and not finding.seeds_may_tell
        if finding.verdict in DECIDED:
            decided.append(name)
        elif finding.verdict == "not run" or is_far or is_lost:
            beyond[name] = to_decide(finding) or unmeasured(finding)
        else:
            still.append(name)
    return Standing(decided=tuple(decided), open=tuple(still), beyond=beyond)


def _told(look: int, standing: Standing) -> str:
    counts = f"{len(standing.decided)} claims decided, {len(standing.open)} open"
    lines = [f"Look at {look} seeds: {counts}, {len(standing.beyond)} out of reach."]
    lines += [f"    {name}: {why}" for name, why in standing.beyond.items()]
    return "\n".join(lines)


# ------------------------------------------------------------------------------- which arms to run


def restricted(plan: Plan, wanted: Mapping[int, frozenset[str] | None]) -> Plan:
    """The part of a plan that holds some arms of each seed, and all that they need.

    Args:
        plan: Of all arms.
        wanted: By seed: the arms, as `_key` gives them; None: all.
    """

    def is_wanted(arm: Mapping[str, Any], seed: int) -> bool:
        arms = wanted.get(seed)
        return arms is None or _key(arm) in arms

    cells = tuple(cell for cell in plan.cells if is_wanted(cell.arm, cell.seed))
    needed = {a for cell in cells for a in (*cell.tasks.values(), *cell.half_trained.values())}
    for task in reversed(plan.tasks.values()):  # each after all that it needs
        if task.address in needed:
            needed.update(need for _, need in task.inputs)
    tasks = (task for task in plan.tasks.values() if task.address in needed)
    return replace(plan, cells=cells, tasks=chained(tasks))


def _arms_of(store: Store, plan: Plan, claims: Sequence[str]) -> frozenset[str]:
    """The arms without which some of these claims would be measured otherwise."""
    whole = asked(plan)
    usual = _measured(tables(store, plan.study, whole, plan.tasks), claims)
    arms = dict.fromkeys(_key(cell["arm"]) for cell in whole["cells"])

    def matters(arm: str) -> bool:
        cells = [cell for cell in whole["cells"] if _key(cell["arm"]) != arm]
        others = tables(store, plan.study, whole | {"cells": cells}, plan.tasks)
        return _measured(others, claims) != usual

    return frozenset(filter(matters, arms))


def _measured(study: Tables, claims: Sequence[str]) -> list[Any]:
    """What decides these claims: the values by seed, and how much is missing."""
    found = [CLAIMS[name].measure(study) for name in claims]
    return [
        ([one.values for one in each.measurements if one.decides], len(each.missing))
        for each in found
    ]


def _key(arm: Mapping[str, Any]) -> str:
    return json.dumps(arm, sort_keys=True)
