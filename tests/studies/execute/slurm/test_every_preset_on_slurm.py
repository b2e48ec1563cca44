"""Every sweep under every preset, as a cluster would be asked for it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from studies import run
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.marks import slow_except

ROOT = Path(__file__).parents[4]
PRESETS = sorted(path.stem for path in (ROOT / "sweeps/presets").glob("*.yaml"))
SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))

PAPERS = {
    "cifar10": 1,
    "imagenet64": 4,
    "imagenet64_cond": 8,
    "lsun256": 8,
    "cifar10_frugal": 1,
    "imagenet64_frugal": 4,
}
"""The presets of the paper's scale, and on how many GPUs a training of its usual size runs."""

COMPUTING = (
    *("train", "sample", "features", "likelihood", "likelihood_shard", "gradient_noise"),
    *("gan", "gan_sample"),
)
"""Kinds that call a network many times. The others read files or compute in NumPy."""

UNLABELLED = ("imagenet64", "imagenet64_frugal", "lsun256", "photos")


def is_refused(sweep: str, preset: str) -> bool:
    """Whether the data cannot carry it: without labels, or none that a network was released for."""
    if sweep == "released_checkpoints":
        return preset not in PAPERS
    return sweep == "gan_comparison" and preset in UNLABELLED


def asked(told: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The kind of each script of a dry run, and its options."""
    for script in told.split("#!/bin/bash")[1:]:
        options = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))
        yield options["job-name"].partition(".")[0], options


@pytest.fixture
def told(
    slurm: FakeSlurm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sweep: str,
    preset: str,
) -> str:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    words = [str(ROOT / f"sweeps/{sweep}.yaml"), "--preset", preset, "--executor", "slurm"]
    code = run.main([*words, "--dry-run", "--verbose"])
    captured = capsys.readouterr()
    assert code == (2 if is_refused(sweep, preset) else 0), captured.err
    return captured.err if code else captured.out


@pytest.mark.parametrize("preset", slow_except(PRESETS, "cifar10"))
@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_cluster_is_asked_for_a_gpu_by_all_that_computes_at_the_papers_scale(
    told: str, sweep: str, preset: str
) -> None:
    if told.startswith("error: "):
        assert re.search(r"expected data (with labels|of \d+x\d+ pixels for)", told)
        return
    scripts = list(asked(told))
    assert scripts
    for kind, options in scripts:
        gpus = int(options.get("gpus-per-node", "0"))
        if preset not in PAPERS or kind not in COMPUTING:
            assert gpus == 0, (kind, options)
        elif kind == "train":
            assert gpus in (PAPERS[preset], 4)
        else:
            assert gpus == 1, kind


def test_each_training_of_table_4_has_a_process_for_as_many_gpus_as_share_its_batch(
    slurm: FakeSlurm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    words = [str(ROOT / "sweeps/gan_comparison.yaml"), "--preset", "imagenet64_cond"]
    assert run.main([*words, "--executor", "slurm", "--dry-run", "--verbose"]) == 0
    trainings = [options for kind, options in asked(capsys.readouterr().out) if kind == "train"]
    found = sorted((o["gpus-per-node"], o["ntasks-per-node"]) for o in trainings)
    assert found == [("4", "4"), ("8", "8")]  # 4 blocks of 32 images, and 64
    given = ["--resource", "train.gpus=2"]
    assert run.main([*words, "--executor", "slurm", "--dry-run", "--verbose", *given]) == 0
    trainings = [options for kind, options in asked(capsys.readouterr().out) if kind == "train"]
    assert {o["gpus-per-node"] for o in trainings} == {"2"}
