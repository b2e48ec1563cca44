"""A node on which every job ends at once takes nothing with it, and is left out of what follows."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study

pytestmark = pytest.mark.slurm


@pytest.fixture
def bad_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """One that has no Python."""
    python = tmp_path / "python"
    refusal = 'if [ "$SLURMD_NODENAME" = node1 ]; then exit 127; fi'
    python.write_text(f'#!/bin/sh\n{refusal}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return "node1"


def test_what_a_node_loses_is_done_elsewhere_by_itself_and_the_next_stays_away_from_it(
    cluster: Cluster, tmp_path: Path, bad_node: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path / "study", "--seeds", "0", "1", "2", sweep=TRAINING)
    assert study.run() == 0
    study.finish()
    losses = list((study.store.root / "nodes" / bad_node).glob("lost.*"))
    assert len(losses) >= 2
    assert all(study.store.attempts(training) == [1] for training in study.tasks())
    told = study.status(capsys)
    assert f"{bad_node} is left out of what is submitted: {len(losses)} jobs ended there" in told

    study.options = ("--seeds", "0", "1", "2", "3", "4", "5")
    assert study.run() == 0
    study.finish()
    assert len(list((study.store.root / "nodes" / bad_node).glob("lost.*"))) == len(losses)

    subprocess.run(told.split("`")[1], shell=True, check=True)
    assert "left out" not in study.status(capsys)
