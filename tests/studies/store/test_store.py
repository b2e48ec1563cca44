"""The store: what its files say about a task, whose a task is, and what it refuses."""

import errno
import fcntl
import json
import os
import select
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from iddpm.config import Npz, TrainConfig
from iddpm.evaluation.config import SampleConfig
from iddpm.running.files import StorageError, write_json
from studies.store.ownership import LEASE_SECONDS, Claim, Observer, here, new_claim, process_start
from studies.store.store import BLOCKS, Beat, ClaimLostError, Failure, Store, StoreError
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.records import edit

TASK = tiny.training()
ADDRESS = TASK.address


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.create(TASK)
    return store


def claimed(store: Store) -> Claim:
    claim = store.claim(ADDRESS)
    assert claim is not None
    return claim


def leave_claim(store: Store, **changes: Any) -> Claim:
    """A claim on the task as another worker would have left it."""
    claim = replace(new_claim(ADDRESS, attempt=1), **changes)
    write_json(store.folder(ADDRESS) / "claim.json", asdict(claim))
    return claim


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# ------------------------------------------------------------------------------ what it refuses


def test_looking_at_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert Store(tmp_path / "new").studies() == []
    assert not (tmp_path / "new").exists()


def test_a_store_of_a_newer_version_is_refused(store: Store) -> None:
    write_json(store.root / "store.json", {"format": 2})
    with pytest.raises(StoreError, match="expected a format up to 1, found 2; a newer version"):
        Store(store.root)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match="expected a store or an empty folder, found other files"):
        Store(tmp_path)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(StoreError, match="expected a store or an empty folder"):
        Store(tmp_path / "store")


def test_a_store_whose_making_was_cut_short_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / ".store.json.x1y2").touch()
    Store(tmp_path).create(TASK)
    assert Store(tmp_path).task(ADDRESS) == TASK


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space and run the same command again"),
        (errno.EROFS, "the disk is read-only; choose another folder"),
        (errno.EACCES, "this user may not write there; choose another folder"),
    ],
)
@pytest.mark.parametrize("call", ["mkdir", "fsync", "link", "replace"])
def test_a_disk_that_refuses_is_named_in_one_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    def write() -> None:
        store.claim(ADDRESS)
        store.create(tiny.training(seed=9))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError, match=words) as error:
        write()
    assert str(error.value).startswith(str(store.root))
    assert "\n" not in str(error.value)


def test_a_full_disk_leaves_neither_claim_nor_half_a_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StorageError):
            store.claim(ADDRESS)
    assert sorted(p.name for p in store.folder(ADDRESS).iterdir()) == ["lock", "task.json"]
    assert claimed(store).attempt == 1


def test_a_result_cut_short_is_named_with_its_remedy(store: Store) -> None:
    path = store.folder(ADDRESS) / "result.json"
    path.write_text('{"steps": 1')
    with pytest.raises(StoreError, match=r"result\.json: .*cut short.*; delete it and run"):
        store.result(ADDRESS)


def test_a_task_that_is_not_what_its_address_says_is_named(store: Store) -> None:
    path = store.folder(ADDRESS) / "task.json"
    record = json.loads(path.read_text())
    edit(path, config={**record["config"], "seed": 5})
    with pytest.raises(StoreError, match=r"task\.json: task: expected the address"):
        store.task(ADDRESS)


def test_a_task_in_the_folder_of_another_is_named(store: Store) -> None:
    other = tiny.training(seed=1)
    os.rename(store.folder(ADDRESS), store.folder(other.address))
    with pytest.raises(StoreError, match=f"expected the task of this folder, found {ADDRESS}"):
        store.task(other.address)


def test_a_task_that_is_not_there_is_named(store: Store) -> None:
    for ask in (store.task, store.claim):
        with pytest.raises(StoreError, match="no task train-0; run its sweep again"):
            ask("train-0")


def test_a_claim_that_is_none_is_named(store: Store) -> None:
    (store.folder(ADDRESS) / "claim.json").write_text("{}")
    with pytest.raises(StoreError, match=r"claim\.json: expected a claim.*delete it"):
        store.state(ADDRESS)


# ------------------------------------------------------------------------------------- studies


