"""A real SLURM under every test of this folder: the one of `make cluster`, else one of our own."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster, require_programs
from tests.cluster.daemons import ClusterError


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster that is up; it goes again with the session if it came with it."""
    _require_programs()
    cluster = Cluster()
    if cluster.is_up():
        yield cluster
        return
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _require_programs() -> None:
    """Skip without SLURM; in CI, where nobody reads of skipped tests, fail."""
    try:
        require_programs()
    except ClusterError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every client that a test starts asks this cluster, and no test leaves a job to the next."""
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    yield
    cluster.cancel_all()
