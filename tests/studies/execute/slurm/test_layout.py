"""From tasks to job arrays: nothing twice, nothing forgotten, nobody before what it needs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.execute.slurm.layout import Array, arrays
from studies.plan.plan import expand
from studies.spec.resources import Resources
from studies.spec.sweep import read_sweep
from studies.store.submissions import Element
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.calls import calls

ROOT = Path(__file__).parents[4]
RESOURCES = {kind: Resources(time_min=number) for number, kind in enumerate(KINDS, start=1)}


def laid_out(
    tasks: Sequence[Task],
    *,
    queued: Mapping[str, Element] | None = None,
    seconds: Callable[[Task], float | None] = lambda task: None,
    pack_seconds: float = 0.0,
    max_size: int = 1001,
    at_once: int = 1,
) -> list[Array]:
    return arrays(
        tasks,
        queued=queued or {},
        resources=lambda task: replace(RESOURCES[task.kind], side_by_side=at_once),
        name=lambda kind, number: f"{kind}-{number}",
        seconds=seconds,
        pack_seconds=pack_seconds,
        max_size=max_size,
    )


def faults(
    made: Sequence[Array], tasks: Sequence[Task], queued: Mapping[str, Element]
) -> list[str]:
    """What may run before a task that it needs has ended, by SLURM's meaning of the words."""
    by_address = {task.address: task for task in tasks}
    places = dict(queued)
    found = []
    for array in made:
        words = {(d.kind, d.array, d.index) for d in array.after}
        for index, pack in array.elements.items():
            for address in pack:
                for _, need in by_address[address].inputs:
                    if need not in places:
                        if need in by_address:
                            found.append(f"{address}: {need} comes later or nowhere")
                        continue
                    above = places[need]
                    enough = {
                        ("afterany", above.array, None),
                        ("afterok", above.array, above.index),
                    }
                    if above.index == index:
                        enough.add(("aftercorr", above.array, None))
                    if not words & enough:
                        found.append(f"{address}: does not wait for {need}")
        for index, pack in array.elements.items():
            places |= dict.fromkeys(pack, Element(array=array.name, index=index))
    return found


def times_placed(made: Sequence[Array]) -> Counter[str]:
    return Counter(address for array in made for address in array.tasks)


