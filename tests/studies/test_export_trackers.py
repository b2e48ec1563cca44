"""What trackers were given is read back from their own files; each takes its extra."""

import json
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from studies import export
from studies.exporting import runs, sinks
from studies.exporting.runs import Run
from studies.store.store import Store
from tests.witness.made_up_store import MadeUp, write_store

STUDY = MadeUp(seeds=(0,), figures=(), claims=())
WHAT = {"curves": runs.curves, "results": runs.results}
BLOCK = 32768
"""Bytes of a block of a log; no record's header lies across two."""
LAST = (1, 4)
"""Kinds of pieces that end a record: a whole one, and the last of several."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("exported") / "store", STUDY)


def sent(store: Path, out: Path, to: str, what: str) -> dict[str, Run]:
    """The runs that are exported, by their addresses."""
    words = [what, STUDY.study, "--to", to, "--store", str(store), "--out", str(out)]
    assert export.main(words) == 0
    return {run.key: run for run in WHAT[what](Store(store), STUDY.study)}


def records(file: Path) -> Iterator[bytes]:
    """The records of a run of W&B: a header of seven bytes, then the format of LevelDB's log."""
    data = file.read_bytes()
    assert data[:4] == b":W&B"
    at, pieces = 7, b""
    while at + 7 <= len(data):
        room = BLOCK - at % BLOCK
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        if room < 7 or kind == 0:
            at += room
            continue
        pieces += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in LAST:
            yield pieces
            pieces = b""


def values(items: Any) -> dict[str, Any]:
    """Names and values of the items of a record, without what W&B adds."""
    told = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
    return {name: value for name, value in told.items() if not name.startswith("_")}


@pytest.mark.slow
@pytest.mark.parametrize("what", WHAT)
def test_wandb_is_given_every_point_number_and_setting(
    store: Path, tmp_path: Path, what: str
) -> None:
    pytest.importorskip("wandb")
    protocol = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    expected = sent(store, tmp_path, "wandb-offline", what)
    files = {file.stem.removeprefix("run-"): file for file in tmp_path.rglob("run-*.wandb")}
    assert files.keys() == expected.keys() != set()
    for key, run in expected.items():
        read = [protocol.Record.FromString(record) for record in records(files[key])]
        kinds = {record.WhichOneof("record_type") for record in read}
        assert kinds.isdisjoint({"stats", "environment"}), "of the machine that exports"
        (begun,) = (record.run for record in read if record.WhichOneof("record_type") == "run")
        assert (begun.run_id, begun.display_name) == (key, run.name)
        assert values(begun.config.update) == {
            name: json.loads(json.dumps(value)) for name, value in run.settings.items()
        }
        history = [(record.history.step.num, values(record.history.item)) for record in read
                   if record.WhichOneof("record_type") == "history"]  # fmt: skip
        shown = {(name, step): value for step, told in history for name, value in told.items()}
        assert shown == {
            (name, step): value for name, series in run.series.items() for step, value in series
        }
        summary: dict[str, Any] = {}
        for record in read:
            if record.WhichOneof("record_type") == "summary":
                summary |= values(record.summary.update)
        assert {name: summary[name] for name in run.numbers} == dict(run.numbers)


@pytest.mark.slow
@pytest.mark.parametrize("what", WHAT)
def test_trackio_is_given_every_point_number_and_setting(
    store: Path, tmp_path: Path, what: str
) -> None:
    if find_spec("trackio") is None:
        pytest.skip("takes the extra trackio")
    words = [what, STUDY.study, "--to", "trackio", "--store", str(store), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "studies.export", *words]
    subprocess.run(command, check=True, timeout=600)  # a process of its own, as it asks for
    expected = {run.key: run for run in WHAT[what](Store(store), STUDY.study)}
    (file,) = tmp_path.rglob("*.db")
    with sqlite3.connect(file) as database:
        logged = database.execute("SELECT run_name, step, metrics FROM metrics").fetchall()
        configs = dict(database.execute("SELECT run_name, config FROM configs").fetchall())
    assert {name for name, _, _ in logged} == expected.keys() == configs.keys() != set()
    for key, run in expected.items():
        told = json.loads(configs[key])
        assert {name: told[name] for name in run.settings} == json.loads(
            json.dumps(dict(run.settings))
        )
        assert told["name"] == run.name
        mine = [(step, json.loads(metrics)) for name, step, metrics in logged if name == key]
        shown = {(name, step): value for step, some in mine for name, value in some.items()}
        for name, series in run.series.items():
            assert [(step, shown[name, step]) for step, _ in series] == series
        ends = {name: value for _, some in mine for name, value in some.items()}
        assert {name: ends[name] for name in run.numbers} == dict(run.numbers)


def test_trackio_that_was_imported_before_is_refused(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It would write into the folder that it settled on then."""
    monkeypatch.setattr(sinks, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "trackio", ModuleType("trackio"))
    words = ["--to", "trackio", "--store", str(store), "--out", str(tmp_path / "out")]
    assert export.main(["curves", STUDY.study, *words]) == 2
    assert "a process that has not imported trackio yet" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
