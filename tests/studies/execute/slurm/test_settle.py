"""What becomes of tasks whose job left the queue: who is blamed, for what, and how often."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from studies.execute.slurm import settle as settling
from studies.execute.slurm.queue import Job
from studies.execute.slurm.settle import settle
from studies.store.ownership import Claim
from studies.store.store import Beat, Failure, Store
from studies.store.submissions import Element
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm

NOW = 1_000_000.0
OOM = "step 1\nslurmstepd: error: Detected 1 oom_kill event in StepId=12.0.\n"
A, B, C = (tiny.training(seed=seed) for seed in range(3))


def submitted(store: Store, *tasks: Task, array: str = "array") -> None:
    """One job that is to do these tasks in order."""
    for task in tasks:
        store.create(task)
    store.submissions.record(array, {0: [task.address for task in tasks]})
    store.submissions.record_queued(array, "1")


def claimed(store: Store, task: Task, monkeypatch: pytest.MonkeyPatch, *, job: str = "7") -> Claim:
    """The claim of a job's process."""
    with monkeypatch.context() as patch:
        patch.setenv("STUDIES_EXECUTOR", "slurm")
        patch.setenv("SLURM_JOB_ID", job)
        claim = store.claim(task.address)
    assert claim is not None
    return claim


def done(store: Store, task: Task) -> None:
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    store.publish(claim, {}, {"seconds": 1})


def settled(store: Store, *tasks: Task, jobs: Sequence[Job] = ()) -> None:
    in_queue = {Element(array="other", index=i): job for i, job in enumerate(jobs)}
    settle(store, [task.address for task in tasks], in_queue)


def ends(store: Store, task: Task) -> list[Failure | None]:
    return [store.attempt_failure(task.address, n) for n in store.attempts(task.address)]


def last(store: Store, task: Task) -> Failure:
    end = ends(store, task)[-1]
    assert end is not None
    return end


@pytest.mark.parametrize(
    ("state", "error", "final", "words"),
    [
        ("OUT_OF_MEMORY", "oom", True, "give it more with --resource memory_gb=N and --retry oom"),
        ("TIMEOUT", "timeout", False, "give it more with --resource time_min=N"),
        ("NODE_FAIL", "lost", False, "its node failed"),
        ("BOOT_FAIL", "lost", False, "its node failed to boot"),
        ("CANCELLED by 1000", "cancelled", False, "its job was cancelled"),
        ("PREEMPTED", "cancelled", False, "its job was preempted"),
        ("FAILED", "lost", False, "its job ended without a word"),
        ("COMPLETED", "lost", False, "its job ended without a word"),
        (None, "lost", False, "its job ended without a word"),
    ],
)
def test_a_job_that_died_at_its_task_is_recorded_with_what_accounting_knows(
    slurm: FakeSlurm,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    error: str,
    final: bool,
    words: str,
) -> None:
    submitted(store, A)
    claimed(store, A, monkeypatch)
    slurm.end("array", 0, state)
    settled(store, A)
    end = last(store, A)
    assert (end.error, end.final) == (error, final)
    assert words in end.message
    assert store.claim_of(A.address) is None
    assert store.state(A.address) == ("failed" if final else "planned")


