"""States are written beside the steps, and none is lost or swallowed: the last two are kept."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm.running.checkpoints import CheckpointError, load, save
from iddpm.running.files import BEFORE_FILE, STATE_FILE, Held, StorageError
from iddpm.running.saves import Saves

CONTENT = {"work": "this"}


def saves(folder: Path, held: Held = nullcontext) -> Saves:
    return Saves(folder, CONTENT, every_s=0, held=held)


def kept(folder: Path, *steps: int) -> None:
    """Leave the states of these steps, one after the other, and end before the training has."""
    with saves(folder) as states:
        for step in steps[:-1]:
            states.begin({"step": step})
        states.finish({"step": steps[-1]}, is_last=False)
        assert states.failure is None


def step_in(file: Path) -> int:
    return int(load(file, CONTENT)["step"])


def test_what_is_written_is_the_state_as_it_was(tmp_path: Path) -> None:
    moved = threading.Event()

    @contextmanager
    def held() -> Iterator[None]:
        moved.wait()
        yield

    vector = torch.arange(8.0)
    state = {"step": 1, "weights": [{"a": vector[2:5], "b": vector[5:].view(3, 1)}], "all": vector}
    with saves(tmp_path, held) as states:
        states.begin(state)
        vector.fill_(9.0)
        moved.set()
    found = load(tmp_path / STATE_FILE, CONTENT)
    assert found["weights"][0]["a"].tolist() == [2, 3, 4]
    assert found["weights"][0]["b"].tolist() == [[5], [6], [7]]
    assert found["all"].untyped_storage().data_ptr() == (
        found["weights"][0]["a"].untyped_storage().data_ptr()
    )


def test_the_last_two_states_are_kept_until_the_training_ends(tmp_path: Path) -> None:
    kept(tmp_path, 1, 2, 3)
    assert [step_in(tmp_path / name) for name in (STATE_FILE, BEFORE_FILE)] == [3, 2]
    with saves(tmp_path) as states:
        states.finish({"step": 4}, is_last=True)
    assert [file.name for file in tmp_path.iterdir()] == [STATE_FILE]
    assert step_in(tmp_path / STATE_FILE) == 4


def test_where_a_file_has_no_second_name_the_last_state_alone_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*names: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    kept(tmp_path, 1, 2)
    assert step_in(tmp_path / STATE_FILE) == 2
    assert not (tmp_path / BEFORE_FILE).exists()


def cut_short(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def with_a_flipped_bit(whole: bytes) -> bytes:
    middle = whole.index(b"step")
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


def zeros(whole: bytes) -> bytes:
    return bytes(len(whole))


@pytest.mark.parametrize("spoil", [cut_short, with_a_flipped_bit, zeros])
def test_a_damaged_last_state_is_named_and_the_one_before_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[bytes], bytes]
) -> None:
    kept(tmp_path, 1, 2)
    file = tmp_path / STATE_FILE
    file.write_bytes(spoil(file.read_bytes()))
    states = saves(tmp_path)
    found = states.found()
    assert found is not None
    assert found["step"] == 1
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{file}: expected a ")
    assert said.endswith(f"; going on from {BEFORE_FILE}, the state of step 1 before it")
    # the damaged one does not take the place of the good one
    states.finish({"step": 5}, is_last=False)
    assert [step_in(tmp_path / name) for name in (STATE_FILE, BEFORE_FILE)] == [5, 1]
    states.finish({"step": 6}, is_last=False)
    assert [step_in(tmp_path / name) for name in (STATE_FILE, BEFORE_FILE)] == [6, 5]


def test_a_missing_last_state_leaves_the_one_before(tmp_path: Path) -> None:
    kept(tmp_path, 1, 2)
    (tmp_path / STATE_FILE).unlink()
    found = saves(tmp_path).found()
    assert found is not None
    assert found["step"] == 1
    assert saves(tmp_path / "nowhere").found() is None


def test_of_two_damaged_states_the_last_is_named(tmp_path: Path) -> None:
    kept(tmp_path, 1, 2)
    for name in (STATE_FILE, BEFORE_FILE):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(CheckpointError, match=f"{STATE_FILE}: .* found a file cut short"):
        saves(tmp_path).found()


def test_a_last_state_of_other_work_is_no_damage(tmp_path: Path) -> None:
    kept(tmp_path, 1, 2)
    save(tmp_path / STATE_FILE, {"work": "other"}, {"step": 2})
    with pytest.raises(CheckpointError, match="one that differs in work; move it away"):
        saves(tmp_path).found()


class Lost(Exception):
    """The folder is another's."""


def lost() -> Any:
    raise Lost


def test_a_save_that_fails_beside_the_steps_is_told(tmp_path: Path) -> None:
    with saves(tmp_path, lost) as states:
        states.begin({"step": 1})
        states.finish({"step": 2}, is_last=True)
        assert isinstance(states.failure, Lost)
    assert list(tmp_path.iterdir()) == []
    with saves(tmp_path / "missing") as states:
        states.begin({"step": 1})
    assert isinstance(states.failure, StorageError)
    assert "cannot write: No such file or directory" in str(states.failure)
