"""What is prepared from published files is trained on: from an archive to a finished study."""

from pathlib import Path

import pytest

from studies import data, run
from studies.store.store import Store
from tests.witness.published_files import cifar_files, pixels_of, write_tar
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP


def test_an_archive_of_cifar_10_goes_to_a_finished_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tar(Path("cifar.tar.gz"), cifar_files(pixels_of(60, 32, 32, 3), binary=False))
    assert data.main(["prepare", "cifar10", "cifar.tar.gz"]) == 0
    preset = PRESET.replace("data: digits", "data: {npz: {path: data/cifar10.npz, name: cifar}}")
    sweep = write_sweep(tmp_path, SWEEP.replace("[0, 1]", "[0]"), preset)
    store = tmp_path / "store"
    arguments = ["--store", str(store), "--executor", "inline"]
    assert run.main([str(sweep), *arguments]) == 0, capsys.readouterr().err
    found = Store(store)
    results = {address: found.result(address) for address in found.addresses()}
    assert all(result is not None for result in results.values())
    scores = [result for address, result in results.items() if address.startswith("score-")]
    assert [score["reference"] for score in scores if score] == [16, 16]
