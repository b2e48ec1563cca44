"""Verdicts that may be looked at again and again while seeds are added.

Whoever adds seeds until a 95% interval decides is wrong more often than in 5%. Here the numbers of
seeds at which one looks are fixed beforehand, and any error that is allowed is shared out among
them: by a look at n of N seeds ln(1 + (e - 1) n/N) of it is spent (Lan & DeMets 1983, Biometrika
70, 659-663, their spending function of Pocock's type (1977), which lets early looks decide). Each
look decides by the interval of Student's t that errs in its own share of 5%. By Bonferroni the
intervals of all looks hold the mean at once in 95% or more (Jennison & Turnbull 1989), so that they
decide against any border; and as the shares are those of any level, a p-value over its look's
share is one for all looks, which may enter a family (`studies.judging.families`).

What a look sees is what there was before there were other seeds: milestones, means and conditions
of a claim among them.
"""

import math
from dataclasses import replace
from typing import NamedTuple

from studies.judging.families import DECIDED, ERROR
from studies.judging.verdicts import Finding, Measured, Measurement, Verdict, decide
from studies.tables.intervals import Interval, half_width_per_deviation

LOOKS = (3, 5, 8, 13, 21)
"""Numbers of seeds at which one looks."""
BY_LOOKS = {"rule": "looks"}
"""What the record of a study says whose claims are decided look by look."""


class Look(NamedTuple):
    """The look that gave a verdict."""

    verdict: Verdict
    seeds: int
    seen: Measured
    """With plain intervals of its seeds."""


def spent(seeds: int) -> float:
    """The share of the error that the looks at up to so many seeds have spent together."""
    return math.log1p((math.e - 1) * seeds / LOOKS[-1])


def share(look: int) -> float:
    """The share of the error that a look may spend, one of `LOOKS`."""
    before = LOOKS[: LOOKS.index(look)]
    return spent(look) - (spent(before[-1]) if before else 0.0)


def looked_at(measurement: Measurement, look: int) -> Measurement:
    """A quantity at a look: with the interval by which it decides.

    Args:
        measurement: Of the seeds of the look.
        look: One of `LOOKS`.
    """
    plain = measurement.interval
    if plain.n < 2:
        return measurement
    confidence = 1 - ERROR * share(look)
    wider = half_width_per_deviation(plain.n, confidence=confidence)
    half = plain.half_width * float(wider / half_width_per_deviation(plain.n))
    interval = Interval(plain.mean, plain.mean - half, plain.mean + half, plain.n)
    return replace(measurement, interval=interval)


def looks(finding: Finding) -> list[Look]:
    """What each look sees and says of a claim, up to the first that decides it.

    None of what is exact, of what nothing measures yet, and of fewer seeds than the first look has.
    """
    measured = _asked(finding)
    if not measured or finding.of_seeds is None:
        return []
    all_have = set.intersection(*(set(dict(m.values)) for m in measured))
    seeds = [seed for seed, _ in measured[0].values if seed in all_have]
    found: list[Look] = []
    for look in LOOKS:
        if look > len(seeds) or (found and found[-1].verdict in DECIDED):
            break
        at = finding.of_seeds(seeds[:look])
        wide = Measured([looked_at(m, look) for m in at.measurements], at.missing)
        verdict, _ = decide(wide, done=True)
        found.append(Look(verdict if verdict in DECIDED else "inconclusive", look, at))
    return found


def _asked(finding: Finding) -> list[Measurement]:
    """What is measured over seeds and decides, or would if it told; none where nothing can yet."""
    asked = (m for m in finding.measurements if (m.decides or m.untold) and m.interval.n)
    return [] if finding.verdict == "not run" else list(asked)


def decided_by(finding: Finding) -> tuple[Verdict, int]:
    """The verdict of the first look that decided a claim, and the number of its seeds.

    Of a claim that no look decided it is that of the last look that its seeds allow, of one with
    fewer seeds than the first look inconclusive by 0. What is exact, and what nothing decides yet,
    keeps its verdict.
    """
    if found := looks(finding):
        return found[-1].verdict, found[-1].seeds
    return ("inconclusive" if _asked(finding) else finding.verdict), 0


def by_looks(finding: Finding) -> Finding:
    """A claim as its looks decide it, with what plain intervals of all seeds say."""
    found, numbers = looks(finding), ", ".join(map(str, LOOKS))
    if not _asked(finding):
        return finding
    if not found:
        reason = f"Looked at with {numbers} seeds: there are fewer. {finding.reason}"
        return replace(finding, verdict="inconclusive", reason=reason, share=0.0)
    verdict, look, at_look = found[-1]
    at = f"look {LOOKS.index(look) + 1} of {len(LOOKS)}, at {look} seeds"
    said = f"decides: {verdict}" if verdict in DECIDED else "leaves it open"
    reason = (
        f"Looked at with {numbers} seeds by intervals that hold at every look: "
        f"{at}, {said}. Plain intervals over all seeds: {finding.verdict}. "
        f"{finding.reason}"
    )
    seen = tuple(at_look.measurements)
    return replace(finding, verdict=verdict, reason=reason, look=look, share=share(look), seen=seen)
