"""The claims of the paper, each as a predicate over a study's tables.

A claim says in which region a quantity lies. Its 95% interval over seeds decides: wholly inside the
region supports the claim, wholly outside contradicts it, anything else leaves it open. A claim with
several deciding quantities is supported only if all are inside, and contradicted as soon as one
is outside. One seed has no spread and an exact quantity has no need of one. Where a whole study
has numbers that do not tell, the claim is left open too.

Each room holds what the paper says of one subject.
"""

from studies.claims import (
    architecture,
    best_of_training,
    bound_terms,
    ensemble,
    gradient_noise,
    learned_range,
    learning_curves,
    objectives,
    rivals,
    sample_count,
    sampling,
    scaling,
    schedules,
    short_bounds,
    sigma,
    signal_left,
    skipping,
)
from studies.judging.differences import differences
from studies.judging.verdicts import Claim, Finding, Measurement, decide
from studies.names import CLAIMS as PARTS
from studies.tables.tables import Tables, is_done

__all__ = ["CLAIMS", "Claim", "Finding", "Measurement", "judge"]

CLAIMS: dict[str, Claim] = {
    **schedules.CLAIMS,
    **bound_terms.CLAIMS,
    **sigma.CLAIMS,
    **learned_range.CLAIMS,
    **sampling.CLAIMS,
    **signal_left.CLAIMS,
    **scaling.CLAIMS,
    **objectives.CLAIMS,
    **sample_count.CLAIMS,
    **short_bounds.CLAIMS,
    **best_of_training.CLAIMS,
    **architecture.CLAIMS,
    **gradient_noise.CLAIMS,
    **ensemble.CLAIMS,
    **rivals.CLAIMS,
    **skipping.CLAIMS,
    **learning_curves.CLAIMS,
}


def judge(name: str, tables: Tables) -> Finding:
    """The verdict on one claim of `CLAIMS`, from nothing but the tables."""
    claim = CLAIMS[name]
    measured = claim.measure(tables)
    done = is_done(tables)
    verdict, reason = decide(measured, done=done)
    if measured.measurements:
        reason = " ".join([reason, *measured.remarks])
    if verdict in ("contradicted", "inconclusive"):
        differs = differences(tables, PARTS[name])
        reason = " ".join(filter(None, (reason, *measured.reasons, differs)))
    if verdict == "not run" and done:
        reason += " Every cell of the study is done: it does not ask for this."
    return Finding(
        name=name,
        claim=claim,
        verdict=verdict,
        reason=reason,
        measurements=tuple(measured.measurements),
    )