def test_a_study_is_read_as_it_was_recorded(store: Store) -> None:
    store.record_study("b-digits", {"question": "Σ?"})
    store.record_study("a-digits", {"question": "T?"})
    assert store.studies() == ["a-digits", "b-digits"]
    assert store.study("b-digits") == {"question": "Σ?"}


def test_a_study_that_is_not_there_is_named_with_the_nearest(store: Store) -> None:
    with pytest.raises(StoreError, match="no study 'sigma'; it holds no study yet"):
        store.study("sigma")
    store.record_study("sigma-digits", {})
    with pytest.raises(StoreError, match="no study 'sigm-digits'; did you mean 'sigma-digits'"):
        store.study("sigm-digits")
    with pytest.raises(StoreError, match="no study 'x'; there are: sigma-digits"):
        store.study("x")


@pytest.mark.parametrize(
    ("ours", "theirs"), [(("a-b", "c"), ("a", "b-c")), (("a", "b-c"), ("A", "b-c"))]
)
def test_the_record_of_another_study_of_the_same_file_is_not_replaced(
    store: Store, ours: tuple[str, str], theirs: tuple[str, str]
) -> None:
    """On a disk that takes A for a, the file of one is read as that of the other."""
    mine, other = (dict(zip(("study", "preset"), names, strict=True)) for names in (ours, theirs))
    store.record_study("a-b-c", other)
    with pytest.raises(StoreError) as caught:
        store.record_study("a-b-c", mine)
    assert str(caught.value) == (
        f"{store.root}/studies/a-b-c.json: expected the record of {ours[0]!r} under the preset "
        f"{ours[1]!r}, found that of {theirs[0]!r} under {theirs[1]!r}, whose file has the same "
        "name; rename one of them, or name another folder with --store"
    )
    assert store.study("a-b-c") == other
    store.record_study("a-b-c", {**other, "question": "New?"})
    assert store.study("a-b-c")["question"] == "New?"


def test_a_record_that_says_the_same_is_not_written_again(store: Store) -> None:
    store.record_study("a-b", {"seeds": (0, 1)})
    before = (store.root / "studies" / "a-b.json").stat().st_ino
    store.record_study("a-b", {"seeds": [0, 1]})
    assert (store.root / "studies" / "a-b.json").stat().st_ino == before


# ------------------------------------------------------------------------- the life of a task


def test_a_task_is_planned_then_running_then_done(store: Store) -> None:
    states = [store.state(ADDRESS)]
    claim = claimed(store)
    states.append(store.state(ADDRESS))
    store.publish(claim, {"steps": 1}, {"host": "here"})
    assert [*states, store.state(ADDRESS)] == ["planned", "running", "done"]
    assert store.result(ADDRESS) == {"steps": 1}
    assert store.provenance(ADDRESS) == {"host": "here"}


def test_what_was_never_written_is_planned(store: Store) -> None:
    assert store.state("train-0123456789abcdef") == "planned"
    assert store.result("train-0123456789abcdef") is None


def test_publishing_clears_the_claim_and_the_finished_parts(store: Store) -> None:
    claim = claimed(store)
    store.beat(claim, Beat(done=1, total=2, unit="steps"), 0.0)
    (store.folder(ADDRESS) / BLOCKS).mkdir()
    store.publish(claim, {}, {})
    left = {path.name for path in store.folder(ADDRESS).iterdir()}
    assert left == {"task.json", "result.json", "provenance.json", "attempts", "lock"}


def test_a_result_with_a_number_that_is_not_finite_is_not_published(store: Store) -> None:
    claim = claimed(store)
    with pytest.raises(ValueError, match="JSON compliant"):
        store.publish(claim, {"frechet_distance": float("nan")}, {})
    assert store.state(ADDRESS) == "running"


def test_a_failure_stays_until_it_is_cleared_and_its_record_longer(store: Store) -> None:
    failure = Failure(error="diverged", message="loss", traceback="at step 3", log=("a", "b"))
    store.fail(claimed(store), failure)
    assert (store.state(ADDRESS), store.failure(ADDRESS)) == ("failed", failure)
    assert store.claim(ADDRESS) is None
    store.clear_failure(ADDRESS)
    assert (store.state(ADDRESS), store.failure(ADDRESS)) == ("planned", None)
    assert claimed(store).attempt == 2
    assert store.attempt_failure(ADDRESS, 1) == failure


