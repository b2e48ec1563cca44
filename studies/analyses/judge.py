"""The claims of the paper, each as a predicate over a study's tables.

A claim says in which region a quantity lies. Its 95% interval over seeds decides: wholly inside the
region supports the claim, wholly outside contradicts it, anything else leaves it open. A claim with
several deciding quantities is supported only if all are inside, and contradicted as soon as one
is outside. One seed has no spread and an exact quantity has no need of one. Where a whole study
has numbers that do not tell, the claim is left open too.
"""

from importlib import import_module

from studies.analyses import index
from studies.analyses.trained import conditional
from studies.judging.looks import BY_LOOKS, by_looks
from studies.judging.verdicts import Claim, Finding, Measured, Untold, UntoldYet, decide
from studies.store.store import StoreError
from studies.tables.groupings import is_done
from studies.tables.tables import Tables

NEWER = "a newer version of this program asked for it: update, or run its sweep again"
OF_SCHEDULES = (
    "It is computed from the schedules alone, without data or networks: they are the paper's, only "
    "the thresholds are this project's."
)
CLAIMS: dict[str, Claim] = {
    name: claim
    for room, analysis in index.ANALYSES.items()
    if analysis.claims
    for name, claim in import_module(f"studies.analyses.{room}.claims").CLAIMS.items()
}


def found(claim: Claim, tables: Tables) -> Measured:
    """What a claim finds in the tables of a study, where its conditions hold."""
    return conditional(claim, claim.measure(tables), tables)


def judge(name: str, tables: Tables) -> Finding:
    """The verdict on one claim of `CLAIMS`, from nothing but the tables.

    Raises:
        StoreError: If there is no such claim: the study asks for it, so a newer version has it.
    """
    if name not in CLAIMS:
        raise StoreError(f"expected a claim that there is, found {name!r}; {NEWER}")
    claim = CLAIMS[name]
    measured = found(claim, tables)
    done = is_done(tables)
    verdict, reason = decide(measured, done=done)
    if measured.measurements:
        reason = " ".join([reason, *measured.remarks])
    if verdict in ("contradicted", "inconclusive"):
        reason = " ".join([reason, *measured.reasons])
        if not index.CLAIMS[name].parts:
            reason += f" {OF_SCHEDULES}"
    if verdict == "not run" and done:
        reason += " Every cell of the study is done: it does not ask for this."
    untold = [what for what in measured.missing if isinstance(what, Untold)]
    seeds = tables.record.get("seeds", ())
    finding = Finding(
        name=name,
        claim=claim,
        verdict=verdict,
        reason=reason,
        measurements=tuple(one.in_order(seeds) for one in measured.measurements),
        is_untold=bool(untold),
        seeds_may_tell=bool(untold) and all(isinstance(what, UntoldYet) for what in untold),
        of_seeds=lambda some: found(claim, tables.of_seeds(some)),
    )
    looks = BY_LOOKS.items() <= tables.record.items()
    return by_looks(finding) if looks else finding
