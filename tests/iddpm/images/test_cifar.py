"""CIFAR-10 in each layout that it is published in becomes the same prepared file."""

import os
from pathlib import Path

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.config import SPLITS
from iddpm.data import load
from iddpm.images import checksums
from iddpm.images.families import source
from iddpm.images.sources import Request
from tests.witness.packed import account, prepared
from tests.witness.published_files import (
    cifar_batch,
    cifar_files,
    cifar_labels,
    in_their_order,
    pickled,
    pixels_of,
    write_files,
    write_tar,
)

EACH = 10
IMAGES = pixels_of(6 * EACH, 32, 32, 3)
PYTHON = cifar_files(IMAGES, binary=False)
BINARY = cifar_files(IMAGES, binary=True)


def lay_out(folder: Path, layout: str) -> Path:
    files = BINARY if "binary" in layout else PYTHON
    if "packed" in layout:
        return write_tar(folder / f"cifar-10-{layout.split()[1]}.tar.gz", files)
    if "tar" in layout:
        return write_tar(folder / "cifar.tar", files)
    root = write_files(folder, files)
    return next(root.iterdir()) if "inner" in layout else root


LAYOUTS = (
    *("packed python", "packed binary", "unpacked python", "unpacked binary"),
    *("inner python", "inner binary", "tar python"),
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_images_and_labels(tmp_path: Path, layout: str) -> None:
    data = prepared("cifar10", tmp_path / "x.npz", lay_out(tmp_path / "given", layout))
    labels = np.array(cifar_labels(EACH))
    parts = {"train": (slice(0, 5 * EACH), 5), "test": (slice(5 * EACH, None), 1)}
    for split in SPLITS:
        rows, times = parts[split]
        found = load(data, split)
        np.testing.assert_array_equal(found.images, in_their_order(IMAGES[rows]))
        assert found.labels is not None
        np.testing.assert_array_equal(found.labels, in_their_order(np.tile(labels, times)))


def test_the_layouts_give_equal_files(tmp_path: Path) -> None:
    contents = set()
    for layout in LAYOUTS:
        prepared("cifar10", tmp_path / "x.npz", lay_out(tmp_path / layout, layout))
        contents.add((tmp_path / "x.npz").read_bytes())
    assert len(contents) == 1


def test_the_account_names_the_classes(tmp_path: Path) -> None:
    prepared("cifar10", tmp_path / "x.npz", lay_out(tmp_path / "given", "packed python"))
    said = account(tmp_path / "x.npz")
    assert said["classes"][:3] == ["airplane", "automobile", "bird"]
    assert (len(said["classes"]), said["classes"][9]) == (10, "truck")
    assert (said["source"], said["content"]) == ("cifar10", "unknown")


def test_what_is_not_the_published_archive_is_told(tmp_path: Path) -> None:
    given = lay_out(tmp_path / "given", "packed python")
    (line,) = source("cifar10", Request(paths=(given,))).hints
    assert line.startswith("not the known content of cifar10: cifar-10-python.tar.gz has the md5 ")
    assert line.endswith(", published is c58f30108f718f92721af3b95e74349a")


@pytest.mark.parametrize("layout", ["packed python", "unpacked python"])
def test_the_published_content_is_known_by_its_md5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    given = lay_out(tmp_path / "given", layout)
    files = [given] if given.is_file() else [f for f in given.rglob("*_batch*") if f.is_file()]
    known = {file.name: (os.popen(f"md5sum '{file}'").read().split()[0],) for file in files}
    monkeypatch.setitem(checksums.PUBLISHED, "cifar10", known)
    found = source("cifar10", Request(paths=(given,)))
    assert found.hints == ()
    assert found.about["content"] == "published"


# -------------------------------------------------------------------------------------- refusals


def refusal(*paths: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        source("cifar10", Request(paths=paths))
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_a_truncated_tarball_is_refused(tmp_path: Path) -> None:
    whole = lay_out(tmp_path, "packed python")
    for share in (0.01, 0.5, 0.99):
        content = whole.read_bytes()
        cut = tmp_path / "cut" / whole.name
        cut.parent.mkdir(exist_ok=True)
        cut.write_bytes(content[: int(share * len(content))])
        assert f"cifar10: expected a whole file, found {cut} that cannot be read (" in refusal(cut)


def test_a_tar_cut_between_two_files_is_refused(tmp_path: Path) -> None:
    whole = lay_out(tmp_path, "tar python").read_bytes()
    end = whole.rindex(b"cifar-10-batches-py/readme.html")
    (tmp_path / "cut.tar").write_bytes(whole[:end])
    assert "it ends without the mark that every tar ends with" in refusal(tmp_path / "cut.tar")


def test_a_damaged_tarball_is_refused(tmp_path: Path) -> None:
    whole = lay_out(tmp_path, "packed binary")
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 0xFF
    whole.write_bytes(content)
    assert "that cannot be read (" in refusal(whole)


def test_a_renamed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"<html>Not Found</html>")
    assert "that cannot be read (" in refusal(tmp_path / "cifar-10-python.tar.gz")
    root = write_files(tmp_path / "given", PYTHON)
    inner = root / "cifar-10-batches-py"
    (inner / "data_batch_3").rename(inner / "batch_3")
    assert refusal(root) == (
        "cifar10: expected the python or the binary version of CIFAR-10, with data_batch_1 to 5 "
        f"and test_batch (binary: test_batch.bin), found no data_batch_1 in {root}"
    )


def test_nothing_at_the_path_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == (
        f"cifar10: expected a file or a folder, found nothing at {tmp_path / 'no'}"
    )


class Asks:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch run",)


BAD = {
    "a pickle with code": (
        pickled({"data": Asks(), "labels": []}),
        "with something else (it asks for posix.system); nothing of it was run",
    ),
    "no images": (pickled({"labels": [1]}), "expected an array 'data' of uint8, found none in"),
    "numbers that are no bytes": (
        pickled({"data": np.zeros((2, 3072)), "labels": [1, 2]}),
        "expected an array 'data' of uint8, found none in",
    ),
    "a label too few": (
        pickled({"data": pixels_of(EACH, 3072), "labels": [1] * 9}),
        "expected a label for each image, found 9 labels and 10 images in",
    ),
    "images of another size": (
        pickled({"data": pixels_of(EACH, 64 * 64 * 3), "labels": [1] * EACH}),
        "expected images of 32x32x3, 3072 numbers each, found 12288",
    ),
    "grey images": (
        pickled({"data": pixels_of(EACH, 32 * 32), "labels": [1] * EACH}),
        "expected images of 32x32x3, 3072 numbers each, found 1024",
    ),
    "labels from 1": (
        pickled({"data": pixels_of(EACH, 3072), "labels": [*range(1, 11)]}),
        "expected labels from 0 to 9, found 10 in",
    ),
    "labels that are no numbers": (
        pickled({"data": pixels_of(1, 3072), "labels": ["cat"]}),
        "expected integers 'labels', found others in",
    ),
    "fewer images": (
        cifar_batch(IMAGES[: EACH - 1], cifar_labels(EACH - 1), binary=False),
        "expected as many images in each batch, found 10, 10, 9, 10, 10, 10; get the files again",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_batch_that_cannot_be_right_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_files(tmp_path / "given", PYTHON)
    content, expected = BAD[what]
    (root / "cifar-10-batches-py" / "data_batch_3").write_bytes(content)
    assert expected in refusal(root)
    assert not (tmp_path / "run").exists()


def test_a_binary_batch_that_ends_within_an_image_is_refused(tmp_path: Path) -> None:
    root = write_files(tmp_path, BINARY)
    file = root / "cifar-10-batches-bin" / "test_batch.bin"
    file.write_bytes(file.read_bytes()[:-1])
    assert refusal(root) == (
        f"cifar10: expected a whole number of records of 3073 bytes in {file}, found 30729"
    )


def test_labels_that_leave_out_a_class_are_refused(tmp_path: Path) -> None:
    files = dict(PYTHON)
    for name in files:
        if "batch_" in name or "_batch" in name:
            files[name] = cifar_batch(IMAGES[:EACH], [0] * 9 + [2], binary=False)
    given = write_tar(tmp_path / "given.tar", files)
    with pytest.raises(
        ConfigError, match=r"^cifar10: expected an image of every class from 0 to 2"
    ):
        prepared("cifar10", tmp_path / "x.npz", given)
    assert not (tmp_path / "x.npz").exists()
