"""What a job decides: which of its tasks it does, which it leaves alone, and how it ends."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from iddpm.running import saves
from iddpm.running.interruption import Interrupted
from studies import execute as executors
from studies.execute import worker
from studies.execute.signals import StopFlag
from studies.execute.slurm import job
from studies.store.store import Failure, Store, StoreError
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm

A, B = (tiny.training(seed=seed, steps=10) for seed in range(2))
BOUND = tiny.likelihood(A)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store; the test's process is element 0 of job 7."""
    monkeypatch.setenv("STUDIES_EXECUTOR", "slurm")
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setattr(job, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(job, "LATE_FILES_SECONDS", 0.1)
    return Store(tmp_path / "store")


def submitted(store: Store, *tasks: Task, array: str = "array") -> None:
    """One element that is to do these tasks in order."""
    for task in tasks:
        store.create(task)
    store.submissions.record(array, {0: [task.address for task in tasks]})


def ran(store: Store) -> int:
    return job.main(str(store.root), "array")


def publish(store: Store, task: Task) -> None:
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    store.publish(claim, {}, {"seconds": 1.0, "attempt": claim.attempt})


def fail(store: Store, task: Task) -> None:
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    store.fail(claim, Failure(error="exception", message="it broke"))


def states(store: Store, *tasks: Task) -> list[str]:
    return [store.state(task.address) for task in tasks]


# -------------------------------------------------------------------------- what is done


def test_an_element_does_its_tasks_in_their_order(store: Store) -> None:
    submitted(store, A, BOUND)
    assert ran(store) == 0
    assert states(store, A, BOUND) == ["done", "done"]
    made = store.provenance(A.address)
    assert made is not None
    assert (made["executor"], made["job"]) == ("slurm", "7")


def test_an_element_does_its_own_tasks_and_no_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(A)
    store.create(B)
    store.submissions.record("array", {0: [A.address], 3: [B.address]})
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert ran(store) == 0
    assert states(store, A, B) == ["submitted", "done"]


def test_what_was_submitted_anew_is_left_to_the_new_job(store: Store) -> None:
    submitted(store, A, B)
    submitted(store, A, array="anew")
    assert ran(store) == 0
    assert states(store, A, B) == ["submitted", "done"]
    assert store.attempts(A.address) == []


def test_what_is_no_longer_submitted_is_not_done(store: Store) -> None:
    submitted(store, A)
    store.submissions.withdraw(A.address)
    assert ran(store) == 1
    assert store.attempts(A.address) == []


def test_what_another_run_has_done_is_left_alone(store: Store) -> None:
    submitted(store, A)
    publish(store, A)
    assert ran(store) == 0
    assert store.attempts(A.address) == [1]


def test_what_a_local_run_on_the_same_store_has_done_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, BOUND)
    with monkeypatch.context() as patch:
        for name in ("STUDIES_EXECUTOR", "SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID"):
            patch.delenv(name)
        executors.execute(store, [A, BOUND], name="inline", workers=1, watch=lambda event: None)
    assert states(store, A, BOUND) == ["done", "done"]
    assert ran(store) == 0
    assert [store.attempts(task.address) for task in (A, BOUND)] == [[1], [1]]


def test_what_has_failed_is_not_tried_again_and_the_next_is_done(store: Store) -> None:
    submitted(store, A, B)
    fail(store, A)
    assert ran(store) == 0
    assert states(store, A, B) == ["failed", "done"]
    assert store.attempts(A.address) == [1]


def test_a_task_that_another_process_is_at_is_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("SLURM_JOB_ID", "another")
        claim = store.claim(A.address)
    assert claim is not None
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert len(waits) < 4, "it waits on"
        if len(waits) == 3:
            store.publish(claim, {}, {"seconds": 1.0, "attempt": 1})

    monkeypatch.setattr(time, "sleep", sleep)
    assert ran(store) == 0
    assert waits == [job.POLL_SECONDS] * 3
    assert store.attempts(A.address) == [1]


# ----------------------------------------------------------------------- what is missing


def test_a_task_whose_parent_is_not_done_is_not_begun(store: Store) -> None:
    store.create(A)
    submitted(store, BOUND, B)
    assert ran(store) == 0
    assert states(store, BOUND, B) == ["submitted", "done"]
    assert store.attempts(BOUND.address) == []


def test_a_failed_parent_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits"))
    fail(store, A)
    submitted(store, BOUND)
    assert ran(store) == 1
    assert store.attempts(BOUND.address) == []


