"""Where tasks stand, in the words that a person reads."""

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from iddpm.running.files import write_json
from studies import status
from studies.execute import standing
from studies.execute.slurm.queue import NEVER
from studies.execute.standing import Standing, standings
from studies.store import ownership
from studies.store.ownership import Claim, Place, here
from studies.store.store import Beat, Failure, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.calls import calls
from tests.witness.fake_slurm import FakeSlurm

TRAINING = tiny.training()
BOUND = tiny.likelihood(TRAINING)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AGAIN = "the same run command submits it again, a few times"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def stands(store: Store, task: Task = TRAINING) -> Standing:
    """Where a task stands among the two."""
    store.create(TRAINING)
    store.create(BOUND)
    found, note = standings(store, [TRAINING.address, BOUND.address])
    assert note == ""
    return found[task.address]


def queued(store: Store, slurm: FakeSlurm, *tasks: Task, **changes: str) -> None:
    """Tasks in the queue, an element each of array `array`."""
    for task in tasks:
        store.create(task)
    store.submissions.record("array", {i: [task.address] for i, task in enumerate(tasks)})
    script = slurm.folder / "script"
    script.write_text(f"#SBATCH --array=0-{len(tasks) - 1}\n#SBATCH --job-name=array\n")
    slurm.submit(script)
    for index in range(len(tasks)):
        slurm.set("array", index, **changes)


