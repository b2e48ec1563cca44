"""The Inception Score against its definition written out in plain loops."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iddpm.evaluation.inception_score import PART, inception_score

DRAWS = np.random.default_rng(0)
FEATURES = DRAWS.standard_normal((13, 4)).astype(np.float32)
CLASSES = DRAWS.standard_normal((5, 4)).astype(np.float32)


def by_plain_loops(features: NDArray[Any], classes: NDArray[Any]) -> float:
    rows = []
    for vector in features:
        powers = [
            math.exp(sum(float(w) * float(x) for w, x in zip(of, vector, strict=True)))
            for of in classes
        ]
        rows.append([power / sum(powers) for power in powers])
    share = [sum(row[c] for row in rows) / len(rows) for c in range(len(classes))]
    divergences = [
        sum(p * math.log(p / q) for p, q in zip(row, share, strict=True)) for row in rows
    ]
    return math.exp(sum(divergences) / len(rows))


def test_the_score_is_the_one_of_plain_loops() -> None:
    assert PART == 5000
    found = inception_score(FEATURES, CLASSES)
    assert found.mean == pytest.approx(by_plain_loops(FEATURES, CLASSES), rel=1e-10)
    assert found.deviation == 0


def test_parts_count_alike_and_the_last_may_be_smaller() -> None:
    mixed = FEATURES[np.random.RandomState(0).permutation(13)]
    parts = [by_plain_loops(mixed[start : start + 5], CLASSES) for start in (0, 5, 10)]
    found = inception_score(FEATURES, CLASSES, part=5)
    assert found.mean == pytest.approx(sum(parts) / 3, rel=1e-10)
    squares = sum((part - sum(parts) / 3) ** 2 for part in parts) / 3
    assert found.deviation == pytest.approx(math.sqrt(squares), rel=1e-8)


def test_sure_images_of_every_class_score_the_number_of_classes() -> None:
    assert inception_score(1000 * np.eye(6), np.eye(6)).mean == pytest.approx(6)
    assert inception_score(np.ones((6, 6)), np.eye(6)).mean == pytest.approx(1)


def test_images_that_are_sorted_by_class_score_as_mixed_ones() -> None:
    by_class = 1000 * np.eye(10).repeat(500, axis=0)  # parts of 500 in this order are of one class
    found = inception_score(by_class, np.eye(10), part=500)
    assert found.mean == pytest.approx(9.9, abs=0.1)
    assert found.deviation < 0.1


def test_features_of_another_network_than_the_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="one extractor, found 4 and 3 dimensions"):
        inception_score(FEATURES, CLASSES[:, :3])
