"""The README's commands for a cluster, typed on one; and its file of resources, read."""

import re
from pathlib import Path

import pytest

from studies.spec.resources import resources, user_layer
from tests.test_readme import CLUSTER, README, blocks, printed, tiny_checkout

pytestmark = pytest.mark.slurm


def test_the_commands_for_a_cluster_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview, run, cancel, retry, budget = CLUSTER
    assert preview == f"{run} --dry-run"
    assert retry.startswith(f"{run} --retry oom --resource ")
    assert budget.startswith(f"{run} --max-gpu-hours ")
    assert cancel == "python -m studies.cancel sigma_ablation-digits"
    folder = tiny_checkout(tmp_path)
    home = tmp_path / "home" / "iddpm-studies"
    home.mkdir(parents=True)
    (home / "resources.yaml").write_text("all: {memory_gb: 1, time_min: 5}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.parent))

    shown = printed(f"{preview} --verbose", folder)
    assert "#SBATCH --mem=1024M" in shown
    assert "GPU-hours" in shown
    assert not (folder / "store").exists()
    shown = printed(run, folder)
    assert re.search(r"(\d+) tasks: \1 new", shown)
    for again in (run, retry, budget):
        assert " new" not in printed(again, folder).splitlines()[-2]
    assert re.search(r"\d+ jobs cancelled", printed(cancel, folder))


def test_the_file_of_resources_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = next(block for block in blocks(README, "yaml") if "resources.yaml" in block)
    (tmp_path / "iddpm-studies").mkdir()
    (tmp_path / "iddpm-studies" / "resources.yaml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    train = resources(user_layer())["train"]
    assert (train.partition, train.account, train.gpus) == ("gpu", "vision", 1)
