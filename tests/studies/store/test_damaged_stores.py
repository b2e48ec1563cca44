"""What the doors say of a store that cannot be used as it is: one sentence, and nothing is lost."""

import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from studies import cancel, run, status
from studies.report import __main__ as report
from tests.witness.records import edit
from tests.witness.runs import drawing, ran, running
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

Door = Callable[[Path], int]


def planning(folder: Path) -> int:
    return running(folder, "--dry-run")


def asking(folder: Path) -> int:
    return status.main(["--store", str(folder / "store")])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = SWEEP.replace("[quality_vs_steps]", "[]")  # it is long to draw
    return ran(tmp_path_factory.mktemp("finished"), text, PRESET, "--seeds", "0").root.parent


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished study of one seed, asked for two."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (folder / "store").rglob("*") if path.is_file()}


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("door", [running, planning, asking, drawing])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 2}', "expected a format up to 1, found 2; a newer version"),
        ('{"form', "expected whole JSON, found a file cut short"),
    ],
)
def test_a_store_of_a_newer_version_or_cut_short_is_named_and_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], door: Door, text: str, words: str
) -> None:
    (folder / "store" / "store.json").write_text(text)
    before = contents(folder)
    capsys.readouterr()
    assert door(folder) == 2
    assert f"store.json: {words}" in sentence(capsys)
    assert contents(folder) == before


@pytest.mark.parametrize("door", [running, drawing])
@pytest.mark.parametrize("kind", ["score", "likelihood"])
def test_a_result_that_is_cut_short_is_named_with_its_remedy_which_helps(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, door: Door
) -> None:
    path = next((folder / "store").glob(f"tasks/{kind}-*/result.json"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert door(folder) == (1 if door is drawing else 2)  # a report goes on with the rest
    message = sentence(capsys)
    assert f"{path}: expected whole JSON, found a file cut short" in message
    assert message.endswith("delete it and run the sweep again")

    path.unlink()
    assert running(folder, "--seeds", "0") == 0
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda whole: whole[:-100], "found a file cut short; delete it to start anew"),
        (lambda whole: b"something else", "that this program wrote, found something else; move it"),
    ],
    ids=["cut short", "foreign"],
)
def test_a_checkpoint_that_cannot_be_used_fails_its_task_alone(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[bytes], bytes],
    words: str,
) -> None:
    state = next((folder / "store").glob("tasks/train-*/state.pt"))
    (state.parent / "result.json").unlink()
    spoilt = spoil(state.read_bytes())
    state.write_bytes(spoilt)
    capsys.readouterr()
    assert running(folder, "--seeds", "0") == 1
    out = capsys.readouterr().out
    assert f"{state.parent.name}: failed: " in out
    assert f"{state}: expected a " in out
    assert words in out
    assert state.read_bytes() == spoilt

    state.unlink()
    assert running(folder, "--seeds", "0", "--retry", "failed") == 0


@pytest.mark.parametrize(
    ("kind", "name", "user"),
    [
        ("sample", "samples.npy", "features"),
        ("features", "features.npz", "score"),
        ("radii", "radii.npy", "score"),
        ("extractor", "extractor.pt", "features"),
        ("train", "state.pt", "sample"),
    ],
)
def test_a_file_of_a_finished_task_that_is_cut_short_is_named_by_the_task_that_needs_it(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str, user: str
) -> None:
    path = sorted((folder / "store").glob(f"tasks/{kind}-*/{name}"))[0]
    whole = path.read_bytes()
    for task in (folder / "store" / "tasks").glob(f"{user}-*"):
        (task / "result.json").unlink()
    path.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert running(folder, "--seeds", "0") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if ": failed: " in line]
    assert lines
    assert all(
        re.search(rf"{user}-.*{path}: .* cut short.*; delete it and the result", x) for x in lines
    )

    path.unlink()
    (path.parent / "result.json").unlink()
    assert running(folder, "--seeds", "0", "--retry", "failed") == 0
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b""), os.unlink])
def test_samples_that_cannot_be_read_are_named_by_the_report(
    folder: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object]
) -> None:
    for path in (folder / "store").glob("tasks/sample-*/samples.npy"):
        damage(path)
    record = next((folder / "store" / "studies").iterdir())
    edit(record, figures=["sample_grid"])
    capsys.readouterr()
    assert drawing(folder) == 1
    assert re.search(
        r"^error: tiny-tiny: figure sample_grid: .*samples\.npy: expected whole arrays, found a "
        r"file cut short, foreign or gone; delete it and the result\.json beside it, and run the "
        r"sweep again",
        sentence(capsys),
    )
    page = (folder / "reports" / "tiny-tiny" / "index.html").read_text()
    assert "Could not be drawn: " in page


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "the disk is read-only; choose another folder"),
        (errno.ENOSPC, "the disk is full; free some space and run the same command again"),
    ],
)
def test_a_disk_that_refuses_stops_the_run_with_its_sentence_and_it_goes_on_later(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    words: str,
) -> None:
    def refuse(*names: object) -> None:
        raise OSError(number, os.strerror(number))

    next((folder / "store").glob("tasks/score-*/result.json")).unlink()
    before = contents(folder)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        assert running(folder, "--seeds", "0") == 2
    message = sentence(capsys)
    assert message.startswith(f"error: {folder / 'store'}")
    assert message.endswith(words)
    assert contents(folder) == before
    assert running(folder, "--seeds", "0") == 0


