"""Pickles give arrays in plain containers, and nothing that they ask for is ever run."""

import io
import os
import pickle
import struct
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iddpm.images.unpickling import ALLOWED, RefusedError, unpickled
from tests.witness.published_files import pickled, pickled_by_python_2, pixels_of

BATCH: dict[str, Any] = {
    "data": pixels_of(3, 300),
    "labels": [0, 7, 255, 70_000],
    "batch_label": "x",
}


def same(found: dict[str, Any]) -> None:
    np.testing.assert_array_equal(found["data"], BATCH["data"])
    assert found["data"].dtype == np.uint8
    assert found["labels"] == BATCH["labels"]


@pytest.mark.parametrize("protocol", range(6))
def test_a_batch_of_python_3_is_read(protocol: int) -> None:
    same(unpickled(io.BytesIO(pickled(BATCH, protocol))))


def test_a_batch_of_python_2_is_read() -> None:
    content = pickled_by_python_2(BATCH)
    found = pickle.loads(content, encoding="bytes")  # the witness's own bytes
    np.testing.assert_array_equal(found[b"data"], BATCH["data"])
    same(unpickled(io.BytesIO(content)))


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "<f4", "|b1"])
@pytest.mark.parametrize("protocol", [2, 5])
def test_numbers_keep_their_kind_and_their_order(dtype: str, protocol: int) -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    found = unpickled(io.BytesIO(pickled({"a": array}, protocol)))["a"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


class Asks:
    """Pickled, it is an order to make a file."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.order = function, arguments

    def __reduce__(self) -> Any:
        return self.order


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["key", "value", "within"])
def test_code_in_a_pickle_is_refused_and_never_run(
    tmp_path: Path, protocol: int, place: str
) -> None:
    order = Asks(os.mkdir, str(tmp_path / "made"))
    whole = {"key": {"data": order}, "value": {"data": [order]}, "within": order}[place]
    content = pickled(whole, protocol)
    with pytest.raises(RefusedError, match=r"^it asks for (posix|nt)\.mkdir$"):
        unpickled(io.BytesIO(content))
    assert not (tmp_path / "made").exists()
    pickle.loads(content)  # the order is a real one
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "asked",
    [
        Asks(eval, "1"),
        Asks(subprocess.run, ["true"]),
        Asks(np.load, "x.npy"),
        Asks(getattr, 1, "real"),
        np.random.default_rng,
        Path("x"),
        os.system,
    ],
)
def test_whatever_else_is_named_is_refused(asked: Any) -> None:
    with pytest.raises(RefusedError, match="it asks for "):
        unpickled(io.BytesIO(pickled({"data": asked})))


def test_nothing_that_may_be_named_is_numpys_own() -> None:
    assert {value.__module__ for value in ALLOWED.values()} == {"iddpm.images.unpickling"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickled([1]), "a list, where a dictionary is expected"),
        (pickled({1: 2}), "a int, where a text is expected"),
        (pickled({"a": np.array([None], object)}), "array without its numbers"),
        (pickled({"a": np.array(["x"])}), "array of <U1, where numbers are expected"),
        (pickled(BATCH)[:-40], "it is cut short or damaged"),
        (b"", "it is cut short or damaged"),
        (b"no pickle", "it is cut short or damaged"),
        (b"\x80\x02}b.", "it is cut short or damaged"),
        (b"\x80\x05\x96" + b"\xff" * 5 + b"\0\0\0.", "it is cut short or damaged"),
        (b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\n)Rs.", "array without its numbers"),
        (b"\x80\x02P1\n.", "refers to what lies beside it"),
        (
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
            "encoding 'hex'",
        ),
        (pickled_by_python_2(BATCH).replace(b"U\x02u1", b"U\x02u8"), "cannot reshape|size"),
    ],
)
def test_what_is_no_dictionary_of_numbers_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        unpickled(io.BytesIO(content))


def test_a_pickle_may_not_refer_to_what_lies_beside_it() -> None:
    with pytest.raises(RefusedError, match="refers to what lies beside it"):
        unpickled(io.BytesIO(b"\x80\x02}U\x01aU\x01bQs."))


@pytest.mark.parametrize("index", [2**27, 2**31])
def test_a_reference_of_a_high_number_takes_no_memory(index: int) -> None:
    content = b"\x80\x02}r" + struct.pack("<I", index) + b"."
    tracemalloc.start()
    try:
        assert unpickled(io.BytesIO(content)) == {}
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("named", sorted(ALLOWED))
def test_nothing_of_this_process_is_changed(named: tuple[str, str]) -> None:
    before = {key: dict(vars(value)) for key, value in ALLOWED.items()}
    name = "\n".join(named).encode()
    content = b"\x80\x02c" + name + b"\nN}X\x04\0\0\0doneK\x01s\x86b."
    with pytest.raises(RefusedError, match=r"^it changes what is no array$"):
        unpickled(io.BytesIO(content))
    assert {key: dict(vars(value)) for key, value in ALLOWED.items()} == before