def test_giving_up_a_claim_plans_the_task_again_with_its_partial_work(store: Store) -> None:
    claim = claimed(store)
    (store.folder(ADDRESS) / "state.pt").touch()
    store.release(claim)
    assert store.state(ADDRESS) == "planned"
    assert (store.folder(ADDRESS) / "state.pt").exists()


def test_data_that_moved_is_found_again_until_the_task_is_done(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def at(path: str) -> Task:
        config = replace(tiny.TRAINING, data=Npz(path=path))
        return Task(kind="train", config=config, digests=(("data", "0" * 64),))

    def path_of(address: str) -> str:
        config = store.task(address).config
        assert isinstance(config, TrainConfig)
        assert isinstance(config.data, Npz)
        return config.data.path

    store.create(at("old.npz"))
    store.create(at("new.npz"))
    address = at("new.npz").address
    assert path_of(address) == "new.npz"
    claim = store.claim(address)
    assert claim is not None
    store.publish(claim, {}, {})
    store.create(at("newest.npz"))
    assert path_of(address) == "new.npz"


def test_a_task_is_read_as_it_was_written(store: Store) -> None:
    task = tiny.sampling(TASK)
    store.create(task)
    read = store.task(task.address)
    assert read == task
    assert isinstance(read.config, SampleConfig)


# ----------------------------------------------------------------------------- whose a task is


def test_a_claimed_task_is_not_claimed_again(store: Store) -> None:
    claimed(store)
    assert store.claim(ADDRESS) is None
    assert not store.bury(ADDRESS)


def test_a_done_task_is_not_claimed(store: Store) -> None:
    store.publish(claimed(store), {}, {})
    assert store.claim(ADDRESS) is None


def test_the_claim_of_another_live_process_is_left_alone(store: Store) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        start = process_start(process.pid)
        claim = leave_claim(store, pid=process.pid, process_start=start)
        assert store.claim(ADDRESS) is None
        assert store.claim_of(ADDRESS) == claim
        process.kill()


def test_a_killed_process_is_dead_before_its_parent_has_asked_for_it(store: Store) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        leave_claim(store, pid=process.pid, process_start=process_start(process.pid))
        assert store.state(ADDRESS) == "running"
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert store.state(ADDRESS) == "planned"


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": ended_process()},
        {"process_start": "1"},
        {"place": replace(here(), boot="before the power cut")},
    ],
    ids=["process ended", "number used again", "machine started again"],
)
def test_a_dead_claim_is_taken_over_and_its_attempt_recorded_as_lost(
    store: Store, changes: dict[str, Any]
) -> None:
    leave_claim(store, **changes)
    (store.folder(ADDRESS) / ".state.pt.half").touch()
    assert store.state(ADDRESS) == "planned"
    claim = claimed(store)
    assert claim.attempt == 2
    assert store.claim_of(ADDRESS) == claim
    lost = store.attempt_failure(ADDRESS, 1)
    assert lost is not None
    assert (lost.error, lost.final) == ("lost", False)
    assert not (store.folder(ADDRESS) / ".state.pt.half").exists()


def test_the_log_of_a_lost_attempt_is_kept(store: Store) -> None:
    claim = leave_claim(store, pid=ended_process())
    store.attempt_folder(claim).mkdir(parents=True)
    (store.attempt_folder(claim) / "log.txt").write_text("step 1\nstep 2\n")
    assert store.bury(ADDRESS, log=("Killed",))
    lost = store.attempt_failure(ADDRESS, 1)
    assert lost is not None
    assert lost.log == ("step 1", "step 2", "Killed")


def test_a_process_that_was_killed_leaves_behind_how_much_memory_it_held(store: Store) -> None:
    claim = claimed(store)
    store.beat(claim, Beat(done=1, total=2, unit="steps", held_mb=12_800), time=1.0)
    told = store.progress(ADDRESS)
    assert told is not None
    assert told.held_mb == 12_800
    assert store.bury(ADDRESS, dead=claim)
    lost = store.attempt_failure(ADDRESS, 1)
    assert lost is not None
    assert lost.message.endswith("ended without a word; it was seen to hold 12,800 MiB")


