"""How fast the schedules of a study turn an image into noise, in one sentence."""

from iddpm.config import Schedule
from studies.analyses.noise_schedules.claims import left
from studies.analyses.noise_schedules.paper import ALMOST_NOTHING
from studies.tables.tables import Tables


def sentence(tables: Tables) -> str:
    """What each schedule leaves of the image halfway, and for how long it is almost pure noise."""
    results = tables.results
    T = int(results["T"].max())
    names = results.loc[results["T"] == T, "schedule"].drop_duplicates()
    halves, lasts = zip(*(_of(name, T) for name in names), strict=True)
    return (
        f"Halfway through {T:,} steps {' and '.join(halves)} of the image's variance; "
        f"less than {ALMOST_NOTHING:.0%} is left in {' and '.join(lasts)}."
    )


def _of(schedule: Schedule, T: int) -> tuple[str, str]:
    """What it leaves after T/2 steps, and the share of steps that leave almost nothing."""
    curve = left(schedule, T)
    half, last = curve[T // 2], float((curve[1:] < ALMOST_NOTHING).mean())
    return f"the {schedule} schedule leaves {half:.0%}", f"{last:.0%} of the {schedule} steps"
