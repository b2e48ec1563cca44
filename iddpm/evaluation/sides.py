"""One side of a score: the features of a set of images and their moments, or the moments alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from iddpm.arrays import Float32Array
from iddpm.bounds import ConfigError
from iddpm.data import Selection, first_rows
from iddpm.evaluation.features import Extractor, extract
from iddpm.evaluation.frechet import Moments, merged, moments
from iddpm.evaluation.inception import Inception, WithSpatial
from iddpm.images.sets import ImageSet
from iddpm.running.interruption import Progress

BLOCK = 1024
"""Images that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a side has, as far as it is known before its images are read."""

    name: str
    vectors: int
    """Feature vectors at hand; 0: only the moments are."""
    is_spatial: bool
    """Whether it has the moments of spatial features."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """What is known of the images of one side."""

    name: str
    moments: Moments
    """Their count is 0 where nobody says of how many images they are."""
    features: Float32Array | None = None
    """Of some of the images, shape (N, D); None: only the moments are at hand."""
    spatial: Moments | None = None
    """None: nobody read them."""
    highest: int | None = None
    """The largest number of a pixel; None: no image was read."""

    @property
    def outline(self) -> Outline:
        """What it has."""
        vectors = 0 if self.features is None else len(self.features)
        return Outline(name=self.name, vectors=vectors, is_spatial=self.spatial is not None)


def read_side(
    images: ImageSet,
    extractor: Extractor,
    *,
    levels: int,
    count: int | None = None,
    kept: int,
    block_size: int = 64,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Side:
    """The features of some images, and the moments of all that are read.

    Spatial features are read where the extractor is Inception-V3; of these only the moments stay.

    Args:
        images: The set.
        extractor: What reads it.
        levels: Values of a pixel.
        count: How many images are read: the first ones by `iddpm.data.first_rows`; None: all.
        kept: Features that are kept, of the first images by the same rule.
        block_size: Images in one call of the network.
        device: Where it runs, in float32.
        progress: Told the images read, of how many.

    Raises:
        ConfigError: If there are fewer images than `count`, one has a level that there is not, or
            a feature is not finite.
    """
    if count is not None and count > len(images):
        raise ConfigError(images.name, f"at least {count:,} images", f"{len(images):,}")
    chosen = Selection(images.images, first_rows(len(images), count, permuted=True))
    rows = first_rows(len(chosen), min(kept, len(chosen)), permuted=True)
    is_kept = np.isin(np.arange(len(chosen)), rows)
    blocks = _blocks(images, chosen, extractor, levels, block_size, device)
    features: list[Float32Array] = []
    found: tuple[Moments, ...] = ()
    read, highest = 0, 0
    for vectors, of_block, brightest in blocks:
        features.append(vectors[is_kept[read : read + len(vectors)]])
        found = tuple(map(merged, found, of_block)) if found else of_block
        read, highest = read + len(vectors), max(highest, brightest)
        progress(read, len(chosen))
    summary, *spatial = found
    return Side(
        name=images.name,
        moments=summary,
        features=np.concatenate(features),
        spatial=spatial[0] if spatial else None,
        highest=highest,
    )


def _blocks(
    images: ImageSet,
    chosen: Selection,
    extractor: Extractor,
    levels: int,
    block_size: int,
    device: str,
) -> Iterator[tuple[Float32Array, tuple[Moments, ...], int]]:
    """Of each block of the chosen images the features, moments of all sorts, and largest number."""
    network = extractor.network.to(device)
    reader = WithSpatial(network) if isinstance(network, Inception) else network
    for start in range(0, len(chosen), BLOCK):
        pixels = chosen[start : start + BLOCK]
        _check_levels(images, highest := int(pixels.max()), levels)
        read = extract(reader, pixels, levels=levels, block_size=block_size)
        _check_finite(images, read)
        parts = np.split(read, [extractor.dimensions], axis=1)
        found = tuple(moments(part, device=device) for part in parts if part.shape[1])
        yield parts[0], found, highest


def _check_levels(images: ImageSet, highest: int, levels: int) -> None:
    if highest >= levels:
        raise ConfigError(
            images.name,
            f"pixels of {levels} levels, 0 to {levels - 1}",
            f"{highest}",
            "write the levels themselves, which are not stretched to 255",
        )


def _check_finite(images: ImageSet, features: Float32Array) -> None:
    if bad := int((~np.isfinite(features)).any(axis=1).sum()):
        raise ConfigError(
            images.name,
            "finite features",
            f"others in {bad:,} of {len(features):,} images",
            "the weights of the extractor are broken",
        )
