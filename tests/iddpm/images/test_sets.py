"""Sets of images to be scored: read as they lie, compared before anything is computed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.config import Digits, Photos
from iddpm.data import load
from iddpm.images.archives import ArchiveError
from iddpm.images.sets import ImageSet, check_alike, levels_of, of_data, of_path
from tests.witness.image_folders import noise, write_image

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)
SPLITS = {"train": PIXELS[:3, :6, :6], "test": PIXELS[3:, :6, :6]}


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def found(path: Path) -> ImageSet:
    images = of_path(path, "train", where="SAMPLES")
    assert images is not None
    return images


@pytest.mark.parametrize("name", ["arr_0", "images"])
def test_an_npz_of_images_is_read_as_it_lies(tmp_path: Path, name: str) -> None:
    images = found(npz(tmp_path / "x.npz", **{name: PIXELS}, labels=np.arange(5)))
    assert (images.name, images.shape, len(images), images.size) == ("x.npz", (6, 8, 3), 5, "6x8x3")
    np.testing.assert_array_equal(images.images[np.array([4, 0])], PIXELS[[4, 0]])
    assert (images.data, images.levels) == (None, None)


def test_a_folder_is_decoded_in_the_order_of_its_names(tmp_path: Path) -> None:
    for i, image in enumerate(PIXELS):
        write_image(tmp_path / "x" / f"{i}.png", image)
    images = found(tmp_path / "x")
    assert (images.name, images.shape, len(images)) == ("x", (6, 8, 3), 5)
    np.testing.assert_array_equal(images.images[np.array([3, 1])], PIXELS[[3, 1]])


def test_a_split_of_prepared_data_is_read_by_its_name(tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", **SPLITS)
    for split in ("train", "test"):
        images = of_path(path, split, where="SAMPLES")
        assert images is not None
        assert (images.name, images.levels) == (f"x/{split}", 256)
        np.testing.assert_array_equal(images.images, SPLITS[split])
    digits = of_data(Digits(), "test")
    assert (digits.name, digits.shape, digits.levels) == ("digits/test", (8, 8, 1), 17)
    np.testing.assert_array_equal(digits.images, load(Digits(), "test").images)


def test_an_npz_without_images_is_none(tmp_path: Path) -> None:
    assert of_path(npz(tmp_path / "x.npz", mu=np.zeros(3)), "train", where="x") is None


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    one, same = (found(npz(tmp_path / f"{name}.npz", arr_0=PIXELS)) for name in "ab")
    other = found(npz(tmp_path / "c.npz", arr_0=PIXELS[::-1]))
    assert one.digest == same.digest != other.digest


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PIXELS / 255, r"SAMPLES: expected 'arr_0' to be uint8, found float64 in .*from 0 to 255"),
        (PIXELS[..., :2], r"1 channel \(grey\) or 3 \(RGB\), found shape \(5, 6, 8, 2\) in "),
        (PIXELS[0], r"expected 'arr_0' to be images \(N, H, W, C\) .* found shape \(6, 8, 3\)"),
        (PIXELS[:0], r"found shape \(0, 6, 8, 3\)"),
    ],
)
def test_an_array_of_no_images_is_refused(tmp_path: Path, array: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        found(npz(tmp_path / "x.npz", arr_0=array))


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "x" / "0.png", noise(4, 4, 3))
    write_image(tmp_path / "x" / "1.png", noise(4, 6, 3))
    expected = (
        r"SAMPLES: expected images of one size, 4x4x3 as .*0\.png, found .*1\.png; nothing is"
    )
    with pytest.raises(ConfigError, match=expected):
        found(tmp_path / "x")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"hello")
    with pytest.raises(ArchiveError):
        found(tmp_path / "x.npz")


def a_set(*shape: int, levels: int | None = None, name: str = "x") -> ImageSet:
    height, width, channels = shape
    pixels = np.zeros((2, *shape), dtype=np.uint8)
    size = (height, width, channels)
    return ImageSet(name=name, images=pixels, shape=size, digest="", levels=levels)


@pytest.mark.parametrize(
    ("shape", "said"), [((8, 8, 3), r"8x8x3 \(colour\)"), ((4, 4, 1), r"4x4x1 \(grey\)")]
)
def test_another_size_or_grey_against_colour_is_refused(shape: tuple[int, ...], said: str) -> None:
    samples, reference = a_set(*shape), a_set(4, 4, 3, name="real")
    expected = (
        rf"x: expected images of 4x4x3 \(colour\) as in real, found {said}; nothing is resized"
    )
    with pytest.raises(ConfigError, match=expected):
        check_alike(samples, reference)
    check_alike(reference, a_set(4, 4, 3))


def test_bytes_have_the_levels_of_the_data_that_they_meet() -> None:
    bytes_, digits = a_set(8, 8, 1), a_set(8, 8, 1, levels=17, name="digits")
    assert levels_of(bytes_, digits) == levels_of(digits, bytes_) == levels_of(digits, digits) == 17
    assert levels_of() == levels_of(bytes_, bytes_) == 256
    photos = of_data(Photos(train_images=2, test_images=2), "train")
    with pytest.raises(ConfigError, match=r"pixels of 17 levels as in digits, found 256"):
        levels_of(photos, digits)
