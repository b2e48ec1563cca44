"""Hurried trainings, by which tests are held to hope for no time that a training takes."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.witness import hurried

STEPS = 23


def test_of_ten_steps_one_is_computed_and_all_are_counted() -> None:
    computed, curve = list[int](), list[list[float]]()

    def advance(training: SimpleNamespace) -> None:
        computed.append(training.step)
        training.curve.append([1.0, 1.0, 1.0])
        training.step += 1

    training = SimpleNamespace(step=0, curve=curve)
    for _ in range(STEPS):
        hurried.hurried(advance, 10)(training)
    assert (training.step, computed, len(curve)) == (STEPS, [0, 10, 20], STEPS)


def test_every_python_that_is_started_hurries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a package that bears the name, so that torch need not be loaded."""
    (folder := tmp_path / "iddpm").mkdir()
    (folder / "__init__.py").touch()
    (folder / "training.py").write_text("class Training:\n    def advance(self): ...\n")
    (tmp_path / "first").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "meta_path", [*sys.meta_path])
        patch.delitem(sys.modules, hurried.MODULE, raising=False)
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.setenv(hurried.NAME, "10")
        hurried.install(tmp_path / "first")
        code = "from iddpm.training import Training; print(Training.advance.__name__)"
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env=os.environ, capture_output=True, text=True
        )
    assert done.stdout == "step\n", done.stderr