def test_a_parents_result_that_shows_late_is_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, BOUND)
    worker.run_task(str(store.root), A.address)
    result = store.folder(A.address) / "result.json"
    late = result.rename(result.with_name(".late"))
    store.submissions.record("array", {0: [BOUND.address]})
    monkeypatch.setattr(job, "LATE_FILES_SECONDS", 60.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: late.exists() and late.rename(result))
    assert ran(store) == 0
    assert states(store, A, BOUND) == ["done", "done"]


# ----------------------------------------------------------------------- how a job ends


def test_the_status_is_0_if_any_task_has_its_result_and_1_if_none_has(store: Store) -> None:
    submitted(store, A, B)
    fail(store, A)
    fail(store, B)
    assert ran(store) == 1
    store.clear_failure(B.address)
    assert ran(store) == 0


def ended_by(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, rank: str = "0"
) -> int:
    """The status of a job that gets a signal before its first task."""
    submitted(store, A)
    monkeypatch.setenv("SLURM_PROCID", rank)
    see_to = job._see_to

    def warned(*arguments: object) -> None:
        os.kill(os.getpid(), number)
        see_to(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(job, "_see_to", warned)
    return ran(store)


def test_a_job_that_sees_its_time_run_out_saves_and_queues_itself_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)
    monkeypatch.setenv("STUDIES_JOB_END", str(int(time.time()) + 600))
    monkeypatch.setenv(worker.CHECKPOINT_EVERY, "0")
    clock = SimpleNamespace(monotonic=count(step=400).__next__, thread_time=time.thread_time)
    monkeypatch.setattr(saves, "time", clock)
    assert ran(store) == 0
    assert slurm.calls("scontrol") == [["--all", "show", "job", "7_0"], ["requeue", "7_0"]]
    end = store.attempt_failure(A.address, 1)
    assert end is not None
    assert (end.error, end.final) == ("timeout", False)
    assert end.saved in (1, 2)  # the first save ends beside the first step, or before the second


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_warned_of_its_time_a_job_saves_and_queues_itself_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    assert ended_by(store, monkeypatch, number) == 0
    assert slurm.calls("scontrol") == [["--all", "show", "job", "7_0"], ["requeue", "7_0"]]
    end = store.attempt_failure(A.address, 1)
    assert end is not None
    assert (end.error, end.final) == ("timeout", False)
    assert states(store, A) == ["submitted"]


