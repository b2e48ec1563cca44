"""The numbers of a claim as people read them, on a page and in a terminal."""

import math
from dataclasses import replace

from scipy.special import expit

from studies.judging.families import p_value
from studies.judging.looks import LOOKS, decided_by
from studies.judging.power import MOST_SEEDS, largest_inside, seeds_to_decide, smallest_effect
from studies.judging.samples import outlying, without
from studies.judging.verdicts import Finding, Measurement
from studies.tables.intervals import t_interval

FEWEST_SEEDS = 3
"""Asked for where there is no spread yet."""


def telling(finding: Finding) -> tuple[Measurement | None, int]:
    """The measurement that stands for a finding, and how many decide it if it does.

    It is the first of those that decide whose own verdict is that of the claim; where none does, as
    a look gave it, the first that decides. What leaves a claim open because it does not tell stands
    for it, as its reason begins with that.
    """
    untold = [m for m in finding.measurements if m.untold]
    if finding.verdict == "inconclusive" and finding.is_untold:
        return next(iter(untold), None), 0
    deciding = [m for m in finding.measurements if m.decides]
    same = [m for m in deciding if m.verdict == finding.verdict] or deciding or untold
    return (same[0], len(deciding)) if same else (None, 0)


def unmeasured(finding: Finding) -> str:
    """What stands in the place of a number where no measurement decides a finding."""
    is_open = finding.verdict == "inconclusive"
    return "the numbers do not tell" if is_open else "nothing is measured yet"


def measured(measurement: Measurement) -> str:
    """`−0.079 bits/dim (−0.094 to −0.063), claimed below 0.000, 3 seeds`.

    What does not tell ends with `: decides nothing here`, and with why, where that is short.
    """
    interval = measurement.interval
    unit = shown_unit(measurement)
    ends = (quantity(end, measurement) for end in (interval.low, interval.high))
    spread = f" ({' to '.join(ends)})" if interval.n > 1 else ""
    seeds = f"{interval.n} seed{'s' if interval.n > 1 else ''}" if interval.n else "exact"
    mean = quantity(interval.mean, measurement)
    said = f"{mean}{'' if unit == '%' else ' '}{unit}{spread}, claimed {region(measurement)}"
    return ": ".join(filter(None, (f"{said}, {seeds}", undecided(measurement))))


def undecided(measurement: Measurement) -> str:
    """That a measurement does not tell, and why where that is short; empty for one that does."""
    because = f", as {measurement.because}" if measurement.because else ""
    return f"decides nothing here{because}" if measurement.untold else ""


def shown_unit(measurement: Measurement) -> str:
    """The unit in which a measurement's numbers are shown."""
    return "%" if measurement.unit == "log odds" else measurement.unit


def tellable(measurement: Measurement) -> str:
    """`below −0.120 or above 0.120`: the means that its seeds tell with 80% power.

    Where a difference must matter and its seeds could tell that none does: `no difference from
    −0.040 to 0.040, below −0.120 or above 0.120`.
    Empty where there is no spread to tell by.
    """
    effect, unbounded = smallest_effect(measurement), math.inf
    if math.isnan(effect):
        return ""
    low, high = measurement.low, measurement.high
    if unbounded in (-low, high):
        border = low if high == unbounded else high
        below, above = (quantity(border + side, measurement) for side in (-effect, effect))
        beyond = f"below {below} or above {above}"
        inside = largest_inside(measurement) if measurement.matters else math.nan
        if math.isnan(inside):
            return beyond
        first, last = (quantity(end, measurement) for end in (-inside, inside))
        return f"no difference from {first} to {last}, {beyond}"
    inside, middle = largest_inside(measurement), (low + high) / 2
    ends = (low - effect, high + effect, middle - inside, middle + inside)
    below, above, first, last = (quantity(end, measurement) for end in ends)
    between = "none between" if math.isnan(inside) else f"{first} to {last}"
    return f"{between}, below {below} or above {above}"


