"""Cancelling takes the jobs that only this study needs."""

import getpass
import os
from collections.abc import Callable

import pytest

from studies import cancel
from studies.execute.slurm.queue import NEVER
from studies.plan.plan import chained
from studies.store.store import Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.stores import BROKEN, fail, publish
from tests.witness.submitting import BOUND, TRAINING, queued, recorded, submit, training


def cancelled(store: Store, study: str) -> int:
    return cancel.main([study, "--store", str(store.root)])


def test_cancel_takes_what_only_this_study_needs(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    others = training(seed=1)
    recorded(store, mine=[TRAINING, BOUND], theirs=[TRAINING, others])
    submit(store, TRAINING, BOUND, others)
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == sorted([TRAINING.address, others.address])
    assert store.state(BOUND.address) == "planned"
    assert "mine: 1 jobs cancelled" in capsys.readouterr().out
    assert submit(store, TRAINING, BOUND).states == {"queued": 1, "new": 1}
    assert store.attempts(BOUND.address) == []


def packed(store: Store) -> tuple[Task, Task]:
    """Two trainings in one job, one of which another study needs."""
    publish(store, training(seed=7))
    mine, theirs = training(seed=1), training(seed=2)
    recorded(store, mine=[mine], theirs=[theirs])
    (array,) = submit(store, mine, theirs).arrays
    assert array.elements == {0: (mine.address, theirs.address)}
    return mine, theirs


def test_cancel_leaves_a_packed_job_that_others_need(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs = packed(store)
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == sorted([mine.address, theirs.address])
    assert store.state(mine.address) == "submitted"
    assert "1 jobs go on: other studies need some of their tasks." in capsys.readouterr().out


@pytest.mark.parametrize("end", [publish, lambda store, task: fail(store, task, BROKEN)])
def test_cancel_takes_a_packed_job_once_what_others_need_of_it_has_ended(
    slurm: FakeSlurm, store: Store, end: Callable[[Store, Task], None]
) -> None:
    _, theirs = packed(store)
    end(store, theirs)
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == []


@pytest.mark.parametrize("pack", [True, False])
def test_cancel_leaves_a_job_that_the_jobs_of_others_wait_for(
    slurm: FakeSlurm, store: Store, pack: bool
) -> None:
    mine, theirs = packed(store)
    bounds = tiny.likelihood(mine), tiny.likelihood(theirs)
    if pack:
        publish(store, tiny.likelihood(training(seed=7)))
    recorded(store, mine=[mine, bounds[0]], theirs=[theirs, bounds[1]])
    submit(store, mine, theirs, *bounds)
    publish(store, theirs)
    assert cancelled(store, "mine") == 0
    kept = {mine.address, theirs.address, bounds[1].address}
    assert set(queued(store, slurm)) == kept | ({bounds[0].address} if pack else set())


def test_cancel_leaves_a_training_that_a_longer_one_of_another_study_waits_for(
    slurm: FakeSlurm, store: Store
) -> None:
    short, long = chained(training(steps=steps) for steps in (5, 9)).values()
    recorded(store, mine=[short], theirs=[long])
    submit(store, short, long)
    assert cancelled(store, "mine") == 0
    assert set(queued(store, slurm)) == {short.address, long.address}
    assert cancelled(store, "theirs") == 0
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == []


def test_jobs_of_a_longer_training_are_replaced_where_the_shorter_one_failed(
    slurm: FakeSlurm, store: Store
) -> None:
    short, long = chained(training(steps=steps) for steps in (5, 9)).values()
    first, second = submit(store, short, long).arrays
    fail(store, short, BROKEN)
    slurm.end(first.name, 0, "FAILED")
    slurm.set(second.name, 0, reason=NEVER)
    submission = submit(store, short, long)
    assert submission.states == {"failed": 1, "new": 1}
    assert [array.after for array in submission.arrays] == [()]


def test_cancel_takes_a_job_that_only_a_lost_job_of_the_same_study_waited_for(
    slurm: FakeSlurm, store: Store
) -> None:
    recorded(store, mine=[TRAINING, BOUND])
    bound = submit(store, TRAINING, BOUND).arrays[1].name
    slurm.end(bound, 0, "CANCELLED")
    assert cancelled(store, "mine") == 0
    assert slurm.rows() == []


def test_cancel_takes_no_job_of_another_user_and_says_whose_goes_on(
    slurm: FakeSlurm,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = training(seed=1)
    recorded(store, mine=[TRAINING, others])
    submit(store, TRAINING, others)
    (row,) = {row["name"] for row in slurm.rows()}
    slurm.set(row, 0, user="ada")
    slurm.set(row, 1, user="me")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == [TRAINING.address]
    assert [store.state(t.address) for t in (TRAINING, others)] == ["submitted", "planned"]
    told = capsys.readouterr().out
    assert "mine: 1 jobs cancelled" in told
    assert "What ada submitted goes on: they can cancel it in the same way." in told


def test_cancel_of_nothing_asks_the_scheduler_nothing(slurm: FakeSlurm, store: Store) -> None:
    recorded(store, mine=[TRAINING])
    assert cancelled(store, "mine") == 0
    assert slurm.calls("squeue") == slurm.calls("scancel") == []


def test_a_study_that_is_not_there_cannot_be_cancelled(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(store, mine=[])
    assert cancelled(store, "mien") == 2
    assert "no study 'mien'; did you mean 'mine'?" in capsys.readouterr().err


def test_what_scancel_refuses_stays_submitted(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(store, mine=[TRAINING])
    submit(store, TRAINING)
    slurm.refuse("scancel", "scancel: error: Access denied")
    assert cancelled(store, "mine") == 2
    assert capsys.readouterr().err == "error: scancel: scancel: error: Access denied\n"
    assert store.state(TRAINING.address) == "submitted"
