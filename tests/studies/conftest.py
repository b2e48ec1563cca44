"""An empty store, and the made-up scheduler in place of any that this machine has."""

from pathlib import Path

import pytest

from studies.execute.slurm import queue
from studies.store.store import Store
from tests.witness.fake_slurm import FakeSlurm, path_with


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A scheduler with an empty queue, first on PATH."""
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", path_with(fake))
    queue.hides_jobs_of_others.cache_clear()  # it asks once, and each test has another cluster
    return fake


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that nothing is written in yet."""
    return Store(tmp_path / "store")