def to_decide(finding: Finding) -> str:
    """How many seeds would decide a claim that is open; empty for one that is not."""
    if finding.verdict != "inconclusive":
        return ""
    if finding.seeds_may_tell:
        return "more seeds may show whether its trainings were long enough"
    if finding.is_untold:
        return "more seeds alone would not decide it"
    seeds = seeds_to_decide(finding)
    if math.isnan(seeds):
        return f"{FEWEST_SEEDS} seeds would show the spread"
    number = f"about {seeds:.0f}" if math.isfinite(seeds) else f"more than {MOST_SEEDS}"
    return f"{number} seeds would decide it at the effect measured"


def among(finding: Finding, adjusted: float) -> str:
    """`p = 0.012, 0.036 among all`: alone and in a family; empty for what belongs to none."""
    if math.isnan(adjusted):
        return ""
    return f"{_p(p_value(finding))}, {_p(adjusted).removeprefix('p = ')} among all"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.995 else "p = 1"


def looked(finding: Finding) -> str:
    """A sentence on what holds if seeds were added after a look; empty where none can have been."""
    seeds = [m.interval.n for m in finding.measurements if m.decides and m.interval.n]
    if finding.look or not seeds or min(seeds) <= LOOKS[0] or finding.verdict == "not run":
        return ""
    verdict, look = decided_by(finding)
    looks = ", ".join(map(str, LOOKS))
    return (
        f"If seeds were added after looking, intervals that hold at every look at {looks} seeds "
        f"decide: {verdict} by the look at {look}."
    )


def apart(measurement: Measurement) -> str:
    """A sentence that one seed stands apart, so that the interval rests on it; else empty."""
    if (seed := outlying(measurement)) is None:
        return ""
    rest = quantity(without(dict(measurement.values), seed), measurement)
    return (
        f"Seed {seed} stands apart from the others and the interval rests on it; without it the "
        f"mean is {rest}."
    )


def on_its_way(measurement: Measurement) -> str:
    """What a quantity was, and what it would be; empty where it was not measured half trained.

    `after half of the training it was −0.051 (−0.070 to −0.032); another doubling that moved it as
    far again would leave −0.107 (−0.130 to −0.084)`.
    """
    doubled = measurement.after(1)
    if doubled is None:
        return ""
    halves = replace(measurement, interval=t_interval([v for _, v in measurement.half_trained]))
    before, after = (_with_ends(one) for one in (halves, doubled))
    return (
        f"after half of the training it was {before}; another doubling that moved it as far again "
        f"would leave {after}"
    )


def _with_ends(measurement: Measurement) -> str:
    """`−0.051 (−0.070 to −0.032)`, in the measurement's unit."""
    interval = measurement.interval
    ends = (interval.mean, interval.low, interval.high)
    mean, low, high = (quantity(end, measurement) for end in ends)
    return f"{mean} ({low} to {high})" if interval.n > 1 else mean


def quantity(value: float, measurement: Measurement) -> str:
    """A value of a measurement with three or more digits, in the measurement's unit."""
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    scale = 100 if measurement.unit in ("%", "percentage points", "log odds") else 1
    return fixed(plain(value, measurement) * scale, 2 if scale == 100 else 3)


def plain(value: float, measurement: Measurement) -> float:
    """A value of a measurement on the scale of its unit as it is shown: the share of log odds."""
    return float(expit(value)) if measurement.unit == "log odds" else value


def region(measurement: Measurement) -> str:
    """Where the claim puts the quantity, in words."""
    low, high = (quantity(end, measurement) for end in (measurement.low, measurement.high))
    if math.isinf(measurement.low):
        return f"below {high}"
    return f"above {low}" if math.isinf(measurement.high) else f"{low} to {high}"


def fixed(value: float, decimals: int) -> str:
    """A number with a true minus sign and no minus zero."""
    text = f"{value:.{decimals}f}"
    negative = text.startswith("-") and float(text) != 0
    return ("−" if negative else "") + text.lstrip("-")
