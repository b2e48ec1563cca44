"""Runs as processes of their own: stopped by Ctrl-C, two at once on one store, and for a group.

And what a run reads of a store in which all is done.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from studies import run
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from studies.store.checksums import read_checked
from studies.store.store import Store
from tests.benchmarks import growth
from tests.benchmarks.planning import PRESET as PRESET_OF_MANY
from tests.witness import hurried
from tests.witness.calls import given
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

ROOT = Path(__file__).parents[2]


def started(folder: Path, store: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "studies.run", str(folder / "sweep.yaml")]
    return subprocess.Popen(
        [*command, "--store", str(store), *options],
        env={**os.environ, "PYTHONPATH": hurried.after(ROOT)},
        umask=0o002,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # not as under nohup
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(store: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in store.glob("tasks/*/result.json")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sweep lies, and a store with all that it asks for."""
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder, SWEEP, PRESET)
    assert started(folder, folder / "store").wait() == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "number"),
    [
        ("inline", signal.SIGINT),
        ("local", signal.SIGINT),
        ("inline", signal.SIGHUP),
        ("inline", signal.SIGQUIT),
        ("local", signal.SIGHUP),
    ],
)
def test_ctrl_c_or_a_closed_terminal_stops_cleanly_and_says_how_to_go_on(
    folder: Path, tmp_path: Path, executor: str, number: signal.Signals
) -> None:
    slow = ("--executor", executor, "--seeds", "0", "--set", "train.steps=3000")
    process = started(folder, tmp_path, *slow)
    assert process.stdout is not None
    while not re.search("train-.*started", process.stdout.readline()):
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1] == (
        "stopped; all that was done is saved. The same command goes on from there."
    )
    store = Store(tmp_path)
    assert {store.state(path.name) for path in (tmp_path / "tasks").iterdir()} <= {
        "done",
        "planned",
    }


@pytest.mark.slow
@pytest.mark.parametrize("others", [(), ("--set", "samples.steps=8")], ids=["same", "sharing"])
def test_two_runs_at_once_do_every_task_once_and_both_end_complete(
    folder: Path, tmp_path: Path, others: tuple[str, ...]
) -> None:
    runs = [started(folder, tmp_path), started(folder, tmp_path, *others)]
    outputs = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    found, alone = results(tmp_path), results(folder / "store")
    assert alone.items() <= found.items()
    assert (found == alone) == (not others)
    for out, _ in outputs:
        assert re.search(r"(\d+) tasks: \1 done", out)
    assert {tuple(Store(tmp_path).attempts(address)) for address in found} == {(1,)}


@pytest.mark.slow
def test_a_store_may_be_written_by_the_group_where_the_umask_says_so(folder: Path) -> None:
    found = list((folder / "store").rglob("*"))
    assert [path for path in found if path.stat().st_mode & 0o060 != 0o060] == []
    assert any(path.name == "result.json" for path in found)


def test_a_run_over_a_finished_store_reads_every_file_of_a_task_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = write_sweep(
        tmp_path, growth.SWEEP.format(seeds=[0, 1], steps=[10, 50, 1000]), PRESET_OF_MANY
    )
    plan = expand(read_sweep(sweep, preset="tiny"))
    growth.write_store(plan, tmp_path / "store")
    again = [str(sweep), "--preset", "tiny", "--store", str(tmp_path / "store")]
    paths = given(read_checked, "path", lambda: run.main(again))
    assert "inconclusive" in capsys.readouterr().out  # it tells the computing time of more seeds
    read = Counter(path for path in paths if path.parent.parent.name == "tasks")
    names = ("task.json", "result.json", "provenance.json")
    folders = [tmp_path / "store" / "tasks" / address for address in plan.tasks]
    assert read == {folder / name: 1 for folder in folders for name in names}
