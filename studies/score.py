"""`python -m studies.score SAMPLES REFERENCE`: FID, KID, precision, recall and more of any images.

Either is a folder of images, an .npz of images (`arr_0` or `images`), data by the name of their
preset or as a prepared .npz (`:test` behind it takes the test split), or an .npz of statistics
(`mu` and `sigma`). With the numbers stand their recipe and what they may be compared with. Without
a REFERENCE, `--write FILE` leaves the statistics of SAMPLES, to be a reference later.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from iddpm.bounds import MOST_BATCH, MOST_IMAGES, Between, ConfigError, visible
from iddpm.config import SPLITS, Folder, Npz, Split
from iddpm.data import missing
from iddpm.evaluation.config import Classifier, Inception, RandomNetwork
from iddpm.evaluation.features import Extractor, dinov2, make_extractor
from iddpm.evaluation.inception import NAME, RESIZE, load_classes
from iddpm.evaluation.inception_score import PART
from iddpm.evaluation.scores import (
    Pair,
    PairOutline,
    Score,
    check_possible,
    computed,
    lacking,
)
from iddpm.evaluation.sides import Outline, Side, read_side
from iddpm.evaluation.statistics_file import (
    Statistics,
    holds_statistics,
    read_statistics,
    write_statistics,
)
from iddpm.evaluation.weights_file import check_weights
from iddpm.images.archives import ArchiveError
from iddpm.images.folders import Account, is_image
from iddpm.images.sets import ImageSet, check_alike, levels_of, of_data, of_path
from iddpm.running.files import write_whole
from studies.door import counted, door, path
from studies.execute.worker import one_thread_deterministic
from studies.runners.work import device as usual_device
from studies.spec.sweep import data_of_preset, preset_names

INTERRUPTED = 130
"""The exit code of work stopped."""

KEPT = 50_000
"""Feature vectors of a set that neighbours and kernels are sought among; moments are of all."""

USUAL = 50_000
"""Images of the published FIDs; of another number it is named with the score."""

SAID_EVERY = 1_000

DARK = 4
"""How many times as high the pixels of one side may reach before that is said."""

CLIPPED = 1e-3
"""Share of the eigenvalues' mass that is said where so much was clipped; rounding is below it."""

WEIGHTS = {"inception": Inception().path, "dinov2": "data/dinov2_vitl14_pretrain.pth"}
"""Where the weights of a published network usually lie."""

SCORES: tuple[Score, ...] = get_args(Score)
NAMES = {
    "frechet_distance": ("FID", "FD"),
    "kid": ("KID", "KID"),
    "precision": ("precision", "precision"),
    "recall": ("recall", "recall"),
    "inception_score": ("Inception Score", "IS"),
    "spatial_frechet_distance": ("sFID", "sFD"),
    "fd_infinity": ("FID-infinity", "FD-infinity"),
}
"""What a number is called over the published weights of Inception-V3, and over other features."""
SPREAD = ("clipped_mass", "inception_score_deviation", "fd_infinity_low", "fd_infinity_high")
"""Numbers that stand behind another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a word of the command line stands for: images, statistics, or images with statistics."""

    name: str
    images: ImageSet | None
    statistics: Statistics | None


