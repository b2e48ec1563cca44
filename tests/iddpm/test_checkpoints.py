"""Checkpoints: whole or refused, and never a pickle that runs code."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm import checkpoints
from iddpm.checkpoints import CheckpointError


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    checkpoints.save(tmp_path / "a.pt", "this", {"weight": torch.arange(1000.0)})
    return tmp_path / "a.pt"


def test_what_is_saved_is_loaded(saved: Path) -> None:
    assert torch.equal(checkpoints.load(saved, "this")["weight"], torch.arange(1000.0))


def test_a_truncated_checkpoint_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-700])
    with pytest.raises(CheckpointError, match=r"a\.pt: expected a whole checkpoint, found a file"):
        checkpoints.load(saved, "this")


def test_another_programs_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="another program's file; move it elsewhere"):
        checkpoints.load(tmp_path / "a.pt", "this")


def test_a_newer_checkpoint_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "VERSION", 0)
    with pytest.raises(CheckpointError, match="expected a checkpoint of version 0, found 1"):
        checkpoints.load(saved, "this")


def test_a_checkpoint_of_something_else_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint of that, found one of this"):
        checkpoints.load(saved, "that")


class Bomb:
    """Unpickling this runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def test_no_code_is_run_from_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Bomb()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError):
        checkpoints.load(tmp_path / "a.pt", "this")
    assert not (tmp_path / "exploded").exists()


def test_the_digest_tells_names_shapes_types_and_values_apart() -> None:
    zeros = torch.zeros(2, 3)
    variants = [{"a": zeros}, {"b": zeros}, {"a": zeros.T}, {"a": zeros.half()}, {"a": zeros + 1}]
    assert len({checkpoints.digest(variant) for variant in variants}) == len(variants)
    assert checkpoints.digest({"a": zeros, "b": zeros}) == checkpoints.digest(
        {"b": zeros, "a": zeros}
    )
