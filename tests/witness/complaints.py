"""What a sweep that is wrong is refused with."""

from pathlib import Path
from typing import Any

import pytest

from iddpm.bounds import ConfigError
from studies.analyses.index import checked
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep


def complaint(folder: Path, sweep: str = SWEEP, preset: str = PRESET, **options: Any) -> str:
    """What reading and planning is refused with; places are relative to the folder."""
    path = write_sweep(folder, sweep, preset)
    with pytest.raises(ConfigError) as refusal:
        expand(checked(read_sweep(path, **options)))
    text = str(refusal.value)
    assert "\n" not in text
    return text.replace(f"{folder}/", "")


def inside(old: str, new: str, text: str = SWEEP) -> str:
    """The text with another piece in the place of one that it has once."""
    assert text.count(old) == 1
    return text.replace(old, new)
