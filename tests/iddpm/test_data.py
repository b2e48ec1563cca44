"""Data sets hold what they say they hold, and say clearly what is wrong with those that do not."""

import hashlib
import importlib.util
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from iddpm import data as data_room
from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Data, Declared, Digits, Folder, Npz, Photos, data_name
from iddpm.config_fields import canonical
from iddpm.data import (
    UNKNOWN,
    batch_indices,
    describe,
    load,
    missing,
    outline,
    photo_crops,
    to_unit,
)

RNG = np.random.default_rng(0)

# --------------------------------------------------------------------------- the embedded data


def rows(images: NDArray[Any], labels: NDArray[Any]) -> list[bytes]:
    """Each image with its label, in an order of their own."""
    return sorted(
        image.astype(np.uint8).tobytes() + bytes([label])
        for image, label in zip(images, labels, strict=True)
    )


def test_dequantised_digits_lie_inside_their_bins_and_are_always_the_same() -> None:
    for split in SPLITS:
        fine, coarse = (load(Digits(levels=levels), split) for levels in (256, 17))
        assert fine.levels == 256
        np.testing.assert_array_equal(fine.labels, coarse.labels)
        bins = coarse.images.astype(int)
        assert (bins * 256 // 17 <= fine.images).all()
        assert (fine.images < -(-(bins + 1) * 256 // 17)).all()
        inside = (fine.images + 0.5) * (17 / 256) - bins
        assert inside.mean() == pytest.approx(0.5, abs=0.01)
        assert inside.std() == pytest.approx(math.sqrt(1 / 12), abs=0.01)
    assert load(Digits(levels=256), "train").images.sum() == 7_738_441
    digests = {describe(Digits(levels=levels)).digest for levels in (17, 256)}
    assert len(digests) == 2
    assert describe(Digits()).digest in digests


def test_few_digits_are_the_first_ones_and_of_every_class() -> None:
    few, whole = (load(data, "train") for data in (Digits(train_images=37), Digits()))
    assert np.array_equal(few.images, whole.images[:37])
    assert few.labels is not None
    assert set(few.labels.tolist()) == set(range(10))
    assert describe(Digits(train_images=37)).train_images == 37
    assert describe(Digits(train_images=37)).digest != describe(Digits()).digest
    same = load(Digits(train_images=37), "test").images
    assert np.array_equal(same, load(Digits(), "test").images)
    assert data_name(Digits(levels=256, train_images=37)) == "digits-256-levels-37-images"
    for count in (36, 1501):
        with pytest.raises(ConfigError, match=rf"digits\.train_images: expected at .*{count}"):
            Digits(train_images=count)


def test_digits_of_another_number_of_levels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"digits\.levels: expected 17 or 256, found 16"):
        Digits(levels=16)


def test_the_two_splits_of_digits_are_scikit_learns_images_each_once() -> None:
    whole = load_digits()
    train, test = load(Digits(), "train"), load(Digits(), "test")
    assert train.labels is not None
    assert test.labels is not None
    images = np.concatenate([train.images, test.images])
    labels = np.concatenate([train.labels, test.labels])
    assert rows(images, labels) == rows(whole.images, whole.target)
    assert (len(train.images), len(test.images)) == (1500, 297)
    assert train.levels == whole.images.max() + 1


def test_each_digit_is_in_the_test_split_about_equally_often() -> None:
    labels = load(Digits(), "test").labels
    assert labels is not None
    assert np.bincount(labels, minlength=10).min() >= 20


def test_photo_crops_are_cut_from_scikit_learns_photographs() -> None:
    photos = load_sample_images().images
    images = load(Photos(train_images=20), "train").images
    for image, (photo, top, left) in zip(images, photo_crops("train", 20), strict=True):
        np.testing.assert_array_equal(image, photos[photo][top : top + 16, left : left + 16])


def test_no_pixel_is_shared_by_train_and_test_photos() -> None:
    covered = {split: np.zeros((2, 427, 640), dtype=bool) for split in SPLITS}
    for split in SPLITS:
        for photo, top, left in photo_crops(split, 60_000):
            covered[split][photo, top : top + 16, left : left + 16] = True
    assert not (covered["train"] & covered["test"]).any()
    assert (covered["train"] | covered["test"]).mean() > 0.99


def test_photo_crops_are_all_different_and_the_first_of_more_are_the_same() -> None:
    crops = photo_crops("test", 2000)
    assert len(np.unique(crops, axis=0)) == 2000
    np.testing.assert_array_equal(photo_crops("test", 300), crops[:300])


def test_more_photos_than_there_are_crops_are_refused() -> None:
    expected = r"photos\.test_images: expected at most 80752, .* found 80753; ask for fewer"
    with pytest.raises(ConfigError, match=expected):
        describe(Photos(test_images=80_753))


@pytest.mark.parametrize("data", [Digits(), Photos(train_images=30, test_images=7)])
def test_the_description_is_that_of_the_loaded_images(data: Data) -> None:
    said = describe(data)
    counts = dict(zip(SPLITS, (said.train_images, said.test_images), strict=True))
    for split, count in counts.items():
        loaded = load(data, split)
        assert loaded.images.shape == (count, said.size, said.size, said.channels)
        assert loaded.levels == said.levels
        assert loaded.images.max() < said.levels
        classes = None if loaded.labels is None else len(np.unique(loaded.labels))
        assert classes == said.classes


def test_describing_embedded_data_loads_no_heavy_library() -> None:
    script = (
        "import sys; from iddpm.config import Digits, Photos; from iddpm.data import describe; "
        "describe(Digits()); describe(Photos()); "
        "print([m for m in ('sklearn', 'torch', 'pandas', 'scipy', 'PIL') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_embedded_data_without_scikit_learn_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"data\.digits: expected scikit-learn .* pip install"):
        load(Digits(), "train")


def test_the_settings_of_photos_are_part_of_their_digest() -> None:
    digests = {describe(Photos(train_images=n)).digest for n in (10, 11)}
    assert len(digests) == 2


# ------------------------------------------------------------------------------ levels and batches


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_are_spread_evenly_from_minus_one_to_one(levels: int) -> None:
    images = np.arange(levels, dtype=np.uint8).reshape(-1, 1, 1, 1)
    expected = np.linspace(-1, 1, levels)
    np.testing.assert_allclose(to_unit(images, levels).ravel(), expected, atol=1e-7)
    assert to_unit(images, levels)[-1] == 1


def test_unit_images_have_their_channels_first() -> None:
    images = RNG.integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    unit = to_unit(images, 256)
    assert unit.shape == (2, 3, 4, 5)
    assert unit[1, 2, 3, 4] == pytest.approx(2 * images[1, 3, 4, 2] / 255 - 1, abs=1e-6)
    assert unit.flags.c_contiguous


@pytest.mark.parametrize("batch_size", [3, 7, 10, 25])
def test_batches_follow_one_another_through_whole_epochs(batch_size: int) -> None:
    count, batches = 10, 40
    row = np.concatenate([batch_indices(count, batch_size, 5, n) for n in range(batches)])
    assert len(row) == batches * batch_size
    for start in range(0, len(row) - count + 1, count):
        assert sorted(row[start : start + count]) == list(range(count))


def test_a_batch_depends_on_seed_and_number_alone() -> None:
    later = batch_indices(1500, 64, 1, 1000)
    batch_indices(1500, 64, 1, 3)
    np.testing.assert_array_equal(batch_indices(1500, 64, 1, 1000), later)
    assert not np.array_equal(batch_indices(1500, 64, 2, 1000), later)
    epochs = batch_indices(1500, 3000, 1, 0)
    assert not np.array_equal(epochs[:1500], epochs[1500:])


# -------------------------------------------------------------------------------------- folders


def write_image(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two classes of grey images of several shapes in train/, one of them in test/."""
    for name, shape in (("cat/b", (8, 12)), ("cat/a", (9, 8)), ("dog/c", (4, 4))):
        write_image(tmp_path / f"train/{name}.png", RNG.integers(0, 256, shape, dtype=np.uint8))
    write_image(tmp_path / "test/dog/d.png", np.full((8, 8), 7, dtype=np.uint8))
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    return tmp_path


def test_a_folders_labels_are_its_subfolders_in_order(labelled: Path) -> None:
    data = Folder(path=str(labelled), size=4)
    said = describe(data)
    assert (said.channels, said.classes, said.train_images, said.test_images) == (1, 2, 3, 1)
    assert load(data, "train").labels.tolist() == [0, 0, 1]  # type: ignore[union-attr]
    assert load(data, "test").labels.tolist() == [1]  # type: ignore[union-attr]


def test_an_image_is_cropped_to_its_centre_and_averaged_over_areas(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    for split in SPLITS:
        write_image(tmp_path / split / "a.png", pixels)
    loaded = load(Folder(path=str(tmp_path), size=4), "train")
    areas = pixels[:, 2:10].astype(float).reshape(4, 2, 4, 2, 3).mean((1, 3))
    assert loaded.labels is None
    # Pillow rounds twice, once for each direction
    np.testing.assert_allclose(loaded.images[0], areas, atol=1)


def test_one_colour_image_makes_all_images_colour(labelled: Path) -> None:
    write_image(labelled / "test/cat/e.png", np.zeros((4, 4, 3), dtype=np.uint8))
    data = Folder(path=str(labelled), size=4)
    assert describe(data).channels == 3
    assert load(data, "train").images.shape == (3, 4, 4, 3)


def test_a_folders_digest_follows_content_not_place(labelled: Path, tmp_path: Path) -> None:
    before = describe(Folder(path=str(labelled), size=4)).digest
    moved = labelled.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    assert describe(Folder(path=str(moved), size=4)).digest == before
    assert describe(Folder(path=str(moved), size=8)).digest != before
    write_image(moved / "test/dog/d.png", np.full((8, 8), 8, dtype=np.uint8))
    changed = moved.rename(tmp_path)
    describe.cache_clear()
    assert describe(Folder(path=str(changed), size=4)).digest != before


def spoil_nothing_there(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def spoil_broken_header(root: Path) -> None:
    (root / "train/cat/a.png").write_bytes(b"not an image")


def spoil_unknown_label(root: Path) -> None:
    write_image(root / "test/emu/z.png", np.zeros((4, 4), dtype=np.uint8))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_nothing_there, "expected a folder .*train with image files, found none; put"),
        (spoil_broken_header, r"can be read, found .*a\.png broken .*; replace or remove"),
        (spoil_unknown_label, "labels of test/ among those of train/, found 'emu' only"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(
    labelled: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(labelled)
    with pytest.raises(ConfigError, match=rf"^data\.folder\.path: .*{message}"):
        describe(Folder(path=str(labelled), size=4))


def test_an_image_cut_short_is_named_when_it_is_loaded(labelled: Path) -> None:
    whole = (labelled / "train/cat/a.png").read_bytes()
    (labelled / "train/cat/a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"found .*cat/a\.png broken"):
        load(Folder(path=str(labelled), size=4), "train")


# ------------------------------------------------------------------------------------------ npz

WHOLE: dict[str, NDArray[Any]] = {
    "train": RNG.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8),
    "test": RNG.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8),
    "train_labels": np.array([0, 1, 2, 0, 1]),
    "test_labels": np.array([2, 0], dtype=np.uint8),
}


def saved(folder: Path, **arrays: NDArray[Any] | None) -> Npz:
    """WHOLE with some arrays replaced, or left out where None, as a file."""
    kept = {name: array for name, array in {**WHOLE, **arrays}.items() if array is not None}
    np.savez_compressed(folder / "data.npz", **kept)  # type: ignore[arg-type]
    return Npz(path=str(folder / "data.npz"))


def test_an_npz_gives_back_its_arrays(tmp_path: Path) -> None:
    data = saved(tmp_path)
    said = describe(data)
    assert (said.channels, said.size, said.levels, said.classes) == (3, 4, 256, 3)
    assert (said.train_images, said.test_images) == (5, 2)
    for split in SPLITS:
        loaded = load(data, split)
        np.testing.assert_array_equal(loaded.images, WHOLE[split])
        np.testing.assert_array_equal(loaded.labels, WHOLE[f"{split}_labels"])


def test_an_npz_without_labels_has_no_classes(tmp_path: Path) -> None:
    data = saved(tmp_path, train_labels=None, test_labels=None)
    assert describe(data).classes is None
    assert load(data, "test").labels is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test": None}, r"expected arrays 'train' and 'test', found \['test_labels', 'train'"),
        ({"train": WHOLE["train"] / 255}, "expected 'train' to be uint8 .*, found float64 of"),
        ({"train": WHOLE["train"][0]}, r"expected 'train' .* of shape \(4, 4, 3\)"),
        ({"test": WHOLE["test"][:, :3]}, r"expected 'test' .* of shape \(2, 3, 4, 3\)"),
        ({"test": WHOLE["test"][:, :3, :3]}, r"images of one shape, found \(4, 4, 3\) and \(3,"),
        ({"test_labels": None}, "of both splits or of neither, found only 'train_labels'"),
        ({"train_labels": np.arange(4)}, r"'train_labels' .* each of the 5 images, .* \(4,\)"),
        ({"test_labels": np.array([0.0, 1.0])}, "'test_labels' .* one integer .*found float64"),
        ({"test_labels": np.array([0, 3])}, r"labels in \[0, 3\).* found 3"),
        ({"train_labels": np.array([0, -1, 2, 0, 1])}, r"labels in \[0, 3\).* found -1"),
        ({"train": np.array([None] * 5)}, "expected 'train' to be uint8 .*, found object"),
        *[
            (
                {
                    split: np.zeros((len(WHOLE[split]), 4, 4, channels), np.uint8)
                    for split in SPLITS
                },
                r"expected 'train' to have 1 channel \(grey\) or 3 \(RGB\), "
                f"found {channels} in .*; leave out what is no colour, such as alpha",
            )
            for channels in (2, 4, 5)
        ],
        (
            {"train_labels": np.array([1, 2, 3, 1, 2]), "test_labels": np.array([3, 1])},
            "an image of every class from 0 to 3 among train_labels, found none of 0 in .*; "
            "subtract 1 from the labels of both splits",
        ),
        (
            {"train_labels": np.array([0, 1, 4, 0, 1]), "test_labels": np.array([1, 0])},
            "every class from 0 to 4 .*, found none of 2, 3 in .*; number the classes without hol",
        ),
        (
            {"train_labels": np.array([0, 1, 0, 0, 1]), "test_labels": np.array([2, 0])},
            r"expected labels in \[0, 2\), the classes of train_labels, found 2",
        ),
        (
            {"train_labels": np.array([0, 2**40, 2, 0, 1])},
            "from 0 to 1099511627776 .*, found none of 3, 4, 5 and 1,099,511,627,770 more in",
        ),
        (
            {"train_labels": np.array([0, 2**64 - 1, 2, 0, 1], dtype=np.uint64)},
            f"every class from 0 to {2**64 - 1} among train_labels, found none of 3, 4, 5 and",
        ),
        ({"train_labels": np.array([0, 1, 1, 0, 1], dtype=bool)}, "one integer .*, found bool of"),
    ],
)
def test_an_npz_that_cannot_be_used_says_why(
    tmp_path: Path, changed: dict[str, NDArray[Any] | None], message: str
) -> None:
    data = saved(tmp_path, **changed)
    with pytest.raises(ConfigError, match=rf"^data\.npz\.path: .*{message}"):
        describe(data)


def test_arrays_beside_those_that_are_used_may_be_anything(tmp_path: Path) -> None:
    data = saved(tmp_path, names=np.array(["a", None]), more=np.zeros((2, 5)))
    assert describe(data).classes == 3


def test_labels_that_number_the_images_are_refused(tmp_path: Path) -> None:
    count = 100_001
    images, labels = np.zeros((count, 1, 1, 1), dtype=np.uint8), np.arange(count)
    data = saved(tmp_path, train=images, train_labels=labels, test=images, test_labels=labels)
    with pytest.raises(ConfigError, match=r"npz\.path: expected labels below 100000, found 100000"):
        describe(data)


def test_a_missing_npz_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected an \.npz file, found no file at .*no\.npz"):
        describe(Npz(path=str(tmp_path / "no.npz")))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npz_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"expected an \.npz file as numpy\.savez writes it"):
        describe(Npz(path=str(path)))


def test_an_npz_whose_array_is_damaged_is_named(tmp_path: Path) -> None:
    images = np.zeros((50, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", train=images, test=images)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[images.size] ^= 1
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(ConfigError, match="expected to read array 'train', found it broken"):
        load(Npz(path=str(tmp_path / "data.npz")), "train")


# ------------------------------------------------------------------------- large, or not there yet


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_room, "LARGE", 1)


@pytest.mark.usefixtures("everything_is_large")
def test_a_large_array_stays_on_disk_and_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **WHOLE)  # type: ignore[arg-type]
    data = Npz(path=str(path))
    for split in SPLITS:
        images = load(data, split).images
        assert isinstance(images, np.memmap)
        assert not images.flags.writeable
        np.testing.assert_array_equal(images, WHOLE[split])
        swapped = [1, 0]
        expected = to_unit(WHOLE[split][swapped], 256)
        np.testing.assert_array_equal(to_unit(images[swapped], 256), expected)


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize("order", ["compressed", "fortran"])
def test_a_large_array_that_does_not_lie_as_it_is_is_read(tmp_path: Path, order: str) -> None:
    path = tmp_path / "data.npz"
    arrays = {**WHOLE, "train": np.asfortranarray(WHOLE["train"])}
    save = np.savez_compressed if order == "compressed" else np.savez
    save(path, **arrays)  # type: ignore[arg-type]
    images = load(Npz(path=str(path)), "train").images
    assert not isinstance(images, np.memmap)
    np.testing.assert_array_equal(images, WHOLE["train"])


@pytest.mark.usefixtures("everything_is_large")
def test_the_hash_of_a_large_file_is_kept_beside_it_while_it_is_the_same(tmp_path: Path) -> None:
    path, beside = tmp_path / "data.npz", tmp_path / "data.npz.sha256.json"
    np.savez(path, **WHOLE)  # type: ignore[arg-type]
    first = digest_of(path)
    kept = json.loads(beside.read_text())
    assert kept["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    beside.write_text(json.dumps({**kept, "sha256": "0"}))
    assert digest_of(path) != first  # it was not taken anew
    for stale in (json.dumps({**kept, "size": 1, "sha256": "0"}), "[]", "not JSON"):
        beside.write_text(stale)
        assert digest_of(path) == first
    path.touch()
    beside.write_text(json.dumps({**kept, "sha256": "0"}))
    assert digest_of(path) == first


def digest_of(path: Path) -> str:
    describe.cache_clear()
    return describe(Npz(path=str(path))).digest


def test_no_file_is_left_beside_a_small_one(tmp_path: Path) -> None:
    describe(saved(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


DECLARED = Declared(
    size=4, channels=3, classes=3, train_images=5, test_images=2, source="draw them by hand"
)


def declaring(folder: Path, **changes: Any) -> Npz:
    return replace(saved(folder), declared=replace(DECLARED, **changes))


def test_data_that_are_not_there_are_what_is_declared(tmp_path: Path) -> None:
    absent = Npz(path=str(tmp_path / "no.npz"), declared=DECLARED)
    assert replace(outline(absent), digest="") == replace(outline(saved(tmp_path)), digest="")
    assert outline(absent).digest == UNKNOWN


def test_data_that_are_not_there_say_what_to_put_where(tmp_path: Path) -> None:
    path = tmp_path / "no.npz"
    text = (
        f"data.npz.path: expected an .npz file, found no file at {path}; put there the arrays "
        "train (5, 4, 4, 3) and test (2, 4, 4, 3) of uint8, train_labels and test_labels of "
        "integers below 3. Source: draw them by hand"
    )
    assert str(missing(Npz(path=str(path), declared=DECLARED))) == text
    with pytest.raises(ConfigError, match=re.escape(text)):
        describe(Npz(path=str(path), declared=DECLARED))
    unlabelled = replace(DECLARED, classes=None)
    assert "labels" not in str(missing(Npz(path=str(path), declared=unlabelled)))


def test_data_that_are_there_are_what_they_are(tmp_path: Path) -> None:
    data = declaring(tmp_path)
    assert missing(data) is None
    assert outline(data) == describe(data) == describe(saved(tmp_path))
    with pytest.raises(ConfigError, match="found no file at"):
        outline(Npz(path=str(tmp_path / "no.npz")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 8}, r"expected 'train' of the shape \(5, 8, 8, 3\) .*, found \(5, 4, 4, 3\) in"),
        (
            {"test_images": 3},
            r"expected 'test' of the shape \(3, 4, 4, 3\) that is declared",
        ),
        ({"classes": 10}, "expected 10 classes as is declared, found 3 in .*; mend the one"),
        ({"classes": None}, "expected no classes as is declared, found 3 in"),
    ],
)
def test_data_that_are_not_what_is_declared_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.npz\.declared: {message}"):
        describe(declaring(tmp_path, **changes))


def test_what_is_declared_is_at_least_one() -> None:
    with pytest.raises(ConfigError, match=r"^declared\.size: expected at least 1, found 0"):
        replace(DECLARED, size=0)


def test_a_name_is_part_of_what_the_data_are_and_a_path_is_not(tmp_path: Path) -> None:
    plain = canonical(Npz(path="a"))
    assert canonical(Npz(path="b", declared=DECLARED)) == plain == {"kind": "npz"}
    assert canonical(Npz(path="a", name="cifar10")) == {"kind": "npz", "name": "cifar10"}
    named: list[Data] = [
        Npz(path="a"),
        Npz(path="a", name="cifar10"),
        Folder(path="a", size=4, name="x"),
        Digits(),
    ]
    assert [data_name(data) for data in named] == ["npz", "cifar10", "x", "digits"]


def test_a_name_that_is_no_name_is_refused() -> None:
    for kind, make in (("npz", Npz), ("folder", partial(Folder, size=4))):
        with pytest.raises(ConfigError, match=rf"^{kind}\.name: expected small letters, digits"):
            make(path="a", name="a/b")


def test_arrays_that_are_not_used_are_told(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **WHOLE, y_train=np.zeros(3, np.int64))  # type: ignore[arg-type]
    (line,) = describe(Npz(path=str(path))).told
    assert line == (
        f"left out of {path}, arrays that are none of train, test, train_labels, test_labels: "
        "1 (y_train)"
    )
