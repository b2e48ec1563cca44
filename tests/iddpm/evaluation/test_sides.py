"""One side of a score: the moments of all its images, the features of some."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iddpm.bounds import ConfigError
from iddpm.evaluation import sides
from iddpm.evaluation.features import Extractor
from iddpm.evaluation.sides import Side, read_side
from iddpm.images.sets import ImageSet

PIXELS = np.random.default_rng(0).integers(0, 256, (25, 1, 2, 1), dtype=np.uint8)


class Pixels(nn.Module):
    """Reads the pixels themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) * self.scale


def a_set(pixels: NDArray[Any] = PIXELS) -> ImageSet:
    return ImageSet(name="x", images=pixels, shape=(1, 2, 1), digest="")


def read(images: ImageSet, network: nn.Module | None = None, **asked: Any) -> Side:
    network = network or Pixels()
    options = {"levels": 256, "kept": 100, "block_size": 4} | asked
    extractor = Extractor(
        name="pixels", network=network, dimensions=2, test_accuracy=None, levels=256
    )
    return read_side(images, extractor, **options)


def test_moments_are_of_all_images_and_features_of_those_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sides, "BLOCK", 10)
    whole, part = read(a_set()), read(a_set(), kept=6)
    expected = PIXELS.reshape(25, 2) / 127.5 - 1
    for side in (whole, part):
        np.testing.assert_allclose(side.moments.mean, expected.mean(0), atol=1e-7)
        np.testing.assert_allclose(side.moments.covariance, np.cov(expected.T), rtol=1e-6)
        assert (side.name, side.moments.count, side.spatial) == ("x", 25, None)
    assert whole.features is not None
    assert part.features is not None
    np.testing.assert_allclose(whole.features, expected, atol=1e-7)
    assert part.features.shape == (6, 2)
    rows = {row.tobytes() for row in whole.features}
    assert {row.tobytes() for row in part.features} < rows
    assert {row.tobytes() for row in part.features} != {row.tobytes() for row in whole.features[:6]}


def test_a_part_is_of_one_permutation_so_that_ten_are_among_twenty() -> None:
    ten, twenty = (read(a_set(), count=count).features for count in (10, 20))
    assert ten is not None
    assert twenty is not None
    np.testing.assert_array_equal(ten, twenty[:10])
    sorted_by_class = PIXELS.reshape(25, 2)[:10] / 127.5 - 1
    assert not np.allclose(ten, sorted_by_class)


def test_progress_is_told_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "BLOCK", 10)
    told: list[tuple[int, int]] = []
    read(a_set(), progress=lambda *done: told.append(done))
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_features_that_are_not_finite_are_refused() -> None:
    broken = Pixels()
    broken.scale = nn.Parameter(torch.tensor([torch.nan]))
    expected = "x: expected finite features, found others in 25 of 25 images; the weights of"
    with pytest.raises(ConfigError, match=expected):
        read(a_set(), broken)


def test_a_level_that_there_is_not_is_refused() -> None:
    expected = rf"x: expected pixels of 17 levels, 0 to 16, found {PIXELS.max()}; write the levels"
    with pytest.raises(ConfigError, match=expected):
        read(a_set(), levels=17)


def test_more_images_than_there_are_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="x: expected at least 26 images, found 25"):
        read(a_set(), count=26)
