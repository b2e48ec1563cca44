"""Folders and archives of image files: which are for testing, which label is whose, which size."""

import hashlib
import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iddpm.bounds import ConfigError
from iddpm.config import Folder, Npz, Split
from iddpm.data import load
from iddpm.images import pictures
from iddpm.images.decoding import Resize
from iddpm.images.families import source
from iddpm.images.folders import LabelsFrom
from iddpm.images.packing import pack, write
from iddpm.images.sources import Request
from tests.witness.image_folders import noise
from tests.witness.packed import account
from tests.witness.published_files import encoded, write_files, write_tar, write_zip

CLASSES = ("cat", "dog", "emu")


def colour(label: int, number: int, size: int = 8) -> Any:
    """An image of one colour, which tells its label and its number."""
    return np.full((size, size, 3), (40 * label, number, 7), np.uint8)


def told(images: Any) -> list[tuple[int, int]]:
    """Label and number of each image, by its colour."""
    return [(int(image[0, 0, 0]) // 40, int(image[0, 0, 1])) for image in images]


def labelled(*folders: str, each: int = 4) -> dict[str, bytes]:
    """Files below folders of their labels."""
    return {
        f"{folder}/{name}/{i}.png": encoded(colour(label, i + 10 * place))
        for place, folder in enumerate(folders)
        for label, name in enumerate(CLASSES)
        for i in range(each)
    }


def prepared(
    target: Path,
    *paths: Path,
    family: str = "folder",
    size: int | None = 8,
    labels: LabelsFrom = "auto",
    test_share: float | None = None,
    resize: Resize = "area",
    test_labels: Path | None = None,
) -> dict[Split, tuple[list[tuple[int, int]], list[int] | None]]:
    """Label and number of each image as its pixels have them, and the labels, by split."""
    request = Request(
        paths=paths,
        size=size,
        labels=labels,
        test_share=test_share,
        resize=resize,
        test_labels=test_labels,
    )
    write(source(family, request), target)
    splits: tuple[Split, ...] = ("train", "test")
    found = {split: load(Npz(path=str(target)), split) for split in splits}
    return {
        split: (told(data.images), None if data.labels is None else data.labels.tolist())
        for split, data in found.items()
    }


def refusal(*paths: Path, **settings: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        prepared(paths[0].with_suffix(".out"), *paths, **settings)
    said = str(refused.value)
    assert "\n" not in said
    return said


# ------------------------------------------------------------------------------ train and test

DIVIDED: dict[str, Callable[[Path], list[Path]]] = {
    "a folder": lambda at: [write_files(at, labelled("train", "test"))],
    "a folder with val": lambda at: [write_files(at, labelled("train", "val"))],
    "folders below others": lambda at: [write_files(at, labelled("a/b/train", "a/b/valid"))],
    "a tar": lambda at: [write_tar(at / "x.tar", labelled("./x/train", "./x/test"))],
    "a packed tar": lambda at: [write_tar(at / "x.tar.gz", labelled("train", "test"))],
    "a zip": lambda at: [write_zip(at / "x.zip", labelled("x/training", "x/validation"))],
    "a tar of each": lambda at: [
        write_tar(at / "my_train.tar", labelled(".")),
        write_tar(at / "my_val.tar", labelled("my_val")),
    ],
    "a folder of each": lambda at: [
        write_files(at / "train", labelled(".")),
        write_files(at / "test", labelled(".")),
    ],
}


@pytest.mark.parametrize("layout", DIVIDED)
def test_splits_and_labels_are_those_of_the_folders(tmp_path: Path, layout: str) -> None:
    found = prepared(tmp_path / "x.npz", *DIVIDED[layout](tmp_path / "given"))
    for split in ("train", "test"):
        pixels, labels = found[split]
        assert labels == [label for label, _ in pixels]
        assert sorted(label for label, _ in pixels) == [0] * 4 + [1] * 4 + [2] * 4
    assert account(tmp_path / "x.npz")["classes"] == list(CLASSES)
    assert account(tmp_path / "x.npz")["test"] == "given"


def test_a_folder_and_its_archives_give_equal_files(tmp_path: Path) -> None:
    files = labelled("train", "test")
    backwards = dict(reversed(files.items()))
    contents = set()
    for path in (
        write_files(tmp_path / "x", files),
        write_tar(tmp_path / "x.tar", backwards),
        write_zip(tmp_path / "x.zip", files),
    ):
        prepared(tmp_path / "x.npz", path)
        contents.add((tmp_path / "x.npz").read_bytes())
    assert len(contents) == 1


def test_the_images_are_those_that_packing_the_folder_gives(tmp_path: Path) -> None:
    root = write_files(tmp_path / "x", labelled("train", "test"))
    pack(Folder(path=str(root), size=8), tmp_path / "packed.npz")
    prepared(tmp_path / "x.npz", root)
    with np.load(tmp_path / "packed.npz") as old, np.load(tmp_path / "x.npz") as new:
        for name in ("train", "train_labels", "test", "test_labels"):
            np.testing.assert_array_equal(old[name], new[name])


def test_a_share_is_set_apart_by_a_hash_of_the_names(tmp_path: Path) -> None:
    files = labelled("x", each=10)
    found = prepared(tmp_path / "x.npz", write_files(tmp_path, files) / "x", test_share=0.2)
    names = [name.removeprefix("x/") for name in files]
    apart = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:6]
    expected = sorted((CLASSES.index(name[:3]), int(name[4])) for name in apart)
    pixels, labels = found["test"]
    assert sorted(pixels) == expected
    assert labels == [label for label, _ in pixels]
    assert len(found["train"][0]) == 24
    assert account(tmp_path / "x.npz")["test"] == "share 0.2"


def test_a_share_does_not_depend_on_how_the_images_lie(tmp_path: Path) -> None:
    files = labelled("x", each=10)
    tar = write_tar(tmp_path / "x.tar", files)
    apart = [
        prepared(tmp_path / "x.npz", path, test_share=0.2)["test"]
        for path in (write_files(tmp_path, files) / "x", tar)
    ]
    assert apart[0] == apart[1]


def test_an_image_that_is_added_moves_at_most_one_other(tmp_path: Path) -> None:
    files = labelled("x", each=10)
    root = write_files(tmp_path, files) / "x"
    before = prepared(tmp_path / "x.npz", root, test_share=0.5)["test"][0]
    write_files(root, {"cat/new.png": encoded(colour(0, 99))})
    after = prepared(tmp_path / "x.npz", root, test_share=0.5)["test"][0]
    assert len(set(before) - set(after)) <= 1


def test_images_of_several_folders_are_one_set(tmp_path: Path) -> None:
    paths = [write_files(tmp_path / name, labelled("x", each=2)) / "x" for name in ("a", "b")]
    found = prepared(tmp_path / "x.npz", *paths, test_share=0.25)
    assert len(found["train"][0] + found["test"][0]) == 12


@pytest.mark.parametrize(
    ("folders", "settings", "found"),
    [
        (("x",), {}, "images that are not divided in"),
        (("train", "test"), {"test_share": 0.1}, "a test split and --test-share too in"),
    ],
)
def test_what_is_divided_twice_or_not_at_all_is_refused(
    tmp_path: Path, folders: tuple[str, ...], settings: dict[str, Any], found: str
) -> None:
    root = write_files(tmp_path / "y", labelled(*folders))
    assert refusal(root, **settings) == (
        "folder: expected train and test images apart, in folders or archives called so, or "
        f"--test-share, found {found} {root}; say which is meant"
    )


# -------------------------------------------------------------------------------------- labels


def test_labels_may_stand_before_the_names(tmp_path: Path) -> None:
    files = {
        f"{split}/{name}_{i}.png": encoded(colour(label, i))
        for split in ("train", "test")
        for label, name in enumerate(CLASSES)
        for i in range(3)
    }
    root = write_files(tmp_path / "given", files)
    pixels, labels = prepared(tmp_path / "x.npz", root, labels="prefix")["train"]
    assert labels == [label for label, _ in pixels]
    assert prepared(tmp_path / "y.npz", root, labels="none")["train"][1] is None
    assert "expected names such as label_1.png" in refusal(
        write_files(tmp_path / "other", labelled("train", "test")), labels="prefix"
    )
    assert refusal(root, labels="folders") == (
        "folder: expected every image in a subfolder named after its label, as the labels "
        f"'folders' ask for, found none below {root}"
    )


def test_a_label_of_test_images_alone_is_refused(tmp_path: Path) -> None:
    files = labelled("train", "test") | {"test/fox/1.png": encoded(colour(3, 1))}
    root = write_files(tmp_path / "given", files)
    assert "found 'fox' only below" in refusal(root)


def test_an_image_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_IMAGE_BYTES", 10)
    tar = write_tar(tmp_path / "x.tar", labelled("train", "test"))
    assert f"expected at most 10 bytes in {tar}/t" in refusal(tar)


def test_files_that_are_no_images_and_hidden_ones_are_told(tmp_path: Path) -> None:
    extra = {"train/cat/.DS_Store": b"", "__MACOSX/train/cat/0.png": b"", "train/list.txt": b""}
    path = write_zip(tmp_path / "x.zip", labelled("train", "test") | extra | {"other/9.png": b""})
    found = source("folder", Request(paths=(path,), size=8))
    assert found.account.lines() == (
        "left out, hidden or a file manager's: 2 (train/cat/.DS_Store, __MACOSX/train/cat/0.png)",
        "left out, images beside train/ and test/: 1 (other/9.png)",
        "left out, no image files (.txt): 1 (train/list.txt)",
    )


# ------------------------------------------------------------------------------------ ImageNet

VALIDATION = [(2, 30), (0, 31), (1, 32), (0, 33)]
WNIDS = ("n01440764", "n01443537", "n02123045")


def imagenet(*, kind: str) -> dict[str, bytes]:
    """Training images in folders of their synsets, validation images flat."""
    train = {
        f"train/{wnid}/{wnid}_{i}.JPEG": encoded(colour(label, i, size=64), "jpeg")
        for label, wnid in enumerate(WNIDS)
        for i in range(3)
    }
    val = {
        f"val/ILSVRC2012_val_{i + 1:08d}.JPEG": encoded(colour(label, number, size=64), "jpeg")
        for i, (label, number) in enumerate(VALIDATION)
    }
    others = {f"test/ILSVRC2012_test_{i}.JPEG": b"" for i in range(2)} if kind == "kaggle" else {}
    return train | val | others


LISTS = {
    "of synsets": "".join(f"{WNIDS[label]}\n" for label, _ in VALIDATION),
    "of names and places": "".join(
        f"ILSVRC2012_val_{i + 1:08d}.JPEG {label}\n" for i, (label, _) in enumerate(VALIDATION)
    ),
    "of the competition": "ImageId,PredictionString\n"
    + "".join(
        f"ILSVRC2012_val_{i:08d},{WNIDS[VALIDATION[i - 1][0]]} 1 2 3 4 {WNIDS[0]} 5 6 7 8 \n"
        for i in (3, 1, 4, 2)
    ),
}


def is_right(target: Path, found: Any) -> None:
    for split in ("train", "test"):
        pixels, labels = found[split]
        assert len(pixels) == {"train": 9, "test": 4}[split]
        with np.load(target) as arrays:
            reds = arrays[split][:, 32, 32, 0]
        assert [round(int(red) / 40) for red in reds] == labels  # a JPEG is near its colour
    assert account(target)["classes"] == list(WNIDS)


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("kind", ["folder", "kaggle"])
def test_flat_validation_images_get_their_labels_from_a_list(
    tmp_path: Path, kind: str, form: str
) -> None:
    root = write_files(tmp_path / "ILSVRC", imagenet(kind=kind))
    listed = tmp_path / "labels.txt"
    listed.write_text(LISTS[form])
    target = tmp_path / "x.npz"
    is_right(target, prepared(target, root, family="imagenet", size=None, test_labels=listed))


def test_a_tar_of_a_tar_for_each_class_is_read_as_it_is(tmp_path: Path) -> None:
    files = imagenet(kind="folder")
    with tarfile.open(tmp_path / "ILSVRC2012_img_train.tar", "w") as outer:
        for wnid in WNIDS:
            inner = {
                name.rpartition("/")[2]: content for name, content in files.items() if wnid in name
            }
            content = write_tar(tmp_path / "inner.tar", inner).read_bytes()
            member = tarfile.TarInfo(f"{wnid}.tar")
            member.size = len(content)
            outer.addfile(member, io.BytesIO(content))
    val = {name.removeprefix("val/"): data for name, data in files.items() if "val/" in name}
    paths = [tmp_path / "ILSVRC2012_img_train.tar", tmp_path / "ILSVRC2012_img_val.tar"]
    write_tar(paths[1], val)
    (tmp_path / "val.txt").write_text(LISTS["of names and places"])
    target = tmp_path / "x.npz"
    listed = tmp_path / "val.txt"
    is_right(target, prepared(target, *paths, family="imagenet", size=None, test_labels=listed))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n3\n1\n", "or the name of a training folder for each of the 4 test images, found 4"),
        ("n01440764\n", "found 1 lines such as n01440764"),
        ("", "found 0 lines such as none"),
        ("ILSVRC2012_val_00000001 0\n", "expected a label for ILSVRC2012_val_00000002 in"),
        (LISTS["of names and places"].replace(" 2", " 3"), "or its place from 0 to 2, found 3 for"),
        (LISTS["of synsets"].replace(WNIDS[0], "n00000001"), "found n00000001 for"),
    ],
)
def test_a_list_that_does_not_say_every_label_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    root = write_files(tmp_path / "x", imagenet(kind="folder"))
    (tmp_path / "labels.txt").write_text(text)
    listed = tmp_path / "labels.txt"
    said = refusal(root, family="imagenet", size=None, test_labels=listed)
    assert said.startswith("imagenet: expected ")
    assert message in said


