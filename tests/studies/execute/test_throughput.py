"""Measuring a device: what is measured, for how long, and that it is asked when times are told."""

from dataclasses import replace

import pytest

from studies.execute import throughput
from studies.execute.devices import Device
from studies.execute.forecast import Forecast
from studies.execute.throughput import Seen, measure, share_in_a_second
from studies.store.rates import Rates, keep, name_of, rates_of
from studies.store.store import Store
from studies.tasks.counts import alike
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.stores import publish

DEVICE = Device(cpu="a core")
TRAINING = tiny.training(steps=10_000)
SAMPLES = tiny.sampling(TRAINING)
BOUND = tiny.likelihood(TRAINING)


def by_address(*tasks: Task) -> dict[str, Task]:
    return {task.address: task for task in tasks}


def test_the_pace_is_that_after_the_first_sign() -> None:
    """A tenth at 5 s, six tenths at 11 s: half of the work in six seconds."""
    times = iter([5.0, 7.0, 11.0])
    seen = Seen(lambda: next(times))
    assert seen.share_in_a_second() is None
    for done in (1, 3, 6):
        assert not seen.is_enough()
        seen.progress(done, 10)
    assert seen.share_in_a_second() == pytest.approx(0.5 / 6)


def test_a_task_is_begun_and_stopped_and_leaves_its_network_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "WATCHED_S", 0.0)
    for task in (TRAINING, SAMPLES):
        share = share_in_a_second(store, task, by_address(TRAINING, SAMPLES))
        assert share is not None
        assert share > 0
    done = [address for address in store.addresses() if store.is_done(address)]
    assert [store.task(address).config.steps for address in done] == [1]  # type: ignore[union-attr]


def test_of_tasks_alike_the_largest_is_measured_once(store: Store) -> None:
    larger = tiny.sampling(TRAINING, steps=10)
    real = tiny.real_features(tiny.extractor())
    score = tiny.score(real, real)
    tasks = by_address(TRAINING, SAMPLES, larger, BOUND, tiny.extractor(), real, score)
    chosen = throughput._chosen(store, list(tasks), tasks, DEVICE)
    assert set(chosen.values()) == {TRAINING, larger, BOUND}  # the extractor is not trained
    known = {name_of(alike(task, tasks.__getitem__)): 0.5 for task in (TRAINING, BOUND)}
    keep(store.root, Rates(device="a core", on_gpu=False, seconds=known))
    left = throughput._chosen(store, list(tasks), tasks, DEVICE)
    assert set(left.values()) == {larger}
    elsewhere = throughput._chosen(store, list(tasks), tasks, Device(cpu="another"))
    assert len(elsewhere) == 3


def test_what_would_take_long_for_a_single_step_is_not_measured(store: Store) -> None:
    vast = tiny.training(batch_size=1_000_000)
    assert throughput._chosen(store, [vast.address], by_address(vast), DEVICE) == {}


def test_what_several_processes_are_to_do_together_is_not_measured(store: Store) -> None:
    tasks = by_address(TRAINING, SAMPLES)
    chosen = throughput._chosen(store, list(tasks), tasks, replace(DEVICE, ranks=2))
    assert list(chosen.values()) == [SAMPLES]


def test_the_rate_of_a_device_is_asked_where_no_task_was_done(store: Store) -> None:
    """Half a second a step; what tasks took themselves wins."""
    tasks = by_address(TRAINING)
    name = name_of(alike(TRAINING, tasks.__getitem__))
    keep(store.root, Rates(device="a core", on_gpu=False, seconds={name: 0.5}))
    short = tiny.training(steps=10, seed=4)
    assert Forecast(store, DEVICE).seconds(short, tasks.__getitem__) == pytest.approx(5.0)
    assert Forecast(store, Device(cpu="other")).seconds(short, tasks.__getitem__) is None
    assert Forecast(store, Device(cpu="x", gpu="h200")).seconds(short, tasks.__getitem__) is None
    publish(store, short, 20.0, cpu="a core")
    assert Forecast(store, DEVICE).seconds(TRAINING, tasks.__getitem__) == pytest.approx(20_000.0)


@pytest.mark.slow
def test_a_device_is_measured_by_processes_side_by_side_and_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = by_address(TRAINING, SAMPLES, BOUND)
    found = measure(store, list(tasks), tasks, DEVICE, 2)
    assert found.keys() == tasks.keys()
    assert all(seconds > 0 for seconds in found.values())
    (kept,) = rates_of(store.root)
    assert (kept.device, kept.on_gpu) == ("a core", False)
    assert sorted(kept.seconds.values()) == pytest.approx(sorted(found.values()))
    assert store.addresses() == []  # nothing of it is a task of this store
    assert measure(store, list(tasks), tasks, DEVICE, 2) == {}