@pytest.mark.parametrize("state", [None, "RUNNING"])
def test_a_job_that_the_queue_hides_is_left_alone_while_its_heart_beats(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    submitted(store, A, B)
    claim = claimed(store, A, monkeypatch)
    slurm.end("array", 0, state)
    store.beat(claim, Beat(done=1, total=9, unit="steps"), NOW)
    monkeypatch.setattr(settling, "time", SimpleNamespace(time=lambda: NOW + 1))
    settled(store, A, B)
    assert store.claim_of(A.address) == claim
    assert [store.state(task.address) for task in (A, B)] == ["running", "submitted"]


def test_a_heart_that_beat_last_is_no_sign_of_life_where_accounting_knows_the_end(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)
    claim = claimed(store, A, monkeypatch)
    slurm.end("array", 0, "NODE_FAIL")
    store.beat(claim, Beat(done=1, total=9, unit="steps"), NOW)
    monkeypatch.setattr(settling, "time", SimpleNamespace(time=lambda: NOW + 1))
    settled(store, A)
    assert last(store, A).message == "its node failed"


@pytest.mark.parametrize(
    ("state", "attempts"),
    [("NODE_FAIL", 1), ("FAILED", 1), (None, 1), ("OUT_OF_MEMORY", 1), ("TIMEOUT", 1)]
    + [(state, 0) for state in ("CANCELLED by 0", "PREEMPTED", "COMPLETED")],
)
def test_a_job_that_never_came_to_its_task_is_a_fault_unless_somebody_ended_it(
    slurm: FakeSlurm, store: Store, state: str | None, attempts: int
) -> None:
    submitted(store, A)
    slurm.end("array", 0, state)
    settled(store, A)
    assert len(store.attempts(A.address)) == attempts
    assert store.submissions.element(A.address) is None


def test_an_accounting_that_is_down_counts_as_none(slurm: FakeSlurm, store: Store) -> None:
    submitted(store, A)
    slurm.end("array", 0, "OUT_OF_MEMORY")
    slurm.refuse("sacct", "Problem talking to the database")
    settled(store, A)
    assert last(store, A).error == "lost"


def test_accounting_is_not_asked_where_nothing_left_the_queue(
    slurm: FakeSlurm, store: Store
) -> None:
    store.create(A)
    submitted(store, B)
    done(store, B)
    settled(store, A, B)
    assert slurm.calls("sacct") == []


def test_the_last_lines_of_the_job_are_kept_with_the_attempt(
    slurm: FakeSlurm, store: Store
) -> None:
    submitted(store, A)
    log = store.submissions.folder("array") / "12_0_0_log.out"
    log.write_text("".join(f"line {i}\n" for i in range(30)))
    settled(store, A)
    assert last(store, A).log == tuple(f"line {i}" for i in range(10, 30))


@pytest.mark.parametrize("state", ["FAILED", None])
def test_a_job_whose_log_says_that_it_was_killed_for_memory_ran_out_of_it(
    slurm: FakeSlurm, store: Store, state: str | None
) -> None:
    submitted(store, A)
    log = store.submissions.folder("array") / "12_0_0_log.out"
    log.write_text(OOM)
    slurm.end("array", 0, state)
    settled(store, A)
    assert (last(store, A).error, last(store, A).final) == ("oom", True)


@pytest.mark.parametrize(("state", "log"), [("OUT_OF_MEMORY", ""), (None, OOM)])
def test_a_process_killed_for_memory_explains_what_the_first_took_for_a_loss(
    slurm: FakeSlurm,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    log: str,
) -> None:
    submitted(store, A)
    lost = Failure(error="lost", message="another rank ended", final=False)
    store.fail(claimed(store, A, monkeypatch), lost)
    (store.submissions.folder("array") / "12_0_1_log.out").write_text(log)
    slurm.end("array", 0, state)
    settled(store, A)
    assert (last(store, A).error, last(store, A).final) == ("oom", True)


@pytest.mark.parametrize("state", [None, "PENDING"])
@pytest.mark.parametrize("private", [True, False])
def test_another_users_job_that_the_cluster_hides_is_left_alone(
    slurm: FakeSlurm,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    private: bool,
) -> None:
    slurm.replace("scontrol", f"OBEY; echo 'PrivateData = {'users,jobs' if private else 'none'}'")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    submitted(store, A)
    monkeypatch.delenv("LOGNAME")
    if state:
        slurm.end("array", 0, state)
    settled(store, A)
    assert store.state(A.address) == ("submitted" if private else "planned")
    assert len(store.attempts(A.address)) == (not private)


def test_what_is_in_the_queue_is_left_alone(slurm: FakeSlurm, store: Store) -> None:
    submitted(store, A)
    element = Element(array="array", index=0)
    settle(store, [A.address], {element: job("7")})
    assert store.submissions.element(A.address) == element
    assert store.attempts(A.address) == []


def job(number: str) -> Job:
    return Job(
        id="7_0", array_id="7", number=number, state="RUNNING", reason="", node="n", user="u"
    )


# -------------------------------------------------------------------------------- how often


def test_a_task_fails_after_three_jobs_in_a_row_that_ended_alike(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for array in ("first", "second", "third"):
        assert store.state(A.address) == "planned"
        submitted(store, A, array=array)
        if array != "second":  # it makes no difference whether it came to the task
            claimed(store, A, monkeypatch)
        slurm.end(array, 0, "NODE_FAIL")
        settled(store, A)
    failure = store.failure(A.address)
    assert failure is not None
    assert failure.message == "its node failed, 3 times in a row; --retry lost tries again"


def test_a_retry_starts_the_count_anew(slurm: FakeSlurm, store: Store) -> None:
    for array in ("first", "second", "third"):
        submitted(store, A, array=array)
        settled(store, A)
    assert store.state(A.address) == "failed"
    store.clear_failure(A.address)
    for array in ("fourth", "fifth"):
        submitted(store, A, array=array)
        settled(store, A)
        assert store.state(A.address) == "planned"


@pytest.mark.parametrize("state", ["CANCELLED", "PREEMPTED"])
def test_being_cancelled_or_preempted_never_makes_a_task_fail(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    for number in range(5):
        submitted(store, A, array=f"array-{number}")
        claimed(store, A, monkeypatch)
        slurm.end(f"array-{number}", 0, state)
        settled(store, A)
    assert len(store.attempts(A.address)) == 5
    assert store.state(A.address) == "planned"


@pytest.mark.parametrize("saved", [0, 4])
def test_an_attempt_that_saved_something_interrupts_the_row(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, saved: int
) -> None:
    for attempt in range(3):
        submitted(store, A, array=f"array-{attempt}")
        claim = claimed(store, A, monkeypatch)
        slurm.end(f"array-{attempt}", 0, "TIMEOUT")
        if attempt == 1:
            stopped = Failure(error="timeout", message="out of time", saved=saved, final=False)
            store.fail(claim, stopped)
        settled(store, A)
    assert len(store.attempts(A.address)) == 3
    assert store.state(A.address) == ("planned" if saved else "failed")


# ------------------------------------------------------------------------------ who is blamed


def test_the_first_unfinished_of_a_pack_is_blamed_and_the_others_are_free(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, B, C)
    done(store, A)
    claimed(store, B, monkeypatch)
    slurm.end("array", 0, "OUT_OF_MEMORY")
    settled(store, A, B, C)
    assert [store.state(t.address) for t in (A, B, C)] == ["done", "failed", "planned"]
    assert store.attempts(C.address) == []


@pytest.mark.parametrize("asked", [(C,), (C, B, A)])
def test_the_order_of_the_pack_says_who_is_first_whatever_is_asked_for(
    slurm: FakeSlurm, store: Store, asked: tuple[Task, ...]
) -> None:
    submitted(store, A, B, C)
    done(store, A)
    slurm.end("array", 0, "OUT_OF_MEMORY")
    settled(store, *asked)
    assert [store.state(t.address) for t in (A, B, C)] == ["done", "failed", "planned"]


def test_the_job_had_behind_it_what_failed_even_if_that_is_to_be_tried_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, B, C)
    for task in (A, B):
        broken = Failure(error="exception", message="it broke")
        store.fail(claimed(store, task, monkeypatch), broken)
    store.clear_failure(A.address)
    claimed(store, C, monkeypatch)
    slurm.end("array", 0, "OUT_OF_MEMORY")
    settled(store, A, B, C)
    assert [last(store, t).error for t in (A, B, C)] == ["exception", "exception", "oom"]
    assert all(len(store.attempts(t.address)) == 1 for t in (A, B, C))


def test_the_job_had_behind_it_what_could_not_begin(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = tiny.likelihood(A), tiny.likelihood(B)
    store.create(A)
    done(store, B)
    submitted(store, *bounds)
    claimed(store, bounds[1], monkeypatch)
    slurm.end("array", 0, "OUT_OF_MEMORY")
    settled(store, *bounds)
    assert [store.state(t.address) for t in bounds] == ["planned", "failed"]


def test_what_could_not_begin_is_not_blamed(slurm: FakeSlurm, store: Store) -> None:
    store.create(A)
    submitted(store, tiny.likelihood(A))
    settled(store, tiny.likelihood(A))
    assert store.attempts(tiny.likelihood(A).address) == []


def test_a_job_that_failed_before_a_retried_task_is_blamed_on_it(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(A)
    store.fail(claimed(store, A, monkeypatch), Failure(error="exception", message="it broke"))
    store.clear_failure(A.address)
    submitted(store, A, B)
    settled(store, A, B)
    assert [end.error for end in ends(store, A) if end] == ["exception", "lost"]
    assert store.attempts(B.address) == []


def test_a_live_claim_of_another_executor_is_left_alone(slurm: FakeSlurm, store: Store) -> None:
    submitted(store, A)
    claim = store.claim(A.address)
    settled(store, A)
    assert store.claim_of(A.address) == claim
    assert ends(store, A) == [None]
    assert store.submissions.element(A.address) is None


def test_a_claim_of_a_job_that_is_in_the_queue_is_left_alone(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A)
    claim = claimed(store, A, monkeypatch, job="8")
    settled(store, A, jobs=[job("8")])
    assert store.claim_of(A.address) == claim
    settled(store, A, jobs=[replace(job("8"), number="9")])
    assert store.claim_of(A.address) == claim, "it was withdrawn: no job of these is to do it"


def test_an_attempt_that_told_how_it_ended_is_not_blamed_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, B)
    stopped = Failure(error="timeout", message="out of time", saved=3, final=False)
    store.fail(claimed(store, A, monkeypatch), stopped)
    slurm.end("array", 0, "TIMEOUT")
    settled(store, A, B)
    assert ends(store, A) == [stopped]
    assert store.attempts(B.address) == []
    assert [store.state(t.address) for t in (A, B)] == ["planned", "planned"]


def test_a_submission_that_sbatch_never_saw_is_nobodys_fault(store: Store) -> None:
    task = tiny.training()
    store.create(task)
    store.submissions.record("array", {0: [task.address]})
    settled(store, task)
    assert (store.state(task.address), ends(store, task)) == ("planned", [])


def test_a_job_whose_script_printed_nothing_is_blamed_on_its_node(
    slurm: FakeSlurm, store: Store
) -> None:
    submitted(store, A)
    slurm.end("array", 0, "FAILED", node="node7")
    settled(store, A)
    assert [path.name for path in store.root.glob("nodes/node7/*")] == ["lost.array.0"]


@pytest.mark.parametrize("state", ["CANCELLED by 0", "FAILED"])
def test_a_node_is_not_blamed_by_accounting_where_a_script_spoke_or_a_person_ended_it(
    slurm: FakeSlurm, store: Store, state: str
) -> None:
    submitted(store, A)
    if state == "FAILED":
        (store.submissions.folder("array") / "7_0_0_log.out").write_text("up\n")
    slurm.end("array", 0, state)
    settled(store, A)
    assert not (store.root / "nodes").exists()


def test_all_that_a_job_was_at_side_by_side_is_recorded(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(store, A, B, C)
    claimed(store, A, monkeypatch)
    claimed(store, B, monkeypatch)
    slurm.end("array", 0, "NODE_FAIL")
    settled(store, A, B, C)
    assert [last(store, task).message for task in (A, B)] == ["its node failed"] * 2
    assert ends(store, C) == []
