"""An empty store, and the made-up scheduler in place of any that this machine has."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from studies.execute.slurm import queue, snapshot
from studies.store.store import Store
from tests.witness.fake_slurm import FakeSlurm, path_with


@pytest.fixture(scope="session")
def few_rooms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SimpleNamespace]:
    """Two packages of one room each, in place of the project's: its 300 files take long to copy."""
    folder, packages = tmp_path_factory.mktemp("code"), {}
    for name, room in (("iddpm", "networks/ema.py"), ("studies", "execute/worker.py")):
        (path := folder / name / room).parent.mkdir(parents=True)
        path.write_text(f"# {room}\n")
        packages[name] = SimpleNamespace(__file__=str(folder / name / "__init__.py"))
    return packages


@pytest.fixture
def slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_rooms: dict[str, SimpleNamespace]
) -> FakeSlurm:
    """A scheduler with an empty queue, first on PATH, whose jobs are given a code of few rooms."""
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", path_with(fake))
    for name, package in few_rooms.items():
        monkeypatch.setattr(snapshot, name, package)
    queue.hides_jobs_of_others.cache_clear()  # it asks once, and each test has another cluster
    return fake


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that nothing is written in yet."""
    return Store(tmp_path / "store")
