"""The family of MNIST goes from its idx files to a prepared file, with a border that is told."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Npz
from iddpm.data import load
from iddpm.images.families import source
from iddpm.images.packing import write
from iddpm.images.sources import Request
from tests.witness.packed import account
from tests.witness.published_files import (
    idx,
    in_their_order,
    mnist_files,
    pixels_of,
    write_files,
    write_tar,
)

IMAGES = {"train": pixels_of(30, 28, 28, seed=1), "test": pixels_of(20, 28, 28, seed=2)}
LABELS = {split: [(7 * i) % 10 for i in range(len(IMAGES[split]))] for split in IMAGES}


def files(*, packed: bool = True) -> dict[str, bytes]:
    return mnist_files(IMAGES, LABELS, packed=packed)


@pytest.mark.parametrize("layout", ["folder", "packed", "tar", "four files"])
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_every_layout_gives_the_images_in_a_border(tmp_path: Path, layout: str, name: str) -> None:
    given = files(packed=layout == "packed")
    if layout == "tar":
        paths = [write_tar(tmp_path / "given.tar.gz", given)]
    else:
        root = write_files(tmp_path / "given", given)
        paths = sorted(root.iterdir()) if layout == "four files" else [root]
    told = write(source(name, Request(paths=tuple(paths))), tmp_path / "x.npz")
    assert "images have a black border of 2 pixels" in told
    for split in SPLITS:
        found = load(Npz(path=str(tmp_path / "x.npz")), split)
        assert found.images.shape == (len(IMAGES[split]), 32, 32, 1)
        np.testing.assert_array_equal(found.images[:, 2:30, 2:30, 0], in_their_order(IMAGES[split]))
        border = found.images.astype(int).sum() - IMAGES[split].astype(int).sum()
        assert border == 0
        assert found.labels is not None
        np.testing.assert_array_equal(found.labels, in_their_order(np.array(LABELS[split])))
    said = account(tmp_path / "x.npz")
    assert said["border"] == 2
    assert said["classes"][9] == {"mnist": "9", "fashion": "Ankle boot"}[name]


def test_the_images_keep_their_size_where_it_is_asked_for(tmp_path: Path) -> None:
    root = write_files(tmp_path / "given", files())
    told = write(source("mnist", Request(paths=(root,), size=28)), tmp_path / "x.npz")
    assert [line for line in told if "border" in line] == []
    found = load(Npz(path=str(tmp_path / "x.npz")), "train")
    np.testing.assert_array_equal(found.images[..., 0], in_their_order(IMAGES["train"]))


def with_labels_from_1() -> dict[str, bytes]:
    raised = {split: [label + 1 for label in LABELS[split]] for split in LABELS}
    return mnist_files(IMAGES, raised, packed=False)


def test_labels_from_1_are_taken_where_it_is_said(tmp_path: Path) -> None:
    root = write_files(tmp_path / "given", with_labels_from_1())
    write(source("mnist", Request(paths=(root,), first_label=1)), tmp_path / "x.npz")
    labels = load(Npz(path=str(tmp_path / "x.npz")), "test").labels
    assert labels is not None
    np.testing.assert_array_equal(labels, in_their_order(np.array(LABELS["test"])))


def test_labels_from_1_are_refused_where_it_is_not_said(tmp_path: Path) -> None:
    root = write_files(tmp_path / "given", with_labels_from_1())
    with pytest.raises(ConfigError) as refused:
        write(source("mnist", Request(paths=(root,))), tmp_path / "x.npz")
    assert str(refused.value) == (
        "mnist: expected an image of every class from 0 to 10 among train_labels, found none of "
        "0; if the labels begin at 1, say --first-label 1"
    )


def refusal(*paths: Path, first_label: int = 0) -> str:
    with pytest.raises(ConfigError) as refused:
        source("mnist", Request(paths=paths, first_label=first_label))
    said = str(refused.value)
    assert "\n" not in said
    return said


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
BAD = {
    "a file cut short": (
        {TRAIN_IMAGES: idx(IMAGES["train"], packed=False)[:-1]},
        "expected 23,520 bytes by the header (30, 28, 28), found 23,519 in",
    ),
    "a gzip cut short": (
        {TRAIN_IMAGES: idx(IMAGES["train"], packed=True)[:-9]},
        "that cannot be read (Compressed file ended before the end-of-stream marker was reached)",
    ),
    "a header that asks for too much": (
        {TRAIN_IMAGES: b"\0\0\x08\x03" + b"\0\1\0\0" * 3},
        "expected at most 1,073,741,824 bytes in",
    ),
    "a header cut short": ({TRAIN_IMAGES: b"\0\0\x08\x03\0"}, "expected an idx file of unsigned b"),
    "something else": ({TRAIN_LABELS: b"<html>"}, "expected an idx file of unsigned bytes, found"),
    "labels of others": (
        {TRAIN_LABELS: idx(np.zeros(29, np.uint8), packed=False)},
        "expected images (N, S, S) and as many labels, found (30, 28, 28) in",
    ),
    "images that are not square": (
        {TRAIN_IMAGES: idx(pixels_of(30, 28, 27), packed=False)},
        "expected images of at most 32x32 that a border of one width brings there, found 28x27",
    ),
    "images that are larger": (
        {TRAIN_IMAGES: idx(pixels_of(30, 33, 33), packed=False)},
        "found 33x33 in",
    ),
    "images of an odd size": (
        {TRAIN_IMAGES: idx(pixels_of(30, 27, 27), packed=False)},
        "found 27x27 in",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_cannot_be_right_is_refused(tmp_path: Path, what: str) -> None:
    changed, expected = BAD[what]
    root = write_files(tmp_path, {**files(packed=False), **changed})
    assert expected in refusal(root)


def test_labels_below_the_first_are_refused(tmp_path: Path) -> None:
    root = write_files(tmp_path, files())
    assert "mnist: expected labels from 1 on, found 0 in" in refusal(root, first_label=1)


def test_a_file_that_is_missing_or_there_twice_is_refused(tmp_path: Path) -> None:
    root = write_files(tmp_path, files())
    (root / "t10k-labels-idx1-ubyte.gz").unlink()
    assert refusal(root) == (
        "mnist: expected a file t10k-labels-idx1-ubyte, packed by gzip or not, found none in "
        f"{root}"
    )
    again = write_files(tmp_path, files(packed=False))
    assert refusal(again).startswith("mnist: expected one file of the ")


def test_no_more_is_unpacked_than_the_header_says(tmp_path: Path) -> None:
    """A hundred kilobytes can unpack to a hundred megabytes."""
    bomb = gzip.compress(idx(IMAGES["train"], packed=False) + bytes(10**8))
    root = write_files(tmp_path, {**files(packed=False), TRAIN_IMAGES: bomb})
    tracemalloc.start()
    try:
        expected = "expected 23,520 bytes by the header (30, 28, 28), found more in"
        assert expected in refusal(root)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()