@pytest.mark.parametrize("ends", ["done", "failed", "stopped", "gone on with elsewhere"])
def test_a_job_that_comes_to_its_end_lets_its_node_be_vouched_for(
    slurm: FakeSlurm, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    mark = tmp_path / "began"
    monkeypatch.setenv(worker.BEGAN, str(mark))
    if ends == "stopped":
        ended_by(store, monkeypatch, signal.SIGTERM)
    else:
        submitted(store, A)
        if ends == "failed":
            fail(store, A)
        if ends == "gone on with elsewhere":
            store.submissions.withdraw(A.address)
        ran(store)
    assert mark.exists()


def test_a_task_lets_its_node_be_vouched_for_with_its_first_step(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker.BEGAN, str(tmp_path / "began"))
    submitted(store, A)
    claim = store.claim(A.address)
    assert claim is not None
    heartbeat = worker.Heartbeat(store, claim)
    assert not (tmp_path / "began").exists()
    heartbeat.progress(1, 10)
    assert (tmp_path / "began").exists()


@pytest.mark.parametrize(("given", "works"), [("0", False), ("", True), ("NoDevFiles", True)])
def test_a_job_whose_gpu_does_not_work_ends_before_it_begins_anything(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, works: bool
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    monkeypatch.setenv(worker.BEGAN, str(tmp_path / "began"))
    monkeypatch.setattr(torch, "ones", broken_gpu)
    submitted(store, A)
    with nullcontext() if works else pytest.raises(RuntimeError, match="the GPU of this node does"):
        ran(store)
    assert (tmp_path / "began").exists() == works
    assert (store.attempts(A.address) == []) != works


def broken_gpu(*shape: int, device: str = "cpu") -> torch.Tensor:
    """torch.ones where CUDA does not come up."""
    if device == "cuda":
        raise RuntimeError("CUDA error: uncorrectable ECC error encountered")
    return torch.full(shape, 1.0)


def test_told_to_end_a_job_saves_and_leaves_with_a_status_that_lets_nobody_start(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended_by(store, monkeypatch, signal.SIGTERM) == os.EX_TEMPFAIL
    assert slurm.calls("scontrol") == [["--all", "show", "job", "7_0"]]
    end = store.attempt_failure(A.address, 1)
    assert end is not None
    assert (end.error, end.final) == ("cancelled", False)


def test_a_job_cancelled_while_it_saves_is_not_queued_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.replace("scontrol", "OBEY >/dev/null; echo 'JobId=7 JobState=COMPLETING Reason=None'")
    assert ended_by(store, monkeypatch, signal.SIGUSR2) == os.EX_TEMPFAIL
    assert slurm.calls("scontrol") == [["--all", "show", "job", "7_0"]]


def test_a_job_that_saves_when_its_time_is_over_is_queued_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.replace("scontrol", "OBEY >/dev/null; echo 'JobState=COMPLETING Reason=TimeLimit'")
    assert ended_by(store, monkeypatch, signal.SIGUSR2) == 0
    assert ["requeue", "7_0"] in slurm.calls("scontrol")


def test_a_stop_between_two_tasks_leaves_the_second_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, B)
    see_to = job._see_to

    def told(*arguments: object) -> None:
        see_to(*arguments)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(job, "_see_to", told)
    assert ran(store) == os.EX_TEMPFAIL
    assert states(store, A, B) == ["done", "submitted"]
    assert store.attempts(B.address) == []


def test_a_job_says_how_long_after_its_start_each_task_got_to_work(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    submitted(store, A)
    monkeypatch.setenv("STUDIES_JOB_START", str(int(time.time()) - 100))
    caplog.set_level(logging.INFO)
    assert ran(store) == 0
    (line,) = (r.getMessage() for r in caplog.records if "after its job began" in r.getMessage())
    found = re.fullmatch(rf"{A.address}: the first of its steps, (\d+) s after its job began", line)
    assert found is not None
    assert 100 <= int(found[1]) <= 120


def test_a_job_that_cannot_be_queued_again_fails_and_its_work_stays_saved(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.refuse("scontrol", "no controller")
    assert ended_by(store, monkeypatch, signal.SIGUSR2) == os.EX_TEMPFAIL
    assert states(store, A) == ["submitted"]
    assert store.claim_of(A.address) is None


def test_the_element_that_has_its_arrays_number_asks_for_itself_alone(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = "case $4 in 7) echo 'JobId=8 JobState=COMPLETED Reason=None';; esac"
    slurm.replace("scontrol", f"OBEY; {others}")
    assert ended_by(store, monkeypatch, signal.SIGUSR2) == 0
    assert slurm.calls("scontrol")[-1] == ["requeue", "7_0"]


def test_only_the_first_of_several_processes_queues_the_job_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended_by(store, monkeypatch, signal.SIGUSR2, rank="1") == 0
    assert slurm.calls("scontrol") == []


def test_only_the_first_of_several_processes_tells_how_the_job_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)
    fail(store, A)
    assert ran(store) == 1
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert ran(store) == 0


class Peers:
    """The other processes, as the first one sees them."""

    number, count = 0, 2

    def __init__(self) -> None:
        self.told: list[int] = []

    def of_first(self, value: int) -> int:
        self.told.append(value)
        return value


@pytest.mark.parametrize("between", [False, True])
def test_a_stop_while_no_task_is_under_way_lets_the_other_processes_go(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, between: bool
) -> None:
    submitted(store, A, B)
    peers, heed = Peers(), job._heed
    monkeypatch.setattr(job, "_joined", lambda job, how: nullcontext(peers))
    monkeypatch.setattr(job, "run_task", lambda root, address, ranks: publish(store, A))

    def told(stop: StopFlag) -> None:
        if bool(peers.told) == between:
            os.kill(os.getpid(), signal.SIGUSR2)
        heed(stop)

    monkeypatch.setattr(job, "_heed", told)
    assert ran(store) == 0
    assert peers.told == [0, job.NO_MORE][not between :]
    assert slurm.calls("scontrol")[-1] == ["requeue", "7_0"]


def test_a_stop_that_another_process_heard_of_first_counts_as_a_warning(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)

    def stopped(root: str, address: str, ranks: object) -> None:
        raise Interrupted("at step 3")

    monkeypatch.setattr(job, "run_task", stopped)
    assert ran(store) == 0
    assert slurm.calls("scontrol")[-1] == ["requeue", "7_0"]


def test_a_job_that_is_told_to_end_while_it_waits_leaves(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "LATE_FILES_SECONDS", 60.0)
    store.create(A)
    submitted(store, BOUND)
    waits: list[float] = []

    def told(seconds: float) -> None:
        assert not waits, "it waits on"
        waits.append(seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    clock = SimpleNamespace(sleep=told, monotonic=time.monotonic, time=time.time)
    monkeypatch.setattr(job, "time", clock)  # others, such as subprocess, sleep on
    assert ran(store) == os.EX_TEMPFAIL
    assert store.attempts(BOUND.address) == []


@pytest.mark.slow
def test_processes_of_a_job_train_together_by_the_numbers_that_the_cluster_gives_them(
    store: Store,
) -> None:
    submitted(store, tiny.training(batch_size=4, block_size=2))
    told = {"SLURM_NTASKS": "2", "STUDIES_FIRST_NODE": "localhost"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", job.__name__, str(store.root), "array"],
            env={**os.environ, **told, "SLURM_PROCID": number, "SLURM_LOCALID": number},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in ("0", "1")
    ]
    said = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    (address,) = store.addresses()
    assert store.state(address) == "done"
    assert "done" in said[0]
    assert "done" not in said[1], "the first process leads"


# ----------------------------------------------------------------------------- side by side


def ran_apart(store: Store, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> int:
    """The exit status of one of two processes that do tasks side by side."""
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_PROCID", str(number))
    monkeypatch.setenv("SLURM_LOCALID", str(number))
    return job.main(str(store.root), "array", "apart")


def sibling_at(store: Store, task: Task, *, lives: bool) -> None:
    """Another process of this job has claimed a task."""
    sleeper = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from pathlib import Path; from studies.store.store import Store; "
            "Store(Path(sys.argv[1])).claim(sys.argv[2]); print(flush=True); sys.stdin.read()",
            *(str(store.root), task.address),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert sleeper.stdout is not None
    assert sleeper.stdin is not None
    sleeper.stdout.readline()
    if lives:
        SIBLINGS.append(sleeper)
    else:
        sleeper.kill()
        sleeper.wait()


SIBLINGS: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def no_siblings_left() -> Iterator[None]:
    yield
    while SIBLINGS:
        sibling = SIBLINGS.pop()
        sibling.kill()
        sibling.wait()


def test_each_process_begins_with_a_task_of_its_own_and_goes_on_to_what_is_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, B)
    seen: list[str] = []
    monkeypatch.setattr(job, "_see_to", lambda *words: seen.append(words[1]))
    ran_apart(store, monkeypatch, number=1)
    ran_apart(store, monkeypatch, number=0)
    assert seen == [B.address, A.address, A.address, B.address]


@pytest.mark.parametrize("lives", [True, False])
def test_what_another_process_of_the_job_is_at_or_died_over_is_left_to_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, lives: bool
) -> None:
    submitted(store, A, B)
    monkeypatch.setenv("STUDIES_JOB_START", str(int(time.time()) - 1))
    sibling_at(store, A, lives=lives)
    assert ran_apart(store, monkeypatch) == 0
    assert states(store, B) == ["done"]
    assert store.attempts(A.address) == [1]
    assert (store.submissions.folder("array") / "done.0").exists()


def test_what_an_earlier_start_of_the_job_left_is_gone_on_with(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)
    sibling_at(store, A, lives=False)
    monkeypatch.setenv("STUDIES_JOB_START", str(int(time.time()) + 2))
    assert ran_apart(store, monkeypatch) == 0
    assert (states(store, A), store.attempts(A.address)) == (["done"], [1, 2])


@pytest.mark.parametrize(
    ("of_job", "lives", "again"), [("7", True, False), ("7", False, True), ("8", True, True)]
)
def test_the_last_of_them_to_leave_queues_the_job_again(
    slurm: FakeSlurm,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    of_job: str,
    lives: bool,
    again: bool,
) -> None:
    submitted(store, A, B)
    monkeypatch.setenv("STUDIES_JOB_START", str(int(time.time()) - 1))
    with monkeypatch.context() as patch:
        patch.setenv("SLURM_JOB_ID", of_job)
        sibling_at(store, A, lives=lives)

    def warned(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGUSR2)
        raise Interrupted("at step 3")

    monkeypatch.setattr(job, "_see_to", warned)
    assert ran_apart(store, monkeypatch) == 0
    assert (["requeue", "7_0"] in slurm.calls("scontrol")) == again


def test_a_damaged_store_is_no_nodes_fault(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    submitted(store, A)
    (store.folder(A.address) / "task.json").write_text("{}")
    monkeypatch.setenv(worker.BEGAN, str(tmp_path / "began"))
    with pytest.raises(StoreError, match=r"task\.json"):
        ran(store)
    assert (tmp_path / "began").exists()