def test_a_heartbeat_of_an_older_version_tells_of_no_memory(store: Store) -> None:
    claim = claimed(store)
    path = store.folder(ADDRESS) / "heartbeat.json"
    write_json(path, {"time": 1.0, "done": 1, "total": 2, "unit": "steps", "begun": 0})
    told = store.progress(ADDRESS)
    assert told is not None
    assert (told.done, told.held_mb) == (1, 0)
    assert store.bury(ADDRESS, dead=claim)
    lost = store.attempt_failure(ADDRESS, 1)
    assert lost is not None
    assert lost.message.endswith("ended without a word")


def test_a_worker_killed_just_after_it_published_lost_nothing(store: Store) -> None:
    claim = claimed(store)
    store.publish(claim, {"steps": 1}, {})
    leave_claim(store, pid=ended_process())
    (store.folder(ADDRESS) / "blocks").mkdir()
    store.create(TASK)
    assert (store.state(ADDRESS), store.attempt_failure(ADDRESS, 1)) == ("done", None)
    left = {path.name for path in store.folder(ADDRESS).iterdir()}
    assert left.isdisjoint({"claim.json", "blocks"})


@pytest.mark.parametrize("elsewhere", ["host", "namespace"])
def test_a_process_that_cannot_be_seen_is_dead_when_its_heart_stood_still_for_the_lease(
    tmp_path: Path, elsewhere: str
) -> None:
    now = 0.0
    store = Store(tmp_path, observer=Observer(clock=lambda: now))
    store.create(TASK)
    claim = leave_claim(store, pid=1, place=replace(here(), **{elsewhere: "another"}))
    states = []
    for beat, now in [(0, 0), (0, 100), (1, 110), (1, 220), (1, 231)]:  # noqa: B007 (the clock)
        store.beat(claim, Beat(done=0, total=9, unit="steps"), beat)
        states.append(store.state(ADDRESS))
    assert LEASE_SECONDS == 120
    assert states == [*["running"] * 4, "planned"]


def test_who_was_taken_over_publishes_nothing(store: Store) -> None:
    claim = claimed(store)
    leave_claim(store, token="another")
    with pytest.raises(ClaimLostError, match=f"{ADDRESS}: taken over by another worker"):
        store.publish(claim, {"steps": 1}, {})
    with pytest.raises(ClaimLostError):
        store.fail(claim, Failure(error="exception", message="x"))
    store.release(claim)
    assert store.result(ADDRESS) is None
    current = store.claim_of(ADDRESS)
    assert current is not None
    assert current.token == "another"


RACE = """
import sys
from pathlib import Path
from studies.store.store import Store
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(store.claim(sys.argv[2]) is not None, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("dead", [False, True], ids=["free", "dead claim"])
def test_of_many_processes_that_claim_at_once_one_wins(store: Store, dead: bool) -> None:
    if dead:
        leave_claim(store, pid=ended_process())
    command = [sys.executable, "-c", RACE, str(store.root), ADDRESS]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    pipes = [(r.stdin, r.stdout) for r in racers if r.stdin and r.stdout]
    assert [answers.readline() for _, answers in pipes] == ["ready\n"] * 4
    for asked, _ in pipes:
        asked.write("go\n")
        asked.flush()
    won = [answers.readline() for _, answers in pipes]
    for racer in racers:
        racer.communicate("end\n")
    assert sorted(won) == ["False\n"] * 3 + ["True\n"]


def test_whoever_decides_whose_a_task_is_waits_for_another_who_does(store: Store) -> None:
    command = [sys.executable, "-c", RACE, str(store.root), ADDRESS]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other,
        (store.folder(ADDRESS) / "lock").open("a") as lock,
    ):
        assert other.stdin is not None
        assert other.stdout is not None
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        assert select.select([other.stdout], [], [], 0.3)[0] == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert other.communicate("end\n")[0] == "True\n"


def test_progress_is_the_last_heartbeats(store: Store) -> None:
    assert store.progress(ADDRESS) is None
    claim = claimed(store)
    store.beat(claim, Beat(done=1, total=2, unit="steps"), 0.0)
    store.beat(claim, Beat(done=2, total=2, unit="steps"), 1.0)
    assert store.progress(ADDRESS) == Beat(done=2, total=2, unit="steps")
    store.release(claim)
    assert store.progress(ADDRESS) is None
