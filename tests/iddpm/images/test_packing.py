"""A packed folder is the folder, well mixed, with an account of what was done to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iddpm import data as data_room
from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Folder, Npz
from iddpm.data import describe, load
from iddpm.images import decoding, packing
from iddpm.images.packing import blocks_beside, pack
from tests.witness.image_folders import noise, write_folder, write_image
from tests.witness.packed import account


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Ten classes of nine grey images, of which test has one each."""
    root = tmp_path / "labelled"
    for label in range(10):
        for i in range(9):
            write_image(root / f"train/{label}/{i}.png", noise(6, 4 + i))
        write_image(root / f"test/{label}/0.png", noise(4, 4))
    return root


def packed(folder: Path, target: Path, **settings: Any) -> Npz:
    pack(Folder(path=str(folder), size=4, **settings), target)
    return Npz(path=str(target))


def test_a_packed_folder_is_the_folder_and_stays_on_disk(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_room, "LARGE", 1)
    steps: list[tuple[int, int]] = []
    folder, target = Folder(path=str(labelled), size=4), tmp_path / "data.npz"
    pack(folder, target, progress=lambda done, total: steps.append((done, total)))
    data = Npz(path=str(target))
    said = describe(folder)
    assert replace(describe(data), digest="") == replace(said, digest="", told=())
    for split in SPLITS:
        images, expected = load(data, split), load(folder, split)
        assert isinstance(images.images, np.memmap)
        assert expected.labels is not None
        order = np.random.RandomState(0).permutation(len(expected.images))
        np.testing.assert_array_equal(images.images, expected.images[order])
        np.testing.assert_array_equal(images.labels, expected.labels[order])
        with np.load(target) as arrays:
            np.testing.assert_array_equal(arrays[split], expected.images[order])
    total = said.train_images + said.test_images
    assert steps == [(i + 1, total) for i in range(total)]


def test_the_first_images_of_a_packed_folder_are_of_most_classes(
    labelled: Path, tmp_path: Path
) -> None:
    labels = load(packed(labelled, tmp_path / "data.npz"), "train").labels
    assert labels is not None
    assert len(set(labels[:20])) >= 8


