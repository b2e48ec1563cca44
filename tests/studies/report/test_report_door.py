"""The report from the command line: which pages it makes, shows and names."""

import json
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest

from studies.report.__main__ import main
from studies.report.build import build
from studies.store.store import Store
from tests.witness.made_up_store import MadeUp, write_store
from tests.witness.pages import SMALL, Page


def test_the_door_prints_where_the_pages_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_store(tmp_path / "store", SMALL)
    assert main(["--store", str(root), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [str(tmp_path / "index.html"), str(tmp_path / SMALL.study / "index.html")]


@pytest.mark.parametrize("asked", [[], [SMALL.study]])
def test_the_page_that_was_asked_for_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    root = write_store(tmp_path / "store", SMALL)
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    assert main([*asked, "--store", str(root), "--out", str(tmp_path), "--open"]) == 0
    assert shown == [(tmp_path.joinpath(*asked) / "index.html").as_uri()]


def test_a_store_without_studies_is_nothing_to_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "holds no study yet; run a sweep first" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "out").exists()


def test_a_study_that_is_not_there_is_bad_use_and_the_nearest_name_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_store(tmp_path / "store", SMALL)
    arguments = ["sigma_ablation-digit", "--store", str(root), "--out", str(tmp_path)]
    assert main(arguments) == 2
    told = "no study 'sigma_ablation-digit'; did you mean 'sigma_ablation-digits'?"
    assert told in capsys.readouterr().err
    assert not (tmp_path / "index.html").exists()


def test_a_folder_that_is_no_store_is_bad_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert main(["--store", str(tmp_path)]) == 2
    assert "expected a store or an empty folder" in capsys.readouterr().err


def test_pages_of_other_studies_stay_on_the_index(tmp_path: Path) -> None:
    others = [replace(SMALL, study=name) for name in ("a-digits", "b-digits")]
    store = Store(write_store(tmp_path / "store", *others))
    build(store, tmp_path / "out")
    before = (tmp_path / "out" / "index.html").read_text()
    build(store, tmp_path / "out", ["b-digits"])
    assert (tmp_path / "out" / "index.html").read_text() == before
    assert "a-digits/index.html" in before


def test_overrides_of_the_command_line_are_shown(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", SMALL)
    path = root / "studies" / f"{MadeUp().study}.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"overrides": [["train.steps", "100"]]}))
    build(Store(root), tmp_path / "out")
    page = Page((tmp_path / "out" / MadeUp().study / "index.html").read_text())
    assert "train.steps=100" in page.text
