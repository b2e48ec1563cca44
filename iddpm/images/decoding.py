"""One image file as level indices, however it is stored, and what had to be done to it for that.

Turned upright as its EXIF orientation says, laid over white where it is transparent, the first of
several frames. What has more than 8 bits a channel and no meaning in 8 is refused, and so is what
claims too many pixels, before they are taken out of it. Other people's files are not trusted:
whatever a reader of theirs meets becomes one sentence with the name of the file.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from iddpm.arrays import UInt8Array
from iddpm.bounds import ConfigError

MOST_STORED_PIXELS = 2**26
"""Of an image file; 8192 x 8192. A file of a few bytes can claim billions."""

NOT_READ = frozenset({"EPS", "WMF", "MPEG", "GRIB", "BUFR", "HDF5", "IPTC"})
"""Formats that Pillow knows and that hold no pixels, or leave the drawing to another program."""

GREY_MODES = frozenset({"1", "L", "LA"})
COLOUR_MODES = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})

BACKGROUND = "white"
UPRIGHT = 1
"""The EXIF orientation of an image that is stored as it is looked at."""

TURNED = "turned upright by their EXIF orientation"
LAID_OVER = f"laid over {BACKGROUND}, having transparency"
FIRST_FRAME = "cut to the first of several frames"
UPPER_BITS = "cut to the upper 8 of 16 bits a channel"
GREY = "written as colour, being grey"
ENLARGED = "enlarged, being smaller than the size"
CONVERTED = {
    "1": "converted from 1 bit",
    "P": "converted from a palette",
    "PA": "converted from a palette",
    "CMYK": "converted from CMYK",
    "YCbCr": "converted from YCbCr",
}

CHANGES = (
    *(TURNED, LAID_OVER, FIRST_FRAME, UPPER_BITS, GREY, ENLARGED),
    *dict.fromkeys(CONVERTED.values()),
)
"""All that can be done to an image. Blocks of unfinished packings count by this order."""

MODES = {1: "L", 3: "RGB"}
"""What Pillow calls images of so many channels."""

Resize = Literal["area", "official"]
"""`area`: the central square, resized at once to the mean of what each pixel covers: the paper's
words on class-conditional data. `official`: as the loader of the official code, halved by area
while it is at least twice as large, then bicubic, then cut to the central square."""


@dataclass(frozen=True, slots=True)
class Look:
    """What an image file is, known without its pixels."""

    width: int
    height: int
    mode: str
    """As Pillow has it."""
    changes: tuple[str, ...]
    """What `decoded` would do to it, a phrase for each."""

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return 1 if self.mode in GREY_MODES else 3


@lru_cache
def formats() -> tuple[str, ...]:
    """Formats of Pillow that are read, whatever a file's name says it is; the usual ones first."""
    from PIL import Image

    Image.preinit()
    Image.init()
    return tuple(name for name in Image.ID if name not in NOT_READ)


@lru_cache
def suffixes() -> frozenset[str]:
    """Suffixes, small and with their dot, of the files that are taken for images."""
    from PIL import Image

    known = {*formats(), "MPO"}  # several JPEGs in one file, of which the first is read
    return frozenset(
        suffix for suffix, name in Image.registered_extensions().items() if name in known
    )


