"""A worker whose task was taken over and finished elsewhere leaves nothing there but its log."""

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from studies.execute.worker import Heartbeat, run_task
from studies.store.store import BLOCKS, Store
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.stores import done


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Store, Task]]:
    """By kind, a task that is done, and the store where it is."""
    store = Store(tmp_path_factory.mktemp("finished"))
    images = tmp_path_factory.mktemp("elsewhere") / "images.npz"
    file = images.with_name("network.pt")
    tasks = [*tiny.study(seeds=1), tiny.latents(), tiny.external(images), tiny.imported(file)]
    done(store, *tasks)
    return {task.kind: (store, task) for task in tasks}


def contents(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file but the logs and the lock, and which one it is: equal bytes may be another file's.

    A folder is a file of no bytes here; that of the second attempt holds its log.
    """
    found = {}
    for path in folder.rglob("*"):
        if path.name not in ("log.txt", "lock", "2"):
            stat, name = path.stat(), str(path.relative_to(folder))
            is_file = path.is_file()
            found[name] = (
                stat.st_ino,
                stat.st_mtime_ns if is_file else 0,
                path.read_bytes() if is_file else b"",
            )
    return found


@contextmanager
def before_lock(
    monkeypatch: pytest.MonkeyPatch, lock: Path, act: Callable[[int], None]
) -> Iterator[None]:
    """Calls `act` with 1, 2, 3... before each lock that the main thread takes while it holds none.

    Then, and at no other moment, another worker may take the task over.
    """
    taken, count = fcntl.flock, iter(range(1, 10_000))

    def flock(file: int, operation: int) -> None:
        if threading.current_thread() is threading.main_thread() and is_free(lock):
            act(next(count))
        taken(file, operation)

    def is_free(path: Path) -> bool:
        with suppress(BlockingIOError), path.open("a") as file:
            taken(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        yield


def begun(store: Store, task: Task, root: Path) -> Store:
    """A copy of the store in which the task was begun once, and nobody is at it."""
    shutil.copytree(store.root, root, copy_function=os.link)
    copy = Store(root)
    source, folder = store.folder(task.address), copy.folder(task.address)
    shutil.rmtree(folder)
    shutil.copytree(source / "attempts", folder / "attempts")
    shutil.copy(source / "task.json", folder)
    return copy


def finish(source: Path, folder: Path) -> None:
    """What another worker does that takes the task over: nothing is left of the first one."""
    for path in folder.iterdir():
        if path.name not in ("lock", "attempts"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lock"))


def finishing(
    source: Path, folder: Path, moment: int, left: dict[str, tuple[int, int, bytes]]
) -> Callable[[int], None]:
    """Finishes the task at one moment, and notes what is there then."""

    def act(number: int) -> None:
        if number == moment:
            finish(source, folder)
            left.update(contents(folder))

    return act


def beaten_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the heart beat in the main thread, once: its moments are then counted with the others."""

    def beat(heartbeat: Heartbeat) -> Heartbeat:
        heartbeat._end.set()  # it beats, and would wait then
        heartbeat._run()
        return heartbeat

    monkeypatch.setattr(Heartbeat, "__enter__", beat)
    monkeypatch.setattr(Heartbeat, "__exit__", lambda heartbeat, *error: None)


@pytest.mark.parametrize("kind", KINDS)
def test_whenever_a_task_was_taken_over_the_first_worker_changes_nothing(
    kind: str,
    finished: dict[str, tuple[Store, Task]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, task = finished[kind]
    beaten_once(monkeypatch)
    moments = list[int]()
    alone = begun(store, task, tmp_path / "alone")
    with before_lock(monkeypatch, alone.folder(task.address) / "lock", moments.append):
        run_task(str(alone.root), task.address)
    assert len(moments) >= 2, "a task is claimed and published under its lock"

    for moment in moments:
        mine = begun(store, task, tmp_path / f"store-{moment}")
        folder = mine.folder(task.address)

        finished_elsewhere: dict[str, tuple[int, int, bytes]] = {}
        take_over = finishing(store.folder(task.address), folder, moment, finished_elsewhere)
        with before_lock(monkeypatch, folder / "lock", take_over):
            run_task(str(mine.root), task.address)
        assert contents(folder) == finished_elsewhere != {}, moment
        assert not (folder / BLOCKS).exists()
        shutil.rmtree(mine.root)
