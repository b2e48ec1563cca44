"""What may go wrong around the work: kills at any operation, two runs at once, a full disk."""

import random
import signal
from pathlib import Path

import pytest

from studies.store.store import Store
from tests.witness import tiny
from tests.witness.warm import Warm

OPERATIONS = 400
"""Fewer than the file operations of one undisturbed study of one seed."""

RUN = "inline.execute(Store(Path({root!r})), tiny.study({arguments}))"


@pytest.fixture(scope="module")
def undisturbed(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("undisturbed")
    assert warm.start(run(root)).wait() == 0
    return Store(root)


def run(root: Path, arguments: str = "") -> str:
    return RUN.format(root=str(root), arguments=arguments)


def products(store: Store) -> dict[str, bytes]:
    """Bytes of all that the tasks produced, by their place in the store."""
    names = ("result.json", "samples.npy", "features.npz")
    paths = [path for name in names for path in (store.root / "tasks").glob(f"*/{name}")]
    return {str(path.relative_to(store.root)): path.read_bytes() for path in paths}


def kill_until_done(warm: Warm, root: Path, *, seed: int, kills: int) -> None:
    """Run a study, kill it so many times at file operations of its own, then let it end."""
    drawn = random.Random(seed)
    furthest = OPERATIONS // kills  # so that no run is done before it is killed
    for _ in range(kills):
        number = drawn.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        operation = drawn.randrange(furthest)
        worker = warm.start(f"kills.at({operation}, {int(number)}); {run(root, 'seeds=1')}")
        assert worker.wait() in (-number, 1), worker.output()  # between tasks SIGTERM kills
    last = warm.start(run(root, "seeds=1"))
    assert last.wait() == 0, last.output()


def assert_as_undisturbed(store: Store, undisturbed: Store) -> None:
    found, expected = products(store), products(undisturbed)
    assert found == {name: expected[name] for name in found}
    tasks = len(list((store.root / "tasks").iterdir()))
    assert sum(name.endswith("result.json") for name in found) == tasks > 0
    left = {path.name for path in store.root.glob("tasks/**/.*")}
    left |= {path.name for path in store.root.glob("tasks/*/claim.json")}
    assert left == set()


def test_a_study_does_more_file_operations_than_its_kills_count(warm: Warm, tmp_path: Path) -> None:
    counting = f"count = kills.Count(); {run(tmp_path, 'seeds=1')}; print(count.done)"
    worker = warm.start(counting)
    assert worker.wait() == 0
    assert int(worker.output()) > OPERATIONS


def test_a_study_killed_at_file_operations_ends_with_the_same_bytes(
    warm: Warm, undisturbed: Store, tmp_path: Path
) -> None:
    kill_until_done(warm, tmp_path, seed=0, kills=6)
    assert_as_undisturbed(Store(tmp_path), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_study_killed_at_many_file_operations_ends_with_the_same_bytes(
    warm: Warm, undisturbed: Store, tmp_path: Path, seed: int
) -> None:
    kill_until_done(warm, tmp_path, seed=seed, kills=20)
    assert_as_undisturbed(Store(tmp_path), undisturbed)


@pytest.mark.parametrize(
    "studies",
    [("seeds=1", "seeds=2"), pytest.param(("seeds=2", "seeds=2"), marks=pytest.mark.slow)],
    ids=["sharing tasks", "the same"],
)
def test_two_studies_at_once_do_every_task_once_and_both_end_complete(
    warm: Warm, undisturbed: Store, tmp_path: Path, studies: tuple[str, str]
) -> None:
    runs = [warm.start(run(tmp_path, study)) for study in studies]
    assert [one.wait() for one in runs] == [0, 0], runs[0].output() + runs[1].output()
    store = Store(tmp_path)
    assert {tuple(store.attempts(task.address)) for task in tiny.study(seeds=2)} == {(1,)}
    assert_as_undisturbed(store, undisturbed)


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes})); {run}"


def test_a_disk_that_fills_up_stops_the_run_in_one_sentence_and_it_goes_on_later(
    warm: Warm, undisturbed: Store, tmp_path: Path
) -> None:
    limited = warm.start(LIMITED.format(bytes=5_000, run=run(tmp_path, "seeds=1")))
    assert limited.wait() == 1
    message = limited.output().splitlines()[-1]
    assert "state.pt: cannot write: File too large; the file is larger than this" in message
    store = Store(tmp_path)
    states = {task.kind: store.state(task.address) for task in tiny.study(seeds=1)}
    assert (states["extractor"], states["train"], states["score"]) == ("done", "planned", "planned")
    assert warm.start(run(tmp_path, "seeds=1")).wait() == 0
    assert_as_undisturbed(store, undisturbed)
