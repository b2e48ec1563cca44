"""Folders as people have them: every image is taken, or what is not is told, or all is refused."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from iddpm.bounds import ConfigError
from iddpm.config import Folder
from iddpm.config_fields import canonical
from iddpm.data import describe, load
from iddpm.images import decoding as image_files
from iddpm.images import folders
from iddpm.images.folders import Listing, listed
from tests.witness.image_folders import noise, write_folder, write_image

CAFE, CAFE_OF_A_MAC = "caf\u00e9", "cafe\u0301"


def found_in(root: Path, **settings: Any) -> Listing:
    return listed(Folder(path=str(root), size=4, **settings))


def lines(root: Path) -> list[str]:
    return list(found_in(root).lines())


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "animals", "cat/0.png", "dog/0.png")


# ------------------------------------------------------------------------------- what is taken

SUFFIXES = (
    ".mpo",
    ".tif",
    ".gif",
    ".jfif",
    ".avif",
    ".webp",
    ".bmp",
    ".tga",
    ".jp2",
    ".PNG",
    ".Jpeg",
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_class_of_any_kind_of_image_is_a_class(animals: Path, suffix: str) -> None:
    for split in ("train", "test"):
        (animals / split / "dog/0.png").unlink()
        kind = Image.registered_extensions()[suffix.lower()]
        write_image(animals / split / f"dog/0{suffix}", noise(32, 32, 3), format=kind)
    assert found_in(animals).classes == ("cat", "dog")
    assert load(Folder(path=str(animals), size=4), "train").images.shape == (2, 4, 4, 3)


def test_linked_folders_and_files_are_followed(animals: Path, tmp_path: Path) -> None:
    shutil.move(animals / "train/dog", tmp_path / "dog")
    (animals / "train/dog").symlink_to(tmp_path / "dog")
    (animals / "train/cat/1.png").symlink_to(tmp_path / "dog/0.png")
    assert found_in(animals).names["train"] == [
        "train/cat/0.png",
        "train/cat/1.png",
        "train/dog/0.png",
    ]
    assert lines(animals) == []


def test_a_split_may_be_a_link(animals: Path, tmp_path: Path) -> None:
    shutil.move(animals / "test", tmp_path / "held_out")
    (animals / "test").symlink_to(tmp_path / "held_out")
    assert found_in(animals).names["test"] == ["test/cat/0.png", "test/dog/0.png"]


@pytest.mark.parametrize("above", ["train", ".", "..", "/"])
@pytest.mark.parametrize("place", ["train/cat/up", "train/up", "train/cat/deeper/up"])
def test_a_link_to_a_folder_above_ends_and_is_told(animals: Path, place: str, above: str) -> None:
    (animals / place).parent.mkdir(exist_ok=True)
    (animals / place).symlink_to(animals / above)
    assert len(found_in(animals).names["train"]) == 2
    assert f"left out, links to a folder that they lie in: 1 ({place})" in lines(animals)


@pytest.mark.parametrize("name", ["train/emu", "train/cat/1.png"])
def test_a_link_that_leads_nowhere_is_refused(animals: Path, name: str) -> None:
    (animals / name).symlink_to("gone")
    expected = rf"^data\.folder\.path: expected files, .*, found .*{name} \(what it links to is not"
    with pytest.raises(ConfigError, match=expected):
        found_in(animals)


def test_one_folder_for_both_splits_is_refused(animals: Path) -> None:
    shutil.rmtree(animals / "test")
    (animals / "test").symlink_to("train")
    expected = r"expected other images in test/ than in train/, found one folder for both in"
    with pytest.raises(ConfigError, match=expected):
        found_in(animals)


def test_folders_deeper_than_a_name_can_tell_are_refused(animals: Path) -> None:
    here = os.open(animals / "train/cat", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(ConfigError, match=r"^data\.folder\.path: .* \(File name too long\)"):
        found_in(animals)


def test_links_that_lead_to_each_other_are_refused(animals: Path) -> None:
    (animals / "train/a.png").symlink_to("b.png")
    (animals / "train/b.png").symlink_to("a.png")
    with pytest.raises(ConfigError, match=r"found .*a\.png \(Too many levels of symb"):
        found_in(animals)


# ------------------------------------------------------------------------------- what is left out


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "@eaDir", "__MACOSX", ".git", "#recycle", "lost+found"]
)
@pytest.mark.parametrize("below", ["", "cat/"])
def test_hidden_folders_and_those_of_file_managers_are_no_classes(
    animals: Path, name: str, below: str
) -> None:
    (animals / "train" / below / name).mkdir()
    shutil.copy(animals / "train/cat/0.png", animals / "train" / below / name / "0.png")
    found = found_in(animals)
    assert (found.classes, len(found.names["train"])) == (("cat", "dog"), 2)
    assert lines(animals) == [f"left out, hidden or a file manager's: 1 (train/{below}{name})"]


def test_what_is_no_image_is_told_by_suffix(animals: Path) -> None:
    for name in ("cat/notes.txt", "cat/read.me", "dog/list", "dog/b.TXT", "Thumbs.db", ".DS_Store"):
        (animals / "train" / name).write_text("no image")
    assert lines(animals) == [
        "left out, hidden or a file manager's: 2 (train/.DS_Store, train/Thumbs.db)",
        "left out, no image files (.me): 1 (train/cat/read.me)",
        "left out, no image files (.txt): 2 (train/cat/notes.txt, train/dog/b.TXT)",
        "left out, no image files (no suffix): 1 (train/dog/list)",
    ]


def test_of_many_only_the_first_are_named(animals: Path) -> None:
    for i in range(1200):
        (animals / f"train/cat/{i:04d}.xml").write_text("")
    assert lines(animals) == [
        "left out, no image files (.xml): 1,200 "
        "(train/cat/0000.xml, train/cat/0001.xml, train/cat/0002.xml, …)"
    ]


def test_folders_without_an_image_and_beside_the_splits_are_told(animals: Path) -> None:
    (animals / "train/emu").mkdir()
    write_image(animals / "val/cat/0.png", noise(4, 4))
    assert lines(animals) == [
        "left out, folders beside train/ and test/: 1 (val)",
        "left out, folders of a label without an image: 1 (train/emu)",
    ]


def test_images_beside_the_splits_are_told(animals: Path) -> None:
    write_image(animals / "lost.png", noise(4, 4, 3))
    assert lines(animals) == ["left out, images beside train/ and test/: 1 (lost.png)"]


def test_a_link_to_itself_beside_the_splits_is_refused(animals: Path) -> None:
    (animals / "more").symlink_to("more")
    with pytest.raises(ConfigError, match=r"found \S+/more \(Too many levels of symbolic links\)"):
        found_in(animals)


def test_a_pipe_is_not_waited_for(animals: Path) -> None:
    os.mkfifo(animals / "train/cat/pipe.png")
    assert lines(animals) == ["left out, neither files nor folders: 1 (train/cat/pipe.png)"]


def test_a_folder_without_images_says_what_it_holds(animals: Path) -> None:
    shutil.rmtree(animals / "test")
    (animals / "test").mkdir()
    (animals / "test/list.csv").write_text("")
    expected = r"expected image files \(.*\.png.*\) below .*test, found none; left out, .* \(\.csv"
    with pytest.raises(ConfigError, match=expected):
        found_in(animals)


def test_odd_characters_of_a_name_are_told_by_their_numbers(animals: Path) -> None:
    (animals / "train" / os.fsdecode(b"a\xff\n.txt")).write_text("")
    assert lines(animals) == ["left out, no image files (.txt): 1 ('train/a\\udcff\\n.txt')"]


# -------------------------------------------------------------------------------------- labels


def test_a_label_is_one_in_whichever_unicode_form_it_is_written(tmp_path: Path) -> None:
    write_folder(tmp_path, f"{CAFE}/0.png", "bar/0.png", splits=("train",))
    write_folder(tmp_path, f"{CAFE_OF_A_MAC}/0.png", splits=("test",))
    found = found_in(tmp_path)
    assert found.classes == ("bar", CAFE)
    assert found.labels is not None
    assert found.labels["test"].tolist() == [1]
    assert lines(tmp_path) == [f"labels brought to one Unicode form: 1 (test/{CAFE_OF_A_MAC})"]


def test_two_forms_of_one_label_in_a_split_are_one_class(tmp_path: Path) -> None:
    write_folder(tmp_path, f"{CAFE}/0.png", f"{CAFE_OF_A_MAC}/0.png")
    assert found_in(tmp_path).classes == (CAFE,)


NUMBERED = tuple(f"{label}_{i:05d}.png" for label in ("cat", "dog") for i in range(3))


def test_names_that_are_all_label_number_give_their_labels(tmp_path: Path) -> None:
    found = found_in(write_folder(tmp_path, *NUMBERED))
    assert found.classes == ("cat", "dog")
    assert found.labels is not None
    assert found.labels["train"].tolist() == [0, 0, 0, 1, 1, 1]
    assert lines(tmp_path) == ["labels are what stands before the first _ of each name: cat, dog"]
    assert describe(Folder(path=str(tmp_path), size=4)).classes == 2


@pytest.mark.parametrize(
    "names",
    [
        [f"ILSVRC2012_val_{i:08d}.png" for i in range(4)],  # one label, and no number
        ["a_1.png", "b_1.png", "c_1.png"],  # as many labels as images
        ["cat_sleeping.png", "cat_eating.png", "dog_a.png", "dog_b.png"],
    ],
)
def test_names_that_may_be_no_labels_are_none_and_that_is_told(
    tmp_path: Path, names: list[str]
) -> None:
    assert found_in(write_folder(tmp_path, *names)).labels is None
    (line,) = lines(tmp_path)
    assert line.startswith("no labels are taken from the file names, though each has a _; with")


def test_labels_of_names_that_train_lacks_are_not_guessed(tmp_path: Path) -> None:
    write_folder(tmp_path, *NUMBERED)
    write_image(tmp_path / "test/emu_1.png", noise(4, 4))
    assert found_in(tmp_path).labels is None


def test_a_name_that_keeps_the_labels_of_all_others_away_is_told(tmp_path: Path) -> None:
    names = ("cat_0.png", "cat_1.png", "dog_0.png", "dog_1.png")
    root = write_folder(tmp_path, *names)
    write_image(root / "train/cover.png", noise(8, 8, 3))
    assert found_in(root).labels is None
    assert lines(root) == [
        "no labels are taken from the file names: 1 of 9 have none before a _ (train/cover.png)"
    ]


def test_names_without_a_line_say_nothing(tmp_path: Path) -> None:
    assert found_in(write_folder(tmp_path, "a1.png", "a2.png", "_b.png")).lines() == ()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("0", "1", "2"), []),
        (("a", "1", "2"), []),
        (("1", "2"), ["labels are places in the order of the names: 1, 2 are 0, 1"]),
        (
            [str(number) for number in range(11)],
            ["labels are places in the order of the names: 0, 1, 10, … are 0, 1, 2, …"],
        ),
    ],
)
def test_names_that_are_other_numbers_than_their_labels_are_told(
    tmp_path: Path, names: Sequence[str], told: list[str]
) -> None:
    assert lines(write_folder(tmp_path, *(f"{name}/0.png" for name in names))) == told


def test_labels_can_be_asked_for(animals: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "flat", "a_1.png", "b_1.png")
    assert found_in(tmp_path / "flat", labels="prefix").classes == ("a", "b")
    assert found_in(animals, labels="folders").classes == ("cat", "dog")
    assert found_in(animals, labels="none").labels is None
    write_image(animals / "train/above.png", noise(4, 4))
    assert found_in(animals, labels="none").labels is None


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ("prefix", ["a_1.png", "b.png"], r"names such as label_1.png, .*, found .*train/b\.png"),
        ("prefix", ["a_1.png", "_2.png"], r"names such as label_1.png, .*, found .*train/_2\.png"),
        ("folders", ["a.png", "b.png"], r"in a subfolder .* labels 'folders' ask for, found none"),
        ("folders", ["a.png", "b/c.png"], r"in a subfolder named after its label, or none, found"),
        ("auto", ["a.png", "b/c.png"], r"in a subfolder named after its label, or none, found"),
    ],
)
def test_labels_that_cannot_be_right_are_refused(
    tmp_path: Path, labels: str, names: list[str], message: str
) -> None:
    write_folder(tmp_path, *names)
    with pytest.raises(ConfigError, match=rf"^data\.folder\.path: expected .*{message}"):
        found_in(tmp_path, labels=labels)


def test_more_labels_than_can_be_meant_are_refused(
    animals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_CLASSES", 1)
    expected = r"^data\.folder\.path: expected at most 1 labels, found 2"
    with pytest.raises(ConfigError, match=expected):
        found_in(animals)
    assert found_in(animals, labels="none").labels is None


def test_how_labels_are_read_moves_an_address_only_where_it_is_asked_for() -> None:
    assert canonical(Folder(path="x", size=4)) == {"kind": "folder", "size": 4}
    assert canonical(Folder(path="x", size=4, labels="prefix"))["labels"] == "prefix"


# ------------------------------------------------------------------------------ what is described


def test_every_mode_is_checked_not_those_before_the_first_colour(animals: Path) -> None:
    (animals / "train/dog/1.pgm").write_bytes(b"P5\n4 4\n65535\n" + bytes(32))
    with pytest.raises(ConfigError, match=r"8 bits a channel, found mode 'I' in .*1\.pgm; convert"):
        describe(Folder(path=str(animals), size=4))


def test_what_is_done_to_images_is_told_with_the_description(animals: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    write_image(animals / "train/cat/1.png", noise(4, 4, 3), exif=exif)
    write_image(animals / "test/cat/1.gif", noise(4, 4, 3))
    assert describe(Folder(path=str(animals), size=4)).told == (
        "converted from a palette: 1 (test/cat/1.gif)",
        "turned upright by their EXIF orientation: 1 (train/cat/1.png)",
    )


def test_images_that_an_older_rule_read_otherwise_have_another_digest(
    animals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest() -> str:
        describe.cache_clear()
        return describe(Folder(path=str(animals), size=4)).digest

    plain = digest()
    (animals / "train/cat/.DS_Store").write_text("")
    assert digest() == plain
    write_image(animals / "train/cat/1.png", noise(4, 4, 4))
    laid_over = digest()
    monkeypatch.setattr(image_files, "_changes", lambda image, file: ())
    assert digest() != laid_over


@pytest.mark.parametrize("form", [CAFE, CAFE_OF_A_MAC])
def test_names_are_ordered_alike_in_either_unicode_form(tmp_path: Path, form: str) -> None:
    write_folder(tmp_path, f"{form}.png", "cafz.png")
    assert found_in(tmp_path).names["train"] == ["train/cafz.png", f"train/{form}.png"]
