"""An image file is the pixels that a person sees, or is refused by name."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iddpm.bounds import ConfigError
from iddpm.images import decoding as image_files
from iddpm.images.decoding import Look, decoded, looked_at, opened
from tests.witness.image_folders import noise, write_image

PIXELS = noise(6, 4, 3)


def read(path: Path, mode: str = "RGB", **options: Any) -> NDArray[np.uint8]:
    return decoded(path, mode, where="here", **options)[0]


def look(path: Path) -> Look:
    with opened(path, where="here") as file:
        return looked_at(path, file, where="here")


def changes(path: Path, mode: str = "RGB", **options: Any) -> tuple[str, ...]:
    """What was done to it, which its header foretells as far as no size or mode is asked for."""
    done = decoded(path, mode, where="here", **options)[1]
    assert look(path).changes == tuple(
        change for change in done if change not in (image_files.GREY, image_files.ENLARGED)
    )
    return done


# --------------------------------------------------------------------------------- orientation

UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
"""EXIF 2.32, tag 274: where row 0 and column 0 of the stored image lie in the one that is seen."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_an_image_is_turned_as_its_exif_orientation_says(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = write_image(tmp_path / f"a.{suffix}", PIXELS, exif=exif, **options)
    np.testing.assert_array_equal(read(path), UPRIGHT[orientation](PIXELS))
    told = [image_files.TURNED] if orientation > 1 else []
    assert list(changes(path)) == told


def test_a_photograph_is_turned_before_its_centre_is_cut_out(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    stored = np.zeros((16, 16, 3), dtype=np.uint8)
    stored[:8] = 255
    path = write_image(tmp_path / "a.jpg", stored, exif=exif, quality=100)
    seen = read(path, size=2)[..., 0]
    assert seen[:, 0].max() < 8
    assert seen[:, 1].min() > 247


def test_an_orientation_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 3
    path = write_image(tmp_path / "a.png", PIXELS)
    whole = path.read_bytes()
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + content
    chunk = struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end = whole.index(b"IEND") - 4
    path.write_bytes(whole[:end] + chunk + whole[end:])
    np.testing.assert_array_equal(read(path), PIXELS[::-1, ::-1])
    assert changes(path) == (image_files.TURNED,)


def test_an_orientation_that_is_none_turns_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 9
    path = write_image(tmp_path / "a.png", PIXELS, exif=exif)
    np.testing.assert_array_equal(read(path), PIXELS)
    assert changes(path) == ()


# --------------------------------------------------------------------------- modes, transparency


def over_white(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    share = alpha[..., None] / 255
    return np.asarray(share * colours + (1 - share) * 255)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    both = noise(6, 4, 4)
    path = write_image(tmp_path / "a.png", both)
    np.testing.assert_allclose(read(path), over_white(both[..., :3], both[..., 3]), atol=1)
    assert changes(path) == (image_files.LAID_OVER,)


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    both = noise(6, 4, 2)
    path = saved(tmp_path / "a.png", Image.fromarray(both, "LA"))
    assert look(path).channels == 1
    expected = over_white(both[..., :1], both[..., 1])
    np.testing.assert_allclose(read(path, "L"), expected, atol=1)
    assert changes(path, "L") == (image_files.LAID_OVER,)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_one_colour_that_a_png_calls_transparent_is_white(tmp_path: Path, mode: str) -> None:
    through = 7 if mode == "L" else (7, 7, 7)
    image = Image.new(mode, (4, 4), through)
    image.putpixel((0, 0), 0 if mode == "L" else (0, 0, 0))
    path = saved(tmp_path / "a.png", image, transparency=through)
    seen = read(path, mode)
    assert seen[0, 0].max() == 0
    assert seen.reshape(16, -1)[1:].min() == 255
    assert changes(path, mode) == (image_files.LAID_OVER,)


def test_a_transparent_entry_of_a_palette_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 1)
    path = saved(tmp_path / "a.png", image, transparency=0)
    seen = read(path)
    assert seen[0, 0].tolist() == [40, 50, 60]
    assert seen[1, 1].tolist() == [255] * 3
    assert changes(path) == (image_files.LAID_OVER, image_files.CONVERTED["P"])


@pytest.mark.parametrize(
    ("mode", "name", "change"),
    [
        ("P", "a.png", "converted from a palette"),
        ("1", "a.png", "converted from 1 bit"),
        ("CMYK", "a.tif", "converted from CMYK"),
        ("YCbCr", "a.tif", "converted from YCbCr"),
    ],
)
def test_what_is_stored_in_another_way_is_converted_and_told(
    tmp_path: Path, mode: str, name: str, change: str
) -> None:
    path = saved(tmp_path / name, Image.new("RGB", (4, 4), "black").convert(mode))
    assert read(path).max() <= 1
    assert change in changes(path)


def test_grey_among_colour_and_what_is_enlarged_are_told(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", noise(4, 6))
    assert changes(path, "L", size=4) == ()
    assert changes(path, "RGB", size=4) == ("written as colour, being grey",)
    assert changes(path, "L", size=5) == ("enlarged, being smaller than the size",)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("a.png", {}),
    ],
)
def test_of_several_frames_the_first_is_taken(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    path = saved(tmp_path / name, first, save_all=True, append_images=[second], **options)
    assert (read(path) == [255, 0, 0]).all()
    assert "cut to the first of several frames" in changes(path)


def png_of_16_bits(colour: NDArray[np.uint16]) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width, _ = colour.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colour)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("suffix", ["png", "ppm"])
def test_colours_of_16_bits_are_their_upper_halves(tmp_path: Path, suffix: str) -> None:
    colours = np.random.default_rng(1).integers(0, 2**16, (3, 4, 3)).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    plain = b"P6\n4 3\n65535\n" + colours.astype(">u2").tobytes()
    path.write_bytes(png_of_16_bits(colours) if suffix == "png" else plain)
    np.testing.assert_allclose(read(path), colours / 257, atol=1)
    assert changes(path) == ("cut to the upper 8 of 16 bits a channel",)


