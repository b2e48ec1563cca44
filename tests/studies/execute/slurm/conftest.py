"""The tiny sweep on disk, for what submits it from the command line."""

from pathlib import Path

import pytest

from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file; a user's own settings of the cluster are left out."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return write_sweep(tmp_path, SWEEP, PRESET)
