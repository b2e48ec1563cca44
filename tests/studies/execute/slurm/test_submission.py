"""What goes to the scheduler, what is written of it, and what is told where it refuses."""

import fcntl
import re
import secrets
import signal
import threading
from multiprocessing import get_context
from typing import IO

import pytest

from iddpm.running.files import StorageError
from studies.execute.slurm import SlurmError, queue
from studies.execute.slurm.queue import NEVER
from studies.execute.worker import run_task
from studies.store.folders import locked
from studies.store.store import Store
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.stores import BROKEN, fail, publish
from tests.witness.submitting import BOUND, TRAINING, queued, submit, training


def test_a_second_submission_submits_nothing(slurm: FakeSlurm, store: Store) -> None:
    tasks = tiny.study()
    first = submit(store, *tasks)
    assert first.states == {"new": len(tasks)}
    before = slurm.rows()
    assert queued(store, slurm) == sorted(task.address for task in tasks)
    second = submit(store, *tasks)
    assert second.states == {"queued": len(tasks)}
    assert second.arrays == ()
    assert slurm.rows() == before
    assert len(slurm.calls("sbatch")) == len(first.arrays)


def test_a_job_that_was_queued_and_left_no_trace_is_blamed_on_its_task(
    slurm: FakeSlurm, store: Store
) -> None:
    (array,) = submit(store, TRAINING).arrays
    slurm.end(array.name, 0)
    assert submit(store, TRAINING).states == {"new": 1}
    (end,) = (store.attempt_failure(TRAINING.address, n) for n in store.attempts(TRAINING.address))
    assert end is not None
    assert (end.error, end.final) == ("lost", False)


def test_what_is_new_waits_for_what_an_earlier_submission_queued(
    slurm: FakeSlurm, store: Store
) -> None:
    submit(store, TRAINING)
    (array_id,) = {row["array_id"] for row in slurm.rows()}
    submission = submit(store, TRAINING, BOUND)
    assert submission.states == {"queued": 1, "new": 1}
    assert f"--dependency=afterok:{array_id}_0\n" in submission.scripts[0]


def test_every_array_waits_by_the_number_that_sbatch_gave(slurm: FakeSlurm, store: Store) -> None:
    submission = submit(store, *tiny.study())
    numbers = {row["name"]: row["array_id"] for row in slurm.rows()}
    for array, text in zip(submission.arrays, submission.scripts, strict=True):
        told = re.findall(r"^#SBATCH --dependency=(.*)$", text, re.MULTILINE)
        words = {word for part in told for word in re.split("[,:]", part)} - {"afterok"}
        wanted = {
            numbers[d.array] + ("" if d.index is None else f"_{d.index}") for d in array.after
        }
        assert words - {"aftercorr", "afterany"} == wanted


def test_what_needs_a_failed_task_is_not_submitted(slurm: FakeSlurm, store: Store) -> None:
    fail(store, TRAINING, BROKEN)
    submission = submit(store, TRAINING, BOUND)
    assert submission.states == {"failed": 1, "waiting": 1}
    assert slurm.calls("sbatch") == []


def test_what_another_run_is_at_is_not_submitted(slurm: FakeSlurm, store: Store) -> None:
    store.create(TRAINING)
    assert store.claim(TRAINING.address)
    assert submit(store, TRAINING, BOUND).states == {"elsewhere": 1, "waiting": 1}
    assert slurm.rows() == []


def test_sbatch_refusing_the_second_array_leaves_nothing_recorded_for_it(
    slurm: FakeSlurm, store: Store
) -> None:
    slurm.refuse("sbatch", "sbatch: error: no more", after=1)
    with pytest.raises(SlurmError, match="no more"):
        submit(store, TRAINING, BOUND)
    assert store.state(TRAINING.address) == "submitted"
    assert store.state(BOUND.address) == "planned"
    assert store.submissions.element(BOUND.address) is None
    slurm.obey("sbatch")
    assert submit(store, TRAINING, BOUND).states == {"queued": 1, "new": 1}
    assert queued(store, slurm) == sorted([TRAINING.address, BOUND.address])


@pytest.mark.parametrize(
    ("shell", "states"),
    [("kill -9 $PPID", {"new": 1, "queued": 1}), ("OBEY; kill -9 $PPID", {"queued": 2})],
)
def test_a_submitter_killed_before_or_after_the_scheduler_took_an_array_leaves_nothing_twice(
    slurm: FakeSlurm, store: Store, shell: str, states: dict[str, int]
) -> None:
    other = training(seed=1)
    submit(store, other)
    answers = (slurm.bin / "sbatch").read_text()
    slurm.replace("sbatch", shell)
    process = get_context("fork").Process(target=submit, args=(store, other, TRAINING))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert store.state(TRAINING.address) == "submitted"
    (slurm.bin / "sbatch").write_text(answers)
    assert submit(store, other, TRAINING).states == states
    assert queued(store, slurm) == sorted([other.address, TRAINING.address])
    assert store.attempts(TRAINING.address) == [], "nobody is to blame for a killed submitter"


