"""A finished block is used only if it is whole, and the very block that is asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from iddpm.running.blocks import Blocks

LIKE = {"images": ((2, 3), "uint8"), "mean": ((), "float64")}


@pytest.fixture
def blocks(tmp_path: Path) -> Blocks:
    return Blocks(folder=tmp_path / "blocks", work="sample-1")


def keep(blocks: Blocks, number: int = 0, rows: int = 2) -> None:
    images = np.arange(3 * rows, dtype=np.uint8).reshape(rows, 3)
    blocks.keep(number, {"images": images, "mean": np.array(2.5)})


def test_a_block_is_read_as_it_was_kept(blocks: Blocks) -> None:
    keep(blocks, 4)
    found = blocks.kept(4, LIKE)
    assert found is not None
    assert found["images"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert float(found["mean"]) == 2.5


def test_a_block_that_was_never_kept_is_none(blocks: Blocks) -> None:
    assert blocks.kept(0, LIKE) is None
    assert not blocks.folder.exists()


def other_number(blocks: Blocks) -> None:
    blocks.file(1).rename(blocks.file(0))


def another_works(blocks: Blocks) -> None:
    keep(Blocks(folder=blocks.folder, work="sample-2"))


def short(blocks: Blocks) -> None:
    keep(blocks, rows=1)


def of_another_type(blocks: Blocks) -> None:
    blocks.keep(0, {"images": np.zeros((2, 3)), "mean": np.array(2.5)})


def of_other_arrays(blocks: Blocks) -> None:
    blocks.keep(0, {"images": np.zeros((2, 3), dtype=np.uint8)})


def without_a_name(blocks: Blocks) -> None:
    with blocks.file(0).open("wb") as file:
        np.savez(file, images=np.zeros((2, 3), dtype=np.uint8), mean=np.array(2.5))


def something_else(blocks: Blocks) -> None:
    with blocks.file(0).open("wb") as file:
        np.save(file, np.zeros((2, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "spoil",
    [
        *(other_number, another_works, short, of_another_type, of_other_arrays, without_a_name),
        something_else,
    ],
)
def test_a_block_that_is_not_the_one_asked_for_counts_as_not_there(
    blocks: Blocks, spoil: Callable[[Blocks], None]
) -> None:
    keep(blocks, 0)
    keep(blocks, 1)
    spoil(blocks)
    assert blocks.kept(0, LIKE) is None
    keep(blocks, 0)
    assert blocks.kept(0, LIKE) is not None


def test_a_block_cut_short_anywhere_counts_as_not_there(blocks: Blocks) -> None:
    keep(blocks)
    whole = blocks.file(0).read_bytes()
    for length in range(len(whole)):
        blocks.file(0).write_bytes(whole[:length])
        assert blocks.kept(0, LIKE) is None, length


def test_no_flipped_bit_changes_what_is_read(blocks: Blocks) -> None:
    keep(blocks)
    whole, expected = blocks.file(0).read_bytes(), blocks.kept(0, LIKE)
    assert expected is not None
    noticed, bits = 0, range(0, 8 * len(whole), 37)
    for bit in bits:
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        blocks.file(0).write_bytes(spoilt)
        found = blocks.kept(0, LIKE)
        noticed += found is None
        if found is not None:  # such as a bit of the time that the archive gives its parts
            assert all(np.array_equal(found[name], expected[name]) for name in LIKE), bit
    assert noticed > len(bits) / 2


def test_nothing_appears_in_a_folder_that_is_held_no_longer(tmp_path: Path) -> None:
    def lost() -> AbstractContextManager[None]:
        raise PermissionError("taken over")

    blocks = Blocks(folder=tmp_path / "blocks", work="sample-1", held=lost)
    with pytest.raises(PermissionError, match="taken over"):
        keep(blocks)
    assert list(tmp_path.iterdir()) == []
