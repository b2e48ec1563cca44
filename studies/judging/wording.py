"""The numbers of a claim as people read them, on a page and in a terminal."""

import math

from studies.judging.verdicts import Finding, Measurement


def telling(finding: Finding) -> tuple[Measurement | None, int]:
    """The measurement that stands for a finding, and how many decide it.

    It is the first of those that decide whose own verdict is that of the claim.
    """
    deciding = [m for m in finding.measurements if m.decides]
    same = [m for m in deciding if m.verdict == finding.verdict] or deciding
    return (same[0], len(deciding)) if same else (None, 0)


def unmeasured(finding: Finding) -> str:
    """What stands in the place of a number where no measurement decides a finding."""
    is_open = finding.verdict == "inconclusive"
    return "the numbers do not tell" if is_open else "nothing is measured yet"


def measured(measurement: Measurement) -> str:
    """`−0.079 bits/dim (−0.094 to −0.063), claimed below 0.000, 3 seeds`."""
    interval = measurement.interval
    unit = "%" if measurement.unit == "%" else f" {measurement.unit}"
    ends = (quantity(end, measurement) for end in (interval.low, interval.high))
    spread = f" ({' to '.join(ends)})" if interval.n > 1 else ""
    seeds = f"{interval.n} seed{'s' if interval.n > 1 else ''}" if interval.n else "exact"
    mean = quantity(interval.mean, measurement)
    return f"{mean}{unit}{spread}, claimed {region(measurement)}, {seeds}"


def quantity(value: float, measurement: Measurement) -> str:
    """A value of a measurement with three or more digits, in the measurement's unit."""
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    scale = 100 if measurement.unit in ("%", "percentage points") else 1
    return fixed(value * scale, 2 if scale == 100 else 3)


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
