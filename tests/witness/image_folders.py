"""Folders of image files as tests write them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DRAWS = np.random.default_rng(0)


def noise(*shape: int) -> NDArray[np.uint8]:
    """Pixels of which no two images have the same."""
    return DRAWS.integers(0, 256, shape, dtype=np.uint8)


def write_image(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    """An image file of the kind that its suffix says, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_folder(root: Path, *names: str, splits: tuple[str, ...] = ("train", "test")) -> Path:
    """A colour image of 8 pixels a side of each name in each split."""
    for split in splits:
        for name in names:
            write_image(root / split / name, noise(8, 8, 3))
    return root
