"""Executors: what they run, what they wait for, what they tell, and how they stop."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from iddpm.config import Simple
from iddpm.evaluation.config import Ancestral
from iddpm.running.files import StorageError, write_json
from iddpm.running.interruption import Interrupted
from studies.execute import inline, local
from studies.execute.agenda import Agenda, Event, EventKind, unwatched
from studies.execute.signals import CutOff, stop_requests
from studies.execute.worker import run_task
from studies.store.ownership import Claim
from studies.store.store import Beat, Failure, Store
from studies.tasks.task import Task
from tests.witness import kills, tiny
from tests.witness.limits import largest_file
from tests.witness.stores import fail


class Diary:
    """A watcher that remembers, and may act on a kind of event."""

    def __init__(self, **actions: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self._actions = actions

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._actions.get(event.kind, unwatched)(event)

    def of(self, *kinds: EventKind) -> list[tuple[str, str]]:
        return [(event.kind, event.address) for event in self.events if event.kind in kinds]


def results(store: Store) -> dict[str, bytes]:
    paths = (store.root / "tasks").glob("*/result.json")
    return {path.parent.name: path.read_bytes() for path in paths}


def doomed_study() -> tuple[Task, Task, Task, Task]:
    """A training; a shard of it that must fail; what needs the shard; a score that needs that."""
    trained, read_by = tiny.training(objective=Simple()), tiny.extractor()
    shard = tiny.sampling(trained, Ancestral(variance="range"))
    drawn = tiny.drawn_features(read_by, shard)
    return trained, shard, drawn, tiny.score(drawn, drawn)


# ---------------------------------------------------------------------------------- the agenda


def test_tasks_are_handed_out_in_order_each_after_its_needs(store: Store) -> None:
    tasks = tiny.study(seeds=1)
    agenda, order = Agenda(store, tasks, unwatched), []
    while agenda.refresh():
        address = agenda.take()
        assert address is not None
        order.append(address)
        claim = store.claim(address)
        assert claim is not None
        store.publish(claim, {}, {})
        agenda.give_back(address)
    assert order == [task.address for task in tasks]


def test_what_a_failed_task_keeps_from_running_is_told_by_its_name(store: Store) -> None:
    trained, shard, drawn, score = doomed_study()
    diary = Diary()
    inline.execute(store, [trained, tiny.extractor(), shard, drawn, score], watch=diary)
    told = {event.address: event for event in diary.events}
    assert told[shard.address].kind == "failed"
    assert told[shard.address].text.startswith("ValueError: ")
    for task in (drawn, score):
        assert (told[task.address].kind, told[task.address].text) == ("waiting", shard.address)
        assert store.state(task.address) == "planned"
    assert told[trained.address].kind == told[tiny.extractor().address].kind == "done"


def test_a_task_of_another_live_process_is_waited_for(store: Store) -> None:
    task = tiny.extractor()
    store.create(task)
    code = (
        "import sys; from pathlib import Path; from studies.store.store import Store\n"
        f"store = Store(Path({str(store.root)!r})); claim = store.claim({task.address!r})\n"
        "print('mine', flush=True); sys.stdin.readline()\n"
        "store.publish(claim, {'by': 'another'}, {})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        diary = Diary(elsewhere=lambda event: other.stdin.close() if other.stdin else None)
        inline.execute(store, [task], watch=diary)
    address = task.address
    assert diary.of("elsewhere", "started", "done") == [("elsewhere", address), ("done", address)]
    assert store.result(address) == {"by": "another"}


def test_a_task_whose_process_dies_while_it_is_waited_for_is_taken_over(store: Store) -> None:
    task = tiny.extractor()
    store.create(task)
    code = (
        "import time; from pathlib import Path; from studies.store.store import Store\n"
        f"Store(Path({str(store.root)!r})).claim({task.address!r})\n"
        "print('mine', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        diary = Diary(elsewhere=lambda event: other.kill())
        inline.execute(store, [task], watch=diary)
    kinds = [kind for kind, _ in diary.of("elsewhere", "started", "done")]
    assert kinds == ["elsewhere", "started", "done"]
    lost = store.attempt_failure(task.address, 1)
    assert lost is not None
    assert lost.error == "lost"


def test_a_second_execution_finds_everything_done_and_starts_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tiny.study(seeds=1)
    inline.execute(store, tasks)
    monkeypatch.setattr(subprocess, "Popen", None)  # a process started would be an error
    for execute in (inline.execute, local.execute):
        diary = Diary()
        execute(store, tasks, watch=diary)
        assert [event.kind for event in diary.events] == ["found"] * len(tasks)
    assert {tuple(store.attempts(task.address)) for task in tasks} == {(1,)}


def test_a_task_that_failed_before_is_not_run_again(store: Store) -> None:
    task = tiny.extractor()
    fail(store, task, Failure(error="oom", message="too large"))
    diary = Diary()
    inline.execute(store, [task], watch=diary)
    assert diary.events == [Event(kind="failed", address=task.address, text="too large")]


def test_asked_to_stop_between_tasks_nothing_more_is_run(store: Store) -> None:
    tasks = tiny.study(seeds=1)
    with stop_requests() as stop:
        diary = Diary(done=lambda event: stop.set())
        with pytest.raises(Interrupted):
            inline.execute(store, tasks, watch=diary)
    assert diary.of("done") == [("done", tasks[0].address)]
    assert {store.state(task.address) for task in tasks[1:]} == {"planned"}


# ----------------------------------------------------------------------------------- the local


@pytest.mark.parametrize(
    ("visible", "workers", "expected"),
    [
        ("0,1", None, ["0", "1"]),
        ("2", 3, ["2", "2", "2"]),
        ("", 2, [None, None]),
    ],
)
def test_a_slot_is_a_gpu_or_else_a_core(
    monkeypatch: pytest.MonkeyPatch, visible: str, workers: int | None, expected: list[str | None]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    slots = local.slot_environments(workers)
    assert [slot.get("CUDA_VISIBLE_DEVICES") for slot in slots] == expected
    assert {slot["OMP_NUM_THREADS"] for slot in slots} == {"1"}


def test_without_gpus_there_is_a_slot_for_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert len(local.slot_environments(None)) == len(os.sched_getaffinity(0))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_local_gives_the_bytes_of_inline_though_a_worker_is_killed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    tasks = tiny.study(seeds=workers)
    (tmp_path / "sitecustomize.py").write_text(kills.customised("state.pt", tmp_path / "killed"))
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        diary = Diary()
        local.execute(store, tasks, workers=workers, watch=diary)
    other = Store(tmp_path / "inline")
    inline.execute(other, tasks)
    assert results(store) == results(other)
    assert len(results(store)) == len(tasks)
    ((ended, victim),) = diary.of("lost", "failed")
    assert ended == "lost"
    assert victim.startswith(("train-", "gan-"))  # whichever of two workers writes its state first
    assert {event.text for event in diary.events if event.kind == "lost"} == {"killed by SIGKILL"}
    lost = store.attempt_failure(victim, 1)
    assert lost is not None
    assert (lost.error, store.attempts(victim)) == ("lost", [1, 2])
    made = store.provenance(victim)
    assert made is not None
    assert made["executor"] == "local"


def test_a_task_whose_worker_dies_again_and_again_fails_as_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no Python starts with this
    task, diary = tiny.extractor(), Diary()
    local.execute(store, [task], workers=1, watch=diary)
    failure = store.failure(task.address)
    assert failure is not None
    assert [event.kind for event in diary.events] == ["started", "lost"] * 2 + ["started", "failed"]
    assert failure.error == "lost"
    assert failure.message.startswith("its process died 3 times (last: exit status 1); ")
    assert any("Python" in line for line in failure.log)


def test_a_task_whose_worker_is_killed_again_and_again_says_what_its_process_held(
    store: Store,
) -> None:
    task = tiny.score(tiny.extractor(), tiny.extractor())
    agenda, pool = Agenda(store, [], unwatched), local.Pool(store, [])
    store.create(task)
    for _ in range(3):
        claim = claim_of_a_dead_process(store, task.address)
        store.beat(claim, Beat(done=0, total=0, unit="steps", held_mb=12_800), time=1.0)
        pool._lose(task.address, "killed by SIGKILL", (), agenda)
    failure = store.failure(task.address)
    assert failure is not None
    assert failure.message == (
        "its process died 3 times (last: killed by SIGKILL, seen to hold 12,800 MiB); if memory "
        "ran short, run again with fewer --workers or a smaller samples.reference.keep and "
        "--retry failed"
    )


def claim_of_a_dead_process(store: Store, address: str) -> Claim:
    claim = store.claim(address)
    assert claim is not None
    dead = replace(claim, process_start="1")
    write_json(store.folder(address) / "claim.json", asdict(dead))
    return dead


@pytest.mark.slow
def test_asked_to_stop_the_workers_save_and_are_waited_for(store: Store) -> None:
    task = tiny.training(steps=1_000_000)

    def stop(event: Event) -> None:
        if event.beat and event.beat.done:
            os.kill(os.getpid(), signal.SIGINT)

    handlers = signal.getsignal(signal.SIGINT)
    diary = Diary(progress=stop)
    with pytest.raises(Interrupted):
        local.execute(store, [task], workers=1, watch=diary)
    assert diary.of("stopping") == [("stopping", "")]
    assert signal.getsignal(signal.SIGINT) is handlers
    assert (store.state(task.address), store.claim_of(task.address)) == ("planned", None)
    assert (store.folder(task.address) / "state.pt").exists()
    stopped = store.attempt_failure(task.address, 1)
    assert stopped is not None
    assert (stopped.error, stopped.final) == ("cancelled", False)


@pytest.mark.slow
def test_a_second_ctrl_c_kills_the_workers(store: Store) -> None:
    task, pids = tiny.training(steps=1_000_000), []

    def stop(event: Event) -> None:
        claim = store.claim_of(task.address)
        assert claim is not None
        pids.append(claim.pid)
        os.kill(claim.pid, signal.SIGSTOP)  # it will not save now
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        os.kill(os.getpid(), signal.SIGINT)

    def second(number: int, frame: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGALRM, second)
    with pytest.raises(CutOff, match="1 task was cut off; it goes on from its last save"):
        local.execute(store, [task], workers=1, watch=Diary(progress=stop))
    signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert store.state(task.address) == "planned"


@pytest.mark.slow
def test_a_worker_that_is_killed_while_all_are_to_save_is_told_as_cut_off(store: Store) -> None:
    task = tiny.training(steps=1_000_000)

    def stop(event: Event) -> None:
        claim = store.claim_of(task.address)
        assert claim is not None
        os.kill(claim.pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(CutOff, match="1 task was cut off"):
        local.execute(store, [task], workers=1, watch=Diary(progress=stop))


@pytest.mark.slow
def test_a_worker_that_cannot_save_when_all_are_to_stop_is_told_with_its_sentence(
    store: Store,
) -> None:
    task = tiny.training(steps=1_000_000)

    def stop(event: Event) -> None:
        claim = store.claim_of(task.address)
        assert claim is not None
        resource.prlimit(claim.pid, resource.RLIMIT_FSIZE, (5_000, 5_000))
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StorageError, match=r"state\.pt: cannot write: File"):
        local.execute(store, [task], workers=1, watch=Diary(progress=stop))


@pytest.mark.parametrize(("ends", "told"), [(True, "no tasks were"), (False, "1 task was")])
def test_a_second_ctrl_c_cuts_off_the_task_that_this_process_is_at(
    store: Store, monkeypatch: pytest.MonkeyPatch, ends: bool, told: str
) -> None:
    def work(root: str, address: str) -> None:
        if ends:
            run_task(root, address)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(inline, "run_task", work)
    with pytest.raises(CutOff, match=told):
        inline.execute(store, [tiny.extractor()])


@pytest.mark.slow
def test_the_workers_of_a_killed_run_save_and_leave(store: Store) -> None:
    task = tiny.training(steps=1_000_000)
    code = (
        "from pathlib import Path; from studies.execute import local\n"
        "from studies.store.store import Store; from tests.witness import tiny\n"
        f"store = Store(Path({str(store.root)!r}))\n"
        "local.execute(store, [tiny.training(steps=1_000_000)], workers=1)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3]) as run:
        while not ((beat := store.progress(task.address)) and beat.done):
            time.sleep(0.05)
        run.kill()
    while store.claim_of(task.address):
        time.sleep(0.05)
    stopped = store.attempt_failure(task.address, 1)
    assert stopped is not None
    assert (stopped.error, stopped.final) == ("cancelled", False)
    assert (store.folder(task.address) / "state.pt").exists()


@pytest.mark.slow
def test_a_worker_that_cannot_write_stops_the_run_with_its_sentence(store: Store) -> None:
    task = tiny.training()
    with largest_file(5_000), pytest.raises(StorageError, match=r"state\.pt: cannot write: File"):
        local.execute(store, [task], workers=1)
    assert store.state(task.address) == "planned"


@pytest.mark.slow
def test_a_run_started_as_a_module_is_not_imported_again_by_its_workers(tmp_path: Path) -> None:
    (tmp_path / "door.py").write_text(
        "from pathlib import Path\n"
        "print('imported', flush=True)\n"
        "from studies.execute import local\n"
        "from studies.store.store import Store\n"
        "from tests.witness import tiny\n"
        f"local.execute(Store(Path({str(tmp_path / 'store')!r})), tiny.study(seeds=1), workers=2)\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-m", "door"], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "imported\n"
