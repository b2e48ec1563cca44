"""How long each task of a study was expected to take before it began: `forecasts/<study>.json`.

What was expected first stays, so that it can be held against how long the task took. No address and
no result depends on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studies.store.checksums import StoreError, read_record, write_record
from studies.store.folders import made
from studies.store.rates import warn_once

FORECASTS = "forecasts"
REMEDY = "delete it: what was forecast is then no longer known"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How long a task was expected to take."""

    seconds: float
    is_guess: bool


def foreseen(root: Path, study: str) -> dict[str, Foreseen]:
    """What `checked_forecast` gives; empty, with a warning, if the file is damaged."""
    try:
        return checked_forecast(root, study)
    except StoreError as error:
        warn_once(str(error))
        return {}


def checked_forecast(root: Path, study: str) -> dict[str, Foreseen]:
    """By address, what the store at `root` holds of the tasks of a study.

    Raises:
        StoreError: If the file is damaged.
    """
    path = _file(root, study)
    record = read_record(path, REMEDY) or {}
    try:
        return {address: Foreseen(float(s), bool(g)) for address, (s, g) in record.items()}
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path}: expected seconds of tasks, found {error}; {REMEDY}") from error


def foresee(root: Path, study: str, expected: Mapping[str, Foreseen]) -> None:
    """Add the tasks that nothing was foreseen of; a damaged file is warned of and stays.

    Raises:
        StorageError: If the store cannot be written.
    """
    try:
        known = checked_forecast(root, study)
    except StoreError as error:
        warn_once(str(error))
        return
    if expected.keys() <= known.keys():
        return
    both = {**expected, **known}
    made(root, root / FORECASTS)
    path = _file(root, study)
    write_record(path, {a: [round(one.seconds, 3), one.is_guess] for a, one in both.items()})


def _file(root: Path, study: str) -> Path:
    return root / FORECASTS / f"{study}.json"