def test_flat_validation_images_without_a_list_are_refused(tmp_path: Path) -> None:
    root = write_files(tmp_path / "x", imagenet(kind="folder"))
    assert "in a subfolder named after its label, or none, found both" in refusal(
        root, family="imagenet", size=None
    )


# -------------------------------------------------------------------------------------- resizing


def officially(image: Image.Image, size: int) -> Image.Image:
    """The lines of `ImageDataset.__getitem__` in the official code."""
    while min(*image.size) >= 2 * size:
        image = image.resize([x // 2 for x in image.size], resample=Image.Resampling.BOX)
    scale = size / min(*image.size)
    near = [round(x * scale) for x in image.size]
    image = image.resize(near, resample=Image.Resampling.BICUBIC)
    array = np.array(image)
    y, x = (array.shape[0] - size) // 2, (array.shape[1] - size) // 2
    return Image.fromarray(array[y : y + size, x : x + size])


@pytest.mark.parametrize("shape", [(31, 17), (16, 40), (33, 64), (8, 9), (5, 6), (8, 8)])
def test_images_are_resized_as_the_official_loader_does(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    image = noise(*shape, 3)
    root = write_files(
        tmp_path / "x", {f"{split}/1.png": encoded(image) for split in ("train", "test")}
    )
    prepared(tmp_path / "x.npz", root, resize="official", labels="none")
    with np.load(tmp_path / "x.npz") as arrays:
        expected = np.asarray(officially(Image.fromarray(image), 8))
        np.testing.assert_array_equal(arrays["train"][0], expected)
    assert account(tmp_path / "x.npz")["resize"] == "official"


def test_images_are_resized_by_area_unless_told_otherwise(tmp_path: Path) -> None:
    image = noise(32, 16, 3)
    root = write_files(
        tmp_path / "x", {f"{split}/1.png": encoded(image) for split in ("train", "test")}
    )
    prepared(tmp_path / "x.npz", root)
    middle = image[8:24].astype(int).reshape(8, 2, 8, 2, 3).sum(axis=(1, 3))
    with np.load(tmp_path / "x.npz") as arrays:
        assert np.abs(arrays["train"][0] - middle / 4).max() <= 1  # rounded along either axis
    assert account(tmp_path / "x.npz")["resize"] == "area"


def test_grey_images_stay_grey_only_where_all_are(tmp_path: Path) -> None:
    grey = {f"{split}/{i}.png": encoded(noise(8, 8)) for split in ("train", "test") for i in (1, 2)}
    root = write_files(tmp_path / "x", grey)
    assert source("folder", Request(paths=(root,), size=8)).channels == 1
    write_files(root, {"test/3.png": encoded(noise(8, 8, 3))})
    assert source("folder", Request(paths=(root,), size=8)).channels == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": None}, "folder: expected --size, the pixels a side, found none; add it"),
        ({"size": 0}, "--size: expected 1 to "),
        ({"test_share": 1.0}, "--test-share: expected a share between 0 and 1, found 1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    root = write_files(tmp_path / "x", labelled("train", "test"))
    assert refusal(root, **settings).startswith(message)


# ------------------------------------------------------------------------------------------ LSUN


def database(path: Path, images: dict[str, Any]) -> Path:
    """A database of LMDB as LSUN has them: webp by keys of forty letters."""
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as file:
        for key, image in images.items():
            file.put(key.encode(), encoded(image, "webp"))
    return path


def keyed(labels: range) -> dict[str, Any]:
    names = [hashlib.sha1(str(label).encode()).hexdigest() for label in labels]
    return {
        name: np.pad(colour(label, 0, size=16), ((2, 2), (0, 0), (0, 0)), mode="edge")
        for name, label in zip(names, labels, strict=True)
    }


def test_databases_of_lsun_give_what_their_exports_give(tmp_path: Path) -> None:
    train, val = keyed(range(6)), keyed(range(2))
    databases = [
        database(tmp_path / "bedroom_train_lmdb", train),
        database(tmp_path / "bedroom_val_lmdb", val),
    ]
    exports = []
    for name, images in (("bedroom_train", train), ("bedroom_val", val)):
        files = {f"{'/'.join(k[:6])}/{k}.webp": encoded(v, "webp") for k, v in images.items()}
        exports.append(write_files(tmp_path / name, files))
    for target, paths in (("a.npz", databases), ("b.npz", exports)):
        found = prepared(tmp_path / target, *paths, family="lsun", size=16)
        assert found["train"][1] is None
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        reds = sorted(a["train"][:, 8, 8, 0])
        assert [round(int(red) / 40) for red in reds] == list(range(6))
        for split in ("train", "test"):
            np.testing.assert_array_equal(a[split], b[split])


@pytest.mark.parametrize("change", ["cut", "something else"])
def test_a_damaged_database_is_refused(tmp_path: Path, change: str) -> None:
    path = database(tmp_path / "bedroom_train_lmdb", keyed(range(6)))
    content = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(content[:-4096] if change == "cut" else b"mdb" * 9000)
    other = database(tmp_path / "bedroom_val_lmdb", keyed(range(2)))
    said = refusal(path, other, family="lsun", size=16)
    assert said.startswith(f"lsun: expected a whole file, found {path} that cannot be read (")


def test_a_database_is_refused_where_nothing_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(tmp_path / "bedroom_train_lmdb", keyed(range(6)))
    monkeypatch.setitem(sys.modules, "lmdb", None)
    assert refusal(path, family="lsun") == (
        f"lsun: expected the package lmdb, to read {path}, found none; pip install lmdb"
    )