def test_what_the_scheduler_took_without_an_answer_is_not_submitted_again(
    slurm: FakeSlurm, store: Store
) -> None:
    answers = (slurm.bin / "sbatch").read_text()
    slurm.replace("sbatch", "OBEY > /dev/null; echo Socket timed out >&2; exit 1")
    with pytest.raises(SlurmError, match="Socket timed out"):
        submit(store, TRAINING)
    (slurm.bin / "sbatch").write_text(answers)
    assert submit(store, TRAINING).states == {"queued": 1}
    assert queued(store, slurm) == [TRAINING.address]


def test_a_scheduler_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "CLIENT_SECONDS", 0.1)
    with pytest.raises(SlurmError, match=r"sleep: expected an answer within 0\.1 s, found none"):
        queue.client(["sleep", "60"])


def test_while_nobody_knows_what_the_scheduler_took_the_record_stays(
    slurm: FakeSlurm, store: Store
) -> None:
    slurm.refuse("sbatch", "no controller")
    slurm.refuse("squeue", "no controller")
    with pytest.raises(SlurmError, match="sbatch: no controller"):
        submit(store, TRAINING)
    assert store.state(TRAINING.address) == "submitted"
    slurm.obey("sbatch")
    slurm.obey("squeue")
    assert submit(store, TRAINING).states == {"new": 1}


def test_a_script_that_cannot_be_written_leaves_nothing_recorded(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    (store.submissions.folder("train.study.00000000-0") / "script.sh").mkdir(parents=True)
    store.root.joinpath("store.json").write_text('{"format": 1}')
    with pytest.raises(StorageError, match=r"script\.sh"):
        submit(store, TRAINING)
    assert store.state(TRAINING.address) == "planned"
    assert slurm.calls("sbatch") == []


def test_hopeless_dependents_are_cancelled_and_replaced_once_the_parent_is_done(
    slurm: FakeSlurm, store: Store
) -> None:
    first = submit(store, TRAINING, BOUND)
    training, bound = (array.name for array in first.arrays)
    slurm.end(training, 0, "FAILED")
    slurm.set(bound, 0, reason=NEVER)
    hopeless = [f"{row['array_id']}_{row['index']}" for row in slurm.rows()]
    publish(store, TRAINING)  # by another run
    second = submit(store, TRAINING, BOUND)
    assert slurm.calls("scancel") == [["--quiet", *hopeless]]
    assert second.states == {"done": 1, "new": 1}
    assert queued(store, slurm) == [BOUND.address]
    assert store.attempts(BOUND.address) == [], "nobody is to blame for a job that was replaced"


def test_hopeless_dependents_of_a_failed_task_are_cancelled_and_wait(
    slurm: FakeSlurm, store: Store
) -> None:
    first = submit(store, TRAINING, BOUND)
    slurm.end(first.arrays[0].name, 0, "FAILED")
    fail(store, TRAINING, BROKEN)
    slurm.set(first.arrays[1].name, 0, reason=NEVER)
    assert submit(store, TRAINING, BOUND).states == {"failed": 1, "waiting": 1}
    assert slurm.rows() == []
    assert store.state(BOUND.address) == "planned"


def test_a_submitted_task_can_be_done_by_another_run_on_the_same_store(
    slurm: FakeSlurm, store: Store
) -> None:
    submit(store, TRAINING)
    run_task(str(store.root), TRAINING.address)
    assert store.state(TRAINING.address) == "done"
    assert submit(store, TRAINING).states == {"done": 1}


def test_a_submission_is_not_written_while_somebody_decides_whose_the_task_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(TRAINING)
    record = store.folder(TRAINING.address) / "submission.json"
    array = {0: [TRAINING.address]}
    thread = threading.Thread(target=store.submissions.record, args=("array", array))
    asked, flock = threading.Event(), fcntl.flock

    def asking(file: IO[str], kind: int) -> None:
        asked.set()
        flock(file, kind)

    with locked(store.folder(TRAINING.address)):
        monkeypatch.setattr(fcntl, "flock", asking)
        thread.start()
        asked.wait()
        assert not record.exists()
    thread.join()
    assert store.state(TRAINING.address) == "submitted"


def test_a_tasks_state_is_the_first_that_holds_of_done_running_failed_submitted_planned(
    store: Store,
) -> None:
    address = TRAINING.address
    store.create(TRAINING)
    assert store.state(address) == "planned"
    store.submissions.record("array", {0: [address]})
    assert store.state(address) == "submitted"
    fail(store, TRAINING, BROKEN)
    assert store.state(address) == "failed"
    store.clear_failure(address)
    assert store.state(address) == "submitted"
    claim = store.claim(address)
    assert claim is not None
    assert store.state(address) == "running"
    store.fail(claim, BROKEN)
    store.clear_failure(address)
    publish(store, TRAINING)
    assert store.state(address) == "done"
