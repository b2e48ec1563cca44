"""Trainings of one trajectory to several lengths: one after the other, each step trained once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from iddpm.config import Photos, Simple, TrainConfig
from iddpm.running.files import write_json
from studies import run
from studies.execute import inline, local
from studies.execute.agenda import Agenda, unwatched
from studies.execute.forecast import Forecast
from studies.execute.slurm.layout import Array, arrays
from studies.plan.costs import compute_left, costs
from studies.plan.plan import Plan, chained, expand
from studies.spec.resources import Resources
from studies.spec.sweep import read_sweep
from studies.store.store import Failure, Store
from studies.store.submissions import Element
from studies.tables.labels import setting
from studies.tasks.task import Task, task_json
from tests.witness import tiny, tiny_sweep
from tests.witness.stores import fail, publish

SHORT, MIDDLE, LONG = (tiny.training(steps=steps) for steps in (4, 7, 12))
SWEEP = """
study: milestones
question: How does it go on?
preset: tiny
grid:
  train.objective: [simple, hybrid]
  train.steps: [{steps}]
seeds: [0, 1]
evaluate:
  - likelihood: {{}}
"""


def planned(folder: Path, *steps: int) -> Plan:
    (folder / "presets").mkdir(exist_ok=True)
    (folder / "presets" / "tiny.yaml").write_text(tiny_sweep.PRESET)
    path = folder / f"sweep{'-'.join(map(str, steps))}.yaml"
    path.write_text(SWEEP.format(steps=", ".join(map(str, steps))))
    return expand(read_sweep(path))


def trainings(tasks: dict[str, Task]) -> list[Task]:
    return [task for task in tasks.values() if task.kind == "train"]


def length(task: Task) -> int:
    assert isinstance(task.config, TrainConfig)
    return task.config.steps


# ------------------------------------------------------------------------------------- the order


def test_each_training_comes_after_the_next_shorter_one_whatever_the_order_they_are_named_in() -> (
    None
):
    bound = tiny.likelihood(LONG)
    ordered = chained([LONG, bound, SHORT, MIDDLE])
    assert list(ordered) == [t.address for t in (SHORT, MIDDLE, LONG, bound)]
    assert [task.after for task in ordered.values()] == [
        (),
        (SHORT.address,),
        (MIDDLE.address,),
        (),
    ]


def test_trainings_of_other_trajectories_make_chains_of_their_own() -> None:
    others = [tiny.training(seed=1, steps=9), tiny.training(seed=2, batch_size=2, steps=9)]
    assert {task.after for task in chained([LONG, *others]).values()} == {()}


def test_the_order_is_no_part_of_what_a_task_is() -> None:
    ordered = chained([SHORT, LONG])[LONG.address]
    assert (ordered, ordered.address) == (LONG, LONG.address)
    assert task_json(ordered) == task_json(LONG)


def test_chains_go_through_all_sweeps_of_a_command(tmp_path: Path) -> None:
    tasks = run._tasks([planned(tmp_path, 6, 3), planned(tmp_path, 4, 6)])
    links = {(length(t), *(length(tasks[a]) for a in t.after)) for t in trainings(tasks)}
    assert links == {(3,), (4, 3), (6, 4)}
    assert len(trainings(tasks)) == 3 * 2 * 2
    seen: set[str] = set()
    for address, task in tasks.items():
        assert set(task.first) <= seen
        seen.add(address)


def test_a_number_of_training_steps_is_said_in_words() -> None:
    assert setting("train.steps", 1_500_000) == "1,500,000 training steps"


def test_a_setting_that_an_arm_has_not_is_said_to_be_none() -> None:
    assert setting("likelihood.split", None) == "no split"
    assert setting("train.network.heads", float("nan")) == "no heads"


# ------------------------------------------------------------------------------------ what it costs


def test_a_continued_training_costs_the_steps_that_are_left(tmp_path: Path) -> None:
    plan = planned(tmp_path, 10, 25, 40)
    total = costs(plan)[-1]
    assert total.training_steps == 2 * 2 * 40
    short = {t.address for t in trainings(plan.tasks) if length(t) == 10}
    assert costs(plan, done=short)[-1].training_steps == 2 * 2 * 30
    by_arm = {cost.arm: cost.training_steps for cost in costs(plan)}
    assert by_arm["hybrid cosine T=8, steps=25, training"] == 2 * 15


def test_the_compute_that_is_left_is_that_of_the_steps_that_are_left(tmp_path: Path) -> None:
    plan = planned(tmp_path, 10, 25, 40)
    whole = {cell.tasks["train"]: cell.compute for cell in plan.cells}
    longest = {t.address for t in trainings(plan.tasks) if length(t) == 40}
    short = {t.address for t in trainings(plan.tasks) if length(t) == 10}
    assert compute_left(plan.cells, plan.tasks) == sum(whole[address] for address in longest)
    left = sum(whole[address] * 30 // 40 for address in longest)
    assert compute_left(plan.cells, plan.tasks, done=short) == left


def test_the_rate_of_a_continued_training_is_that_of_its_own_steps(store: Store) -> None:
    publish(store, LONG, 10.0, steps_before=7)
    forecast = Forecast(store)
    assert forecast.seconds(tiny.training(seed=1, steps=3), _no_other) == pytest.approx(6.0)
    ordered = chained([SHORT, LONG])
    expected = 2.0 * (12 - 4)
    assert forecast.seconds(ordered[LONG.address], ordered.__getitem__) == pytest.approx(expected)


def test_an_attempt_that_went_on_tells_the_rate_of_its_own_steps_and_one_of_no_steps_none(
    store: Store,
) -> None:
    publish(store, LONG, 10.0, steps_before=7, attempt=2)
    publish(store, SHORT, 99.0, steps_before=None, attempt=2)
    assert Forecast(store).seconds(MIDDLE, _no_other) == pytest.approx(14.0)


def _no_other(address: str) -> Task:
    raise AssertionError(address)


# ------------------------------------------------------------------------------------ running it


Execute = Callable[[Store, Sequence[Task]], None]


@pytest.mark.parametrize(
    "execute",
    [
        pytest.param(inline.execute, id="inline"),
        pytest.param(lambda store, tasks: local.execute(store, tasks, workers=2), id="local"),
    ],
)
def test_a_chain_trains_each_step_once_and_ends_like_one_that_was_alone(
    store: Store, tmp_path: Path, execute: Execute
) -> None:
    tasks = chained([LONG, SHORT, MIDDLE])
    execute(store, list(tasks.values()))
    made = {a: store.provenance(a) for a in tasks}
    begun = [record["steps_before"] for record in made.values() if record]
    assert begun == [0, 4, 7]
    alone = Store(tmp_path / "alone")
    inline.execute(alone, [LONG])
    assert alone.result(LONG.address) == store.result(LONG.address)


OTHERS = {
    "seed": tiny.training(steps=7, seed=1),
    "data": tiny.training(steps=7, data=Photos()),
    "objective": tiny.training(steps=7, objective=Simple()),
    "batch": tiny.training(steps=7, batch_size=8),
}


@pytest.mark.parametrize("differs", OTHERS)
def test_a_longer_training_continues_no_other_one(store: Store, differs: str) -> None:
    publish(store, OTHERS[differs])  # nothing was trained: whoever continued it would find out
    inline.execute(store, [SHORT, LONG])
    made = store.provenance(LONG.address)
    assert made is not None, store.failure(LONG.address)
    assert made["steps_before"] == 4
    alone = Store(store.root.parent / "alone")
    inline.execute(alone, [LONG])
    assert alone.result(LONG.address) == store.result(LONG.address)


def test_a_shorter_training_continues_no_longer_one(store: Store) -> None:
    publish(store, LONG)
    inline.execute(store, [SHORT])
    made = store.provenance(SHORT.address)
    assert made is not None, store.failure(SHORT.address)
    assert made["steps_before"] == 0


def test_a_longer_training_runs_all_the_same_where_the_shorter_one_failed(store: Store) -> None:
    fail(store, SHORT, Failure(error="oom", message="too large"))
    inline.execute(store, list(chained([SHORT, LONG]).values()))
    assert [store.state(task.address) for task in (SHORT, LONG)] == ["failed", "done"]
    made = store.provenance(LONG.address)
    assert made is not None
    assert made["steps_before"] == 0


def test_a_longer_training_is_not_handed_out_while_the_shorter_one_is_under_way(
    store: Store,
) -> None:
    agenda = Agenda(store, list(chained([SHORT, LONG]).values()), unwatched)
    assert agenda.take() == SHORT.address
    assert agenda.take() is None
    claim = store.claim(SHORT.address)
    assert claim is not None
    store.publish(claim, {}, {})
    agenda.give_back(SHORT.address)
    agenda.refresh()
    assert agenda.take() == LONG.address


# ------------------------------------------------------------------------------------ on a cluster


def laid_out(tasks: Sequence[Task], queued: dict[str, Element] | None = None) -> list[Array]:
    return arrays(
        tasks,
        queued=queued or {},
        resources=lambda task: Resources(),
        name=lambda kind, number: f"{kind}-{number}",
        seconds=lambda task: None,
        pack_seconds=0.0,
        max_size=1001,
    )


def waits(array: Array) -> list[tuple[str, str, int | None]]:
    return [(item.kind, item.array, item.index) for item in array.after]


def test_a_longer_training_waits_for_its_own_shorter_one_like_for_a_need() -> None:
    both = [tiny.training(seed=seed, steps=steps) for seed in (0, 1) for steps in (4, 7)]
    bounds = [tiny.likelihood(training) for training in both]
    made = laid_out(list(chained([*both, *bounds]).values()))
    first, second, *_ = made
    assert (waits(first), waits(second)) == ([], [("aftercorr", first.name, None)])
    assert first.elements == {0: (both[0].address,), 1: (both[2].address,)}
    assert second.elements == {0: (both[1].address,), 1: (both[3].address,)}
    assert {array.kind for array in made[2:]} == {"likelihood"}


def test_one_that_is_queued_is_waited_for_and_one_that_is_done_or_failed_is_not() -> None:
    long = chained([SHORT, LONG])[LONG.address]
    (waiting,) = laid_out([long], {SHORT.address: Element(array="old", index=3)})
    assert waits(waiting) == [("afterok", "old", 3)]
    (free,) = laid_out([long])
    assert waits(free) == []


# --------------------------------------------------------------------------------- an older store


def test_a_time_measured_before_this_was_recorded_counts_as_whole(store: Store) -> None:
    publish(store, LONG, 24.0, steps_before=0)
    path = store.folder(LONG.address) / "provenance.json"
    write_json(path, {"seconds": 24.0, "attempt": 1})
    assert Forecast(store).seconds(SHORT, _no_other) == pytest.approx(8.0)
