"""Trainings that several processes of the local pool do together, each on a GPU of its own.

Nothing here has a GPU: CUDA_VISIBLE_DEVICES pretends some, and torch computes on the CPU.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies import run
from studies.execute import local
from studies.execute.agenda import Agenda, Event, EventKind, unwatched
from studies.execute.signals import CutOff
from studies.store.store import Store
from studies.tasks.task import Task
from tests.witness import rank_faults, tiny
from tests.witness.limits import largest_file
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP
from tests.witness.warm import Warm

ROOT = Path(__file__).parents[3]
SHARED = tiny.training(block_size=2, steps=8)
LONG = tiny.training(block_size=2, steps=1_000_000)
HANGS_S = 60
"""Far more than anything takes that a test waits for."""


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


def slots_of(pid: int) -> set[int]:
    """The processes of the pool of this process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            is_slot = b"studies.execute.slot" in (path / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if parent == pid and is_slot:
            found.add(int(path.name))
    return found


def other_than_first(store: Store, task: Task) -> int:
    """The process that trains together with the one that claimed the task."""
    claim = store.claim_of(task.address)
    assert claim is not None
    (other,) = slots_of(os.getpid()) - {claim.pid}
    return other


class Diary:
    """What was told of, without progress; and what is done the first time that a kind is told."""

    def __init__(self, **actions: Callable[[], None]) -> None:
        self.told: list[tuple[EventKind, str]] = []
        self._actions = actions

    def __call__(self, event: Event) -> None:
        if event.kind != "progress":
            self.told.append((event.kind, event.text))
        if (event.beat is None or event.beat.done) and event.kind in self._actions:
            self._actions.pop(event.kind)()


# ------------------------------------------------------------------------------- which GPUs


def given(store: Store, tasks: list[Task], *gpus: str) -> list[tuple[str, str]]:
    """Which task each GPU is at once a pool of pairs, with a slot for each of these, is filled."""
    slots = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] or local.slot_environments(None)
    pool = local.Pool(store, slots, ranks=2)
    try:
        pool.fill(Agenda(store, tasks, unwatched))
        at = [(slot.environment["CUDA_VISIBLE_DEVICES"], slot.address) for slot in pool._slots]
        assert [slot.number for slot in pool._slots if slot.count == 2] == [0, 1] * (len(at) // 2)
        return [(gpu, address or "") for gpu, address in at]
    finally:
        pool.__exit__(KeyboardInterrupt)


def test_several_trainings_have_gpus_of_their_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,7")
    one, two, three = (tiny.training(block_size=2, seed=seed) for seed in range(3))
    at = given(store, [one, two, three])
    assert [address for _, address in at] == [one.address] * 2 + [two.address] * 2
    assert len({gpu for gpu, _ in at}) == 4


def test_what_takes_one_gpu_waits_behind_a_training_that_waits_for_its_second(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    alone, shared = tiny.extractor(), SHARED
    assert given(store, [shared, tiny.training(block_size=2, seed=1), alone]) == [
        ("0", shared.address),
        ("1", shared.address),
    ]
    assert dict(given(store, [alone, shared])) == {
        "0": alone.address,
        "1": shared.address,
        "2": shared.address,
    }


def test_where_more_processes_than_gpus_run_a_training_still_has_different_ones(
    store: Store,
) -> None:
    at = given(store, [SHARED], "0", "0", "1")
    assert sorted(at) == [("0", SHARED.address), ("1", SHARED.address)]
    assert given(store, [SHARED], "0", "0") == []


# ------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("visible", "options", "words"),
    [
        ("0", ["train.gpus=2"], "train.gpus: expected at most 1, the GPUs that are visible here, "),
        (
            *("", ["train.gpus=2"]),
            "train.gpus: expected at most 0, the GPUs that are visible here, found 2; leave it "
            "out: on CPUs a training is one process, beside others",
        ),
        (
            *("0,1,2", ["train.gpus=3", "--workers", "2"]),
            "train.gpus: expected at most 2, the GPUs that --workers has processes on, found 3",
        ),
        ("0,1", ["train.gpus=0"], "train.gpus: expected at least 1 with --executor local, found 0"),
        (
            "0,1",
            ["train.gpus=x"],
            "--resource train.gpus=x: resources.train.gpus: expected a whole",
        ),
        ("0,1", ["gpus=2"], ": expected train.gpus alone with --executor local, found gpus"),
        ("0,1", ["train.nodes=2"], ": expected train.gpus alone with --executor local, found tra"),
        (
            *("0,1", ["train.gpus=2"]),
            "train.block_size: expected blocks to share among 2 processes, found 1 of 4 images; "
            "set it to 2 or a divisor of that",
        ),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    visible: str,
    options: list[str],
    words: str,
    dry: list[str],
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    asked = [str(write_sweep(tmp_path, SWEEP, PRESET)), "--store", str(tmp_path / "store"), *dry]
    assert run.main([*asked, "--executor", "local", "--resource", *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_dry_run_tells_how_many_do_a_training_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(write_sweep(tmp_path, SWEEP, PRESET)), "--store", str(tmp_path / "store")]
    asked += ["--set", "train.block_size=2", "--executor", "local", "--dry-run"]
    assert run.main([*asked, "--resource", "train.gpus=2"]) == 0
    said = capsys.readouterr().out
    assert ") with 2 at once, of which 2 do a training together.\n" in said


# ------------------------------------------------------------------------------- what it computes


def test_two_processes_of_the_pool_train_to_the_bytes_of_two_on_a_cluster(
    store: Store, warm: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those meet at a port, as the processes of a job do; these where files may lie for a while."""
    diary, other, place = Diary(), Store(tmp_path / "other"), tmp_path / "a#b?c%20d é\udcff\n"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    before = {*tmp_path.iterdir()}
    local.execute(store, [SHARED, tiny.sampling(SHARED)], ranks=2, watch=diary)
    assert [kind for kind, _ in diary.told] == ["started", "done"] * 2
    assert {*tmp_path.iterdir()} - {store.root} == before - {store.root}
    assert not [*place.iterdir()]
    other.create(SHARED)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        meeting = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    calls = [
        "from iddpm.running.ranks import joined; from studies.execute.worker import follow_task\n"
        f"with joined(number={number}, count=2, meeting={meeting!r}) as ranks:\n"
        f"    {do}({str(other.root)!r}, {SHARED.address!r}, ranks)"
        for number, do in enumerate(("run_task", "follow_task"))
    ]
    for worker in [warm.start(code) for code in calls]:
        assert worker.wait() == 0, worker.output()
    assert other.result(SHARED.address) is not None
    assert store.result(SHARED.address) == other.result(SHARED.address)
    made = store.provenance(SHARED.address)
    assert made is not None
    assert (made["ranks"], made["executor"]) == (2, "local")


# ------------------------------------------------------------------------------- what goes wrong


def with_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, once: bool = False, **by_rank: str
) -> None:
    faults = {int(name.removeprefix("rank_")): fault for name, fault in by_rank.items()}
    (tmp_path / "sitecustomize.py").write_text(
        rank_faults.customised(
            exchange=3, by_rank=faults, once=str(tmp_path / "met") if once else ""
        )
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_where_one_is_killed_the_training_is_begun_again_and_comes_to_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: int
) -> None:
    undisturbed, diary = Store(tmp_path / "undisturbed"), Diary()
    local.execute(undisturbed, [SHARED], ranks=2)
    with_faults(tmp_path, monkeypatch, once=True, **{f"rank_{victim}": "killed"})
    local.execute(store, [SHARED], ranks=2, watch=diary)
    cause = f"process {victim + 1} of 2, killed by SIGKILL"
    assert diary.told == [("started", ""), ("lost", cause), ("started", ""), ("done", "")]
    assert store.result(SHARED.address) == undisturbed.result(SHARED.address)
    assert not slots_of(os.getpid())


@pytest.mark.slow
def test_a_training_of_which_one_is_killed_again_and_again_fails_and_says_which(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits for it in vain, as on a GPU, and is ended with it."""
    with_faults(tmp_path, monkeypatch, rank_0="frozen", rank_1="killed")
    monkeypatch.setattr(local, "GRACE_S", 1e6)
    diary = Diary()
    local.execute(store, [SHARED], ranks=2, watch=diary)
    assert [kind for kind, _ in diary.told] == ["started", "lost"] * 2 + ["started", "failed"]
    failure = store.failure(SHARED.address)
    assert failure is not None
    assert failure.error == "lost"
    assert failure.message.startswith(
        "its process died 3 times (last: process 2 of 2, killed by SIGKILL, seen to hold "
    )
    assert failure.message.endswith(
        "if memory ran short, run again with fewer --workers or a smaller train.block_size and "
        "--retry failed"
    )


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_where_one_finds_too_little_memory_the_task_fails_so_and_the_others_go_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: int
) -> None:
    with_faults(tmp_path, monkeypatch, once=True, **{f"rank_{victim}": "out_of_memory"})
    diary, next_one = Diary(), tiny.training(block_size=2, seed=1)
    local.execute(store, [SHARED, next_one], ranks=2, watch=diary)
    assert [kind for kind, _ in diary.told] == ["started", "failed", "started", "done"]
    failure = store.failure(SHARED.address)
    assert failure is not None
    assert failure.error == "oom"
    beginning = f"process {victim + 1} of 2: OutOfMemoryError: CUDA out of memory. Tried to all"
    assert failure.message.startswith(beginning)
    assert failure.message.endswith(
        " MiB; run again with fewer --workers or a smaller train.block_size"
    )
    assert "out_of_memory" in failure.traceback
    assert not slots_of(os.getpid())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "met_by"),
    [
        ({"rank_0": "refused", "rank_1": "refused"}, (1, 2)),  # whichever is faster
        ({"rank_0": "refused", "rank_1": "frozen"}, (1,)),  # as on a GPU
        ({"rank_0": "frozen", "rank_1": "refused"}, (2,)),
    ],
)
def test_an_error_ends_those_that_wait_at_once_and_is_told_by_the_one_that_met_it_first(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    faults: dict[str, str],
    met_by: tuple[int, ...],
) -> None:
    monkeypatch.setattr(local, "GRACE_S", 1e6)
    with_faults(tmp_path, monkeypatch, once=False, **faults)
    diary = Diary()
    local.execute(store, [SHARED], ranks=2, watch=diary)
    messages = [f"process {n} of 2: ValueError: expected another value" for n in met_by]
    assert diary.told in [[("started", ""), ("failed", message)] for message in messages]
    assert store.attempts(SHARED.address) == [1]
    assert not slots_of(os.getpid())


@pytest.mark.slow
def test_one_that_answers_no_more_is_ended_once_the_other_has_given_up(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "GRACE_S", 0.0)
    monkeypatch.setattr(local, "RETRIES", 0)
    with_faults(tmp_path, monkeypatch, rank_0="deserted", rank_1="frozen")
    local.execute(store, [SHARED], ranks=2)
    failure = store.failure(SHARED.address)
    assert failure is not None
    assert "(last: process 2 of 2, which did not answer)" in failure.message
    assert not slots_of(os.getpid())


STUCK = f"time.sleep({HANGS_S})"


def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lives: str) -> None:
    """Let the ranks do no more than this before they leave, once they are asked to stop."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "number = int(sys.stdin.readline().split()[1])\n"
        "sys.stdin.read()\n"
        f"exec({lives!r}[number])\n"
        "os._exit(0)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.parametrize("stuck", [0, 1])
def test_one_that_cannot_leave_is_ended_a_moment_after_another_one_has_left(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    living(tmp_path, monkeypatch, *(STUCK if number == stuck else "" for number in range(2)))
    pool = local.Pool(store, local.slot_environments(None), 2, partial(next, count(step=10.0)))
    pool.fill(Agenda(store, [SHARED], unwatched))
    processes = [slot.process for slot in pool._slots]
    unsaved = pytest.raises(CutOff, match="1 task was cut off") if stuck == 0 else nullcontext()
    with unsaved:  # the first saves
        pool.stop()
    assert [process.returncode for process in processes] == ([-9, 0] if stuck == 0 else [0, -9])


def test_one_that_leaves_later_is_waited_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, looks = tmp_path / "looked at twice", count()
    waits = f"[time.sleep(0.05) for _ in range(1200) if not os.path.exists({str(mark)!r})]"
    living(tmp_path, monkeypatch, waits, "")

    def clock() -> float:
        if next(looks) == 2:
            mark.touch()
        return 0.0

    pool = local.Pool(store, local.slot_environments(None), 2, clock)
    pool.fill(Agenda(store, [SHARED], unwatched))
    pool.stop()


@pytest.mark.slow
def test_asked_to_stop_all_save_and_leave(store: Store) -> None:
    diary = Diary(progress=partial(os.kill, os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        local.execute(store, [LONG], ranks=2, watch=diary)
    assert diary.told == [("started", ""), ("stopping", "")]
    assert (store.state(LONG.address), store.claim_of(LONG.address)) == ("planned", None)
    stopped = store.attempt_failure(LONG.address, 1)
    assert stopped is not None
    assert (stopped.error, stopped.final, stopped.saved > 0) == ("cancelled", False, True)
    assert not slots_of(os.getpid())


@pytest.mark.slow
@pytest.mark.parametrize("asks", [0, 1])
def test_one_that_is_told_to_end_saves_and_lets_the_others_leave_in_good_order(
    store: Store, asks: int
) -> None:
    def tell() -> None:
        claim = store.claim_of(LONG.address)
        assert claim is not None
        os.kill(other_than_first(store, LONG) if asks else claim.pid, signal.SIGTERM)

    diary = Diary(progress=tell, lost=partial(os.kill, os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        local.execute(store, [LONG], ranks=2, watch=diary)
    stopped = store.attempt_failure(LONG.address, 1)
    assert stopped is not None
    assert (stopped.error, stopped.saved > 0) == ("cancelled", True)
    assert not slots_of(os.getpid())


@pytest.mark.slow
def test_one_that_is_killed_while_all_are_to_save_takes_the_others_along(store: Store) -> None:
    def stop() -> None:
        claim = store.claim_of(LONG.address)
        assert claim is not None
        os.kill(claim.pid, signal.SIGSTOP)  # on a GPU it would not notice either
        os.kill(other_than_first(store, LONG), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(CutOff, match="1 task was cut off; it goes on from its last save"):
        local.execute(store, [LONG], ranks=2, watch=Diary(progress=stop))
    assert store.state(LONG.address) == "planned"
    assert not slots_of(os.getpid())


@pytest.mark.slow
def test_a_second_ctrl_c_kills_all(store: Store) -> None:
    def stop() -> None:
        os.kill(other_than_first(store, LONG), signal.SIGSTOP)  # none can save now
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(CutOff, match="1 task was cut off"):
        local.execute(store, [LONG], ranks=2, watch=Diary(progress=stop))
    signal.signal(signal.SIGALRM, before)
    assert not slots_of(os.getpid())


@pytest.mark.slow
def test_those_of_a_killed_run_save_and_leave(store: Store) -> None:
    code = (
        "from pathlib import Path; from studies.execute import local\n"
        "from studies.store.store import Store; from tests.witness import tiny\n"
        "task = tiny.training(block_size=2, steps=1_000_000)\n"
        f"local.execute(Store(Path({str(store.root)!r})), [task], ranks=2)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as pool:
        while not ((beat := store.progress(LONG.address)) and beat.done):
            assert pool.poll() is None
            time.sleep(0.05)
        slots = slots_of(pool.pid)
        assert len(slots) == 2
        left = [os.pidfd_open(slot) for slot in slots]  # each can be read once it has
        pool.kill()
    for slot in left:
        assert select.select([slot], [], [], HANGS_S)[0]
        os.close(slot)
    stopped = store.attempt_failure(LONG.address, 1)
    assert stopped is not None
    assert (stopped.error, stopped.saved > 0) == ("cancelled", True)


@pytest.mark.slow
def test_where_the_state_cannot_be_saved_the_run_ends_with_the_sentence(store: Store) -> None:
    with largest_file(5_000), pytest.raises(StorageError, match=r"state\.pt: cannot write: File"):
        local.execute(store, [SHARED], ranks=2)
    assert store.state(SHARED.address) == "planned"
    assert not slots_of(os.getpid())
