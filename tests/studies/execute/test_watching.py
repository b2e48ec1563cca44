"""`status` of studies: what it shows once and while it watches, and the time left."""

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

import pytest

from iddpm.running.files import write_json
from studies import status
from studies.execute.standing import Standing
from studies.store import ownership
from studies.store.ownership import Place
from studies.store.store import Beat, Store
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.standing_tasks import BOUND, BROKEN, TRAINING, claimed, queued, shown
from tests.witness.stores import fail, publish


def test_status_of_a_study_shows_the_last_lines_of_what_failed(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(store, TRAINING, BROKEN)
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


@pytest.mark.parametrize("device", ["cpu", "NVIDIA H100 80GB HBM3"])
def test_the_time_left_is_by_the_times_of_others_with_a_small_part_guessed(
    store: Store, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    """Of so small a bound the guess is less than a second, beside three times 290."""
    others = [tiny.training(seed=seed) for seed in range(1, 4)]
    store.record_study("mine", {"tasks": [t.address for t in (TRAINING, BOUND, *others)]})
    for task in (BOUND, *others):
        store.create(task)
    publish(store, TRAINING, 290.0, device)
    assert store.claim(others[0].address)
    assert status.main(["--store", str(store.root)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(", about 15 min left")
    publish(store, BOUND, 30.0)
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
    publish(store, TRAINING, 12.0)
    arm = {"evaluation": "train", "objective": "hybrid", "schedule": "cosine", "T": 10}
    cell = {"arm": {**arm, "prediction": "eps"}, "seed": 4, "compute": 0}
    cell["tasks"] = {"train": TRAINING.address}
    for cells, words in (([cell], "  (hybrid cosine T=10, training, seed 4)"), ([{"a": 1}], "")):
        store.record_study("mine", {"tasks": [TRAINING.address], "cells": cells})
        assert status.main(["mine", "--store", str(store.root)]) == 0
        assert capsys.readouterr().out == f"{TRAINING.address}  done  in 12 s{words}\n"
