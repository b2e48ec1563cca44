"""Images from elsewhere: read as they are, known by their content, refused in one sentence."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iddpm.bounds import ConfigError
from iddpm.config import Digits, ExternalConfig, Photos
from iddpm.images.external import describe_external, load_external

PHOTOS = Photos(train_images=8, test_images=8)


def drawn(*shape: int, below: int = 256, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, below, shape, dtype=np.uint8)


def at(path: Path, **changes: Any) -> ExternalConfig:
    return replace(ExternalConfig(path=str(path), name="x", data=PHOTOS), **changes)


def load(config: ExternalConfig) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return load_external(config, describe_external(config).digest)


def a_folder(path: Path, images: np.ndarray[Any, Any]) -> Path:
    path.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(path / f"{i:03d}.png")
    return path


def test_an_npz_of_the_official_scripts_is_read_as_it_is(tmp_path: Path) -> None:
    images = drawn(5, 16, 16, 3)
    np.savez(tmp_path / "samples.npz", images, np.arange(5))  # arr_0 and, as labels, arr_1
    config = at(tmp_path / "samples.npz")
    assert describe_external(config).images == 5
    np.testing.assert_array_equal(load(config), images)


@pytest.mark.parametrize(("data", "shape"), [(PHOTOS, (3, 16, 16, 3)), (Digits(), (3, 8, 8, 1))])
def test_a_folder_is_read_in_the_order_of_its_names(
    tmp_path: Path, data: Any, shape: tuple[int, ...]
) -> None:
    images = drawn(*shape, below=17)
    config = at(a_folder(tmp_path / "samples", images), data=data)
    assert describe_external(config).images == 3
    np.testing.assert_array_equal(load(config), images)


def test_the_digest_is_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        np.savez(tmp_path / f"{name}.npz", drawn(2, 16, 16, 3, seed=seed))
    a, b, c = (describe_external(at(tmp_path / f"{name}.npz")).digest for name in "abc")
    assert a == b != c
    one = a_folder(tmp_path / "one", drawn(2, 16, 16, 3))
    other = a_folder(tmp_path / "other", drawn(2, 16, 16, 3))
    assert describe_external(at(one)).digest == describe_external(at(other)).digest
    (other / "000.png").rename(other / "002.png")  # another order, so other first images
    describe_external.cache_clear()
    assert describe_external(at(one)).digest != describe_external(at(other)).digest


def test_images_that_changed_since_they_were_described_are_refused(tmp_path: Path) -> None:
    config = at(tmp_path / "samples.npz")
    np.savez(tmp_path / "samples.npz", drawn(2, 16, 16, 3))
    digest = describe_external(config).digest
    np.savez(tmp_path / "samples.npz", drawn(2, 16, 16, 3, seed=1))
    expected = r"expected the images that lay at .* when the sweep was planned, found others; run"
    with pytest.raises(ConfigError, match=expected):
        load_external(config, digest)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"arr_0": drawn(2, 16, 16, 3) / 255},
            "expected 'arr_0' to be uint8, found float64 in .*; write pixels from 0 to 255",
        ),
        (
            {"arr_0": drawn(2, 32, 32, 3)},
            r"expected images of 16x16x3 as the data have them \(height, width, channels\), "
            "found 32x32x3 in .*; nothing is resized here",
        ),
        ({"arr_0": drawn(2, 3, 16, 16)}, "expected images of 16x16x3 .*, found 3x16x16"),
        ({"arr_0": drawn(2, 16, 16, 1)}, "expected images of 16x16x3 .*, found 16x16x1"),
        ({"arr_0": drawn(7)}, "expected images of 16x16x3 .*, found single numbers"),
        (
            {"images": drawn(2, 16, 16, 3)},
            "expected an array 'arr_0', as the official scripts write samples, found images in",
        ),
    ],
)
def test_an_npz_of_the_wrong_size_or_type_is_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "samples.npz", **arrays)
    with pytest.raises(ConfigError, match=rf"^external.path: {message}"):
        describe_external(at(tmp_path / "samples.npz"))


def test_levels_that_the_data_do_not_have_are_refused_when_they_are_described(
    tmp_path: Path,
) -> None:
    images = drawn(2, 8, 8, 1, below=17)
    images[1, 3, 4] = 254
    np.savez(tmp_path / "samples.npz", images)
    expected = r"expected pixels of 17 levels, 0 to 16 as the data have them, found 254 in .*; w"
    for path in (tmp_path / "samples.npz", a_folder(tmp_path / "samples", images)):
        with pytest.raises(ConfigError, match=rf"^external.path: {expected}"):
            describe_external(at(path, data=Digits()))


def test_numbers_that_are_no_levels_are_asked_for_in_the_levels_of_the_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "samples.npz", drawn(2, 8, 8, 1) / 255)
    with pytest.raises(ConfigError, match=r"found float64 in .*; write pixels from 0 to 16$"):
        describe_external(at(tmp_path / "samples.npz", data=Digits()))


def test_what_is_not_there_or_no_npz_or_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected an .npz file or a folder of images, found"):
        describe_external(at(tmp_path / "none.npz"))
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ConfigError, match=r"expected an .npz file as numpy.savez writes it, found"):
        describe_external(at(tmp_path / "text.npz"))
    np.savez(tmp_path / "whole.npz", drawn(50, 16, 16, 3))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:-500])
    with pytest.raises(ConfigError, match=r"expected an .npz file as numpy.savez writes it, found"):
        describe_external(at(tmp_path / "cut.npz"))


def test_a_folder_without_images_or_with_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"expected image files .* below .*empty, found none"):
        describe_external(at(tmp_path / "empty"))
    with pytest.raises(ConfigError, match=r"expected images of 16x16x3 .*, found 8x16x3 in"):
        describe_external(at(a_folder(tmp_path / "small", drawn(1, 8, 16, 3))))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.png").write_text("no image")
    with pytest.raises(ConfigError, match=r"expected an image that can be read, found .* broken"):
        describe_external(at(tmp_path / "broken"))
    (tmp_path / "clear").mkdir()
    Image.fromarray(drawn(16, 16, 4), "RGBA").save(tmp_path / "clear" / "0.png")
    with pytest.raises(ConfigError, match=r"expected grey or RGB images .*, found mode 'RGBA'"):
        describe_external(at(tmp_path / "clear"))


def test_images_that_are_not_scored_as_they_are_stored_are_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 3
    whole, through = Image.fromarray(drawn(16, 16, 3)), (1, 2, 3)
    for name, options, change in (
        ("turned.png", {"exif": exif}, "turned upright by their EXIF orientation"),
        ("clear.png", {"transparency": through}, "laid over white, having transparency"),
        (
            "moving.webp",
            {"save_all": True, "append_images": [whole.rotate(90)]},
            "cut to the first",
        ),
    ):
        (tmp_path / name).mkdir()
        whole.save(tmp_path / name / name, **options)
        expected = rf"scored as they are stored, found .*{name}, which would be {change}"
        with pytest.raises(ConfigError, match=expected):
            describe_external(at(tmp_path / name))


def test_a_folder_is_walked_as_one_of_data_is(tmp_path: Path) -> None:
    images = drawn(3, 16, 16, 3)
    elsewhere = a_folder(tmp_path / "elsewhere", images)
    root = tmp_path / "samples"
    (root / "@eaDir").mkdir(parents=True)
    (root / "linked").symlink_to(elsewhere)
    Image.fromarray(images[0]).save(root / "@eaDir" / "0.png")
    Image.fromarray(images[1]).save(root / "z.tif")
    np.testing.assert_array_equal(load(at(root)), images[[0, 1, 2, 1]])
    (root / "gone.png").symlink_to("nowhere")
    describe_external.cache_clear()
    with pytest.raises(
        ConfigError, match=r"^external.path: expected files, folders and links that lead"
    ):
        describe_external(at(root))


def test_an_npz_that_claims_what_it_does_not_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("arr_0.npy", "w") as member:
        described = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 16, 16, 3)}
        np.lib.format.write_array_header_1_0(member, described)
    expected = (
        r"expected an .npz file as numpy.savez writes it, found .* \('arr_0' claims 768,000,0"
    )
    with pytest.raises(ConfigError, match=expected):
        describe_external(at(path))


def test_a_set_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"external.name: expected a name, found ' '"):
        ExternalConfig(path="x.npz", name=" ", data=PHOTOS)
