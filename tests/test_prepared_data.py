"""What is prepared from published files is trained on: from an archive to a finished study."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studies import data
from tests.witness.published_files import (
    cifar_files,
    cifar_of_real_size,
    in_their_order,
    pixels_of,
    write_tar,
)
from tests.witness.runs import ran
from tests.witness.tiny_sweep import PRESET, SWEEP


def test_an_archive_of_cifar_10_goes_to_a_finished_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tar(Path("cifar.tar.gz"), cifar_files(pixels_of(60, 32, 32, 3), binary=False))
    assert data.main(["prepare", "cifar10", "cifar.tar.gz"]) == 0
    preset = PRESET.replace("data: digits", "data: {npz: {path: data/cifar10.npz, name: cifar}}")
    found = ran(tmp_path, SWEEP.replace("[0, 1]", "[0]"), preset)
    results = {address: found.result(address) for address in found.addresses()}
    assert all(result is not None for result in results.values())
    scores = [result for address, result in results.items() if address.startswith("score-")]
    assert [score["reference"] for score in scores if score] == [16, 16]


MOST_CPU_S = 20
"""It took 4 beside other work."""


@pytest.mark.slow
def test_sixty_thousand_images_of_cifar_10_are_prepared_within_a_limit(tmp_path: Path) -> None:
    """The system ends a process that takes more of the CPU than its limit."""
    archive, made = cifar_of_real_size(tmp_path), tmp_path / "x.npz"
    words = ["-m", "studies.data", "prepare", "cifar10", str(archive), "--out", str(made)]
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S)),
    )
    assert done.returncode == 0, done.stderr
    assert "50,000 training and 10,000 test images of 32x32x3, 10 classes" in done.stdout
    rows = np.concatenate([pixels_of(10_000, 3072, seed=i) for i in range(5)])
    with np.load(made) as arrays:
        expected = in_their_order(rows).reshape(-1, 3, 32, 32)
        for channel in range(3):
            assert np.array_equal(arrays["train"][..., channel], expected[:, channel])
