"""A finished study in a store that may only be read is shown; leftovers beside the tasks go."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iddpm.running.files import UNFINISHED, write_whole
from studies import status
from studies.store.store import Store
from tests.witness.runs import ran, running
from tests.witness.tiny_sweep import SWEEP


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sweep = SWEEP.replace("[0, 1]", "[0]")
    return ran(tmp_path_factory.mktemp("finished"), sweep).root.parent


def test_a_finished_study_in_a_store_that_may_only_be_read_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("replace", "rename", "link", "unlink", "fsync"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    capsys.readouterr()
    assert running(folder) == 0
    assert "bits/dim" in capsys.readouterr().out
    assert status.main(["--store", str(folder / "store"), "--verify"]) == 0


WRITER = """
import sys
from pathlib import Path
from iddpm.running.files import written_whole
with written_whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("halfway", flush=True)
    sys.stdin.readline()
"""


def halfway(path: Path) -> "subprocess.Popen[str]":
    """A process in the middle of writing a file."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "halfway\n"
    return writer


def test_a_finished_study_without_a_record_is_shown_with_its_verdicts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (folder / "store" / "studies" / "tiny-tiny.json").unlink()
    monkeypatch.setattr(os, "replace", refuse)
    capsys.readouterr()
    assert running(folder) == 0
    said = capsys.readouterr().out
    assert "tiny-tiny: all is done, and shown without being recorded." in said
    assert "inconclusive: learned_sigma_lowers_nll" in said


def test_a_run_sweeps_what_killed_writers_left_and_no_write_in_progress(folder: Path) -> None:
    root = folder / "store"
    (root / "submissions" / "array").mkdir(parents=True)
    places = [root, root / "studies", root / "submissions", root / "submissions" / "array"]
    for place in places:
        killed = halfway(place / "lost.json")
        killed.kill()
        killed.communicate()
    living = halfway(root / "studies" / "other.json")
    assert len(list(root.rglob(f"*{UNFINISHED}"))) == 5
    assert running(folder) == 0
    assert [path.parent for path in root.rglob(f"*{UNFINISHED}")] == [root / "studies"]
    living.communicate("go on\n")
    assert (root / "studies" / "other.json").read_bytes() == b"half"
    (root / "studies" / "other.json").unlink()


def test_a_record_that_says_the_same_is_left_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.record_study("a", {"cells": (1, 2), "tasks": []})
    path = tmp_path / "studies" / "a.json"
    before = path.stat()
    store.record_study("a", {"cells": [1, 2], "tasks": []})
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_whole(path, b'{"cells": [')
    store.record_study("a", {"cells": [1, 2], "tasks": []})
    assert store.study("a") == {"cells": [1, 2], "tasks": []}