@door(ValueError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Compute, print and write the scores; the exit code: 0 fine, 2 bad input, 130 stopped."""
    options = _parser().parse_args(arguments)
    options.weights = options.weights or Path(WEIGHTS.get(options.extractor, ""))
    try:
        return _scored(options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.score", description=__doc__)
    parser.add_argument(
        "samples", type=_word, metavar="SAMPLES", help="folder, .npz, or data of a preset"
    )
    parser.add_argument(
        "reference", type=_word, metavar="REFERENCE", nargs="?", help="the same, the real ones"
    )
    parser.add_argument(
        "--extractor",
        choices=("inception", "dinov2", "classifier", "random"),
        default="inception",
        help="Inception-V3, DINOv2, or what a study of the REFERENCE's data makes for itself",
    )
    parser.add_argument(
        "--weights", type=path, metavar="FILE", help="of Inception-V3 or DINOv2; usually in data/"
    )
    parser.add_argument(
        "--metrics", nargs="+", choices=SCORES, help="usually all that can be had but fd_infinity"
    )
    parser.add_argument("--neighbours", type=int, default=3, help="k of precision and recall")
    parser.add_argument("--images", type=int, help="of SAMPLES, in a fixed order at random")
    parser.add_argument("--write", type=path, metavar="FILE", help="statistics of SAMPLES")
    parser.add_argument("--out", type=path, metavar="FILE", help="the numbers as JSON")
    parser.add_argument("--batch", type=int, default=64, help="images in one call of the network")
    parser.add_argument("--device", choices=("cpu", "cuda"), default=usual_device())
    return parser


def _scored(options: argparse.Namespace) -> int:
    _check(options)
    _check_outputs(options)
    samples = _given(options.samples, "SAMPLES")
    _check_has_images(samples, options)
    reference = _given(options.reference, "REFERENCE") if options.reference else None
    if samples.images and reference and reference.images:
        check_alike(samples.images, reference.images)
    extractor = _extractor(options, samples, reference)
    known = _known(extractor, samples, reference)
    if extractor:
        reads = f"{extractor.dimensions:,} features of {known} in float32 on {options.device}"
        print(visible(reads))
    sets = [given.images for given in (samples, reference) if given and given.images]
    levels = levels_of(*sets)
    outline = _pair_outline(options, extractor, samples, reference)
    taken, left_out = _possible(outline, options.metrics)
    generated = _side(samples, extractor, levels, options, options.images)
    if options.write:
        _write(options.write, samples, generated, known)
    pair = Pair(
        generated=generated,
        real=_side(reference, extractor, levels, options, None) if reference else None,
        classes=load_classes(options.weights) if outline.has_classes else None,
        neighbours=options.neighbours,
        device=options.device,
        progress=counted("lines of FD-infinity", 1),
    )
    numbers = {name: value for one in taken for name, value in computed(one, pair).items()}
    recipe = _recipe(pair, known, extractor, samples, reference)
    if "inception_score" in numbers:
        recipe["inception_score_parts"] = f"{PART} of one fixed permutation"
    clipped = _clipped(numbers.get("clipped_mass", 0.0))
    remarks = [*clipped, *left_out, *_remarks(pair, known, samples, reference)]
    _say(numbers, recipe, remarks)
    if options.out:
        content = {"scores": numbers, "recipe": recipe, "remarks": remarks}
        write_whole(options.out, json.dumps(content, indent=1).encode())
    return 0


# -------------------------------------------------------------------------------- what is given


def _check(options: argparse.Namespace) -> None:
    """Refuse options that cannot be, before anything is read."""
    bounds = {"neighbours": (1, MOST_BATCH), "images": (2, MOST_IMAGES), "batch": (1, MOST_BATCH)}
    for name, ends in bounds.items():
        if (value := getattr(options, name)) is not None:
            Between(*ends).check(f"--{name}", value)
    if not (options.reference or options.write or options.metrics):
        raise ConfigError("REFERENCE", "a set to compare with, or --write FILE", "none")
    if options.device == "cuda" != usual_device():
        raise ConfigError("--device", "a GPU that torch can use", "none", "leave it out")


def _word(text: str) -> str:
    """A path or a name, perhaps with a split behind it."""
    path(text)
    return text


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse to write where no file can be, over what is read, or twice into one file."""
    outputs = [("--write", options.write), ("--out", options.out)]
    given = [(where, file) for where, file in outputs if file]
    for where, file in given:
        if file.is_dir() or not file.parent.is_dir():
            raise ConfigError(where, "a file in a folder that is there", str(file))
        if file.exists() and any(_is_of(file, read) for read in _read_paths(options)):
            raise ConfigError(where, "another file than those that are read", str(file))
    if len({file.resolve() for _, file in given}) < len(given):
        raise ConfigError("--out", "another file than that of --write", str(options.out))


def _read_paths(options: argparse.Namespace) -> Iterator[Path]:
    """Files and folders that the command line names, by a path or as data of a preset."""
    yield options.weights
    for word in filter(None, (options.samples, options.reference)):
        name, _ = _located(word)
        data = None if Path(name).exists() else data_of_preset(name)
        yield Path(data.path if isinstance(data, Npz | Folder) else name)


def _is_of(file: Path, read: Path) -> bool:
    """Whether it is the same, under whatever name, or an image in a folder of images."""
    if not read.exists():
        return False
    inside = read.resolve() in file.resolve().parents and is_image(file.name, Account())
    return inside or file.samefile(read)


def _located(word: str) -> tuple[str, Split]:
    """The path or name in a word, and the split that stands behind it."""
    name, _, last = word.rpartition(":")
    for split in SPLITS:
        if name and last == split:
            return name, split
    return word, "train"


def _given(word: str, where: str) -> Given:
    word, split = _located(word)
    lies_at = Path(word)
    if not lies_at.exists() and (data := data_of_preset(word)):
        if error := missing(data):
            raise error
        return Given(name=word, images=of_data(data, split), statistics=None)
    if not lies_at.exists():
        known = f"a folder, an .npz file, or the data of a preset ({', '.join(preset_names())})"
        raise ConfigError(where, known, f"nothing at {lies_at}")
    try:
        images = of_path(lies_at, split, where=where)
        statistics = None
        if lies_at.is_file() and holds_statistics(lies_at):
            statistics = read_statistics(lies_at, where=where)
    except ArchiveError as error:
        expected = "an .npz file as numpy.savez writes it"
        raise ConfigError(where, expected, f"{lies_at} ({error})") from error
    if images is None and statistics is None:
        expected = "'arr_0' or 'images', 'train' and 'test', or 'mu' and 'sigma'"
        raise ConfigError(where, expected, f"none of them in {lies_at}")
    return Given(name=lies_at.name, images=images, statistics=statistics)


def _check_has_images(samples: Given, options: argparse.Namespace) -> None:
    """Refuse to take a part of images, or to write what is read of them, where there are none."""
    for option in ("--images", "--write"):
        if samples.images is None and getattr(options, option[2:]) is not None:
            raise ConfigError(option, "images as SAMPLES", f"statistics alone in {samples.name}")


def _extractor(
    options: argparse.Namespace, samples: Given, reference: Given | None
) -> Extractor | None:
    """What reads the images; None: both sides are statistics."""
    sets = [given.images for given in (reference, samples) if given and given.images]
    if not sets:
        return None
    if options.extractor in WEIGHTS:
        for images in sets:
            if images.shape[2] != 3:
                expected = f"colour, which {options.extractor} reads"
                hint = "--extractor classifier reads what its data are"
                raise ConfigError(images.name, expected, "grey", hint)
        if options.extractor == "dinov2":
            return dinov2(options.weights)
        return make_extractor(Inception(path=str(options.weights), sha256=_hash(options.weights)))
    data = next((images.data for images in sets if images.data), None)
    if data is None:
        expected = "data of a preset, or a prepared .npz, that the network is made for"
        raise ConfigError(f"--extractor {options.extractor}", expected, "none on either side")
    kinds = {"classifier": Classifier, "random": RandomNetwork}
    with one_thread_deterministic():  # as a study's task: sums of more threads round otherwise
        return make_extractor(kinds[options.extractor](data=data))


def _hash(weights: Path) -> str:
    """sha256 of the file; where there is none, the refusal says what to get."""
    if not weights.is_file():
        check_weights(weights, Inception().sha256)
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known(extractor: Extractor | None, *given: Given | None) -> str | None:
    """By what the features of both sides are read; None: nobody says.

    Raises:
        ConfigError: If statistics say that it was something else.
    """
    said = [(g, g.statistics.extractor) for g in given if g and g.statistics]
    known = f"{extractor.name}:{extractor.sha256[:8]}" if extractor else None
    for one, other in said:
        known = known or other
        if other is not None and other != known:
            raise ConfigError(
                one.name,
                f"statistics of the features of {known}",
                f"those of {other}",
                "make them again by --write",
            )
    for one, _ in said:
        assert one.statistics is not None
        dimensions = len(one.statistics.moments.mean)
        if extractor and dimensions != extractor.dimensions:
            raise ConfigError(
                one.name, f"statistics of {extractor.dimensions:,} features", f"{dimensions:,}"
            )
    return known


# ------------------------------------------------------------------------------- what is computed


def _pair_outline(
    options: argparse.Namespace,
    extractor: Extractor | None,
    samples: Given,
    reference: Given | None,
) -> PairOutline:
    return PairOutline(
        generated=_outline(samples, extractor, options.images),
        real=_outline(reference, extractor, None) if reference else None,
        has_classes=_is_inception(extractor),
        neighbours=options.neighbours,
    )


def _outline(given: Given, extractor: Extractor | None, count: int | None) -> Outline:
    """What the side will have, once its images are read."""
    known = given.statistics
    return Outline(
        name=given.images.name if given.images else given.name,
        vectors=min(KEPT, count or len(given.images)) if given.images else 0,
        is_spatial=known.spatial is not None if known else _is_inception(extractor),
    )


def _possible(
    outline: PairOutline, asked: Sequence[Score] | None
) -> tuple[Sequence[Score], list[str]]:
    """The scores to take, and what is left out because something is lacking.

    Raises:
        ConfigError: If a score that is asked for lacks something.
    """
    for score in asked or ():
        check_possible(score, outline)
    if asked:
        return asked, []
    without = {one: lacking(one, outline) for one in SCORES if one != "fd_infinity"}
    left_out = [f"without {one}, which needs {what}" for one, what in without.items() if what]
    return [one for one, what in without.items() if not what], left_out


def _side(
    given: Given,
    extractor: Extractor | None,
    levels: int,
    options: argparse.Namespace,
    count: int | None,
) -> Side:
    known = given.statistics
    if given.images is None:
        assert known is not None
        return Side(name=given.name, moments=known.moments, spatial=known.spatial)
    assert extractor is not None
    side = read_side(
        given.images,
        extractor,
        levels=levels,
        count=count,
        kept=KEPT,
        block_size=options.batch,
        device=options.device,
        progress=counted(visible(f"images of {given.name}"), SAID_EVERY),
    )
    return replace(side, moments=known.moments, spatial=known.spatial) if known else side


def _is_inception(extractor: Extractor | None) -> bool:
    """Whether it has classes and spatial features."""
    return extractor is not None and extractor.resize == RESIZE


def _write(file: Path, samples: Given, side: Side, extractor: str | None) -> None:
    assert samples.images is not None
    source = f"{side.name}, {side.moments.count} images, {samples.images.digest[:8]}"
    write_statistics(
        file,
        Statistics(moments=side.moments, spatial=side.spatial, extractor=extractor, source=source),
    )
    print(visible(f"{file}: mu and sigma of {side.moments.count:,} images"))


# ------------------------------------------------------------------------------------ what is said


def _recipe(
    pair: Pair, known: str | None, extractor: Extractor | None, *given: Given | None
) -> dict[str, Any]:
    """All that a score must share with another to be compared with it."""
    sides = zip(("samples", "reference"), given, (pair.generated, pair.real), strict=True)
    recipe: dict[str, Any] = {"extractor": known}
    if extractor:
        recipe |= {"resize": extractor.resize, "precision": "float32"}
    for role, one, side in sides:
        if one and side:
            recipe[role] = side.name
            recipe[f"{role}_images"] = side.moments.count or None
            recipe[f"{role}_digest"] = one.images.digest if one.images else None
            if side.features is not None and len(side.features) != side.moments.count:
                recipe[f"{role}_neighbours_among"] = len(side.features)
    return {**recipe, "neighbours": pair.neighbours}


def _remarks(pair: Pair, known: str | None, *given: Given | None) -> Iterator[str]:
    """What a person is to know before comparing the numbers."""
    count, dimensions = pair.generated.moments.count, len(pair.generated.moments.mean)
    for one in given:
        if one and one.statistics and one.statistics.extractor is None:
            yield f"{one.name} does not say which features its statistics are of"
        if one and one.images and one.statistics:
            yield f"{one.name}: distances are to its statistics, all else to its images"
    if not _is_published(known):
        yield "no FID: that is over the published weights of Inception-V3 (2015-12-05) alone"
    for side in filter(None, (pair.generated, pair.real)):
        if 0 < side.moments.count < dimensions:
            yield (
                f"{side.name}: {side.moments.count:,} images are fewer than {dimensions:,} "
                "features; distances are far above those of more images"
            )
    if pair.real is None:
        return
    yield from _unlike(pair.generated, pair.real)
    compared = f"compare with scores over {known or 'the same features'}, {pair.real.name}"
    yield f"{compared} and {count:,} images alone" if count else f"{compared} alone"
    if _is_published(known) and count == USUAL:
        yield "so with published FIDs of 50,000 images against the same reference"


def _unlike(one: Side, other: Side) -> Iterator[str]:
    """Where pixels of one side end far below those of the other, as levels of another scale do."""
    if one.highest is None or other.highest is None:
        return
    dark, bright = sorted((one, other), key=lambda side: side.highest or 0)
    if DARK * (dark.highest or 0) < (bright.highest or 0):
        yield (
            f"no pixel of {dark.name} is above {dark.highest}, where {bright.name} reaches "
            f"{bright.highest}: if its levels are of another scale, the scores say nothing"
        )


def _clipped(share: float) -> Iterator[str]:
    """What to know of a distance whose covariances are far from any."""
    if share > CLIPPED:
        yield (
            f"{share:.2g} of the eigenvalues' mass was below zero and taken as 0: "
            "a covariance is broken or too coarse, and so is the distance"
        )


def _say(numbers: dict[str, float], recipe: dict[str, Any], remarks: Sequence[str]) -> None:
    for name in numbers:
        if name not in SPREAD:
            print(visible(f"{_label(name, recipe)}: {_with_spread(name, numbers)}"))
    said = (
        f"{key} {value[:8] if key.endswith('digest') else value}"
        for key, value in recipe.items()
        if value is not None
    )
    print(visible(f"recipe: {', '.join(said)}"))
    for remark in remarks:
        print(visible(f"  {remark}"))


def _label(name: str, recipe: dict[str, Any]) -> str:
    published, other = NAMES[name]
    known, count = recipe["extractor"], recipe["samples_images"]
    if name in ("precision", "recall"):
        return f"{published} (k = {recipe['neighbours']})"
    label = published if _is_published(known) else f"{other}[{known or 'unknown'}]"
    if name == "fd_infinity" or count in (USUAL, None):
        return label
    return f"{label}@{count // 1000}k" if count % 1000 == 0 else f"{label}@{count}"


def _with_spread(name: str, numbers: dict[str, float]) -> str:
    text = f"{numbers[name]:.6g}"
    if name == "fd_infinity":
        low, high = numbers["fd_infinity_low"], numbers["fd_infinity_high"]
        return f"{text} (95% interval {low:.6g} to {high:.6g})"
    if name == "inception_score":
        return f"{text} (deviation over parts of 5,000: {numbers[f'{name}_deviation']:.3g})"
    return text


def _is_published(known: str | None) -> bool:
    return known is not None and known.startswith(f"{NAME}:")


if __name__ == "__main__":
    sys.exit(main())