# -------------------------------------------------------------------------------------- refused


def grey_pgm(path: Path) -> None:
    path.write_bytes(b"P5\n4 4\n65535\n" + bytes(32))


def grey_png(path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(path, "PNG")


def floats(path: Path) -> None:
    Image.new("F", (4, 4)).save(path, "TIFF")


def integers(path: Path) -> None:
    Image.new("I", (4, 4)).save(path, "TIFF")


def lab(path: Path) -> None:
    Image.new("LAB", (4, 4)).save(path, "TIFF")


@pytest.mark.parametrize(
    ("write", "mode"),
    [(grey_pgm, "I"), (grey_png, "I;16"), (floats, "F"), (integers, "I"), (lab, "LAB")],
)
def test_what_8_levels_of_bits_cannot_tell_is_refused(
    tmp_path: Path, write: Any, mode: str
) -> None:
    write(tmp_path / "deep.png")
    expected = rf"^here: expected 8 bits a channel, found mode '{mode}' in .*deep.png; convert it"
    for reading in (read, look):
        with pytest.raises(ConfigError, match=expected):
            reading(tmp_path / "deep.png")


@pytest.mark.parametrize(
    ("side", "found"),
    [
        (9000, "of 9000 x 9000; make it smaller or remove it"),  # Pillow would read it
        (12000, "of 12000 x 12000; make it smaller"),  # it would warn
        (20000, r"\(Image size \(400000000 pixels\) exceeds"),  # it would refuse
    ],
)
def test_an_image_of_too_many_pixels_is_refused(tmp_path: Path, side: int, found: str) -> None:
    path = saved(tmp_path / "large.png", Image.new("1", (side, side)))
    expected = rf"^here: expected images of at most 67,108,864 pixels, found .*large.png {found}"
    for reading in (read, look):
        with pytest.raises(ConfigError, match=expected):
            reading(path)


def whole(suffix: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(16, 16, 3)).save(file, Image.registered_extensions()[suffix])
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".tif", ".webp", ".bmp", ".ppm"])
def test_a_damaged_file_is_an_image_or_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    content, draws = whole(suffix), np.random.default_rng(0)
    path, refused = tmp_path / f"damaged{suffix}", 0
    for trial in range(60):
        damaged = bytearray(content)
        if trial % 2:
            del damaged[int(draws.integers(1, len(content))) :]
        for place in draws.integers(0, len(damaged), 4):
            damaged[place] = draws.integers(0, 256)
        path.write_bytes(damaged)
        try:
            assert read(path, size=4).shape == (4, 4, 3)
        except ConfigError as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
    assert refused > 0


def test_a_file_that_may_not_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^here: expected an image that can be read, found .*no"):
        read(tmp_path / "no.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ConfigError, match=r"found .*text.png broken .*; replace or remove it"):
        read(tmp_path / "text.png")


def test_a_drawing_for_another_program_is_not_run(tmp_path: Path) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(ConfigError, match=r"found .*a.png broken \(its content is no image"):
        read(tmp_path / "a.png")
    assert not {".eps", ".ps", ".wmf", ".h5", ".mpg", ".pdf"} & image_files.suffixes()


def test_nothing_is_warned_of(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4))
    image.putpalette([0, 0, 0, 9, 9, 9])
    path = saved(tmp_path / "a.png", image, transparency=bytes([0, 128]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path)
        look(path)
