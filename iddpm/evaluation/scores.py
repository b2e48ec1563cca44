"""Every score of one side against another, by the name under which a person asks for it.

Some need the features of both sides, some the moments of a side alone, so that a file of statistics
takes the place of its images where it can.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from iddpm.arrays import Float32Array
from iddpm.bounds import ConfigError
from iddpm.evaluation.fd_infinity import FEWEST, fd_infinity
from iddpm.evaluation.frechet import (
    Distance,
    distance_of_moments,
    distance_to_moments,
    frechet_distance,
)
from iddpm.evaluation.inception_score import inception_score
from iddpm.evaluation.metrics import kid
from iddpm.evaluation.precision_recall import precision_recall
from iddpm.evaluation.sides import Outline, Side
from iddpm.running.interruption import Progress

Score = Literal["fd", "kid", "precision_recall", "is", "sfid", "fd_infinity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutline:
    """What a pair has, as far as it is known before images are read."""

    generated: Outline
    real: Outline | None
    has_classes: bool
    neighbours: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """What is scored, and how."""

    generated: Side
    real: Side | None
    """None: nothing to compare with."""
    classes: Float32Array | None = None
    """Of Inception-V3, shape (C, D); None: the features are another network's."""
    neighbours: int = 3
    device: str = "cpu"
    progress: Progress = lambda done, total: None
    """Told the lines drawn for `fd_infinity`."""

    @property
    def outline(self) -> PairOutline:
        """What it has."""
        return PairOutline(
            generated=self.generated.outline,
            real=self.real.outline if self.real else None,
            has_classes=self.classes is not None,
            neighbours=self.neighbours,
        )


def lacking(score: Score, pair: PairOutline) -> str:
    """What a score needs and the pair has not; empty: nothing."""
    if score == "is":
        if not pair.has_classes:
            return "the classes of Inception-V3"
        return "" if pair.generated.vectors else f"images of {pair.generated.name}"
    if pair.real is None:
        return "a REFERENCE"
    if score == "sfid":
        without = [side.name for side in (pair.generated, pair.real) if not side.is_spatial]
        return f"spatial features of {' and '.join(without)}" if without else ""
    needed = {"kid": 2, "precision_recall": pair.neighbours + 1, "fd_infinity": 2 * FEWEST}
    for side in (pair.generated,) if score == "fd_infinity" else (pair.generated, pair.real):
        if side.vectors < needed.get(score, 0):
            return f"at least {needed[score]:,} images of {side.name}"
    return ""


def check_possible(score: Score, pair: PairOutline) -> None:
    """Refuse a score that the pair lacks something for.

    Raises:
        ConfigError: If it does.
    """
    if without := lacking(score, pair):
        raise ConfigError(f"--metrics {score}", without, "none")


def computed(score: Score, pair: Pair) -> dict[str, float]:
    """The numbers of a score, by name.

    Raises:
        ConfigError: If the pair lacks what it needs.
    """
    check_possible(score, pair.outline)
    return SCORES[score](pair)


def _frechet(pair: Pair) -> dict[str, float]:
    found = _distance(pair.generated, _real(pair), pair.device)
    return {"frechet_distance": found.value, "clipped_mass": found.clipped_mass}


def _distance(generated: Side, real: Side, device: str) -> Distance:
    """By the cheapest road: the covariance of fewer vectors than dimensions is not used."""
    few = [side for side in (generated, real) if _is_short(side)]
    features = [side.features for side in few if side.features is not None]
    if len(features) == 2:
        return frechet_distance(*features, device=device)
    if features:
        other = real if few[0] is generated else generated
        return distance_to_moments(features[0], other.moments, device=device)
    return distance_of_moments(generated.moments, real.moments, device=device)


def _is_short(side: Side) -> bool:
    """Whether all features are at hand, and are fewer than their dimensions."""
    vectors = 0 if side.features is None else len(side.features)
    return vectors == side.moments.count and 0 < vectors < len(side.moments.mean)


def _kid(pair: Pair) -> dict[str, float]:
    return {"kid": kid(_features(_real(pair)), _features(pair.generated))}


def _precision_recall(pair: Pair) -> dict[str, float]:
    real, generated = _features(_real(pair)), _features(pair.generated)
    shares = precision_recall(real, generated, k=pair.neighbours, device=pair.device)
    return shares._asdict()


def _inception_score(pair: Pair) -> dict[str, float]:
    assert pair.classes is not None
    found = inception_score(_features(pair.generated), pair.classes, device=pair.device)
    return {"inception_score": found.mean, "inception_score_deviation": found.deviation}


def _sfid(pair: Pair) -> dict[str, float]:
    first, second = pair.generated.spatial, _real(pair).spatial
    assert first is not None
    assert second is not None
    return {
        "spatial_frechet_distance": distance_of_moments(first, second, device=pair.device).value
    }


def _fd_infinity(pair: Pair) -> dict[str, float]:
    features, real = _features(pair.generated), _real(pair).moments
    found = fd_infinity(features, real, device=pair.device, progress=pair.progress)
    return {
        "fd_infinity": found.value,
        "fd_infinity_low": found.low,
        "fd_infinity_high": found.high,
    }


def _real(pair: Pair) -> Side:
    assert pair.real is not None
    return pair.real


def _features(side: Side) -> Float32Array:
    assert side.features is not None
    return side.features


SCORES: dict[Score, Callable[[Pair], dict[str, float]]] = {
    "fd": _frechet,
    "kid": _kid,
    "precision_recall": _precision_recall,
    "is": _inception_score,
    "sfid": _sfid,
    "fd_infinity": _fd_infinity,
}
"""From a pair that lacks nothing to the numbers of a score, by name."""
