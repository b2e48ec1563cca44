"""Both downsampled ImageNets go from the files in which they are published to a prepared file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iddpm.bounds import ConfigError
from iddpm.config import Split
from iddpm.data import load
from iddpm.images.families import source
from iddpm.images.packing import write
from iddpm.images.sources import Request
from tests.witness.packed import account, prepared
from tests.witness.published_files import (
    chrabaszcz_arrays,
    encoded,
    in_their_order,
    npz,
    pickled,
    pixels_of,
    png_files,
    write_files,
    write_tar,
    write_zip,
)

TRAIN, TEST = pixels_of(12, 64, 64, 3, seed=3), pixels_of(5, 64, 64, 3, seed=4)
IMAGES: dict[Split, NDArray[np.uint8]] = {"train": TRAIN, "test": TEST}
PNGS = {
    "train_64x64": png_files("train_64x64", TRAIN),
    "valid_64x64": png_files("valid_64x64", TEST),
}


def refusal(family: str, *paths: Path, size: int | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        prepared(family, paths[0].with_suffix(".out"), *paths, size=size)
    said = str(refused.value)
    assert "\n" not in said
    return said


# ------------------------------------------------------------------------------------ van den Oord


def lay_out(folder: Path, layout: str) -> list[Path]:
    if layout == "folder of both":
        return [write_files(folder, PNGS["train_64x64"] | PNGS["valid_64x64"])]
    if layout == "tar of both":
        return [write_tar(folder / "imagenet64.tar", PNGS["train_64x64"] | PNGS["valid_64x64"])]
    if layout == "folders":
        lay_out(folder, "folder of both")
        return [folder / name for name in PNGS]
    suffix, writes = {
        "tars": (".tar", write_tar),
        "packed tars": (".tar.gz", write_tar),
        "zips": (".zip", write_zip),
    }[layout]
    return [writes(folder / f"{name}{suffix}", files) for name, files in PNGS.items()]


LAYOUTS = ("tars", "packed tars", "zips", "folders", "folder of both", "tar of both")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_pngs_gives_the_images_in_the_order_of_their_names(
    tmp_path: Path, layout: str
) -> None:
    paths = lay_out(tmp_path / "given", layout)
    data = prepared("imagenet64_vdo", tmp_path / "x.npz", *paths)
    for split, images in IMAGES.items():
        with np.load(tmp_path / "x.npz") as arrays:
            np.testing.assert_array_equal(arrays[split], in_their_order(images))
    assert load(data, "train").labels is None
    assert account(tmp_path / "x.npz")["resize"] == "none"


def test_layouts_of_pngs_give_equal_files(tmp_path: Path) -> None:
    contents = set()
    for layout in LAYOUTS:
        prepared("imagenet64_vdo", tmp_path / "x.npz", *lay_out(tmp_path / layout, layout))
        contents.add((tmp_path / "x.npz").read_bytes())
    assert len(contents) == 1


def test_a_grey_png_is_written_as_colour_and_told(tmp_path: Path) -> None:
    grey = pixels_of(1, 64, 64)[0]
    files = PNGS["train_64x64"] | {"train_64x64/9.png": encoded(grey)}
    paths = lay_out(tmp_path, "tars")
    write_tar(paths[0], files)
    told = write(source("imagenet64_vdo", Request(paths=tuple(paths))), tmp_path / "x.npz")
    assert told == ("written as colour, being grey: 1 (train_64x64/9.png)",)
    with np.load(tmp_path / "x.npz") as arrays:
        found = (arrays["train"] == grey[..., None]).all(axis=(1, 2, 3))
    assert found.sum() == 1


def test_images_of_another_size_are_refused_where_one_is_promised(tmp_path: Path) -> None:
    other = {"train_64x64/0000003.png": encoded(pixels_of(1, 64, 32, 3)[0])}
    paths = [write_tar(tmp_path / "train_64x64.tar", PNGS["train_64x64"] | other)]
    paths += lay_out(tmp_path / "other", "tars")[1:]
    assert refusal("imagenet64_vdo", *paths) == (
        "imagenet64_vdo: expected images of 64x64, found 64x32 in "
        f"{paths[0]}/train_64x64/0000003.png; nothing is resized here"
    )
    small = lay_out(tmp_path / "small", "tars")
    assert "expected images of 32x32, found 64x64" in refusal("imagenet64_vdo", *small, size=32)


def test_one_split_alone_is_refused(tmp_path: Path) -> None:
    train, _ = lay_out(tmp_path, "tars")
    assert refusal("imagenet64_vdo", train) == (
        f"imagenet64_vdo: expected test images, found none in {train}; folders and archives are "
        "known by names such as train and test"
    )


def test_a_renamed_archive_is_known_by_the_folder_in_it_or_refused(tmp_path: Path) -> None:
    paths = lay_out(tmp_path / "given", "tars")
    renamed = paths[0].rename(tmp_path / "images.tar")
    prepared("imagenet64_vdo", tmp_path / "x.npz", renamed, paths[1])
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["train"], in_their_order(TRAIN))
    write_tar(renamed, png_files("images", TRAIN))
    assert refusal("imagenet64_vdo", renamed, paths[1]) == (
        "imagenet64_vdo: expected train and test images apart, in folders or archives called so, "
        f"or --test-share, found images that are not divided in {renamed}; say which is meant"
    )


@pytest.mark.parametrize("layout", ["tars", "packed tars", "zips"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_archive_cut_short_is_refused(tmp_path: Path, layout: str, share: float) -> None:
    paths = lay_out(tmp_path, layout)
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: int(share * len(content))])
    said = refusal("imagenet64_vdo", *paths)
    assert said.startswith("imagenet64_vdo: expected ")
    assert str(paths[0]) in said


@pytest.mark.parametrize("layout", ["tars", "packed tars", "zips"])
def test_an_archive_with_a_changed_byte_is_refused(tmp_path: Path, layout: str) -> None:
    paths = lay_out(tmp_path, layout)
    content = bytearray(paths[0].read_bytes())
    content[len(content) // 2] ^= 0xFF
    paths[0].write_bytes(content)
    assert str(paths[0]) in refusal("imagenet64_vdo", *paths)


# -------------------------------------------------------------------------------------- Chrabaszcz

CLASSES = 6
LABELS = {"train": [1 + (5 * i) % CLASSES for i in range(12)], "test": [6, 1, 2, 5, 3]}


def batches(kind: str) -> dict[str, bytes]:
    """Three training batches of four images and the validation batch."""
    parts = {
        f"train_data_batch_{b + 1}": (TRAIN[4 * b : 4 * b + 4], LABELS["train"][4 * b : 4 * b + 4])
        for b in range(3)
    }
    parts["val_data"] = TEST, LABELS["test"]
    arrays = {name: chrabaszcz_arrays(*part) for name, part in parts.items()}
    if kind == "pickles":
        return {name: pickled(found) for name, found in arrays.items()}
    packed = kind == "compressed npz"
    return {f"{name}.npz": npz(found, packed=packed) for name, found in arrays.items()}


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "pickles", "pickles in zips"])
def test_batches_give_the_images_channels_last_and_labels_from_0(tmp_path: Path, kind: str) -> None:
    if kind == "pickles in zips":
        files = batches("pickles")
        first = {name: files[name] for name in list(files)[:2]}
        rest = {name: files[name] for name in list(files)[2:]}
        paths = [write_zip(tmp_path / "part1.zip", first), write_zip(tmp_path / "part2.zip", rest)]
    else:
        paths = [write_files(tmp_path / "given", batches(kind))]
    data = prepared("imagenet64_npz", tmp_path / "x.npz", *paths)
    for split, images in IMAGES.items():
        found = load(data, split)
        np.testing.assert_array_equal(found.images, in_their_order(images))
        assert found.labels is not None
        np.testing.assert_array_equal(found.labels, in_their_order(np.array(LABELS[split])) - 1)


def test_the_order_of_the_classes_is_told_and_stands_in_the_account(tmp_path: Path) -> None:
    root = write_files(tmp_path / "given", batches("npz"))
    told = write(source("imagenet64_npz", Request(paths=(root,))), tmp_path / "x.npz")
    assert told[0] == (
        "labels are those of the files less 1, in the order of map_clsloc.txt, not of synsets"
    )
    assert account(tmp_path / "x.npz")["order of classes"] == "map_clsloc"
    assert account(tmp_path / "x.npz")["classes"] == []
    names = ["kit_fox", "English_setter", "Siberian_husky", "a", "b", "c"]
    lines = "".join(f"n0{i} {i + 1} {name}\n" for i, name in enumerate(names))
    write_files(root, {"map_clsloc.txt": lines.encode()})
    prepared("imagenet64_npz", tmp_path / "x.npz", root)
    assert account(tmp_path / "x.npz")["classes"] == names


class Asks:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch run",)


def changed(kind: str, name: str, **arrays: Any) -> dict[str, bytes]:
    whole = chrabaszcz_arrays(TRAIN[:4], LABELS["train"][:4]) | arrays
    content = pickled(whole) if kind == "pickles" else npz(whole)
    return batches(kind) | {name: content}


def without(name: str) -> dict[str, bytes]:
    return {key: content for key, content in batches("npz").items() if key != name}


BAD: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "a pickle with code": (
        lambda: batches("pickles") | {"val_data": pickled({"data": Asks()})},
        "with something else (it asks for posix.system); nothing of it was run",
    ),
    "objects in an .npz": (
        lambda: changed("npz", "val_data.npz", labels=np.array([Asks()] * 4, object)),
        "(Object arrays cannot be loaded when allow_pickle=False)",
    ),
    "labels from 0": (
        lambda: changed("npz", "val_data.npz", labels=[0, 1, 2, 3]),
        "expected labels from 1 to 1000, found 0 in",
    ),
    "labels above all classes": (
        lambda: changed("npz", "val_data.npz", labels=[1001, 1, 2, 3]),
        "expected labels from 1 to 1000, found 1001 in",
    ),
    "images of another size": (
        lambda: changed("npz", "val_data.npz", data=pixels_of(4, 32 * 32 * 3)),
        "expected images of 64x64x3, 12288 numbers each, found 3072 in",
    ),
    "fewer labels": (
        lambda: changed("pickles", "val_data", labels=[1, 2]),
        "expected a label for each image, found 2 labels and 4 images in",
    ),
    "no labels": (
        lambda: batches("npz") | {"val_data.npz": npz({"data": TEST})},
        "expected an .npz with the arrays data and labels, found",
    ),
    "floats": (
        lambda: changed("npz", "val_data.npz", data=np.zeros((4, 12288), np.float32)),
        "expected an array 'data' of uint8, found none in",
    ),
    "no validation batch": (
        lambda: without("val_data.npz"),
        "and val_data, as pickles or .npz, found no val_data in",
    ),
    "a batch that is missing": (
        lambda: without("train_data_batch_2.npz"),
        "expected batches without a hole, found none of number 2 among train_data_batch_1 to _3",
    ),
    "a batch twice": (
        lambda: batches("npz") | batches("pickles"),
        "imagenet64_npz: expected each batch once, found",
    ),
    "a file cut short": (
        lambda: batches("npz") | {"val_data.npz": batches("npz")["val_data.npz"][:-200]},
        "expected an .npz with the arrays data and labels, found",
    ),
    "a changed byte": (
        lambda: (
            batches("npz")
            | {
                "val_data.npz": batches("npz")["val_data.npz"].replace(
                    TEST[0, 0, :40, 0].tobytes(), bytes(40)
                )
            }
        ),
        "Bad CRC-32",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_batches_that_cannot_be_right_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files, expected = BAD[what]
    assert expected in refusal("imagenet64_npz", write_files(tmp_path / "given", files()))
    assert not (tmp_path / "run").exists()


def test_an_npz_within_an_archive_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "part1.zip", batches("npz"))
    said = refusal("imagenet64_npz", path)
    assert said.startswith("imagenet64_npz: expected an .npz that lies in a folder, found ")
    assert said.endswith(" within an archive; unpack it")


def test_a_class_without_a_training_image_is_refused(tmp_path: Path) -> None:
    files = changed("npz", "train_data_batch_1.npz", labels=[1, 1, 9, 9])
    assert refusal("imagenet64_npz", write_files(tmp_path / "given", files)) == (
        "imagenet64_npz: expected an image of every class from 0 to 8 among train_labels, found "
        "none of 6, 7; number the classes without holes"
    )
