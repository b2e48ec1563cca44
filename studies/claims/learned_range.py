"""What the paper says of the v that a network interpolates Σ by (Eq. 15)."""

from studies.judging.verdicts import Claim, Measured, Measurement
from studies.tables.intervals import t_interval
from studies.tables.rows import asked, named
from studies.tables.tables import OUTSIDE_RANGE, Tables, arm_columns, by_seed

HARDLY_EVER = 0.001


def _within_range(tables: Tables) -> Measured:
    rows = asked(tables, OUTSIDE_RANGE)
    measurements, missing = [], []
    for name, arm in named(rows, arm_columns(rows)):
        what = f"share of v below 0 or above 1, {name}"
        if values := list(by_seed(arm).values()):
            interval = t_interval(values)
            measurements.append(
                Measurement(what=what, interval=interval, unit="%", high=HARDLY_EVER)
            )
        else:
            missing.append(what)
    return Measured(measurements, missing if len(rows) else ["a network that learns Σ in a range"])


CLAIMS: dict[str, Claim] = {
    "learned_v_stays_in_range": Claim(
        says="Nothing holds the v that Σ is interpolated by to [0, 1], and yet networks do not "
        "leave the range: Σ stays between β and β̃.",
        source="Section 3.1",
        method="Share of all v, over every test image, dimension and step, that lie below 0 or "
        f"above 1, per seed. Supported if its interval lies below {HARDLY_EVER:.1%}, fixed "
        "beforehand, for every network that learns Σ in this range; the paper gives no number.",
        measure=_within_range,
    ),
}
