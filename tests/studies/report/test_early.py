"""Early samples of trainings: on the page of their study, and told by `status` while one runs."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iddpm.running.strip_file import STRIP_FILE, add_row, steps_of
from studies import status
from studies.report.page import study_page
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness.made_up_store import write_store
from tests.witness.pages import SMALL as STUDY

ROW = np.arange(2 * 32, dtype=np.uint8).reshape(2, 32, 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", STUDY)


def trainings(root: Path) -> list[Path]:
    return sorted((root / "tasks").glob("train-*"))


def test_the_page_shows_each_strip_with_its_steps(root: Path) -> None:
    store = Store(root)
    assert "Samples while training" not in str(
        study_page(store, tables(store, STUDY.study)).files["index.html"]
    )
    seen = trainings(root)[0]
    for step in (4, 8):
        add_row(seen / STRIP_FILE, step, ROW, held=nullcontext)
    files = study_page(store, tables(store, STUDY.study)).files
    name = f"early-{seen.name}.png"
    assert files[name] == (seen / STRIP_FILE).read_bytes()
    assert [file for file in files if file.startswith("early-")] == [name]
    html = str(files["index.html"])
    assert f'width="512" loading="lazy" src="{name}"' in html
    assert "Rows: after 4, 8 steps." in html


def test_status_names_the_strip_of_a_training_that_is_not_done(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, running = trainings(root)[:2]
    for folder in (done, running):
        add_row(folder / STRIP_FILE, 16, ROW, held=nullcontext)
    (running / "result.json").unlink()
    assert status.main([STUDY.study, "--store", str(root)]) == 0
    told = [line.strip() for line in capsys.readouterr().out.splitlines() if "early" in line]
    assert told == [f"early samples, the last after 16 steps: {running / STRIP_FILE}"]


def test_a_damaged_strip_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / STRIP_FILE
    for step in (1, 2):
        add_row(path, step, ROW, held=nullcontext)
    add_row(path, 2, ROW, held=nullcontext)
    assert steps_of(path) == [1, 2]
    path.write_bytes(path.read_bytes()[:20])
    assert steps_of(path) == []
    add_row(path, 4, ROW, held=nullcontext)
    assert steps_of(path) == [4]


def test_a_strip_that_is_cut_short_anywhere_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / STRIP_FILE
    row = np.random.default_rng(0).integers(0, 256, (8, 64, 3), dtype=np.uint8)
    add_row(path, 1, row, held=nullcontext)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 100, 100):
        path.write_bytes(whole[:size])
        add_row(path, 2, row, held=nullcontext)
        assert steps_of(path) == [2]
        with Image.open(path) as picture:
            assert np.array_equal(np.asarray(picture), row)


def test_a_strip_of_other_rows_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / STRIP_FILE
    add_row(path, 8, ROW, held=nullcontext)
    add_row(path, 4, ROW[:, 1:], held=nullcontext)
    assert steps_of(path) == [4]
