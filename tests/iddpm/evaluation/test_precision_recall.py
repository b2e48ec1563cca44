"""Precision and recall against their definition written out in plain loops."""

import math
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from iddpm.evaluation import precision_recall as room
from iddpm.evaluation.precision_recall import precision_recall

RNG = np.random.default_rng(0)
Array = NDArray[Any]


def inside_by_loops(points: Array, centres: Array, k: int) -> float:
    """Share of points within a centre's distance to its k-th nearest other centre."""
    inside = 0
    radii = []
    for i, centre in enumerate(centres):
        others = [math.dist(centre, other) for j, other in enumerate(centres) if j != i]
        radii.append(sorted(others)[k - 1])
    for point in points:
        reached = [
            math.dist(point, centre) <= radius
            for centre, radius in zip(centres, radii, strict=True)
        ]
        inside += any(reached)
    return inside / len(points)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [7, 45, 1000])
def test_shares_are_those_of_plain_loops(
    k: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BLOCK", block)
    rng = np.random.default_rng(0)
    real = rng.standard_normal((60, 4)).astype(np.float32)
    generated = (0.9 * rng.standard_normal((45, 4)) + 0.8).astype(np.float32)
    expected = inside_by_loops(generated, real, k), inside_by_loops(real, generated, k)
    assert precision_recall(real, generated, k=k) == expected
    assert 0 < min(expected) < max(expected) < 1


def test_no_tile_of_distances_outlives_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BLOCK", 20)
    made: list[weakref.ref[Tensor]] = []
    asked = room._squared_distances

    def noted(a: Tensor, b: Tensor) -> Tensor:
        distances = asked(a, b)
        assert max(distances.shape) <= 20
        assert sum(tile() is not None for tile in made) <= 1  # the one before, until it is replaced
        made.append(weakref.ref(distances))
        return distances

    monkeypatch.setattr(room, "_squared_distances", noted)
    draws = np.random.default_rng(0)
    precision_recall(draws.standard_normal((90, 2)), draws.standard_normal((50, 2)), k=3)
    assert len(made) == 5 * 6 / 2 + 3 * 4 / 2 + 5 * 3  # of each set half a square, then across


def test_a_narrow_generator_is_precise_and_recalls_little() -> None:
    real = RNG.standard_normal((500, 2))
    precision, recall = precision_recall(real, 0.05 * RNG.standard_normal((500, 2)), k=3)
    assert precision > 0.95
    assert recall < 0.05


def test_equal_vectors_are_neighbours_of_each_other_and_no_vector_is_its_own() -> None:
    points = np.array([[1000.0, 1.0], [1003.0, 1.0], [1007.0, 1.0]])
    beside, close_by = points + np.array([2, 0]), points + np.array([0.01, 0])
    # once each, the first ball reaches 3 to its neighbour, so that 1002 is inside
    assert precision_recall(points, beside, k=1).precision == 1
    # twice each, the nearest neighbour is the twin: only what is equal is inside
    twins = np.repeat(points, 2, axis=0)
    assert precision_recall(twins, np.repeat(close_by, 2, axis=0), k=1) == (0, 0)
    precision, recall = precision_recall(twins, twins[:4], k=1)
    assert (precision, recall) == (1, 4 / 6)


def test_equal_vectors_are_no_distance_apart_though_close_ones_are() -> None:
    vectors = RNG.standard_normal((50, 512))
    shifted = vectors + 1e-4 * RNG.standard_normal(vectors.shape)
    both = np.concatenate([vectors, shifted])
    distances = room._squared_distances(torch.tensor(vectors), torch.tensor(both)).numpy()
    assert (np.diag(distances) == 0).all()
    expected = ((vectors - shifted) ** 2).sum(1)
    np.testing.assert_allclose(np.diag(distances[:, 50:]), expected, rtol=1e-4)


def test_a_set_covers_itself_in_many_dimensions() -> None:
    features = RNG.standard_normal((300, 512)).astype(np.float32) + 100
    assert precision_recall(features, features.copy(), k=1) == (1, 1)
    doubled = np.concatenate([features, features])
    assert precision_recall(doubled, features, k=1) == (1, 1)


@pytest.mark.parametrize(
    ("real", "generated", "k", "message"),
    [
        (np.zeros((3, 2)), np.zeros((9, 2)), 3, r"at least 4 vectors.*found shape \(3, 2\)"),
        (np.zeros((9, 2)), np.zeros((3, 2)), 3, r"at least 4 vectors.*found shape \(3, 2\)"),
        (np.zeros((9, 2)), np.zeros((9, 3)), 3, "found 2 and 3 dimensions"),
        (np.zeros((9, 2)), np.full((9, 2), np.inf), 3, "finite numbers, found others in 9 of 9"),
        (np.zeros((9, 2)), np.zeros((9, 2)), 0, "k: expected at least 1, found 0"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(
    real: Array, generated: Array, k: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        precision_recall(real, generated, k=k)
