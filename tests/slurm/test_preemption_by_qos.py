"""On a cluster that preempts by QOS and cancels, work goes on by itself, and only that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.preempted import goes_on, stays_cancelled, undisturbed

pytestmark = pytest.mark.slurm

HIGHER = "--qos=urgent"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return undisturbed(tmp_path_factory.mktemp("inline"))


@pytest.fixture(scope="module", autouse=True)
def preempting_by_qos(cluster: Cluster) -> Iterator[None]:
    with cluster.reconfigured(preempt_by="qos"):
        yield


@pytest.mark.parametrize("qos", ["low", "low_in_peace"])
@pytest.mark.parametrize("saves", [True, False])
def test_a_training_that_was_cancelled_for_another_job_goes_on_under_its_number(
    cluster: Cluster, tmp_path: Path, expected: dict[str, bytes], qos: str, saves: bool
) -> None:
    rank = ("--resource", f"qos={qos}")
    assert goes_on(cluster, tmp_path, rank, HIGHER, saves=saves) == expected


def test_a_training_that_a_person_cancels_during_its_grace_stays_cancelled(
    cluster: Cluster, tmp_path: Path
) -> None:
    rank = ("--resource", "qos=low_at_leisure")
    stays_cancelled(cluster, tmp_path, rank, HIGHER, during_its_grace=True)