@contextmanager
def opened(path: Path, *, where: str) -> Iterator[BufferedReader]:
    """The bytes of a file.

    Raises:
        ConfigError: If they cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise _broken(path, where, error) from error
    with file:
        yield file


def looked_at(path: Path, file: IO[bytes], *, where: str) -> Look:
    """What an image file is.

    Args:
        path: Its name.
        file: The open file, at its beginning.
        where: As of `decoded`.

    Raises:
        ConfigError: As `decoded`, as far as a header tells it.
    """
    with _opened(path, file, where) as image:
        width, height = image.size
        return Look(width, height, image.mode, _changes(image, file))


def decoded(
    path: Path,
    mode: str,
    *,
    where: str,
    size: int | None = None,
    resize: Resize = "area",
) -> tuple[UInt8Array, tuple[str, ...]]:
    """The pixels of an image file, and what was done to it: as `decoded_from`."""
    with opened(path, where=where) as file:
        return decoded_from(file, path, mode, where=where, size=size, resize=resize)


def decoded_from(
    file: IO[bytes],
    path: Path,
    mode: str,
    *,
    where: str,
    size: int | None = None,
    resize: Resize = "area",
) -> tuple[UInt8Array, tuple[str, ...]]:
    """The pixels of an open image file, and what was done to it.

    Args:
        file: At its beginning.
        path: Its name.
        mode: `L` for one channel, `RGB` for three.
        where: The setting that names the file, for an error.
        size: Pixels a side that it is brought to; None: it stays as it is.
        resize: By which rule.

    Returns:
        Level indices (H, W, C) of 256 levels, and a phrase for each change.

    Raises:
        ConfigError: If the file cannot be read, has more bits a channel than 8 levels can tell, or
            more pixels than `MOST_STORED_PIXELS`.
    """
    from PIL import Image, ImageOps

    with _opened(path, file, where) as image:
        changes = _changes(image, file)  # once loaded, an image has forgotten some of it
        grey = image.mode in GREY_MODES and mode == "RGB"
        image.load()
        upright = ImageOps.exif_transpose(image) if TURNED in changes else image
        if upright.has_transparency_data:
            over = Image.new("RGBA", upright.size, BACKGROUND)
            over.alpha_composite(upright.convert("RGBA"))
            upright = over
        pixels = upright if upright.mode == mode else upright.convert(mode)
        side = min(pixels.size)
        if size is not None and pixels.size != (size, size):
            pixels = _by_area(pixels, size) if resize == "area" else _officially(pixels, size)
        array = np.asarray(pixels, dtype=np.uint8).reshape(*pixels.size[::-1], -1)
    enlarged = size is not None and side < size
    return array, (*changes, *[GREY] * grey, *[ENLARGED] * enlarged)


def _by_area(pixels: Any, size: int) -> Any:
    from PIL import Image

    side, (width, height) = min(pixels.size), pixels.size
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return pixels.resize((size, size), Image.Resampling.BOX, box=box)


def _officially(pixels: Any, size: int) -> Any:
    """As `ImageDataset.__getitem__` of the official code has it, its rounding included."""
    from PIL import Image

    while min(pixels.size) >= 2 * size:
        halved = tuple(pixel // 2 for pixel in pixels.size)
        pixels = pixels.resize(halved, resample=Image.Resampling.BOX)
    scale = size / min(pixels.size)
    near = tuple(round(pixel * scale) for pixel in pixels.size)
    pixels = pixels.resize(near, resample=Image.Resampling.BICUBIC)
    left, top = ((pixel - size) // 2 for pixel in pixels.size)
    return pixels.crop((left, top, left + size, top + size))


def _changes(image: Any, file: IO[bytes]) -> tuple[str, ...]:
    found = {
        UPPER_BITS: _has_16_bits(image),  # told by how the pixels lie, until they are loaded
        TURNED: _orientation(image, file) != UPRIGHT,
        LAID_OVER: image.has_transparency_data,
        FIRST_FRAME: getattr(image, "is_animated", False),
        CONVERTED.get(image.mode, ""): image.mode in CONVERTED,
    }
    return tuple(change for change, is_so in found.items() if is_so)


def _orientation(image: Any, file: IO[bytes]) -> int:
    """The EXIF orientation, 1 to 8; Pillow would load every PNG to look for one behind its pixels.

    A file that is asked is where it was afterwards.
    """
    from PIL import ExifTags

    if image.format == "PNG" and not {"exif", "xmp", "XML:com.adobe.xmp"} & set(image.info):
        place = file.tell()
        file.seek(0)
        has_exif = b"eXIf" in file.read()
        file.seek(place)
        if not has_exif:
            return UPRIGHT
    orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return orientation if orientation in range(1, 9) else UPRIGHT


def _has_16_bits(image: Any) -> bool:
    """Whether Pillow takes the upper halves of colours that are stored in 16 bits a channel."""
    for tile in image.tile:
        words = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        raw_mode = str(words[0]) if words else ""
        if ";16" in raw_mode and not raw_mode.startswith("BGR"):  # BGR;16 has 16 bits a pixel
            return True
        if tile.codec_name == "ppm" and any(type(word) is int and word > 255 for word in words):
            return True
    return False


@contextmanager
def _opened(path: Path, file: IO[bytes], where: str) -> Iterator[Any]:
    """The image with its header read and its pixels still on disk."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is refused below, or told as a change
            with Image.open(file, formats=formats()) as image:
                _check(image, path, where)
                yield image
    except ConfigError:
        raise
    except Image.DecompressionBombError as error:
        raise ConfigError(
            where,
            f"images of at most {MOST_STORED_PIXELS:,} pixels",
            f"{path} ({error})",
            "make it smaller or remove it",
        ) from error
    except Exception as error:  # the readers of foreign bytes raise anything
        raise _broken(path, where, error) from error


def _broken(path: Path, where: str, error: Exception) -> ConfigError:
    from PIL import UnidentifiedImageError

    reason = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        reason = "its content is no image of a known kind"
    return ConfigError(
        where, "an image that can be read", f"{path} broken ({reason})", "replace or remove it"
    )


def _check(image: Any, path: Path, where: str) -> None:
    width, height = image.size
    if width * height > MOST_STORED_PIXELS:
        raise ConfigError(
            where,
            f"images of at most {MOST_STORED_PIXELS:,} pixels",
            f"{path} of {width} x {height}",
            "make it smaller or remove it",
        )
    if image.mode not in GREY_MODES | COLOUR_MODES:
        raise ConfigError(
            where, "8 bits a channel", f"mode {image.mode!r} in {path}", "convert it to grey or RGB"
        )