def it_is(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever asks where tasks stand be told this time."""
    clock = SimpleNamespace(time=now.timestamp, sleep=time.sleep)
    monkeypatch.setattr(standing, "time", clock)


def claimed(store: Store, monkeypatch: pytest.MonkeyPatch, job: str | None = None) -> Claim:
    """A claim of this process, as a job of this number makes it."""
    store.create(TRAINING)
    with monkeypatch.context() as patch:
        if job is not None:
            patch.setenv("STUDIES_EXECUTOR", "slurm")
            patch.setenv("SLURM_JOB_ID", job)
        claim = store.claim(TRAINING.address)
    assert claim is not None
    return claim


def fail(store: Store, failure: Failure, task: Task = TRAINING) -> None:
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    store.fail(claim, failure)


BROKEN = Failure(error="oom", message="MemoryError: no more", log=("a", "b", "c", "d"))


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
    fail(store, BROKEN)
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
    fail(store, BROKEN)
    assert stands(store) == Standing("failed", "oom: MemoryError: no more", ("a", "b", "c", "d"))


def test_what_needs_a_failed_task_waits_for_it_by_name(store: Store) -> None:
    fail(store, BROKEN)
    waiting = Standing("waiting", f"for {TRAINING.address}, which failed")
    assert stands(store, BOUND) == waiting


def test_a_stopped_task_tells_why(store: Store) -> None:
    fail(store, Failure(error="timeout", message="after 7 of 10 steps", final=False))
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
    fail(store, BROKEN)
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
    fail(store, BROKEN, trainings[0])
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


# ----------------------------------------------------------------------------------- the door


def shown(store: Store, *options: str) -> int:
    store.record_study("mine", {"tasks": [TRAINING.address, BOUND.address]})
    store.create(TRAINING)
    store.create(BOUND)
    return status.main(["--store", str(store.root), *options])


def test_status_of_a_study_shows_the_last_lines_of_what_failed(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(store, BROKEN)
    assert shown(store, "mine") == 0
    assert capsys.readouterr().out == (
        f"{TRAINING.address}  failed  oom: MemoryError: no more\n    b\n    c\n    d\n"
        f"{BOUND.address}  waiting  for {TRAINING.address}, which failed\n"
    )
    assert shown(store) == 0
    assert capsys.readouterr().out == "mine: 2 tasks: 1 failed, 1 waiting\n"


def test_a_scheduler_that_does_not_answer_is_told_below_the_tasks(
    store: Store, slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    queued(store, slurm, TRAINING)
    slurm.refuse("squeue", "down")
    assert shown(store) == 0
    assert capsys.readouterr().out == (
        "mine: 2 tasks: 1 submitted, 1 planned\nthe queue is not known: squeue: down\n"
    )


def between_looks(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> list[float]:
    """Let `status --watch` act instead of sleep; a list of how long it would have slept."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        if seconds >= 1:  # what waits for a command to end sleeps less
            slept.append(seconds)
            act(len(slept))

    monkeypatch.setattr(time, "sleep", sleep)
    return slept


def test_watch_ends_when_nothing_moves(
    store: Store,
    slurm: FakeSlurm,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    queued(store, slurm, TRAINING)
    slept = between_looks(monkeypatch, lambda look: slurm.end("array", 0) if look == 2 else None)
    assert shown(store, "--watch") == 0
    assert slept == [status.WATCH_SECONDS] * 2
    assert capsys.readouterr().out.splitlines() == [
        *["mine: 2 tasks: 1 queued, 1 planned"] * 2,
        "mine: 2 tasks: 1 lost, 1 planned",
    ]


def test_watch_on_a_terminal_draws_in_place_failed_and_running_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claimed(store, monkeypatch)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(status, "terminal_size", lambda: os.terminal_size((80, 24)))

    def interrupted(look: int) -> None:
        if look == 2:
            raise KeyboardInterrupt

    between_looks(monkeypatch, interrupted)
    assert shown(store, "mine", "--watch") == 0
    _, first, second = capsys.readouterr().out.split(status.CLEAR)
    assert first.splitlines()[0].startswith("mine: 2 tasks: 1 running, 1 planned")
    assert [line.split()[:2] for line in first.splitlines()[1:]] == [[TRAINING.address, "running"]]
    assert second.splitlines()[:2] == first.splitlines()[:2]


def test_what_does_not_fit_a_terminal_is_counted(store: Store) -> None:
    found = {f"train-{n}": Standing("running", "here") for n in range(30)}
    found |= {"train-30": Standing("failed", "diverged", log=("a", "b"))}
    found |= {"train-31": Standing("done", seconds=60.0)}
    lines = status._fitting(status._watched(store, "mine", found), os.terminal_size((80, 24)))
    assert lines[0] == "mine: 32 tasks: 30 running, 1 failed, 1 done"
    assert lines[1:4] == ["train-30  failed  diverged", "    a", "    b"]
    assert (len(lines), lines[-1]) == (22, "and 13 lines more")  # of 1, 3 and 30


def test_a_line_that_wraps_takes_the_rows_that_it_takes() -> None:
    lines = ["x" * 80, "y" * 81, "", "z" * 240]
    for rows, kept in ((9, 4), (8, 3), (7, 3), (6, 2), (5, 1)):
        fits = status._fitting(lines, os.terminal_size((80, rows)))
        more = [] if kept == 4 else [f"and {4 - kept} lines more"]
        assert fits == lines[:kept] + more
        assert sum(max(1, math.ceil(len(line) / 80)) for line in fits) <= rows - 2


def test_watch_asks_less_and_less_often_while_the_queue_does_not_answer(
    store: Store, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store, slurm, TRAINING)
    slurm.refuse("squeue", "no controller")

    def look(number: int) -> None:
        if number == 7:
            slurm.obey("squeue")
        if number == 8:
            slurm.end("array", 0)

    slept = between_looks(monkeypatch, look)
    assert shown(store, "--watch") == 0
    assert slept == [60, 120, 240, 480, 600, 600, 600, 30]


def test_watch_sees_a_worker_of_another_machine_die(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(store, monkeypatch)
    afar = replace(claim, place=Place(host="elsewhere", boot="", namespace=""))
    write_json(store.folder(TRAINING.address) / "claim.json", asdict(afar))
    monkeypatch.setattr(ownership, "LEASE_SECONDS", 0.0)

    def look(number: int) -> None:
        assert number < 5

    between_looks(monkeypatch, look)
    assert shown(store, "--watch") == 0
    assert store.state(TRAINING.address) == "running", "only who watches has seen it stand still"


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


def test_watch_ends_on_ctrl_c_with_a_word(
    store: Store,
    slurm: FakeSlurm,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    queued(store, slurm, TRAINING)

    def interrupted(look: int) -> None:
        raise KeyboardInterrupt

    between_looks(monkeypatch, interrupted)
    assert shown(store, "--watch") == 0
    assert capsys.readouterr().out.endswith("no longer watching; what runs goes on\n")


# --------------------------------------------------------------------------------- the time left


def done(store: Store, task: Task, seconds: float, device: str = "cpu") -> None:
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    store.publish(claim, {}, {"seconds": seconds, "attempt": 1, "device": device})


@pytest.mark.parametrize("device", ["cpu", "NVIDIA H100 80GB HBM3"])
def test_the_time_left_is_by_the_times_of_others_with_a_small_part_guessed(
    store: Store, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    """Of so small a bound the guess is less than a second, beside three times 290."""
    others = [tiny.training(seed=seed) for seed in range(1, 4)]
    store.record_study("mine", {"tasks": [t.address for t in (TRAINING, BOUND, *others)]})
    for task in (BOUND, *others):
        store.create(task)
    done(store, TRAINING, 290.0, device)
    assert store.claim(others[0].address)
    assert status.main(["--store", str(store.root)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(", about 15 min left")
    done(store, BOUND, 30.0)
    assert status.main(["--store", str(store.root)]) == 0
    assert (
        capsys.readouterr().out.rstrip().endswith(", about 15 min left")
    )  # 3 * 290 s, ten to begin


def test_before_anything_is_done_the_time_left_is_a_guess_and_of_what_waits_none(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.record_study("mine", {"tasks": [TRAINING.address, BOUND.address]})
    for task in (TRAINING, BOUND):
        store.create(task)
    assert status.main(["--store", str(store.root)]) == 0
    assert "left" not in capsys.readouterr().out
    assert store.claim(TRAINING.address)
    assert status.main(["--store", str(store.root)]) == 0
    assert capsys.readouterr().out.rstrip().endswith("1 running, 1 planned, ~10 s left")


def test_a_running_task_tells_its_pace_before_anything_like_it_is_done(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute for the last 3 of 6 steps of 10: 40 s more, and 100 s of another such."""
    others = [tiny.training(seed=seed, steps=10) for seed in (1, 2)]
    store.record_study("mine", {"tasks": [task.address for task in others]})
    for task in others:
        store.create(task)
    claim = store.claim(others[0].address)
    assert claim is not None
    now = datetime.fromisoformat(claim.claimed_at).timestamp() + 30.0
    monkeypatch.setattr(time, "time", lambda: now)
    store.beat(claim, Beat(done=6, total=10, unit="steps", begun=3), now)
    assert status.main(["--store", str(store.root)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(", about 2 min left")  # 140 s


def test_a_task_of_a_study_is_told_with_the_arm_and_seed_that_it_works_for(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a record of another version there are the addresses alone."""
    done(store, TRAINING, 12.0)
    arm = {"evaluation": "train", "objective": "hybrid", "schedule": "cosine", "T": 10}
    cell = {"arm": {**arm, "prediction": "eps"}, "seed": 4, "compute": 0}
    cell["tasks"] = {"train": TRAINING.address}
    for cells, words in (([cell], "  (hybrid cosine T=10, training, seed 4)"), ([{"a": 1}], "")):
        store.record_study("mine", {"tasks": [TRAINING.address], "cells": cells})
        assert status.main(["mine", "--store", str(store.root)]) == 0
        assert capsys.readouterr().out == f"{TRAINING.address}  done  in 12 s{words}\n"
