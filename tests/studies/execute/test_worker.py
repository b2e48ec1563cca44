"""One task from claim to result: what is published, what is recorded, what is given back."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import torch

from iddpm.config import OptimizerConfig, Simple
from iddpm.evaluation.config import Ancestral
from iddpm.running.files import STATE_FILE
from iddpm.running.interruption import Interrupted
from iddpm.running.ranks import Ranks, RanksError
from studies.execute import worker
from studies.execute.memory import remedy
from studies.execute.signals import OF_TERMINALS, SIGNALS, stop_requests
from studies.execute.worker import (
    CHECKPOINT_EVERY,
    COMPILE,
    IMAGES_PER_PASS,
    Heartbeat,
    PartedError,
    follow_task,
    run_task,
)
from studies.runners import RUNNERS, Work
from studies.spec.evaluations import SCOPES, Reference, SamplesConfig
from studies.store.memory import held_mb
from studies.store.store import Beat, Failure, Store, StoreError
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.limits import most_memory
from tests.witness.stores import claimed


def done(store: Store, *tasks: Task) -> None:
    for task in tasks:
        store.create(task)
        run_task(str(store.root), task.address)


@pytest.mark.parametrize(
    ("name", "value", "task"),
    [(IMAGES_PER_PASS, "64", tiny.training()), (COMPILE, "graphs", tiny.extractor())],
)
def test_a_record_says_nothing_of_a_setting_that_its_kind_of_task_has_no_use_for(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str, task: Task
) -> None:
    monkeypatch.setenv(name, value)
    done(store, task)
    made = store.provenance(task.address)
    assert made is not None
    assert {"images_per_pass", "compiling"}.isdisjoint(made)


LONG = tiny.training(steps=100_000)
"""A training that every test stops."""


def interrupt(
    store: Store, number: int = signal.SIGTERM, first: Callable[[], None] = lambda: None
) -> None:
    """Run a long training and stop it by a signal after its next step, and something else."""
    store.create(LONG)
    progress = Heartbeat.progress

    def then_stop(heartbeat: Heartbeat, done: int, total: int) -> None:
        progress(heartbeat, done, total)
        first()
        os.kill(os.getpid(), number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Heartbeat, "progress", then_stop)
        with pytest.raises(Interrupted):
            run_task(str(store.root), LONG.address)


# -------------------------------------------------------------------------------- what is made


def test_a_task_ends_with_its_result_and_what_made_it(store: Store) -> None:
    task = tiny.training()
    done(store, task)
    result, made = store.result(task.address), store.provenance(task.address)
    assert result is not None
    assert made is not None
    assert (store.state(task.address), result["steps"]) == ("done", 10)
    assert set(made) == {
        *("host", "executor", "job", "attempt", "started", "ended", "seconds", "versions"),
        *("commit", "dirty", "device", "cpu", "threads", "peak_memory_mb", "steps_before"),
        "ranks",
    }
    assert made["executor"] == "inline"
    assert made["versions"]["torch"] == torch.__version__
    assert made["threads"] == 1
    assert made["seconds"] > 0
    assert 50 < made["peak_memory_mb"] < 8000


@pytest.mark.parametrize("every", ["0", "60"])
def test_a_training_saves_as_often_as_its_process_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, every: str
) -> None:
    monkeypatch.setenv(CHECKPOINT_EVERY, every)
    task, at_each = tiny.training(steps=4), []
    state = store.folder(task.address) / STATE_FILE
    progress = Heartbeat.progress

    def look(heartbeat: Heartbeat, done: int, total: int) -> None:
        progress(heartbeat, done, total)
        at_each.append(state.exists())

    monkeypatch.setattr(Heartbeat, "progress", look)
    done(store, task)
    assert at_each[-1] == (every == "0")  # a save begins when the one before is written


def test_a_done_task_is_not_done_again(store: Store) -> None:
    task = tiny.training()
    done(store, task, task)
    assert store.attempts(task.address) == [1]


def test_the_bytes_of_a_result_do_not_depend_on_the_threads_outside(
    store: Store, tmp_path: Path
) -> None:
    task, threads = tiny.training(), torch.get_num_threads()
    other = Store(tmp_path / "other")
    done(store, task)
    torch.set_num_threads(threads + 1)
    done(other, task)
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)
    assert not torch.are_deterministic_algorithms_enabled()
    assert store.result(task.address) == other.result(task.address)
    made = other.provenance(task.address)
    assert made is not None
    assert made["threads"] == 1


def test_a_task_whose_store_does_not_know_it_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no task train-0; run its sweep again"):
        run_task(str(store.root), "train-0")


# ----------------------------------------------------------------------------- what goes wrong


def test_an_error_of_the_work_is_recorded_with_its_traceback(store: Store) -> None:
    train = tiny.training(objective=Simple())
    task = tiny.sampling(train, Ancestral(variance="range"))
    done(store, train, task)
    failure = store.failure(task.address)
    assert failure is not None
    assert (store.state(task.address), failure.error) == ("failed", "exception")
    assert failure.message.startswith("ValueError: ")
    assert "variance" in failure.message
    assert "raise ValueError" in failure.traceback
    assert store.claim_of(task.address) is None


def test_a_failed_task_is_left_alone_until_its_failure_is_cleared(store: Store) -> None:
    train = tiny.training(objective=Simple())
    task = tiny.sampling(train, Ancestral(variance="range"))
    done(store, train, task, task)
    assert store.attempts(task.address) == [1]
    store.clear_failure(task.address)
    done(store, task)
    assert store.attempts(task.address) == [1, 2]


def test_a_training_that_diverges_is_recorded_as_diverged(store: Store) -> None:
    task = tiny.training(
        optimizer=OptimizerConfig(learning_rate=1e38), steps=50, max_nonfinite_steps=2
    )
    done(store, task)
    failure = store.failure(task.address)
    assert failure is not None
    assert failure.error == "diverged"
    assert "expected a finite loss" in failure.message


def test_a_network_too_large_for_the_memory_is_recorded_as_out_of_memory(store: Store) -> None:
    task = tiny.training(network=replace(tiny.NETWORK, model_channels=2**12))
    with most_memory(2**28):
        done(store, task)
    failure = store.failure(task.address)
    assert failure is not None
    assert failure.error == "oom", failure.message


class Deserted(Ranks):
    """Two processes of which the other has ended."""

    def gathered(self, tensor: torch.Tensor) -> torch.Tensor:
        raise RanksError("ranks: another one has ended")

    def of_first(self, value: int) -> int:
        return value


def test_a_task_whose_other_processes_end_each_time_is_lost_a_few_times_and_then_failed(
    store: Store,
) -> None:
    task = tiny.training(block_size=2)
    store.create(task)
    for attempt in (1, 2, 3):
        with pytest.raises(RanksError, match="another one has ended"):
            run_task(str(store.root), task.address, Deserted(count=2))
        lost = store.attempt_failure(task.address, attempt)
        assert lost is not None
        assert (lost.error, lost.final) == ("lost", attempt == 3)
    failure = store.failure(task.address)
    assert failure is not None
    assert failure.message.endswith("ended, 3 times in a row; --retry lost tries again")


class Following(Ranks):
    """The second of two processes, which are at the first attempt."""

    def of_first(self, value: int) -> int:
        return 1


@pytest.mark.parametrize("attempt", [1, 2])
def test_an_error_of_a_process_that_follows_ends_the_attempt_that_it_is_at_and_no_later_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, attempt: int
) -> None:
    task = tiny.training(block_size=2)
    store.create(task)
    for _ in range(attempt):
        claim = store.claim(task.address)
        assert claim is not None
        if claim.attempt < attempt:
            store.release(claim)

    def refused(*words: object) -> None:
        raise ValueError("expected another value")

    monkeypatch.setattr(worker, "work", refused)
    with pytest.raises(PartedError):
        follow_task(str(store.root), task.address, Following(number=1, count=2))
    failure = store.failure(task.address)
    assert (store.claim_of(task.address) is None) == (failure is not None) == (attempt == 1)
    if failure is not None:
        assert failure.error == "exception"
        assert failure.message == "process 2 of 2: ValueError: expected another value"


def test_an_error_of_the_first_of_several_processes_is_recorded_and_told_to_them_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny.training(block_size=2)
    store.create(task)
    monkeypatch.setattr(worker, "work", lambda *words: [][1])
    with pytest.raises(PartedError):
        run_task(str(store.root), task.address, Deserted(count=2))
    failure = store.failure(task.address)
    assert failure is not None
    assert failure.message.startswith("process 1 of 2: IndexError: ")


@pytest.mark.parametrize("ranks", [None, Deserted(count=2)])
def test_how_many_ranks_took_the_time_of_a_training_is_noted(
    store: Store, monkeypatch: pytest.MonkeyPatch, ranks: Ranks | None
) -> None:
    monkeypatch.setattr(worker, "work", lambda *_: ({}, "cpu"))
    train = tiny.training()
    for task in (train, tiny.sampling(train)):
        store.create(task)
        run_task(str(store.root), task.address, ranks)
        made = store.provenance(task.address)
        assert made is not None
        expected = 1 if ranks is None else ranks.count
        assert made.get("ranks") == (expected if task is train else None)


# ------------------------------------------------------------------------------------ stopping


def test_a_signal_stops_a_task_which_is_planned_again_with_its_partial_work(store: Store) -> None:
    interrupt(store)
    assert store.state(LONG.address) == "planned"
    assert store.claim_of(LONG.address) is None
    assert (store.folder(LONG.address) / "state.pt").exists()


def test_what_is_logged_during_an_attempt_is_kept_with_it(store: Store) -> None:
    interrupt(store, first=lambda: logging.getLogger("iddpm").warning("the loss is odd"))
    log = store.folder(LONG.address) / "attempts" / "1" / "log.txt"
    assert log.read_text().endswith("iddpm WARNING the loss is odd\n")


@pytest.mark.parametrize("block", [Path.mkdir, lambda log: log.symlink_to("/dev/full")])
def test_a_log_that_cannot_be_written_is_told_once_and_ends_no_work(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    block: Callable[[Path], None],
) -> None:
    block(tmp_path / "log.txt")
    monkeypatch.setattr(Store, "attempt_folder", lambda *claimed: tmp_path)

    def complain(self: Store, address: str) -> Task:
        logging.getLogger("iddpm").warning("the first")
        logging.getLogger("iddpm").warning("the second")
        return real(self, address)

    real = Store.task
    monkeypatch.setattr(Store, "task", complain)
    task = tiny.extractor()
    done(store, task)
    assert store.state(task.address) == "done"
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith(str(tmp_path))]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path}/log.txt: cannot write: ")
    assert told[0].endswith("; the work goes on")


@pytest.mark.parametrize("number", OF_TERMINALS)
def test_a_signal_that_is_ignored_for_us_as_by_nohup_stops_nothing(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    with stop_requests() as stop:
        signal.raise_signal(number)
        assert not stop.is_set()
    assert signal.signal(number, before) is signal.SIG_IGN


@pytest.mark.parametrize("number", SIGNALS)
def test_each_stop_signal_sets_the_flag_and_the_old_handler_returns(number: signal.Signals) -> None:
    heeded = signal.SIG_DFL  # not ignored, as under nohup
    inherited = signal.signal(number, heeded)
    with stop_requests() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
    assert signal.signal(number, inherited) is heeded


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with stop_requests() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.is_set()


def test_a_context_inside_another_shares_its_flag() -> None:
    with stop_requests() as outer:
        with stop_requests() as inner:
            signal.raise_signal(signal.SIGTERM)
        assert inner is outer
        assert signal.getsignal(signal.SIGTERM) == outer.handle


@pytest.mark.parametrize(("left", "needed", "due"), [(100, 50, False), (40, 50, True)])
def test_a_stop_is_asked_for_where_less_time_is_left_than_needed(
    left: float, needed: float, due: bool
) -> None:
    with stop_requests() as stop:
        assert not stop.is_due(1e9)  # nothing is known of an end
        stop.ends_at = time.time() + left
        assert stop.is_due(needed) is stop.is_set() is due
        stop.set()
        assert stop.reason == ("timeout" if due else "cancelled")


def test_time_that_runs_out_after_a_stop_was_asked_for_is_not_its_reason() -> None:
    with stop_requests() as stop:
        signal.raise_signal(signal.SIGTERM)
        stop.ends_at = time.time()
        assert stop.is_due(1)
        assert stop.reason == "cancelled"


def test_off_the_main_thread_no_handler_is_installed() -> None:
    before, during = signal.getsignal(signal.SIGTERM), []

    def look() -> None:
        with stop_requests() as stop:
            during.append((signal.getsignal(signal.SIGTERM), stop.is_set()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert during == [(before, False)]


def run_out_of_time(store: Store, number: int = signal.SIGUSR2) -> None:
    """Go on with a long training that is warned before its first step."""
    with stop_requests():
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted):
            run_task(str(store.root), LONG.address)


def last_end(store: Store) -> Failure:
    end = store.attempt_failure(LONG.address, store.attempts(LONG.address)[-1])
    assert end is not None
    return end


def test_running_out_of_time_three_times_at_the_same_point_is_final(store: Store) -> None:
    interrupt(store, signal.SIGUSR2)
    saved = last_end(store).saved
    assert (last_end(store).error, saved > 0) == ("timeout", True)
    run_out_of_time(store)
    assert store.state(LONG.address) == "planned"
    run_out_of_time(store)
    failure = store.failure(LONG.address)
    assert failure is not None
    assert (failure.error, failure.saved) == ("timeout", saved)
    assert failure.message.startswith("ran out of time 3 times at the same point (")
    assert "give it a longer time limit, and a smaller block_size where it has blocks" in (
        failure.message
    )


def test_progress_resets_the_count_of_times_that_ran_out(store: Store) -> None:
    interrupt(store, signal.SIGUSR2)
    run_out_of_time(store)
    first = last_end(store).saved
    interrupt(store, signal.SIGUSR2)
    assert last_end(store).saved > first
    run_out_of_time(store)
    assert store.state(LONG.address) == "planned"
    run_out_of_time(store)
    assert store.state(LONG.address) == "failed"


@pytest.mark.parametrize("before", [signal.SIGTERM, signal.SIGUSR2])
def test_being_cancelled_is_never_final(store: Store, before: signal.Signals) -> None:
    store.create(LONG)
    for number in (before, before, signal.SIGTERM, signal.SIGTERM):
        run_out_of_time(store, number)
    assert store.state(LONG.address) == "planned"
    assert last_end(store).error == "cancelled"


# ----------------------------------------------------------------------------------- heartbeat


class Ticks(SimpleQueue[bool]):
    """An event whose waits end when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return self.get()

    def set(self) -> None:
        self.put(True)


