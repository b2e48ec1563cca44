"""A contact sheet shows images of the right class beside each name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iddpm.data import Images
from iddpm.images import contact_sheet
from iddpm.images.contact_sheet import GAP, LEAST_SIDE, NAME_WIDTH, write_sheet


def colours(labels: list[int], channels: int = 3) -> Images:
    """Images of 8 pixels a side whose first channel tells the label."""
    images = np.zeros((len(labels), 8, 8, channels), np.uint8)
    images[..., 0] = 10 + 20 * np.array(labels)[:, None, None]
    return Images(images, np.array(labels, np.int64), levels=256)


def shown(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as sheet:
        return np.asarray(sheet.convert("RGB"))


@pytest.mark.parametrize("channels", [1, 3])
def test_each_row_is_of_its_class_alone(tmp_path: Path, channels: int) -> None:
    draws = np.random.default_rng(0)
    labels = draws.permutation([0] * 20 + [1] * 5 + [2] * 14).tolist()
    write_sheet(tmp_path / "x.png", colours(labels, channels), ["a", "b", "c"])
    sheet = shown(tmp_path / "x.png")
    step = LEAST_SIDE + GAP
    for row, images in enumerate((12, 5, 12)):
        y = GAP + row * step + LEAST_SIDE // 2
        reds = [sheet[y, NAME_WIDTH + column * step + 5, 0] for column in range(12)]
        assert reds == [10 + 20 * row] * images + [255] * (12 - images)


def test_a_name_is_written_beside_its_row(tmp_path: Path) -> None:
    write_sheet(tmp_path / "x.png", colours([0, 1]), ["a name", ""])
    left = shown(tmp_path / "x.png")[:, :NAME_WIDTH]
    middle = len(left) // 2
    assert left[:middle].min() < 100
    assert left[middle:].min() == 255


def test_names_may_hold_any_letters_and_be_long(tmp_path: Path) -> None:
    write_sheet(tmp_path / "x.png", colours([0, 1]), ["\u732b" * 90, "x" * 500])
    assert shown(tmp_path / "x.png")[:, NAME_WIDTH - 2 : NAME_WIDTH].min() == 255


def test_many_classes_are_spread_over_the_rows(tmp_path: Path) -> None:
    count = 10 * contact_sheet.MOST_ROWS
    images = colours([i % 12 for i in range(count)])
    images = Images(images.images, np.arange(count), levels=256)
    write_sheet(tmp_path / "x.png", images, [str(i) for i in range(count)])
    height = GAP + contact_sheet.MOST_ROWS * (LEAST_SIDE + GAP)
    assert shown(tmp_path / "x.png").shape[0] == height


def test_images_without_labels_are_shown_as_they_come(tmp_path: Path) -> None:
    images = Images(colours(list(range(10))).images, None, levels=256)
    write_sheet(tmp_path / "x.png", images, [])
    sheet = shown(tmp_path / "x.png")
    reds = [sheet[GAP + 9, GAP + column * (LEAST_SIDE + GAP) + 9, 0] for column in range(10)]
    assert reds == [10 + 20 * i for i in range(10)]