def test_a_finished_study_in_a_store_that_cannot_be_written_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def refuse(*names: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        for name in ("replace", "link", "rmdir"):
            patch.setattr(os, name, refuse)
        patch.setattr(Path, "touch", refuse)
        assert running(folder, "--seeds", "0") == 0  # its record would name the sweep of the copy
        out = capsys.readouterr().out
        assert "tiny-tiny: all is done, and shown without being recorded. " in out
        assert "the disk is read-only" in out
        assert "bits/dim" in out
        assert planning(folder) == asking(folder) == 0
        assert running(folder) == 2  # there is something to do for the second seed
    assert contents(folder) == before


def test_two_studies_of_one_name_are_not_run_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_sweep(tmp_path, SWEEP.replace("study: tiny", "study: a-b"), PRESET)
    other = tmp_path / "other.yaml"
    other.write_text(
        SWEEP.replace("study: tiny", "study: a").replace("preset: tiny", "preset: b-c")
    )
    for name in ("c", "b-c"):
        (tmp_path / "presets" / f"{name}.yaml").write_text(PRESET)
    one.write_text(one.read_text().replace("preset: tiny", "preset: c"))
    assert run.main([str(one), str(other), "--store", str(tmp_path / "store")]) == 2
    assert sentence(capsys) == (
        f"error: {other}: study: expected a study and preset that have no other's name, found "
        f"'a-b-c' in {one} too; rename one of them"
    )
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("score", {"frechet_distance": "12"}, "frechet_distance: value: '12' is no number"),
        ("score", {"recipe": 3}, "expected the result of its task, found something else"),
        ("likelihood", {"prior": 1}, "expected the result of its task, found something else"),
        ("likelihood", {"variances": {}}, "expected the result of its task, found no 'beta'"),
        ("train", {"loss_curve": []}, "expected the result of its task, found something else"),
    ],
)
def test_a_result_of_other_keys_is_named_and_never_a_traceback(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    change: dict[str, object],
    words: str,
) -> None:
    path = next((folder / "store").glob(f"tasks/{kind}-*/result.json"))
    edit(path, **change)
    capsys.readouterr()
    assert drawing(folder) == 1
    message = sentence(capsys)
    assert message.startswith(f"error: tiny-tiny: {path}: ")
    assert words in message
    assert message.endswith("delete it and run the sweep again")


def test_status_shows_the_rest_and_names_what_it_cannot_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = folder / "store" / "studies"
    (studies / "notes.json").write_text('{"mine": 1}')
    damaged = next((folder / "store").glob("tasks/score-*"))
    (damaged / "result.json").unlink()
    (damaged / "claim.json").write_text("{}")
    capsys.readouterr()
    assert asking(folder) == 1
    printed = capsys.readouterr()
    first, second = printed.out.splitlines()
    assert first == "tiny-tiny: 15 tasks: 14 done, 1 unreadable"
    assert second.startswith(f"    {damaged.name}  unreadable  {damaged}/claim.json: expected a ")
    assert printed.err == (
        f"error: notes: {studies}/notes.json: expected the record of a study, found one without "
        "the addresses of its tasks; run its sweep again, which writes it anew, or move the file "
        "away\n"
    )
    assert status.main(["notes", "--store", str(folder / "store")]) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "Is a directory; it is a folder; name a file"),
        (lambda path: path.symlink_to("none"), "expected a file, found a link to none; remove the"),
        (lambda path: path.write_bytes(b"\xff\x00"), "expected whole JSON, found a file cut short"),
    ],
)
def test_whatever_lies_among_the_studies_is_named_and_the_rest_is_told(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    words: str,
) -> None:
    make(folder / "store" / "studies" / "other.json")
    for door, told in ((asking, "15 done"), (drawing, "tiny-tiny/index.html")):
        capsys.readouterr()
        assert door(folder) == 1
        printed = capsys.readouterr()
        assert told in printed.out
        (line,) = printed.err.splitlines()
        assert line.startswith("error: other: ")
        assert "other.json: " in line
        assert words in line


def test_cancel_touches_nothing_while_it_cannot_tell_what_others_need(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "store" / "studies" / "notes.json").write_text('{"tasks": "mine"}')
    capsys.readouterr()
    assert cancel.main(["tiny-tiny", "--store", str(folder / "store")]) == 2
    assert "notes.json: expected the record of a study, found one without" in sentence(capsys)


def test_a_page_that_cannot_be_written_is_named_with_what_to_try(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = folder / "reports"
    reports.mkdir()
    (reports / "tiny-tiny").write_text("in the way")
    capsys.readouterr()
    assert drawing(folder) == 1
    assert sentence(capsys) == (
        f"error: tiny-tiny: its page: {reports}/tiny-tiny: expected a folder for pages, found "
        "a file in its way; move it or name another folder with --out"
    )
    index = (reports / "index.html").read_text()
    assert "found a file in its way" in index
    links = index + "".join(path.read_text() for path in reports.glob("*.md"))
    assert "tiny-tiny/index.html" not in links

    (reports / "index.html").unlink()
    (reports / "index.html").mkdir()
    (reports / "tiny-tiny").unlink()
    assert drawing(folder) == 1
    assert sentence(capsys).startswith(f"error: index: {reports}/index.html: cannot write: ")
    assert (reports / "tiny-tiny" / "index.html").is_file()

    store, out = folder / "store", folder / "sweep.yaml"
    assert report.main(["--store", str(store), "--out", str(out)]) == 2
    assert f"{out}: expected a folder for pages, found a file" in sentence(capsys)
