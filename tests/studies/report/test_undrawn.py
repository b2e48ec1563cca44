"""What cannot be read or drawn is named, and the rest is shown."""

import errno
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from iddpm.bounds import ConfigError
from studies.analyses.drawings import FIGURES
from studies.report import build as build_room
from studies.report import entries as entries_room
from studies.report.__main__ import main
from studies.report.build import UndrawnError, build
from studies.store.store import Store
from tests.witness.made_up_store import write_store
from tests.witness.pages import SMALL, Page, edit


def test_a_result_cut_short_is_named(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", SMALL)
    path = next((root / "tasks").glob("score-*/result.json"))
    path.write_text(path.read_text()[:100])
    with pytest.raises(UndrawnError, match=re.escape(str(path))):
        build(Store(root), tmp_path / "out")


GOOD = replace(SMALL, study="good-digits")
BAD = replace(SMALL, study="bad-digits", figures=("quality_vs_steps", "beta_ratio"))


def drawing(root: Path, out: Path, *studies: str) -> int:
    return main([*studies, "--store", str(root), "--out", str(out)])


def page_of(out: Path, study: str = "") -> Page:
    return Page((out / study / "index.html").read_text())


def result_of(root: Path, study: str, role: str) -> Path:
    record = json.loads((root / "studies" / f"{study}.json").read_text())
    return root.joinpath("tasks", record["cells"][-1]["tasks"][role], "result.json")


def write_two(root: Path) -> Path:
    """A store of two studies that share no task."""
    return write_store(root, GOOD, replace(BAD, training_steps=700))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return write_two(tmp_path / "store")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of both while all was well, by either way."""
    folder = tmp_path_factory.mktemp("before")
    store = Store(write_two(folder / "store"))
    build(store, folder / "usual")
    build(store, folder / "brief", whole=())
    return folder


@pytest.fixture
def usual(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before / "usual", tmp_path / "out"))


@pytest.fixture
def brief(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before / "brief", tmp_path / "out"))


def test_a_foreign_record_is_named_and_the_other_studies_are_drawn(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, words = two / "studies" / "bad-digits.json", "expected an object, found [1, 2]"
    path.write_text("[1, 2]")
    out = tmp_path / "out"
    assert drawing(two, out) == 1
    printed = capsys.readouterr()
    assert str(out / "good-digits" / "index.html") in printed.out.split()
    (line,) = printed.err.splitlines()
    assert line.startswith(f"error: bad-digits: {path}: {words}")
    assert "run" in line.partition(";")[2]
    for page in (page_of(out), page_of(out, "bad-digits")):
        assert f"{path}: {words}" in page.text
    assert "Fréchet" in page_of(out, "good-digits").text


HALF_OF_NOTHING = {
    "arm": {"evaluation": "likelihood"},
    "seed": 0,
    "tasks": {"train": "train-1", "likelihood": "likelihood-1"},
    "half_trained": {"train": "train-0"},
}


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({"study": None}, "a value of 'study'"),
        ({"cells": [1]}, "arm, seed and tasks of each cell"),
        ({"cells": [HALF_OF_NOTHING]}, "arm, seed and tasks of each cell"),
        ({"tasks": ["../../etc"]}, "the addresses of its tasks"),
        ({"seeds": ["0"]}, "whole numbers as seeds"),
        ({"overrides": [["a"]]}, "a key and a value in each of its overrides"),
        ({"figures": [0]}, "names as figures"),
        ({"question": None}, "a value of 'question'"),
    ],
)
def test_what_a_record_lacks_is_named(
    two: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    lack: str,
) -> None:
    edit(two / "studies" / "bad-digits.json", **changes)
    assert drawing(two, tmp_path / "out", "bad-digits") == 1
    assert capsys.readouterr().err.endswith(
        f"bad-digits.json: expected the record of a study, found one without {lack}; run its sweep "
        "again, which writes it anew, or move the file away\n"
    )


def test_a_page_that_cannot_be_drawn_anew_is_kept_as_that_of_before_until_it_can(
    two: Path, usual: Path
) -> None:
    out = usual
    folder, path = out / "bad-digits", result_of(two, "bad-digits", "score")
    drawn = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    for _ in range(2):
        assert drawing(two, out) == 1
        page = page_of(out, "bad-digits")
        assert "This study cannot be shown" in page.text
        assert str(path) in page.text
        assert "before.html" in page.links
        assert (folder / "before.html").read_bytes() == drawn[folder / "index.html"]
        assert "This study is not shown" in page_of(out).text
    path.write_bytes(whole)
    assert drawing(two, out) == 0
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == drawn


@pytest.mark.parametrize("then", [[], ["--brief"]], ids=["usual", "brief"])
def test_a_summary_of_before_never_stands_as_if_it_were_of_now(
    two: Path, brief: Path, then: list[str]
) -> None:
    out = brief
    folder, path = out / "bad-digits", result_of(two, "bad-digits", "score")
    summary, kept = folder / "summary.md", folder / "before.md"
    drawn, whole = summary.read_text(), path.read_bytes()
    path.write_bytes(whole[:50])
    for _ in range(2):
        assert main(["--store", str(two), "--out", str(out), *then]) == 1
        assert "This study cannot be shown" in summary.read_text()
        assert str(path) in summary.read_text()
        assert "[before.md](before.md). It is not what the store holds now." in summary.read_text()
        assert "supported" not in summary.read_text()
        assert kept.read_text() == drawn
    path.write_bytes(whole)
    assert main(["--store", str(two), "--out", str(out), "--brief"]) == 0
    assert summary.read_text() == drawn
    assert not kept.exists()


def test_a_summary_says_why_there_is_none_where_there_was_none_before(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(store: Store, study: str) -> None:
        raise ZeroDivisionError("of *nothing*")

    out = tmp_path / "out"
    monkeypatch.setattr(build_room, "tables", broken)
    with pytest.raises(UndrawnError):
        build(Store(two), out)
    assert not (out / "bad-digits" / "summary.md").exists()
    with pytest.raises(UndrawnError):
        build(Store(two), out, whole=())
    said = (out / "bad-digits" / "summary.md").read_text()
    assert r"ZeroDivisionError: of \*nothing\*" in said
    assert "[faults.txt](faults.txt) says where" in said
    assert "before.md" not in said


def test_summaries_of_somebodys_own_stay_where_a_study_cannot_be_shown(
    two: Path, brief: Path
) -> None:
    out = brief
    own = {out / "bad-digits" / "before.md": "mine", out / "good-digits" / "summary.md": "mine too"}
    for file, text in own.items():
        file.write_text(text)
    for study in ("bad-digits", "good-digits"):
        result_of(two, study, "score").write_bytes(b"{")
    for words in ([], ["--brief"]):
        assert main(["--store", str(two), "--out", str(out), *words]) == 1
        assert {file: file.read_text() for file in own} == own
        said = (out / "bad-digits" / "summary.md").read_text()
        assert "This study cannot be shown" in said
        assert "before.md" not in said


def test_a_figure_that_cannot_be_drawn_leaves_the_others_and_says_where_it_happened(
    two: Path, usual: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(table: pd.DataFrame) -> Figure:
        raise ZeroDivisionError("of <b>nothing</b>")

    out = usual
    with monkeypatch.context() as patch:
        patch.setitem(FIGURES, "beta_ratio", replace(FIGURES["beta_ratio"], draw=broken))
        patch.setattr(entries_room, "paired", lambda tables, answer: pd.DataFrame())
        assert drawing(two, out) == 1
    folder, page = out / "bad-digits", page_of(out, "bad-digits")
    (line,) = capsys.readouterr().err.splitlines()
    words = "an error that this program did not foresee (ZeroDivisionError: of <b>nothing</b>)"
    assert line == f"error: bad-digits: figure beta_ratio: {words}"
    assert f"Could not be drawn: {words}." in page.text
    assert f"Figure beta_ratio is not shown: {words}." in page_of(out).text
    assert "in broken" in (folder / "faults.txt").read_text()
    assert "faults.txt" in page.links
    assert (folder / "quality_vs_steps.svg").exists()
    assert not (folder / "beta_ratio.svg").exists()  # that of before is no figure of this store
    assert not (folder / "answer.svg").exists()
    assert page.tags["figure"] == 1
    assert drawing(two, out) == 0
    assert not (folder / "faults.txt").exists()


@pytest.mark.parametrize("kind", ["figure", "claim"])
def test_a_figure_or_claim_of_a_newer_version_is_named_and_the_rest_is_shown(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    record = two / "studies" / "bad-digits.json"
    names = json.loads(record.read_text())[f"{kind}s"]
    edit(record, **{f"{kind}s": [*names, "../later"]})
    assert drawing(two, tmp_path / "out") == 1
    assert capsys.readouterr().err == (
        f"error: bad-digits: {kind} ../later: expected a {kind} that there is, found '../later'; a "
        "newer version of this program asked for it: update, or run its sweep again\n"
    )
    page = page_of(tmp_path / "out", "bad-digits")
    assert "that there is, found '../later'" in page.text
    assert (tmp_path / "out" / "bad-digits" / "quality_vs_steps.svg").exists()


def test_images_without_colours_are_not_drawn_as_if_they_had_some() -> None:
    grid = FIGURES["sample_grid"]
    for channels in (2, 4, 5):
        row = {"arm": "a", "steps": 1, "seed": 0, "column": 0, "levels": 256}
        shape = f"2x2x{channels}"
        table = pd.DataFrame([{**row, "shape": shape, "pixels": "00" * 4 * channels}])
        with pytest.raises(ConfigError, match=f"of 1 or 3 channels, found {channels}"):
            grid.draw(table)


def test_text_that_a_spreadsheet_would_run_stands_behind_an_apostrophe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_store(tmp_path / "store", SMALL)
    path = root / "studies" / f"{SMALL.study}.json"
    record = json.loads(path.read_text())
    texts = ["=1+1", "+x", "-x", "@x", "\t=x", "-5", "x=1"]
    for cell, text in zip(record["cells"], texts, strict=False):
        cell["arm"]["train.note"] = text
    edit(path, cells=record["cells"])
    build(Store(root), tmp_path / "out")
    notes = pd.read_csv(tmp_path / "out" / SMALL.study / "results.csv", dtype=str)["train.note"]
    shown = dict.fromkeys(notes.dropna())
    wanted = ["'=1+1", "'+x", "'-x", "'@x", "'\t=x", "-5", "x=1"]
    assert list(shown) == wanted[: len(record["cells"])]


def test_a_disk_that_is_full_costs_no_page_of_before(
    two: Path, usual: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page comes last, so what stands there links to nothing that is not there."""
    out = usual
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}

    for study in ("good-digits", "bad-digits"):
        edit(two / "studies" / f"{study}.json", question="Is it another page?")
    replace_file = os.replace

    def refuse(source: Path, target: Path) -> None:
        if target.suffix == ".csv":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace_file(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        assert drawing(two, out) == 1
    lines = capsys.readouterr().err.splitlines()
    whats = ["bad-digits: its page", "good-digits: its page"]
    assert [line.partition(f": {out}")[0] for line in lines] == [f"error: {what}" for what in whats]
    assert all(line.endswith("free some space and run the same command again") for line in lines)
    assert "Its page is not shown: " in (out / "index.html").read_text()
    before.pop(out / "index.html")
    assert {file: file.read_bytes() for file in before} == before
