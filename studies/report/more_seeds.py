"""What more seeds of a study would take: the command that runs them, and its computing time."""

import math
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from studies.judging.power import seeds_to_decide
from studies.judging.verdicts import Finding
from studies.judging.wording import FEWEST_SEEDS, to_decide
from studies.report.work_done import Made
from studies.spec.seeds import ONE_SEED
from studies.store.records import asked_of

SHARED = ("extractor", "radii", "external")
"""Kinds of task that all seeds have in common; features of real images are too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """What would decide a claim that is open."""

    said: str
    """How many seeds; empty for a claim that is decided or not run, or if it can have one alone."""
    command: str = ""
    """That runs them; empty where no number of seeds is known to help."""
    time: str = ""
    """What the further ones take; empty where nothing is known."""


def more_seeds(finding: Finding, record: Mapping[str, Any], records: Made) -> More:
    """The seeds that would decide a claim, with their command and computing time.

    Args:
        finding: The claim.
        record: Of its study.
        records: Provenance of the study's finished tasks.
    """
    if record.keys() >= ONE_SEED.keys():
        return More(said="")
    said, seeds, now = to_decide(finding), seeds_to_decide(finding), len(record["seeds"])
    if not said or finding.is_untold or math.isinf(seeds):
        return More(said=said)
    asked = FEWEST_SEEDS if math.isnan(seeds) else int(seeds)
    if asked <= now:  # what they lack has not been computed yet
        return More(said=said)
    seconds = (asked - now) * seconds_for_a_seed(record, records)
    return More(said=said, command=command(record, asked), time=duration(seconds))


def with_more(own: Sequence[int], number: int) -> list[int]:
    """So many seeds: the first of a study's own, then those after its largest.

    Smaller ones may have sized the study.
    """
    return [*own[:number], *islice(count(max(own) + 1), max(number - len(own), 0))]


def command(record: Mapping[str, Any], seeds: int) -> str:
    """The command that runs a study with so many seeds: its own, then the next."""
    settings = [part for key, value in record["overrides"] for part in ("--set", f"{key}={value}")]
    words = [record["sweep_path"], "--preset", record["preset"], *settings]
    told = " ".join(
        shlex.quote(str(word)) for word in [*words, "--seeds", *with_more(record["seeds"], seeds)]
    )
    return f"python -m studies.run {told}"


def seconds_for_a_seed(record: Mapping[str, Any], records: Made) -> float:
    """Computing time of one more seed, as the seeds of the study took it; NaN: nothing is known.

    Every task of a seed counts in full, also where several run side by side. While results are
    missing, tasks of one kind count as alike.

    Args:
        record: Of the study.
        records: Provenance of its finished tasks.
    """
    parts = [tasks for cell in record["cells"] for tasks in asked_of(cell)]
    of_cells = {address for tasks in parts for address in tasks.values()}
    own = [a for a in record["tasks"] if a in of_cells or not _is_shared(a.partition("-")[0])]
    asked = Counter(address.partition("-")[0] for address in own)
    taken: dict[str, list[float]] = defaultdict(list)
    for address in own:
        if address in records:
            taken[address.partition("-")[0]].append(records[address]["seconds"])
    if not asked or taken.keys() != asked.keys():
        return math.nan
    whole = math.fsum(math.fsum(some) / len(some) * asked[kind] for kind, some in taken.items())
    return whole / len(record["seeds"])


def _is_shared(kind: str) -> bool:
    return kind in (*SHARED, "features")


def duration(seconds: float) -> str:
    """`about 12 minutes of computing`, with the unit that suits; empty where nothing is known."""
    if math.isnan(seconds):
        return ""
    units = (("hour", seconds / 3600), ("minute", seconds / 60), ("second", seconds))
    unit, amount = next((one for one in units if one[1] >= 1.5), units[-1])
    number = f"{amount:.2g}" if amount < 10 else f"{amount:,.0f}"
    return f"about {number} {unit}{'' if number == '1' else 's'} of computing"
