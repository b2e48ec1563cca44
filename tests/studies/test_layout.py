"""Which task is which element of which array: nothing twice, nothing before what it needs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from studies.executors.slurm.layout import Array, Dependency, arrays
from studies.plan import expand
from studies.resources import resources
from studies.spec import read_sweep
from studies.store import Element
from studies.tasks import Task
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP


def laid_out(
    tasks: Sequence[Task],
    *,
    seconds: Callable[[Task], float | None] = lambda task: None,
    pack_seconds: float = 600.0,
    max_size: int = 1001,
    queued: Mapping[str, Element] | None = None,
) -> list[Array]:
    return arrays(
        tasks,
        queued=queued or {},
        resources=resources([]),
        name=lambda kind, number: f"{kind}-{number}",
        seconds=seconds,
        pack_seconds=pack_seconds,
        max_size=max_size,
    )


def tasks_of(folder: Path, seeds: int = 2, sweep: str = SWEEP) -> list[Task]:
    folder.mkdir(exist_ok=True)
    path = write_sweep(folder, sweep, PRESET)
    return list(expand(read_sweep(path, seeds=range(seeds))).tasks.values())


def covers(dependency: Dependency, own: int, parent: Element) -> bool:
    """Whether an element that waits so can only start when the parent has ended."""
    if dependency.array != parent.array:
        return False
    if dependency.kind == "aftercorr":
        return own == parent.index
    return dependency.kind == "afterany" or dependency.index == parent.index


def assert_sound(
    made: Sequence[Array], tasks: Sequence[Task], queued: Mapping[str, Element]
) -> None:
    """Every task once, and each behind all that it needs."""
    placed = dict(queued)
    needs = {task.address: [need for _, need in task.needs] for task in tasks}
    for array in made:
        for index, pack in array.elements.items():
            for address in pack:
                for need in needs[address]:
                    if need in needs or need in queued:
                        assert any(covers(d, index, placed[need]) for d in array.after), address
        for index, pack in array.elements.items():
            for address in pack:
                assert address not in placed
                placed[address] = Element(array=array.name, index=index)
    assert placed.keys() == needs.keys() | queued.keys()


@pytest.mark.parametrize("max_size", [1, 2, 4, 1001])
@pytest.mark.parametrize("pack", [0.0, 5.0, 12.0, 1e9])
@pytest.mark.parametrize("seconds", [None, 2.5])
def test_every_task_is_in_one_element_behind_all_that_it_needs(
    tmp_path: Path, max_size: int, pack: float, seconds: float | None
) -> None:
    tasks = tasks_of(tmp_path, seeds=3)
    made = laid_out(tasks, seconds=lambda _: seconds, pack_seconds=pack, max_size=max_size)
    assert_sound(made, tasks, {})
    assert max(index for array in made for index in array.elements) < max_size


def test_the_real_sweep_is_laid_out_soundly() -> None:
    tasks = list(expand(read_sweep("sweeps/sigma_ablation.yaml")).tasks.values())
    assert_sound(laid_out(tasks), tasks, {})


def test_fifty_trainings_fill_arrays_of_four(tmp_path: Path) -> None:
    tasks = [task for task in tasks_of(tmp_path, seeds=25) if task.kind == "train"]
    made = laid_out(tasks, max_size=4)
    assert [sorted(array.elements) for array in made] == [[0, 1, 2, 3]] * 12 + [[0, 1]]


def test_the_number_of_arrays_does_not_grow_with_the_seeds(tmp_path: Path) -> None:
    few, many = (len(laid_out(tasks_of(tmp_path, seeds=n))) for n in (2, 20))
    assert few == many


def test_a_bound_waits_for_its_own_training_alone(tmp_path: Path) -> None:
    tasks = [task for task in tasks_of(tmp_path) if task.kind in ("train", "likelihood")]
    trainings, bounds = laid_out(tasks)
    assert bounds.after == (Dependency(kind="aftercorr", array=trainings.name),)
    needs = {task.address: dict(task.needs)["network"] for task in tasks if task.needs}
    for index, (bound,) in bounds.elements.items():
        assert trainings.elements[index] == (needs[bound],)


def test_what_all_wait_for_is_named_by_its_element(tmp_path: Path) -> None:
    made = laid_out(tasks_of(tmp_path))
    (extractor,) = (array for array in made if array.kind == "extractor")
    drawn = [array for array in made if array.kind == "features"][-1]
    assert Dependency(kind="afterok", array=extractor.name, index=0) in drawn.after


def test_a_pack_keeps_the_order_and_its_limit(tmp_path: Path) -> None:
    tasks = [task for task in tasks_of(tmp_path, seeds=5) if task.kind == "train"]
    (array,) = laid_out(tasks, seconds=lambda _: 4.0, pack_seconds=10.0)
    assert [len(pack) for pack in array.elements.values()] == [2] * 5
    assert array.tasks == [task.address for task in tasks]


def test_a_task_longer_than_a_pack_gets_a_job_of_its_own(tmp_path: Path) -> None:
    tasks = [task for task in tasks_of(tmp_path, seeds=2) if task.kind == "train"]
    length = dict(zip((task.address for task in tasks), (1.0, 99.0, 1.0, 1.0), strict=True))
    (array,) = laid_out(tasks, seconds=lambda task: length[task.address], pack_seconds=10.0)
    assert [len(pack) for pack in array.elements.values()] == [1, 1, 2]


@pytest.mark.parametrize("limit", [0.0, 600.0])
def test_a_task_of_unknown_length_gets_a_job_of_its_own(tmp_path: Path, limit: float) -> None:
    tasks = [task for task in tasks_of(tmp_path, seeds=3) if task.kind == "train"]
    (array,) = laid_out(tasks, pack_seconds=limit)
    assert [len(pack) for pack in array.elements.values()] == [1] * 6


def test_what_is_queued_already_is_waited_for_where_it_is(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path)
    trainings = [task.address for task in tasks if task.kind == "train"]
    queued = {a: Element(array="earlier", index=n + 3) for n, a in enumerate(trainings)}
    rest = [task for task in tasks if task.address not in queued]
    made = laid_out(rest, queued=queued)
    assert_sound(made, rest, queued)
    (bounds,) = (array for array in made if array.kind == "likelihood")
    assert bounds.after == (Dependency(kind="aftercorr", array="earlier"),)
    assert sorted(bounds.elements) == [3, 4, 5, 6]


def test_parents_that_stand_under_different_indices_are_all_waited_for(tmp_path: Path) -> None:
    """Two shards of one sampling in crossed order: no index is right for what needs both."""
    tasks = tasks_of(tmp_path)
    shards = [task.address for task in tasks if task.kind == "sample"]
    queued = {a: Element(array=f"a{n % 2}", index=n * 7 % 5) for n, a in enumerate(shards)}
    rest = [task for task in tasks if task.kind in ("features", "score") and task.needs]
    made = laid_out(rest, queued=queued)
    assert_sound(made, rest, queued)
    assert {d.kind for array in made for d in array.after if d.array in ("a0", "a1")} == {
        "afterany"
    }


def test_work_is_counted_once(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, seeds=4)
    made = laid_out(tasks, seconds=lambda _: 1.0, pack_seconds=3.0)
    counts = Counter(address for array in made for address in array.tasks)
    assert counts == Counter(task.address for task in tasks)
