"""Where tasks stand, in the words that a person reads."""

import os
import time
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from iddpm.running.files import write_json
from studies import status
from studies.execute import standing
from studies.execute.slurm.queue import NEVER
from studies.execute.standing import Standing, standings
from studies.store.ownership import here
from studies.store.store import Beat, Failure, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.calls import calls
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.standing_tasks import BOUND, BROKEN, TRAINING, claimed, queued
from tests.witness.stores import fail

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AGAIN = "the same run command submits it again, a few times"


def stands(store: Store, task: Task = TRAINING) -> Standing:
    """Where a task stands among the two."""
    store.create(TRAINING)
    store.create(BOUND)
    found, note = standings(store, [TRAINING.address, BOUND.address])
    assert note == ""
    return found[task.address]


def it_is(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever asks where tasks stand be told this time."""
    clock = SimpleNamespace(time=now.timestamp, sleep=time.sleep)
    monkeypatch.setattr(standing, "time", clock)


# --------------------------------------------------------------------------- without a scheduler


def test_a_task_that_nobody_has_begun_is_planned(store: Store) -> None:
    assert stands(store) == Standing("planned")


def test_a_study_whose_tasks_are_not_written_yet_is_planned(store: Store) -> None:
    store.record_study("mine", {"tasks": [TRAINING.address, BOUND.address]})
    store.create(TRAINING)
    found, _ = standings(store, [TRAINING.address, BOUND.address])
    assert found == dict.fromkeys((TRAINING.address, BOUND.address), Standing("planned"))


def test_a_failure_that_is_cleared_meanwhile_is_planned_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(store, TRAINING, BROKEN)
    state = store.state

    def state_then_retry(address: str) -> str:
        found = state(address)
        store.clear_failure(address)
        return found

    monkeypatch.setattr(store, "state", state_then_retry)
    assert stands(store) == Standing("planned")


def test_a_done_task_tells_how_long_it_took(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.publish(claimed(store, monkeypatch), {}, {"seconds": 12.6})
    assert stands(store) == Standing("done", "in 13 s")


def test_a_failed_task_tells_its_class_message_and_log(store: Store) -> None:
    fail(store, TRAINING, BROKEN)
    assert stands(store) == Standing("failed", "oom: MemoryError: no more", ("a", "b", "c", "d"))


def test_what_needs_a_failed_task_waits_for_it_by_name(store: Store) -> None:
    fail(store, TRAINING, BROKEN)
    waiting = Standing("waiting", f"for {TRAINING.address}, which failed")
    assert stands(store, BOUND) == waiting


def test_a_stopped_task_tells_why(store: Store) -> None:
    fail(store, TRAINING, Failure(error="timeout", message="after 7 of 10 steps", final=False))
    assert stands(store) == Standing("planned", "stopped (timeout): after 7 of 10 steps")


def test_a_running_task_tells_where_how_far_and_how_fast(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(store, monkeypatch)
    place = f"on {here().host}, process {claim.pid}"
    assert stands(store) == Standing("running", place)
    store.beat(claim, Beat(done=0, total=10, unit="steps"), 0.0)
    assert stands(store) == Standing("running", place)
    early = replace(claim, claimed_at=NOON.isoformat())
    write_json(store.folder(TRAINING.address) / "claim.json", asdict(early))
    store.beat(early, Beat(done=5, total=10, unit="steps"), 1.0)
    it_is(NOON + timedelta(seconds=2), monkeypatch)
    told = f"{place}, 5 of 10 steps, 2.5 steps/s, about 2 s left"
    assert stands(store) == Standing("running", told)


def test_the_pace_of_a_resumed_task_is_that_of_this_attempt(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(store, monkeypatch)
    early = replace(claim, claimed_at=NOON.isoformat())
    it_is(NOON + timedelta(seconds=100), monkeypatch)
    write_json(store.folder(TRAINING.address) / "claim.json", asdict(early))
    store.beat(early, Beat(done=800, total=900, unit="steps", begun=700), 0.0)
    assert "800 of 900 steps, 1 steps/s, about 100 s left" in stands(store).detail


# ------------------------------------------------------------------------------ with a scheduler


def test_a_task_in_the_queue_tells_its_job_and_why_it_waits(store: Store, slurm: FakeSlurm) -> None:
    queued(store, slurm, TRAINING, reason="Priority")
    assert stands(store) == Standing("queued", "as job 100_0 (Priority)")


def test_a_task_whose_job_runs_and_has_not_come_to_it_is_queued(
    store: Store, slurm: FakeSlurm
) -> None:
    queued(store, slurm, TRAINING, state="RUNNING", node="n7")
    assert stands(store) == Standing("queued", "its job 100_0 is running on n7")


def test_a_task_that_a_job_is_at_tells_node_and_job(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING, state="RUNNING", node="n7", number="123")
    claimed(store, monkeypatch, "123")
    assert stands(store) == Standing("running", "on n7, job 100_0")


@pytest.mark.parametrize("job", [None, "99"])
def test_a_queued_task_that_another_run_is_at_tells_that_ones_place(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, job: str | None
) -> None:
    queued(store, slurm, TRAINING)
    claim = claimed(store, monkeypatch, job)
    assert stands(store) == Standing("running", f"on {here().host}, process {claim.pid}")


def test_a_task_whose_job_is_gone_is_lost(store: Store, slurm: FakeSlurm) -> None:
    queued(store, slurm, TRAINING)
    slurm.end("array", 0)
    assert stands(store) == Standing("lost", f"its job left the queue without a word; {AGAIN}")


def test_a_task_whose_job_can_never_run_is_lost(store: Store, slurm: FakeSlurm) -> None:
    queued(store, slurm, TRAINING, reason=NEVER)
    assert stands(store).state == "lost"


def test_a_task_whose_job_went_while_at_it_is_lost(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING)
    claimed(store, monkeypatch, "100")
    slurm.end("array", 0)
    assert stands(store) == Standing("lost", f"its job left the queue without a word; {AGAIN}")


def test_a_task_whose_job_the_queue_hides_runs_as_long_as_its_heart_beats(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING)
    claim = claimed(store, monkeypatch, "100")
    slurm.end("array", 0)
    it_is(NOON, monkeypatch)
    for seconds, state in ((59, "running"), (61, "lost")):
        beat_at = (NOON - timedelta(seconds=seconds)).timestamp()
        store.beat(claim, Beat(done=0, total=10, unit="steps"), beat_at)
        assert stands(store).state == state


def test_a_task_whose_cancelled_job_saved_says_so(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING)
    claim = claimed(store, monkeypatch, "100")
    saved = Failure(error="cancelled", message="training saved at step 5", saved=5, final=False)
    store.fail(claim, saved)
    slurm.end("array", 0)
    assert stands(store) == Standing("stopped", f"cancelled: training saved at step 5; {AGAIN}")


def test_what_waited_for_a_task_whose_job_is_gone_says_which(
    store: Store, slurm: FakeSlurm
) -> None:
    queued(store, slurm, TRAINING, BOUND)
    slurm.end("array", 0)
    slurm.set("array", 1, reason=NEVER)
    waits = f"its job cannot run: {TRAINING.address} has no result; {AGAIN}"
    assert stands(store, BOUND) == Standing("lost", waits)


def test_a_task_that_its_job_had_not_come_to_says_so(store: Store, slurm: FakeSlurm) -> None:
    other = tiny.training(seed=1)
    queued(store, slurm, TRAINING)
    store.create(other)
    store.submissions.record("array", {0: [other.address, TRAINING.address]})
    slurm.end("array", 0)
    assert stands(store) == Standing("lost", f"its job ended before it came to it; {AGAIN}")


@pytest.mark.parametrize("begun", [True, False])
def test_a_task_whose_job_was_killed_for_memory_has_failed_by_what_the_scheduler_wrote(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    queued(store, slurm, TRAINING)
    if begun:
        claimed(store, monkeypatch, "100")
    slurm.end("array", 0)
    words = "slurmstepd: error: Detected 1 oom-kill event(s) in step 100.0"
    (store.submissions.folder("array") / "7_0_0_log.out").write_text(f"begins\n{words}\n")
    told = stands(store)
    assert (told.state, told.log) == ("failed", ("begins", words))
    assert told.detail.startswith("oom: its job was killed for want of memory; give it more")


def test_a_task_of_several_processes_tells_of_memory_before_it_tells_of_a_lost_process(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING)
    lost = Failure(error="lost", message="another rank ended", final=False)
    store.fail(claimed(store, monkeypatch, "100"), lost)
    slurm.end("array", 0)
    words = "slurmstepd: error: Detected 1 oom-kill event(s) in step 100.0"
    (store.submissions.folder("array") / "7_0_1_log.out").write_text(words)
    assert stands(store).detail.startswith("oom: its job was killed for want of memory")


def test_a_scheduler_that_does_not_say_what_it_hides_is_no_end_of_the_table(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    queued(store, slurm, TRAINING)
    monkeypatch.delenv("LOGNAME")
    slurm.end("array", 0)
    slurm.refuse("scontrol", "Socket timed out")
    assert stands(store).detail == "in array array; scontrol: Socket timed out"


def test_the_last_words_of_a_job_that_failed_before_its_task_are_shown(
    store: Store, slurm: FakeSlurm
) -> None:
    queued(store, slurm, TRAINING)
    slurm.end("array", 0)
    (store.submissions.folder("array") / "7_0_0_log.out").write_text("python: Permission denied\n")
    assert stands(store).log == ("python: Permission denied",)


def test_a_job_that_asks_for_more_than_there_is_says_what_to_do(
    store: Store, slurm: FakeSlurm
) -> None:
    queued(store, slurm, TRAINING, reason="PartitionConfig")
    detail = stands(store).detail
    assert detail.endswith(
        "(PartitionConfig); cannot start as asked; the same run command with another --resource "
        "replaces it"
    )


def test_a_queued_task_that_needs_a_failed_one_waits(store: Store, slurm: FakeSlurm) -> None:
    fail(store, TRAINING, BROKEN)
    queued(store, slurm, BOUND)
    assert stands(store, BOUND).state == "waiting"


def test_the_scheduler_is_asked_once_for_everything_and_for_nothing_not_at_all(
    store: Store, slurm: FakeSlurm
) -> None:
    tasks = [tiny.training(seed=seed) for seed in range(4)]
    stands(store)
    assert slurm.calls("squeue") == []
    queued(store, slurm, *tasks)
    store.submissions.record("second", {0: [TRAINING.address]})
    standings(store, [task.address for task in [*tasks, TRAINING]])
    assert len(slurm.calls("squeue")) == 1


@pytest.mark.slow
def test_the_status_of_ten_thousand_tasks_takes_one_question_and_no_more_work_a_task(
    store: Store,
    slurm: FakeSlurm,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # it takes most of what comes first
    trainings = [tiny.training(seed=seed) for seed in range(1000)]
    addresses = [training.address for training in trainings]
    tasks = [*trainings, *(tiny.likelihood(t, seed=s) for t in trainings for s in range(9))]
    for start in range(0, len(tasks), 1000):
        array, part = f"array-{start}", tasks[start : start + 1000]
        for task in part:
            store.create(task)
        store.submissions.record(array, {i: [task.address] for i, task in enumerate(part)})
        script = slurm.folder / "script"
        script.write_text(f"#SBATCH --array=0-999\n#SBATCH --job-name={array}\n")
        slurm.submit(script)
    store.record_study("mine", {"tasks": [task.address for task in tasks]})

    def shown() -> str:
        assert status.main(["mine", "--store", str(store.root)]) == 0
        return capsys.readouterr().out

    few = calls(lambda: standings(store, addresses[:200]))
    assert calls(lambda: standings(store, addresses[:800])) < 4.4 * few
    asked = len(slurm.calls("squeue"))
    assert shown().count("  queued  as job ") == 10_000
    assert len(slurm.calls("squeue")) == asked + 1
    fail(store, trainings[0], BROKEN)
    lines = Counter(line.split()[1] for line in shown().splitlines() if line[0] != " ")
    assert lines == {"queued": 9_990, "waiting": 9, "failed": 1}


def test_without_an_answer_tasks_are_as_the_store_has_them_and_the_scheduler_is_quoted(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING, BOUND)
    claim = claimed(store, monkeypatch, "100")
    slurm.refuse("squeue", "squeue: error: no controller\n  try later\n")
    found, note = standings(store, [TRAINING.address, BOUND.address])
    assert note == "the queue is not known: squeue: squeue: error: no controller; try later"
    assert found == {
        TRAINING.address: Standing("running", f"on {here().host}, process {claim.pid}"),
        BOUND.address: Standing("submitted", "in array array"),
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("claim.json", "[]", "claim.json: expected a claim, found something else"),
        ("attempts/1/error.json", '{"a": 1}', "error.json: expected how an attempt ended, found"),
        ("attempts/1/error.json", '{"log": []}', "error.json: expected how an attempt ended"),
        ("submission.json", "{", "submission.json: expected whole JSON, found a file cut short"),
    ],
)
def test_a_task_that_cannot_be_read_is_told_and_so_are_the_others(
    store: Store, name: str, text: str, words: str
) -> None:
    stands(store)
    path = store.folder(TRAINING.address) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found, _ = standings(store, [TRAINING.address, BOUND.address])
    assert found[TRAINING.address].state == "unreadable"
    assert words in found[TRAINING.address].detail
    assert found[BOUND.address].state == "planned"