def test_the_heart_beats_once_a_second_however_often_progress_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny.training()
    claim = claimed(store, task)
    beats, ticks = SimpleQueue[Beat](), Ticks()
    monkeypatch.setattr(store, "beat", lambda claim, beat, time: beats.put(beat))
    heartbeat = Heartbeat(store, claim)
    monkeypatch.setattr(heartbeat, "_end", ticks)
    with heartbeat:
        assert beats.get() == Beat(done=0, total=0, unit="steps")
        for done in range(1, 9):
            heartbeat.progress(done, 9)
        assert beats.empty()
        ticks.put(False)
        assert beats.get() == Beat(done=8, total=9, unit="steps")
    assert beats.empty()
    assert ticks.waited == [1.0, 1.0]


# --------------------------------------------------------------------------------------- memory


def test_a_task_that_finds_too_little_memory_says_how_much_it_held_and_what_helps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wants_more(work: Work) -> dict[str, object]:
        block = np.ones(2**24)  # 128 MiB
        beats = store.progress
        while (beat := beats(work.task.address)) is None or beat.held_mb <= peak_before:
            time.sleep(0.01)
        raise MemoryError(f"Unable to allocate {block.nbytes} more\nand more")

    peak_before = held_mb()
    monkeypatch.setattr("studies.execute.worker.BEAT_SECONDS", 0.01)
    task = tiny.extractor()
    for executor, helps in (("local", "fewer --workers"), ("inline", "more memory")):
        monkeypatch.setenv("STUDIES_EXECUTOR", executor)
        monkeypatch.setitem(RUNNERS, "extractor", wants_more)
        done(store, task)
        failure = store.failure(task.address)
        assert failure is not None
        assert failure.error == "oom"
        said = re.fullmatch(
            rf"MemoryError: Unable to allocate 134217728 more; its process was seen to hold "
            rf"([\d,]+) MiB; run again with {helps}",
            failure.message,
        )
        assert said is not None, failure.message
        assert int(said[1].replace(",", "")) > peak_before
        store.clear_failure(task.address)


