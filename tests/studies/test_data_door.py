"""The door that packs image files says what it made, or in one sentence why it made nothing."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iddpm.images import checking, packing
from iddpm.images.families import FAMILIES, file_name
from iddpm.running.interruption import Progress
from studies import data
from tests.witness.image_folders import noise, write_image
from tests.witness.published_files import (
    cifar_files,
    mnist_files,
    pixels_of,
    write_files,
    write_tar,
)


def folder(root: Path) -> Path:
    draws = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2)):
        (root / split).mkdir(parents=True)
        for i in range(count):
            pixels = draws.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / split / f"{i}.png")
    return root


def test_a_folder_is_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.npz"
    assert data.main([str(folder(tmp_path / "x")), str(file), "--size", "4"]) == 0
    said = capsys.readouterr().out
    assert said == f"{file}: 3 training and 2 test images of 4x4x3, no labels\n"


def test_progress_is_told_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "SAID_EVERY", 2)
    assert data.main([str(folder(tmp_path / "x")), str(tmp_path / "x.npz"), "--size", "4"]) == 0
    assert "2 of 5 images\n4 of 5 images\n" in capsys.readouterr().out


def test_what_was_done_to_images_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.npz"
    (folder(tmp_path / "x") / "train" / "notes.txt").write_text("")
    assert data.main([str(tmp_path / "x"), str(file), "--size", "8"]) == 0
    assert capsys.readouterr().out == (
        f"{file}: 3 training and 2 test images of 8x8x3, no labels\n"
        "  enlarged, being smaller than the size: 5 (train/2.png, train/1.png, train/0.png, …)\n"
        "  left out, no image files (.txt): 1 (train/notes.txt)\n"
    )


@pytest.mark.parametrize(
    ("labels", "found"), [("auto", "2 classes"), ("prefix", "2 classes"), ("none", "no labels")]
)
def test_labels_are_taken_from_names_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: str, found: str
) -> None:
    for split in ("train", "test"):
        for name in ("cat_0", "cat_1", "dog_0", "dog_1"):
            write_image(tmp_path / "x" / split / f"{name}.png", noise(4, 4, 3))
    arguments = [str(tmp_path / "x"), str(tmp_path / "x.npz"), "--size", "4", "--labels", labels]
    assert data.main(arguments) == 0
    said = capsys.readouterr().out
    assert f"4x4x3, {found}\n" in said
    assert ("what stands before the first _" in said) == (labels == "auto")


@pytest.mark.parametrize(
    ("source", "target", "size", "message"),
    [
        ("no", "x.npz", "4", "expected a folder "),
        (
            "x",
            "no/x.npz",
            "4",
            "x.npz: cannot write: No such file or directory; look at",
        ),
        ("x", "x.npz", "0", "folder.size: expected at least 1 pixel, found 0"),
    ],
)
def test_what_cannot_be_packed_says_why(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    source: str,
    target: str,
    size: str,
    message: str,
) -> None:
    folder(tmp_path / "x")
    assert data.main([str(tmp_path / source), str(tmp_path / target), "--size", size]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


# ---------------------------------------------------------------------------------------- prepare


def test_an_archive_is_prepared_where_presets_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "SAID_EVERY", 40)
    write_tar(Path("cifar.tar"), cifar_files(pixels_of(60, 32, 32, 3), binary=True))
    assert data.main(["prepare", "cifar10", "cifar.tar"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        "40 of 60 images",
        "data/cifar10.npz: 50 training and 10 test images of 32x32x3, 10 classes",
    ]
    assert said[2].startswith("  not the known content of cifar10: cifar.tar has the md5 ")
    assert sorted(path.name for path in Path("data").iterdir()) == ["cifar10.npz"]


def test_what_is_prepared_lies_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {"train": pixels_of(10, 28, 28), "test": pixels_of(10, 28, 28)}
    labels = {split: list(range(10)) for split in images}
    root = write_files(tmp_path / "x", mnist_files(images, labels, packed=True))
    file = str(tmp_path / "y.npz")
    assert data.main(["prepare", "mnist", str(root), "--out", file, "--size", "28"]) == 0
    assert f"{file}: 10 training and 10 test images of 28x28x1" in capsys.readouterr().out


def test_what_presets_declare_is_prepared_where_they_look() -> None:
    """The command that a preset names makes the file that it reads."""
    named = {}
    for preset in Path(__file__).parents[2].glob("sweeps/presets/*.yaml"):
        text = preset.read_text()
        if found := re.search(r"studies\.data prepare (\w+)", text):
            (path,) = re.findall(r"path: (data/\w+\.npz)", text)
            named[preset.stem] = (f"data/{file_name(found[1])}", path)
    assert set(named) >= {"cifar10", "imagenet64"}
    assert [preset for preset, (made, read) in named.items() if made != read] == []


@pytest.mark.parametrize("end", ["a broken image", "Ctrl-C"])
def test_where_another_attempt_goes_on_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    monkeypatch.setattr(packing, "BLOCK_BYTES", 8 * 8 * 3)
    root, made = tmp_path / "x", tmp_path / "y.npz"
    for split in ("train", "test"):
        for i in range(3):
            write_image(root / split / f"{i}.png", noise(8, 8, 3))
    whole = (root / "test/2.png").read_bytes()
    words = ["prepare", "folder", str(root), "--size", "8", "--out", str(made)]
    with monkeypatch.context() as patch:
        if end == "Ctrl-C":
            patch.setattr(data, "counted", lambda *_: stopped_at(4))
        else:
            (root / "test/2.png").write_bytes(whole[:-40])
        assert data.main(words) == (130 if end == "Ctrl-C" else 2)
    said = capsys.readouterr()
    assert said.out == f"what is read is kept for another attempt in {tmp_path}/.y.npz.blocks\n"
    assert said.err.startswith("stopped" if end == "Ctrl-C" else "error: folder: expected an image")
    (root / "test/2.png").write_bytes(whole)
    assert data.main(words) == 0
    assert "3 training and 3 test images" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.name != "x"] == ["y.npz"]


def stopped_at(images: int) -> Progress:
    """As if somebody pressed Ctrl-C when so many images are read."""

    def progress(done: int, total: int) -> None:
        if done == images:
            raise KeyboardInterrupt

    return progress


def test_every_family_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert data.main(["list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == list(FAMILIES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cifar11", "x"], "expected one of cifar10, "),
        (["cifar10", "x", "--size", "64"], "cifar10: takes no --size; leave it out"),
        (["fashion", "x", "--first-label", "1"], "fashion: takes no --first-label; leave it out"),
        (["cifar10", "no"], "cifar10: expected a file or a folder, found nothing at no"),
    ],
)
def test_what_cannot_be_prepared_says_why(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data.main(["prepare", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1


# ------------------------------------------------------------------------------------------ check


def write_folder_of_colours(root: Path) -> Path:
    """Two classes; one test image is a training image, one training image is there twice."""
    for split, count in (("train", 3), ("test", 2)):
        for name in ("cat", "dog"):
            for i in range(count):
                write_image(root / split / name / f"{i}.png", noise(8, 8, 3))
    shutil.copy(root / "train/cat/1.png", root / "test/cat/1.png")
    shutil.copy(root / "train/dog/2.png", root / "train/dog/3.png")
    return root


def test_a_check_says_what_is_in_both_splits_and_draws_the_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_folder_of_colours(Path("x"))
    assert data.main(["prepare", "folder", str(root), "--size", "8", "--out", "y.npz"]) == 0
    capsys.readouterr()
    assert data.main(["check", "y.npz"]) == 0
    said = capsys.readouterr().out.splitlines()
    with np.load("y.npz") as arrays:
        found = {name: arrays[name] for name in arrays.files if name != "packing.json"}
    pairs = [
        f"test {t} is train {k}"
        for t, image in enumerate(found["test"])
        for k, other in enumerate(found["train"])
        if np.array_equal(image, other)
    ]
    assert said[:7] == [
        "y.npz: 7 training and 4 test images of 8x8x3, 2 classes",
        "  order of images: a fixed permutation",
        "  cat: 3 training and 2 test images",
        "  dog: 4 training and 2 test images",
        f"  test images that are training images too: 1 ({pairs[0]})",
        "  images that stand in train before: 1",
        "  images that stand in test before: 0",
    ]
    assert said[7:11] == [
        f"  md5 of {name}: {hashlib.md5(found[name].tobytes()).hexdigest()}"
        for name in ("train", "train_labels", "test", "test_labels")
    ]
    assert said[11:] == ["  to look at: y.png"]
    with Image.open("y.png") as sheet:
        assert sheet.height > 2 * 48


def test_a_check_shows_odd_characters_of_a_class_by_their_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_folder_of_colours(Path("x"))
    for split in ("train", "test"):
        (root / split / "cat").rename(root / split / "c\x1b[31m\nt")
    assert data.main(["prepare", "folder", str(root), "--size", "8", "--out", "y.npz"]) == 0
    assert data.main(["check", "y.npz"]) == 0
    said = capsys.readouterr().out
    assert "  c\\x1b[31m\\nt: 3 training and 2 test images\n" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("is_known", [True, False])
def test_a_check_says_whether_the_content_is_the_known_one(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_known: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    images = {"train": pixels_of(10, 28, 28), "test": pixels_of(10, 28, 28, seed=1)}
    labels = {split: list(range(10)) for split in images}
    root = write_files(tmp_path / "x", mnist_files(images, labels, packed=True))
    assert data.main(["prepare", "fashion", str(root)]) == 0
    if is_known:
        with np.load("data/fashion.npz") as arrays:
            sums = {
                name: hashlib.md5(arrays[name].tobytes()).hexdigest()
                for name in ("train", "train_labels", "test", "test_labels")
            }
        monkeypatch.setitem(checking.KNOWN, ("fashion", 32), sums)
    capsys.readouterr()
    assert data.main(["check", "fashion"]) == (0 if is_known else 1)
    assert f"content: {'the' if is_known else 'not the'} known one of fashion" in (
        capsys.readouterr().out
    )


def test_a_check_of_many_classes_names_the_smallest_and_the_largest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.concatenate([np.arange(30), [7, 7], np.arange(1, 30)])
    np.savez(
        tmp_path / "x.npz",
        train=pixels_of(61, 4, 4, 1),
        train_labels=labels,
        test=pixels_of(3, 4, 4, 1, seed=1),
        test_labels=np.array([0, 7, 7]),
    )
    assert data.main(["check", str(tmp_path / "x.npz")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:4] == [
        "  30 classes, of which the smallest and the largest are",
        "  0: 1 training and 1 test images",
        "  7: 4 training and 2 test images",
    ]


def test_what_is_prepared_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    np.savez("data/a.npz", train=pixels_of(5, 4, 4, 3), test=pixels_of(2, 4, 4, 3))
    Path("data/b.npz").write_bytes(b"nothing")
    np.savez("data/c.npz", other=np.zeros(3))
    assert data.main(["list"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "data/a.npz: train (5, 4, 4, 3) and test (2, 4, 4, 3)",
        "data/b.npz: cannot be read (File is not a zip file)",
        "data/c.npz: no images",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lsun", "data.npz.path: expected an .npz file, found no file at data/lsun256.npz"),
        ("no.npz", "data.npz.path: expected an .npz file, found no file at no.npz"),
        ("folder", "folder: expected the path of an .npz, found a family that no preset reads"),
        ("cifar11", "expected one of cifar10, "),
    ],
)
def test_what_cannot_be_checked_says_why(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data.main(["check", name]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1


def test_published_files_are_fetched_first_and_then_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(family: str, folder: Path, *, progress: Progress) -> tuple[Path, ...]:
        images = {split: pixels_of(10, 28, 28) for split in ("train", "test")}
        labels = {split: list(range(10)) for split in images}
        write_files(folder, mnist_files(images, labels, packed=True))
        progress(30_000_000, 40_000_000)
        return tuple(sorted(folder.iterdir()))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "download", download)
    assert data.main(["prepare", "fashion", "--download"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("30,000,000 of 40,000,000 bytes\ndata/fashion.npz: ")
    assert Path("data/downloads/fashion").is_dir()


@pytest.mark.parametrize(
    ("words", "found"), [(["fashion"], "neither"), (["fashion", "x.gz", "--download"], "both")]
)
def test_files_are_given_or_fetched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], found: str
) -> None:
    assert data.main(["prepare", *words, "--out", str(tmp_path / "x.npz")]) == 2
    said = capsys.readouterr().err
    assert f"prepare: expected files as PATH, or --download to fetch them, found {found}" in said
