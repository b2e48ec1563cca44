"""A packed folder is the folder, well mixed, with an account of what was done to it."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iddpm import data as data_room
from iddpm.config import SPLITS, ConfigError, Folder, Npz
from iddpm.data import describe, load
from iddpm.images import decoding as image_files
from iddpm.images import packing
from iddpm.images.packing import pack
from tests.witness.image_folders import noise, write_folder, write_image


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


def account(target: Path) -> Any:
    with zipfile.ZipFile(target) as archive:
        return json.loads(archive.read("packing.json"))


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
    assert list((tmp_path / "out").iterdir()) == []


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
    assert found["changes"][image_files.LAID_OVER] == {"count": 1, "first": ["train/cat/2.png"]}
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