def test_equal_folders_are_packed_into_equal_files(labelled: Path, tmp_path: Path) -> None:
    (labelled / "train/notes.txt").write_text("")
    for name in ("a.npz", "b.npz"):
        packed(labelled, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_folder_that_cannot_be_packed_leaves_no_file(labelled: Path, tmp_path: Path) -> None:
    broken = next((labelled / "test").rglob("*.png"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="expected an image that can be read"):
        packed(labelled, tmp_path / "out" / "data.npz")
    assert list((tmp_path / "out").iterdir()) == [blocks_beside(tmp_path / "out" / "data.npz")]


# ------------------------------------------------------------------------- one attempt and another


class Stopped(Exception):
    """As if the process were gone."""


def decoded_names(monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None) -> list[str]:
    """The files that are decoded from now on; the process ends where so many are."""
    names: list[str] = []
    usual = decoding.decoded

    def noted(path: Path, *rest: Any, **options: Any) -> Any:
        if len(names) == stop_after:
            raise Stopped
        names.append("/".join(path.parts[-3:]))
        return usual(path, *rest, **options)

    monkeypatch.setattr(packing, "decoded", noted)
    return names


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Images of a block: few enough that the folder has many."""
    monkeypatch.setattr(packing, "BLOCK_BYTES", 7 * 4 * 4)
    return 7


def test_many_blocks_give_the_file_of_one(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(labelled, tmp_path / "one.npz")
    for images in (1, 7, 89):
        monkeypatch.setattr(packing, "BLOCK_BYTES", images * 4 * 4)
        packed(labelled, tmp_path / "many.npz")
        assert (tmp_path / "many.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()


def test_there_are_never_more_blocks_than_a_process_may_hold_open(
    labelled: Path, tmp_path: Path, small_blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "MOST_BLOCKS", 4)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    packed(labelled, tmp_path / "x.npz")
    assert len(list(blocks_beside(tmp_path / "x.npz").iterdir())) == 5  # 100 images, two splits


def test_another_attempt_goes_on_where_the_first_stopped(
    labelled: Path, tmp_path: Path, small_blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(labelled, tmp_path / "whole.npz")
    with monkeypatch.context() as patch:
        first = decoded_names(patch, stop_after=40)
        with pytest.raises(Stopped):
            packed(labelled, tmp_path / "x.npz")
    steps: list[tuple[int, int]] = []
    rest = decoded_names(monkeypatch)
    folder = Folder(path=str(labelled), size=4)
    pack(folder, tmp_path / "x.npz", progress=lambda done, total: steps.append((done, total)))
    in_blocks = len(first) // small_blocks * small_blocks
    assert not set(rest) & set(first[:in_blocks])
    assert set(rest) | set(first) == {
        path.relative_to(labelled).as_posix() for path in labelled.rglob("*.png")
    }
    assert steps[0] == (in_blocks + 1, 100)
    assert steps[-1] == (100, 100)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not blocks_beside(tmp_path / "x.npz").exists()


def test_what_a_killed_attempt_left_unfinished_is_removed(labelled: Path, tmp_path: Path) -> None:
    left = tmp_path / ".x.npz.0123.part"
    left.write_bytes(b"half of it")
    packed(labelled, tmp_path / "x.npz")
    assert not left.exists()


@pytest.mark.parametrize("change", ["a file", "a block", "a name", "the size"])
def test_what_changed_meanwhile_is_read_again(
    labelled: Path, tmp_path: Path, small_blocks: int, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    with monkeypatch.context() as patch:
        decoded_names(patch, stop_after=40)
        with pytest.raises(Stopped):
            packed(labelled, tmp_path / "x.npz")
    changed = labelled / "train/0/0.png"
    if change == "a file":
        write_image(changed, noise(9, 9))
    elif change == "a block":
        block = min(blocks_beside(tmp_path / "x.npz").iterdir())
        content = bytearray(block.read_bytes())
        content[500] ^= 1
        block.write_bytes(content)
    elif change == "a name":
        changed.rename(changed.with_name("00.png"))
    size = 5 if change == "the size" else 4
    rest = decoded_names(monkeypatch)
    pack(Folder(path=str(labelled), size=size), tmp_path / "x.npz")
    again = {"the size": 35}.get(change, small_blocks)
    assert len(rest) == 100 - 40 // small_blocks * small_blocks + again
    pack(Folder(path=str(labelled), size=size), tmp_path / "fresh.npz")
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "fresh.npz").read_bytes()


def test_deep_grey_among_colour_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    for name in ("a.png", "z.png"):
        root = write_folder(tmp_path / name, *(f"{i}.png" for i in range(9)))
        Image.fromarray(np.full((8, 8), 30_000, np.uint16)).save(root / "train" / name)
        expected = rf"expected 8 bits a channel, found mode 'I;16' in .*{name}; convert it"
        with pytest.raises(ConfigError, match=expected):
            packed(root, tmp_path / "data.npz")


def test_what_was_done_stands_in_the_file_and_is_told(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x", "cat/0.png", "dog/0.png")
    exif = Image.Exif()
    exif[274] = 8
    write_image(root / "train/cat/1.jpg", noise(8, 8, 3), exif=exif)
    write_image(root / "train/cat/2.png", noise(8, 8, 4))
    write_image(root / "test/dog/3.gif", noise(8, 8, 3))
    write_image(root / "test/dog/4.png", noise(2, 2))
    (root / "train/.DS_Store").write_text("")
    (root / "train/list.csv").write_text("")
    told = pack(Folder(path=str(root), size=4), tmp_path / "data.npz")
    assert told == (
        "converted from a palette: 1 (test/dog/3.gif)",
        "enlarged, being smaller than the size: 1 (test/dog/4.png)",
        "laid over white, having transparency: 1 (train/cat/2.png)",
        "left out, hidden or a file manager's: 1 (train/.DS_Store)",
        "left out, no image files (.csv): 1 (train/list.csv)",
        "turned upright by their EXIF orientation: 1 (train/cat/1.jpg)",
        "written as colour, being grey: 1 (test/dog/4.png)",
    )
    found = account(tmp_path / "data.npz")
    assert (found["labels"], found["classes"], found["size"]) == ("folders", ["cat", "dog"], 4)
    assert found["changes"][decoding.LAID_OVER] == {"count": 1, "first": ["train/cat/2.png"]}
    assert [f"{what}: {change['count']}" for what, change in found["changes"].items()] == [
        line[: line.index(" (") if "(.csv)" not in line else line.rindex(" (")] for line in told
    ]
    before = describe(Npz(path=str(tmp_path / "data.npz"))).digest
    (root / "train/more.csv").write_text("")
    assert describe(packed(root, tmp_path / "again.npz")).digest != before


def test_labels_of_names_are_packed(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x", *(f"{c}_{i}.png" for c in ("a", "b") for i in range(3)))
    data = packed(root, tmp_path / "data.npz")
    labels = load(data, "train").labels
    assert labels is not None
    assert labels.tolist() == [
        [0, 0, 0, 1, 1, 1][row] for row in np.random.RandomState(0).permutation(6)
    ]
    assert account(tmp_path / "data.npz")["labels"] == "prefix"
    assert load(packed(root, tmp_path / "none.npz", labels="none"), "train").labels is None


def test_a_colour_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all are grey is known from the first that is not."""
    root, opened = write_folder(tmp_path / "x", *(f"{i}.png" for i in range(5))), []
    for name in ("looked_at", "decoded"):
        usual = getattr(packing, name)

        def noted(path: Path, *rest: Any, usual: Any = usual, **options: Any) -> Any:
            opened.append(path.name)
            return usual(path, *rest, **options)

        monkeypatch.setattr(packing, name, noted)
    packed(root, tmp_path / "data.npz")
    assert len(opened) == 10 + 1
