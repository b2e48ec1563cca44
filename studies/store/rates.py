"""What was measured of devices, in a store: a file for each, `rates/<device>.json`.

A rate says how many seconds one unit of work takes (a training step, a network call on an image) in
tasks that are alike. It belongs to the device and to no task: no address depends on it.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from iddpm.config_fields import canonical
from studies.store.checksums import StoreError, read_record, write_record
from studies.store.folders import made, names_in

logger = logging.getLogger(__name__)

RATES = "rates"
REMEDY = "delete it and measure again, with --dry-run --measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was measured of one device."""

    device: str
    """The name of its CPU or GPU."""
    on_gpu: bool
    seconds: Mapping[str, float]
    """Of a unit of work, by what it is like in the form of `name_of`."""


def name_of(likeness: tuple[object, ...]) -> str:
    """What tasks that take their time alike are called in the file: kind and 16 hex digits."""
    kind, *rest = likeness
    text = json.dumps([canonical(part) for part in rest], sort_keys=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def rates_of(root: Path) -> Iterator[Rates]:
    """What the store at `root` holds of each device; a damaged file is warned of and left out."""
    for path in rates_files(root):
        try:
            yield checked_rates(path)
        except StoreError as error:
            warn_once(str(error))


def rates_files(root: Path) -> list[Path]:
    """A file for each device, in the order of their names."""
    return [root / RATES / name for name in sorted(names_in(root / RATES))]


def checked_rates(path: Path) -> Rates:
    """What a file holds of a device.

    Raises:
        StoreError: If it is damaged.
    """
    found = read_record(path, REMEDY) or {}
    try:
        seconds = {str(key): float(value) for key, value in found["seconds"].items()}
        return Rates(device=str(found["device"]), on_gpu=found["on_gpu"], seconds=seconds)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{path}: expected rates of a device, found {error}; {REMEDY}") from error


@cache
def warn_once(message: str) -> None:
    """Log a warning, in each process the first time only."""
    logger.warning("%s", message)


def keep(root: Path, rates: Rates) -> None:
    """Write what was measured of a device beside what can be read of it.

    Raises:
        StorageError: If the store cannot be written.
    """
    before = [r.seconds for r in rates_of(root) if r.device == rates.device]
    seconds = {key: value for some in (*before, rates.seconds) for key, value in some.items()}
    slug = re.sub(r"[^a-z0-9]+", "-", rates.device.lower()).strip("-") or "unnamed"
    path = made(root, root / RATES) / f"{slug}.json"
    write_record(path, {"device": rates.device, "on_gpu": rates.on_gpu, "seconds": seconds})