@pytest.mark.parametrize(
    ("kind", "executor", "expected"),
    [
        ("score", "local", "fewer --workers or a smaller samples.reference.keep"),
        ("radii", "slurm", "--resource radii.memory_gb=N or a smaller samples.reference.keep"),
        ("likelihood_shard", "local", "fewer --workers or a smaller likelihood.block_size"),
        ("features", "slurm", "--resource features.memory_gb=N"),
        ("train", "inline", "more memory or a smaller train.block_size"),
    ],
)
def test_the_remedy_for_want_of_memory_names_what_the_kind_goes_by(
    kind: str, executor: str, expected: str
) -> None:
    assert remedy(f"{kind}-0123456789abcdef", executor) == f"run again with {expected}"


def test_what_a_remedy_names_is_a_setting_of_the_kind() -> None:
    samples = {f"samples.{item.name}" for item in fields(SamplesConfig)}
    reference = {f"samples.reference.{item.name}" for item in fields(Reference)}
    settings = {
        f"{scope}.{item.name}" for scope, config in SCOPES.items() for item in fields(config)
    }
    named = {kind.memory_by for kind in KINDS.values()} - {None}
    assert named <= samples | reference | settings


def test_the_memory_that_a_process_held_is_not_that_of_whoever_started_it() -> None:
    held = bytearray(2**29)
    held[:: 2**12] = bytes(len(held[:: 2**12]))  # it holds every page
    code = "from studies.store.memory import peak_mb; print(peak_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 256
