"""A campaign of faults: hundreds of kills, and workers that go on after they were taken over.

Every kill and every stop is at a counted file operation, and every moment that matters is waited
for by what is seen then, so the campaign is the same on every machine. On one idle core the kills
take about a minute and the workers that were taken over half a minute.
"""

import fcntl
import json
import os
import shutil
import signal
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from studies.store.store import Store
from studies.store.verification import damages
from tests.witness import tiny
from tests.witness.warm import Warm, Worker

pytestmark = pytest.mark.slow

KILLS, RACES = 300, 20

STUDY = "inline.execute(Store(Path({root!r})), tiny.study(seeds=1))"


@pytest.fixture(scope="module")
def undisturbed(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("undisturbed")
    assert warm.start(STUDY.format(root=str(root))).wait() == 0
    return products(root)


def products(root: Path) -> dict[str, bytes]:
    """Bytes of all that the tasks of a store came to, by their place in it."""
    names = ("result.json", "*.npy", "*.npz", "shard/*")
    paths = [path for name in names for path in root.glob(f"tasks/*/{name}")]
    whole = [path for path in paths if not path.name.startswith(".")]
    return {str(path.relative_to(root)): path.read_bytes() for path in whole}


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a store but the locks and the logs."""
    files = [p for p in root.rglob("*") if p.is_file() and p.name not in ("lock", "log.txt")]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_hundreds_of_kills_leave_the_bytes_of_undisturbed_runs(
    warm: Warm, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    kills = 0
    for number in count():
        root = tmp_path / str(number)
        for turn in count():
            operation = 9 + (11 * turn + 5 * number) % 29  # more than one claim, less than a task
            worker = warm.start(f"kills.at({operation}); {STUDY.format(root=str(root))}")
            status = worker.wait()
            found = products(root)
            assert found == {name: undisturbed[name] for name in found}, (number, operation)
            if status == 0:
                break
            assert status == -signal.SIGKILL, worker.output()
            kills += 1
        assert products(root) == undisturbed
        assert not [p for p in root.rglob("*") if p.name.startswith(".") or p.name == "claim.json"]
        assert list(damages(Store(root), None, lambda done, total: None)) == []
        if kills >= KILLS:
            return


def stopped(worker: Worker) -> bool:
    """Waits until the worker is suspended or has ended; whether it is suspended."""
    while True:
        try:
            state = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state in "TZX":
            return state == "T"
        time.sleep(0.005)


def taken_claim(root: Path) -> Path | None:
    """The claim of the suspended worker, if its task may be taken over.

    It is then made one of another machine, of which only the heartbeat is seen.
    """
    for claim in root.glob("tasks/*/claim.json"):
        with suppress(BlockingIOError), claim.with_name("lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            record = json.loads(claim.read_text())
            record["place"]["host"] = "another-node"
            claim.write_text(json.dumps(record))
            return claim
    return None


PUBLISH_ALONE = {"score", "likelihood_merge"}
"""Kinds whose every file operation is one of claiming or publishing, with the lock held."""

STEPPED = """
import os
kills.Count(
    lambda done: done < {first} or Path({free!r}).exists() or os.kill(os.getpid(), {number})
)
run_task({root!r}, {address!r})
"""
"""A worker that is suspended before each of its file operations from one on, until a file is there.
"""

TAKING_OVER = """
import studies.store.ownership
studies.store.ownership.LEASE_SECONDS = -1.0
run_task({root!r}, {address!r})
"""
"""A worker for which another machine's is dead at the first look, instead of after two minutes."""


def begun_anew(source: Path, root: Path, address: str) -> Path:
    """A copy of a finished store in which one task is still to be done; the task's folder."""
    shutil.copytree(source, root)
    folder = root / "tasks" / address
    for path in folder.iterdir():
        if path.name != "task.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def race(warm: Warm, source: Path, root: Path, address: str, first: int) -> bool:
    """Whether a worker could be taken over at one of its operations from `first` on.

    It goes on after another has finished the task, and must change nothing.
    """
    folder, free = begun_anew(source, root, address), root.with_suffix(".free")
    words = {"first": first, "free": str(free), "number": int(signal.SIGSTOP)}
    worker = warm.start(STEPPED.format(root=str(root), address=address, **words))
    claim = None
    while claim is None and stopped(worker):
        claim = taken_claim(root)
        if claim is None:  # it holds the lock, or has no claim yet: nobody can take it over
            os.kill(worker.pid, signal.SIGCONT)
    if claim is None:
        assert worker.wait() == 0, worker.output()
        return False
    taking = warm.start(TAKING_OVER.format(root=str(root), address=address))
    assert taking.wait() == 0, taking.output()
    finished = contents(root)
    assert (folder / "result.json").exists()
    free.touch()
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.wait() == 0, worker.output()
    assert contents(root) == finished, (address, first)
    return True


def test_workers_that_go_on_after_they_were_taken_over_leave_the_finished_task_as_it_is(
    warm: Warm, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    assert warm.start(STUDY.format(root=str(source))).wait() == 0
    races = list[str]()
    addresses = {task.kind: task.address for task in tiny.study(seeds=1)}
    for kind, address in addresses.items():
        for first in (0, 9, 14):
            root = tmp_path / f"{kind}-{first}"
            if race(warm, source, root, address, first):
                races.append(kind)
                assert products(root) == undisturbed
            shutil.rmtree(root)
    assert len(races) >= RACES
    assert set(races) == set(addresses) - PUBLISH_ALONE
