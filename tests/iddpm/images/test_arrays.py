"""Arrays of an .npz go into a prepared file by their usual names, however their axes lie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Npz
from iddpm.data import load
from iddpm.images.families import source
from iddpm.images.packing import write
from iddpm.images.sources import Request
from tests.witness.published_files import in_their_order, npz, pixels_of

TRAIN, TEST = pixels_of(12, 8, 8, 3, seed=5), pixels_of(6, 8, 8, 3, seed=6)
LABELS = {"train": np.arange(12) % 3, "test": np.arange(6) % 3}


def saved(path: Path, **arrays: Any) -> Path:
    path.write_bytes(npz(arrays))
    return path


def prepared(target: Path, *paths: Path, **settings: Any) -> tuple[str, ...]:
    return write(source("npz", Request(paths=paths, **settings)), target)


def is_right(target: Path) -> None:
    for split, images in (("train", TRAIN), ("test", TEST)):
        with np.load(target) as arrays:
            np.testing.assert_array_equal(arrays[split], in_their_order(images))
            np.testing.assert_array_equal(arrays[f"{split}_labels"], in_their_order(LABELS[split]))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("names", ["train {} train_labels {}", "x_{} y_{}", "X_{} y_{}"])
def test_both_splits_of_a_file_are_taken(tmp_path: Path, names: str, packed: bool) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    for split, images in (("train", TRAIN), ("test", TEST)):
        if names.startswith("train"):
            arrays |= {split: images, f"{split}_labels": LABELS[split]}
        else:
            image_name, label_name = names.format(split, split).split()
            arrays |= {image_name: images, label_name: LABELS[split].reshape(-1, 1)}
    (tmp_path / "given.npz").write_bytes(npz(arrays, packed=packed))
    assert prepared(tmp_path / "x.npz", tmp_path / "given.npz") == ()
    is_right(tmp_path / "x.npz")


def test_files_of_one_split_go_by_their_names(tmp_path: Path) -> None:
    paths = [
        saved(tmp_path / "train_1.npz", arr_0=TRAIN[:5], arr_1=LABELS["train"][:5]),
        saved(tmp_path / "train_2.npz", arr_0=TRAIN[5:], arr_1=LABELS["train"][5:]),
        saved(tmp_path / "val.npz", images=TEST, labels=LABELS["test"]),
    ]
    prepared(tmp_path / "x.npz", *paths)
    is_right(tmp_path / "x.npz")


LAID: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "channels first": lambda images: np.ascontiguousarray(images.transpose(0, 3, 1, 2)),
    "rows": lambda images: images.transpose(0, 3, 1, 2).reshape(len(images), -1),
}


@pytest.mark.parametrize("how", LAID)
def test_axes_in_another_order_are_put_right_and_told(tmp_path: Path, how: str) -> None:
    laid = {"train": LAID[how](TRAIN), "test": LAID[how](TEST)}
    labels = {f"{split}_labels": LABELS[split] for split in SPLITS}
    path = saved(tmp_path / "given.npz", **laid, **labels)
    (line,) = prepared(tmp_path / "x.npz", path)
    words = {"channels first": "channels stand before", "rows": "images are rows of numbers"}
    assert words[how] in line
    is_right(tmp_path / "x.npz")


def test_grey_images_need_no_channels(tmp_path: Path) -> None:
    path = saved(tmp_path / "given.npz", train=TRAIN[..., 0], test=TEST[..., 0])
    prepared(tmp_path / "x.npz", path)
    found = load(Npz(path=str(tmp_path / "x.npz")), "train")
    np.testing.assert_array_equal(found.images, in_their_order(TRAIN[..., :1]))
    assert found.labels is None


def test_a_share_of_an_undivided_file_is_set_apart(tmp_path: Path) -> None:
    labels = np.arange(12) % 2
    path = saved(tmp_path / "given.npz", images=TRAIN, labels=labels)
    prepared(tmp_path / "x.npz", path, test_share=0.25)
    data = Npz(path=str(tmp_path / "x.npz"))
    test, train = load(data, "test"), load(data, "train")
    assert (len(test.images), len(train.images)) == (3, 9)
    assert test.labels is not None
    assert train.labels is not None
    both: NDArray[np.uint8] = np.concatenate([test.images, train.images])
    places = [int((image == TRAIN).all(axis=(1, 2, 3)).argmax()) for image in both]
    assert sorted(places) == list(range(12))
    np.testing.assert_array_equal(labels[places], np.concatenate([test.labels, train.labels]))
    drawn = np.random.RandomState(0).permutation(12)
    np.testing.assert_array_equal(test.images, in_their_order(TRAIN[drawn[:3]]))
    np.testing.assert_array_equal(train.images, in_their_order(TRAIN[drawn[3:]]))


def test_labels_from_1_are_taken_only_where_it_is_said(tmp_path: Path) -> None:
    labels = {f"{split}_labels": LABELS[split] + 1 for split in SPLITS}
    path = saved(tmp_path / "given.npz", train=TRAIN, test=TEST, **labels)
    with pytest.raises(ConfigError, match="if the labels begin at 1, say --first-label 1"):
        prepared(tmp_path / "x.npz", path)
    prepared(tmp_path / "x.npz", path, first_label=1)
    is_right(tmp_path / "x.npz")


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "floats": (
        {"train": TRAIN / 255, "test": TEST},
        {},
        "npz: expected 'train' to be uint8, found float64 in {}; write pixels from 0 to 255 as "
        "uint8",
    ),
    "another size in test": (
        {"train": TRAIN, "test": pixels_of(2, 9, 9, 3)},
        {},
        "npz: expected images of one size and number of channels, found 8x8x3 in {} and 9x9x3 in "
        "{}",
    ),
    "mixed channel counts": (
        {"train": TRAIN, "test": TEST[..., 0]},
        {},
        "npz: expected images of one size and number of channels, found 8x8x3 in {} and 8x8x1 in "
        "{}",
    ),
    "two channels": (
        {"train": TRAIN[..., :2], "test": TEST},
        {},
        "npz: expected 'train' to be square images of 1 or 3 channels, found the shape "
        "(12, 8, 8, 2) in {}",
    ),
    "images that are not square": (
        {"train": TRAIN[:, 1:], "test": TEST},
        {},
        "npz: expected 'train' to be square images of 1 or 3 channels, found the shape "
        "(12, 7, 8, 3) in {}",
    ),
    "another size than is promised": (
        {"train": TRAIN, "test": TEST},
        {"size": 16},
        "npz: expected images of 16x16, found 8x8 in {}; nothing is resized here",
    ),
    "labels of one split": (
        {"train": TRAIN, "test": TEST, "train_labels": LABELS["train"]},
        {},
        "npz: expected labels of all images or of none, found them in {}, and none of 'test' in {}",
    ),
    "labels with a hole": (
        {
            "train": TRAIN,
            "test": TEST,
            "train_labels": LABELS["train"] * 2,
            "test_labels": LABELS["test"],
        },
        {},
        "npz: expected an image of every class from 0 to 4 among train_labels, found none of 1, "
        "3; number the classes without holes",
    ),
    "labels below the first": (
        {
            "train": TRAIN,
            "test": TEST,
            "train_labels": LABELS["train"],
            "test_labels": LABELS["test"],
        },
        {"first_label": 1},
        "npz: expected labels from 1 on, found 0 in {}",
    ),
    "too few labels": (
        {
            "train": TRAIN,
            "test": TEST,
            "train_labels": LABELS["train"][:5],
            "test_labels": LABELS["test"],
        },
        {},
        "npz: expected 'train_labels' to hold one integer for each of the 12 images, found int64 "
        "of shape (5,) in {}",
    ),
    "arrays of other names": (
        {"pictures": TRAIN},
        {},
        "npz: expected an .npz with arrays called train, x_train, X_train, train_images, test, "
        "x_test, X_test, test_images, images, arr_0, data, x, X, found pictures in {}",
    ),
    "nothing for testing": (
        {"images": TRAIN},
        {},
        "npz: expected train and test images apart, by the names of arrays or files, or "
        "--test-share, found images in {}; say which is meant",
    ),
    "a test split and a share": (
        {"train": TRAIN, "test": TEST},
        {"test_share": 0.5},
        "npz: expected train and test images apart, by the names of arrays or files, or "
        "--test-share, found test, train in {}; say which is meant",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_arrays_that_cannot_be_right_are_refused(tmp_path: Path, what: str) -> None:
    arrays, settings, message = BAD[what]
    path = saved(tmp_path / "given.npz", **arrays)
    with pytest.raises(ConfigError) as refused:
        prepared(tmp_path / "x.npz", path, **settings)
    assert str(refused.value) == message.replace("{}", str(path))
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize("change", ["cut", "a byte", "no npz", "absent"])
def test_a_file_that_is_damaged_is_refused(tmp_path: Path, change: str) -> None:
    path = saved(tmp_path / "given.npz", train=TRAIN, test=TEST)
    content = path.read_bytes()
    if change == "cut":
        path.write_bytes(content[:-100])
    elif change == "a byte":
        path.write_bytes(content.replace(TEST[3, 3].tobytes(), bytes(24)))
    elif change == "no npz":
        path.write_bytes(b"<html>")
    else:
        path.unlink()
    with pytest.raises(ConfigError, match=r"^npz: expected an \.npz ") as refused:
        prepared(tmp_path / "x.npz", path)
    assert str(path) in str(refused.value)
