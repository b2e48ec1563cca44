"""Which scores a pair of sides allows, and that each road to the distance ends at one number."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.evaluation import scores
from iddpm.evaluation.frechet import Moments, distance_of_moments, moments
from iddpm.evaluation.scores import SCORES, Pair, Score, computed, lacking
from iddpm.evaluation.sides import Side


def side(name: str, count: int, seed: int, **changes: Any) -> Side:
    features = np.random.default_rng(seed).standard_normal((count, 6)).astype(np.float32)
    return replace(Side(name=name, moments=moments(features), features=features), **changes)


@pytest.mark.parametrize(
    ("drawn", "real", "asked"),
    [
        (4, 5, {"frechet_distance"}),
        (4, 50, {"distance_to_moments"}),
        (50, 4, {"distance_to_moments"}),
        (50, 60, {"distance_of_moments"}),
    ],
)
def test_the_covariance_of_few_vectors_is_not_used(
    drawn: int, real: int, asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generated, reference = side("x", drawn, 0), side("y", real, 1)
    expected = distance_of_moments(generated.moments, reference.moments).value
    for name in {"frechet_distance", "distance_to_moments", "distance_of_moments"} - asked:
        monkeypatch.setattr(scores, name, None)
    found = computed("fd", Pair(generated=generated, real=reference))["frechet_distance"]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [0, 1000])
def test_a_distance_is_to_the_statistics_of_a_file_and_not_to_the_images_in_it(count: int) -> None:
    known = Moments(np.ones(6), 2 * np.eye(6), count)
    generated, real = side("x", 50, 0), side("y", 4, 1, moments=known)
    found = computed("fd", Pair(generated=generated, real=real))["frechet_distance"]
    assert found == pytest.approx(distance_of_moments(generated.moments, known).value)


def test_a_pair_that_has_everything_allows_every_score() -> None:
    drawn, real = (side(name, 10_000, i) for i, name in enumerate("xy"))
    spatial = Moments(np.zeros(2), np.eye(2), 9)
    whole = Pair(
        generated=replace(drawn, spatial=spatial),
        real=replace(real, spatial=spatial),
        classes=np.eye(6, dtype=np.float32),
    )
    assert {name for name in SCORES if not lacking(name, whole.outline)} == set(SCORES)


@pytest.mark.parametrize(
    ("name", "pair", "expected"),
    [
        ("is", Pair(generated=side("x", 9, 0), real=None), "the classes of Inception-V3"),
        ("fd", Pair(generated=side("x", 9, 0), real=None), "a REFERENCE"),
        (
            "is",
            Pair(
                generated=side("x", 9, 0, features=None),
                real=None,
                classes=np.eye(6, dtype=np.float32),
            ),
            "images of x",
        ),
        (
            "sfid",
            Pair(generated=side("x", 9, 0), real=side("y", 9, 0)),
            "spatial features of x and y",
        ),
        (
            "kid",
            Pair(generated=side("x", 9, 0), real=side("y", 9, 0, features=None)),
            "at least 2 images of y",
        ),
        (
            "precision_recall",
            Pair(generated=side("x", 3, 0), real=side("y", 4, 0)),
            "at least 4 images of x",
        ),
        (
            "fd_infinity",
            Pair(generated=side("x", 9_999, 0), real=side("y", 4, 0)),
            "at least 10,000 images of x",
        ),
    ],
)
def test_what_is_lacking_is_named(name: Score, pair: Pair, expected: str) -> None:
    assert lacking(name, pair.outline) == expected
    with pytest.raises(ConfigError) as refusal:
        computed(name, pair)
    assert str(refusal.value) == f"--metrics {name}: expected {expected}, found none"
