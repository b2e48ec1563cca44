"""A checkpoint is whole, ours, of this version and of this work, or refused in one sentence."""

import hashlib
import io
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError, Ending, digest, load, save
from tests.witness.mapped import is_mapped

WORK = {"kind": "training", "network": {"width": 8, "blocks": [1, 2]}, "seed": 0}


class Trap:
    """Unpickling it would raise an error that no one expects."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('code from a checkpoint was run')",)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "state.pt"
    save(file, WORK, {"weights": {"a": torch.arange(100.0)}, "step": 3, "losses": [0.5, None]})
    return file


def test_a_state_is_read_back_as_it_was(path: Path) -> None:
    state = load(path, WORK)
    assert torch.equal(state["weights"]["a"], torch.arange(100.0))
    assert (state["step"], state["losses"]) == (3, [0.5, None])


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_a_file_cut_short_anywhere_is_refused(path: Path, size: int) -> None:
    save(path, WORK, {"weights": {str(i): torch.arange(100.0) for i in range(5)}, "a": "a" * size})
    whole = path.read_bytes()
    for length in [0, 1, 2, 3, 100, *range(200, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError) as caught:
            load(path, WORK)
        assert str(caught.value) == (
            f"{path}: expected a whole checkpoint, found a file cut short; delete it to start anew"
        )


@pytest.fixture
def ending(path: Path) -> Ending:
    """The file holds the weights of an ending, and as many bytes beside them."""
    weights = {"a": torch.arange(1000.0)}
    save(path, WORK, {"weights": {"raw": weights}, "moments": -torch.ones(1000), "step": 3})
    return Ending(step=3, weights={"raw": digest(weights)})


@pytest.mark.skipif(sys.platform != "linux", reason="reads what is mapped from /proc")
@pytest.mark.parametrize("mapped", [True, False])
def test_mapped_weights_stay_in_the_file(path: Path, ending: Ending, mapped: bool) -> None:
    weight = load(path, WORK, ending=ending, mapped=mapped)["weights"]["raw"]["a"]
    assert torch.equal(weight, torch.arange(1000.0))
    assert is_mapped(weight, path) == mapped


def test_a_flipped_bit_in_mapped_weights_or_in_what_describes_them_is_seen(
    path: Path, ending: Ending
) -> None:
    whole = path.read_bytes()
    moments = whole.index((-torch.ones(1000)).numpy().tobytes())
    weights = whole.index(torch.arange(1000.0).numpy().tobytes())
    described = whole.index(b"format")
    for place in (weights, weights + 3999, described):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            load(path, WORK, ending=ending, mapped=True)
    path.write_bytes(whole[:moments] + bytes([whole[moments] ^ 1]) + whole[moments + 1 :])
    load(path, WORK, ending=ending, mapped=True)  # nobody reads them
    with pytest.raises(CheckpointError, match="is damaged; delete it to start anew"):
        load(path, WORK, ending=ending)
    path.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="found a file cut short"):
        load(path, WORK, ending=ending, mapped=True)


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


def saved_by_torch(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no checkpoint at all",
        pickle.dumps({"a": 1}),
        pickle.dumps(Trap()),
        archive(),
        saved_by_torch({"a": torch.zeros(3)}),
        saved_by_torch(torch.zeros(3)),
        saved_by_torch({"format": checkpoints.FORMAT, "code": Trap()}),
    ],
    ids=["text", "pickle", "code", "arrays", "weights", "tensor", "code in ours"],
)
def test_a_foreign_file_is_refused_and_no_code_in_it_is_run(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load(path, WORK)
    assert str(caught.value) == (
        f"{path}: expected a checkpoint that this program wrote, found something else; move it away"
    )


def test_a_newer_version_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(checkpoints, "VERSION", 2)
        save(path, WORK, {})
    with pytest.raises(CheckpointError) as caught:
        load(path, WORK)
    assert str(caught.value) == (
        f"{path}: expected a checkpoint of version 1, found 2; "
        "a newer version of this program wrote it: update"
    )


def test_a_checkpoint_of_other_work_is_refused_with_what_differs(path: Path) -> None:
    other = {**WORK, "network": {"width": 16, "blocks": [1, 2]}, "seed": 1, "data": "x"}
    with pytest.raises(CheckpointError) as caught:
        load(path, other)
    assert str(caught.value) == (
        f"{path}: expected a checkpoint of the same work, found one that differs in "
        "data, network.width, seed; move it away to start anew"
    )


def test_a_missing_checkpoint_is_not_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "gone.pt", WORK)


def test_a_zip_archive_is_what_torch_writes(path: Path) -> None:
    assert zipfile.is_zipfile(path)  # what tells a file cut short from a foreign one


def test_a_digest_is_of_names_shapes_types_and_bytes_in_the_order_of_names() -> None:
    tensors = {"b": torch.tensor(2.5), "a": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
    text = b"a (2, 2) torch.float32\n" + np.array([1, 2, 3, 4], "<f4").tobytes()
    text += b"b () torch.float32\n" + np.array([2.5], "<f4").tobytes()
    assert digest(tensors) == hashlib.sha256(text).hexdigest()


def test_a_digest_does_not_see_how_a_tensor_lies_in_memory() -> None:
    images = torch.arange(48.0).reshape(2, 3, 2, 4)
    transposed = images.contiguous(memory_format=torch.channels_last)
    assert digest({"a": transposed}) == digest({"a": images})