@dataclass
class Situation:
    """Some tasks of a plan still to be submitted."""

    tasks: list[Task]
    new: list[Task] = field(default_factory=list)
    queued: dict[str, Element] = field(default_factory=dict)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Tasks of three kinds that need one another at random; some done, some in the queue."""
    tasks: list[Task] = []
    kinds = (tiny.training, tiny.likelihood, tiny.sampling)
    for seed in range(draw(st.integers(1, 12))):
        needs = draw(st.lists(st.sampled_from(tasks), max_size=3, unique=True)) if tasks else []
        example = draw(st.sampled_from(kinds))
        config = (
            tiny.training(seed=seed)
            if example is tiny.training
            else example(tiny.training(), seed=seed)
        )
        roles = tuple((f"needed/{i}", need.address) for i, need in enumerate(needs))
        tasks.append(Task(kind=config.kind, config=config.config, inputs=roles))
    situation, done = Situation(tasks), set[str]()
    for task in tasks:
        needs_of = {need for _, need in task.inputs}
        stand = draw(st.sampled_from(("done", "queued", "new", "new")))
        if stand == "done" and needs_of <= done:
            done.add(task.address)
        elif stand == "queued" and needs_of <= done | situation.queued.keys():
            array, index = draw(st.sampled_from(("old-0", "old-1"))), draw(st.integers(0, 2))
            situation.queued[task.address] = Element(array=array, index=index)
        else:
            situation.new.append(task)
    return situation


@given(
    situation=situations(),
    times=st.lists(st.sampled_from((None, 1.0, 20.0, 70.0)), min_size=12, max_size=12),
    max_size=st.integers(3, 6),
)
def test_whatever_waits_for_whatever_each_task_is_placed_once_and_after_all_that_it_needs(
    situation: Situation, times: list[float | None], max_size: int
) -> None:
    length = {task.address: time for task, time in zip(situation.tasks, times, strict=False)}
    made = laid_out(
        situation.new,
        queued=situation.queued,
        seconds=lambda task: length[task.address],
        pack_seconds=60.0,
        max_size=max_size,
    )
    assert times_placed(made) == {task.address: 1 for task in situation.new}
    assert faults(made, situation.new, situation.queued) == []
    order = {task.address: i for i, task in enumerate(situation.tasks)}
    for array in made:
        assert array.elements
        assert set(array.elements) <= set(range(max_size))
        assert {address.partition("-")[0] for address in array.tasks} == {array.kind}
        assert array.resources == RESOURCES[array.kind]
        for pack in array.elements.values():
            assert list(pack) == sorted(pack, key=order.__getitem__)
            known = [length[address] for address in pack]
            assert len(pack) == 1 or sum(60.1 if s is None else s for s in known) <= 60.0
    assert len({array.name for array in made}) == len(made)


def test_every_training_is_followed_by_its_own_tasks_without_waiting_for_the_others() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(3)]
    bounds = [tiny.likelihood(training) for training in trainings]
    first, second = laid_out([*trainings, *bounds])
    assert [pack for _, pack in sorted(second.elements.items())] == [
        (bound.address,) for bound in bounds
    ]
    assert [(d.kind, d.array, d.index) for d in second.after] == [("aftercorr", first.name, None)]


def test_what_everybody_needs_is_waited_for_by_itself() -> None:
    extractor = tiny.extractor()
    trainings = [tiny.training(seed=seed) for seed in range(2)]
    shards = [tiny.sampling(training) for training in trainings]
    drawn = [tiny.drawn_features(extractor, shard) for shard in shards]
    made = laid_out([extractor, *trainings, *shards, *drawn])
    (features,) = (array for array in made if array.kind == "features")
    assert {(d.kind, d.array.partition("-")[0], d.index) for d in features.after} == {
        ("afterok", "extractor", 0),
        ("aftercorr", "sample", None),
    }


def test_tasks_that_need_elements_of_two_indices_wait_for_both_whole_arrays() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(2)]
    networks = tuple((f"network/{i}", t.address) for i, t in enumerate(trainings))
    both = [
        Task(
            kind="likelihood", config=tiny.likelihood(trainings[0], seed=s).config, inputs=networks
        )
        for s in range(2)
    ]
    first, second = laid_out([*trainings, *both])
    assert [(d.kind, d.array, d.index) for d in second.after] == [("afterany", first.name, None)]


def test_fifty_trainings_under_a_limit_of_four_have_indices_below_four() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(50)]
    tasks = [*trainings, *(tiny.likelihood(training) for training in trainings)]
    made = laid_out(tasks, max_size=4)
    assert times_placed(made) == {task.address: 1 for task in tasks}
    assert {index for array in made for index in array.elements} == {0, 1, 2, 3}
    assert len(made) == 2 * 13
    assert faults(made, tasks, {}) == []


def tenfold(trainings: int) -> list[Task]:
    """So many trainings, and nine bounds of each."""
    trained = [tiny.training(seed=seed) for seed in range(trainings)]
    return [*trained, *(tiny.likelihood(t, seed=seed) for t in trained for seed in range(9))]


@pytest.mark.parametrize("max_size", [1001, 4])
def test_the_work_of_laying_out_grows_no_faster_than_the_tasks(max_size: int) -> None:
    few, many = tenfold(30), tenfold(120)
    least = calls(lambda: laid_out(few, max_size=max_size))
    assert calls(lambda: laid_out(many, max_size=max_size)) < 4.4 * least


@pytest.mark.parametrize(("max_size", "arrays"), [(1001, 10), (4, 2500)])
def test_ten_thousand_tasks_are_laid_out_whole(max_size: int, arrays: int) -> None:
    tasks = tenfold(1000)
    assert len({task.address for task in tasks}) == 10_000
    made = laid_out(tasks, max_size=max_size)
    assert times_placed(made) == {task.address: 1 for task in tasks}
    assert faults(made, tasks, {}) == []
    assert len(made) == arrays


def test_packs_keep_the_order_and_stay_within_the_limit() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(6)]
    times = dict(zip((t.address for t in trainings), (30, 30, 1, 50, 20, 5), strict=True))
    (array,) = laid_out(trainings, seconds=lambda task: times[task.address], pack_seconds=60)
    a, b, c, d, e, f = (training.address for training in trainings)
    assert array.elements == {0: (a, b), 1: (c, d), 2: (e, f)}


@pytest.mark.parametrize("pack_seconds", [0.0, 60.0, 1e9, float("inf")])
def test_a_task_of_unknown_length_has_a_job_of_its_own(pack_seconds: float) -> None:
    trainings = [tiny.training(seed=seed) for seed in range(3)]
    unknown = trainings[1].address
    (array,) = laid_out(
        trainings,
        seconds=lambda task: None if task.address == unknown else 0.0,
        pack_seconds=pack_seconds,
    )
    assert (unknown,) in array.elements.values()


@pytest.mark.parametrize(("number", "packs"), [(3, [3]), (4, [4]), (6, [4, 2])])
def test_a_job_has_as_many_tasks_as_it_does_at_once_however_long_they_are(
    number: int, packs: list[int]
) -> None:
    trainings = [tiny.training(seed=seed) for seed in range(number)]
    (array,) = laid_out(trainings, at_once=4)
    assert [len(pack) for _, pack in sorted(array.elements.items())] == packs


def test_small_tasks_follow_one_another_where_several_are_done_at_once() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(9)]
    long = trainings[0]
    (array,) = laid_out(
        trainings,
        seconds=lambda task: 50.0 if task == long else 10.0,
        pack_seconds=60.0,
        at_once=2,
    )
    assert [len(pack) for _, pack in sorted(array.elements.items())] == [8, 1]


def test_a_parent_queued_by_an_earlier_submission_is_waited_for_at_its_own_index() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(2)]
    queued = {
        t.address: Element(array="old", index=i) for t, i in zip(trainings, (7, 2), strict=True)
    }
    bounds = [tiny.likelihood(training) for training in trainings]
    (array,) = laid_out(bounds, queued=queued)
    assert array.elements == {7: (bounds[0].address,), 2: (bounds[1].address,)}
    assert [(d.kind, d.array) for d in array.after] == [("aftercorr", "old")]


def test_parents_queued_under_crossed_indices_are_all_waited_for() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(4)]
    places = (("a", 0), ("b", 1), ("a", 1), ("b", 0))
    queued = {
        training.address: Element(array=array, index=index)
        for training, (array, index) in zip(trainings, places, strict=True)
    }
    config = tiny.likelihood(trainings[0]).config
    pairs = [
        Task(
            kind="likelihood",
            config=config,
            inputs=(("network/0", first.address), ("network/1", second.address)),
        )
        for first, second in (trainings[:2], trainings[2:])
    ]
    (array,) = laid_out(pairs, queued=queued)
    assert {(d.kind, d.array) for d in array.after} == {("afterany", "a"), ("afterany", "b")}


def test_a_parent_that_is_done_is_not_waited_for() -> None:
    (array,) = laid_out([tiny.likelihood(tiny.training())])
    assert array.after == ()


def test_nothing_to_do_makes_no_arrays() -> None:
    assert laid_out([]) == []


def test_trainings_with_unequally_many_tasks_have_them_at_their_own_index() -> None:
    trainings = [tiny.training(seed=seed) for seed in range(3)]
    counts = dict(zip(trainings, (1, 3, 2), strict=True))
    bounds = [tiny.likelihood(t, seed=i) for t, count in counts.items() for i in range(count)]
    made = laid_out([*trainings, *bounds])
    assert times_placed(made) == {task.address: 1 for task in [*trainings, *bounds]}
    assert [sorted(array.elements) for array in made] == [[0, 1, 2], [0, 1, 2], [1, 2], [1]]
    assert faults(made, [*trainings, *bounds], {}) == []


@pytest.mark.parametrize("trained", [True, False])
def test_shards_are_waited_for_whether_the_training_is_done_or_not(trained: bool) -> None:
    trainings = [tiny.training(seed=seed) for seed in range(3)]
    bounds = [task for t in trainings for task in tiny.sharded_likelihood(t)]
    tasks = bounds if trained else [*trainings, *bounds]
    made = laid_out(tasks)
    assert times_placed(made) == {task.address: 1 for task in tasks}
    assert faults(made, tasks, {}) == []
    (merges,) = (array for array in made if array.kind == "likelihood_merge")
    assert (len(merges.elements), bool(merges.after)) == (3, True)


@pytest.mark.parametrize("pack_seconds", [0.0, 600.0])
@pytest.mark.parametrize("max_size", [1001, 4])
def test_the_real_sweep_is_laid_out_whole_and_in_order(max_size: int, pack_seconds: float) -> None:
    tasks = list(expand(read_sweep(ROOT / "sweeps" / "sigma_ablation.yaml")).tasks.values())
    made = laid_out(tasks, seconds=lambda task: 100.0, pack_seconds=pack_seconds, max_size=max_size)
    assert times_placed(made) == {task.address: 1 for task in tasks}
    assert faults(made, tasks, {}) == []
    assert max(index for array in made for index in array.elements) < max_size


def test_more_seeds_do_not_make_more_arrays_of_the_real_sweep() -> None:
    path = ROOT / "sweeps" / "sigma_ablation.yaml"
    few, many = (
        list(expand(read_sweep(path, seeds=range(seeds))).tasks.values()) for seeds in (2, 5)
    )
    assert len(many) > 2 * len(few)
    assert len(laid_out(many)) == len(laid_out(few))
