"""How long tasks will take, from made-up times of others."""

from dataclasses import replace

import pytest

from iddpm.config import DiffusionConfig
from iddpm.evaluation.config import Ancestral, Ddim
from studies.execute.devices import Device
from studies.execute.forecast import (
    Expected,
    Forecast,
    Left,
    duration,
    finish_time,
    longest_chain,
)
from studies.execute.guesses import BEGINNING_S, guess
from studies.store.store import Beat, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.records import edit
from tests.witness.stores import claimed


def took(store: Store, seconds: float, task: Task, attempt: int = 1, **made: object) -> None:
    claim = claimed(store, task)
    store.publish(claim, {}, {"seconds": seconds, "attempt": attempt, **made})


def seconds(store: Store, task: Task, *parents: Task) -> float | None:
    return Forecast(store).seconds(task, {p.address: p for p in parents}.__getitem__)


TRAINING = tiny.training(steps=10)


def _none(address: str) -> Task:
    raise AssertionError(address)


def test_of_a_kind_that_was_never_done_nothing_is_known(store: Store) -> None:
    took(store, 5.0, TRAINING)
    bound = tiny.likelihood(TRAINING)
    assert seconds(store, bound, TRAINING) is None
    assert seconds(store, tiny.extractor()) is None


def test_a_training_takes_time_in_proportion_to_its_steps_whatever_seed_and_chain(
    store: Store,
) -> None:
    took(store, 5.0, TRAINING)
    assert seconds(store, tiny.training(seed=3, steps=40)) == pytest.approx(20.0)
    chain = DiffusionConfig(steps=77)
    assert seconds(store, tiny.training(diffusion=chain)) == pytest.approx(5.0)


@pytest.mark.parametrize(
    "other",
    [
        tiny.training(batch_size=8),
        tiny.training(network=replace(tiny.NETWORK, model_channels=8)),
    ],
)
def test_a_training_of_another_network_or_batch_is_not_like_it(store: Store, other: Task) -> None:
    took(store, 5.0, TRAINING)
    assert seconds(store, other) is None


def test_of_many_times_the_median_rate_counts(store: Store) -> None:
    for seed, time in enumerate((1.0, 2.0, 99.0)):
        took(store, time, tiny.training(seed=seed))
    assert seconds(store, tiny.training(seed=9)) == pytest.approx(2.0)


def test_samples_and_bounds_take_time_by_the_calls_of_the_network_on_an_image(
    store: Store,
) -> None:
    store.create(TRAINING)
    took(store, 6.0, tiny.sampling(TRAINING))  # 4 images in 5 steps
    half = tiny.sampling(TRAINING, Ddim(), seed=1, last_block=1)  # 2 images
    assert seconds(store, half, TRAINING) == pytest.approx(3.0)
    twice = tiny.sampling(TRAINING, Ancestral(variance="beta"), steps=10)
    assert seconds(store, twice, TRAINING) == pytest.approx(12.0)
    took(store, 8.0, tiny.likelihood(TRAINING))  # 4 images in all 10 steps
    short = tiny.likelihood(TRAINING, images=2, steps=5)
    assert seconds(store, short, TRAINING) == pytest.approx(2.0)
    shard, _, _ = tiny.sharded_likelihood(TRAINING)  # 2 images
    assert seconds(store, shard, TRAINING) == pytest.approx(4.0)


def test_blocks_of_another_size_are_not_alike(store: Store) -> None:
    store.create(TRAINING)
    took(store, 6.0, tiny.sampling(TRAINING))
    assert seconds(store, tiny.sampling(TRAINING, block_size=4), TRAINING) is None


def test_features_take_time_by_the_image_and_by_what_reads_them(store: Store) -> None:
    extractor = tiny.extractor()
    store.create(extractor)
    took(store, 4.0, tiny.real_features(extractor))  # 8 images
    drawn = tiny.drawn_features(extractor, tiny.sampling(TRAINING), images=2)
    assert seconds(store, drawn, extractor) == pytest.approx(1.0)


def test_a_task_that_was_gone_on_with_tells_nothing_of_its_whole_time(store: Store) -> None:
    took(store, 1.0, tiny.training(seed=1), attempt=2)
    assert seconds(store, TRAINING) is None


@pytest.mark.parametrize("how", [{"compiling": "graphs"}, {"images_per_pass": 64}])
def test_a_time_that_was_taken_in_another_way_than_usual_is_left_out(
    store: Store, how: dict[str, object]
) -> None:
    took(store, 1.0, TRAINING, attempt=1, **how)
    assert seconds(store, tiny.training(seed=1)) is None


def test_a_task_of_another_version_is_passed_over(store: Store) -> None:
    took(store, 5.0, TRAINING)
    path = store.folder(TRAINING.address) / "task.json"
    edit(path, schema=99)
    assert seconds(store, tiny.training(seed=1)) is None


def test_a_score_takes_as_long_as_the_last(store: Store) -> None:
    extractor = tiny.extractor()
    real = tiny.real_features(extractor)
    took(store, 2.0, tiny.score(real, real))
    drawn = tiny.drawn_features(extractor, tiny.sampling(TRAINING), images=2)
    assert seconds(store, tiny.score(drawn, real)) == 2.0


def test_the_time_left_is_that_of_tasks_alike_and_not_of_how_many_ended(store: Store) -> None:
    tasks = [tiny.training(seed=seed, steps=steps) for seed in (0, 1) for steps in (10, 40)]
    left = Left(store, [*tasks, tiny.extractor()], workers=1)
    left.ended(tiny.extractor().address)
    assert left.finish().is_guess  # nothing like them was measured
    took(store, 5.0, tasks[0])
    left.ended(tasks[0].address)
    assert left.finish().seconds == pytest.approx(10 + 20 + 5 + 20)  # and ten to begin
    left.begun(tasks[1].address, Beat(done=30, total=40, unit="steps"), 1.0)
    assert left.finish().seconds == pytest.approx(5 + 5 + 20)
    assert left.said() == "about 30 s left"
    assert Left(store, tasks, workers=50).finish().seconds == pytest.approx(10 + 20)  # the longest
    for task in tasks:
        left.ended(task.address)
    assert left.said() == ""


def test_a_training_under_way_that_goes_on_from_a_shorter_one_has_its_own_steps_left(
    store: Store,
) -> None:
    took(store, 5.0, TRAINING)
    longer = replace(tiny.training(steps=40), after=(TRAINING.address,))
    left = Left(store, [TRAINING, longer], workers=1)
    left.ended(TRAINING.address)
    assert left.finish().seconds == pytest.approx(10 + 15.0)
    left.begun(longer.address, Beat(done=25, total=40, unit="steps", begun=10), 1.0)
    assert left.finish().seconds == pytest.approx(7.5)


def test_before_anything_like_it_is_done_the_pace_of_a_task_under_way_counts(
    store: Store,
) -> None:
    """Three of ten steps in six seconds, once five seconds were watched."""
    first, second = tiny.training(seed=1, steps=10), tiny.training(seed=2, steps=40)
    left = Left(store, [first, second], workers=1)
    left.begun(first.address, Beat(done=5, total=10, unit="steps", begun=3), 4.0)
    assert left.finish().is_guess
    left.begun(first.address, Beat(done=6, total=10, unit="steps", begun=3), 6.0)
    assert left.finish().seconds == pytest.approx(4 * 2.0 + 40 * 2.0)
    assert not left.finish().is_guess
    took(store, 10.0, first)
    left.ended(first.address)
    assert left.finish().seconds == pytest.approx(40.0)  # what was measured wins


# ------------------------------------------------------------------------------------ of a device

SAMPLING = tiny.sampling(TRAINING)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device(cpu="slow"), 6.0),
        (Device(cpu="fast"), 2.0),
        (Device(cpu="new"), None),
        (Device(cpu="slow", gpu="NVIDIA H200"), 0.5),
        (Device(cpu="slow", gpu="h200"), 0.5),
        (Device(cpu="slow", gpu="a100"), None),
        (Device(), 4.0),
    ],
)
def test_a_time_counts_for_the_device_that_it_was_taken_on(
    store: Store, device: Device, expected: float | None
) -> None:
    store.create(TRAINING)
    for seed, (cpu, gpu, seconds) in enumerate(
        [("slow", "cpu", 6.0), ("fast", "cpu", 2.0), ("slow", "NVIDIA H200", 0.5)]
    ):
        took(store, seconds, tiny.sampling(TRAINING, seed=seed), cpu=cpu, device=gpu)
    found = Forecast(store, device).seconds(
        tiny.sampling(TRAINING, seed=9), {TRAINING.address: TRAINING}.__getitem__
    )
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_time_that_several_ranks_took_counts_for_so_many_alone(store: Store) -> None:
    took(store, 8.0, tiny.training(seed=1), cpu="a core")
    took(store, 3.0, tiny.training(seed=2), cpu="a core", ranks=4)
    took(store, 1.0, tiny.training(seed=3), cpu="a core", executor="slurm")  # how many, who knows
    found = [Forecast(store, Device(ranks=ranks)).seconds(TRAINING, _none) for ranks in (1, 4, 2)]
    assert found == [8.0, 3.0, None]
    many = Forecast(store, Device(ranks=2)).expected(TRAINING, _none)
    alone = guess(TRAINING, _none, gpu=None)
    assert many.seconds == pytest.approx(alone / 2)
    assert many.is_guess


def test_what_one_process_does_takes_its_time_beside_any_ranks(store: Store) -> None:
    store.create(TRAINING)
    took(store, 6.0, SAMPLING, cpu="a core", executor="slurm")
    found = Forecast(store, Device(ranks=4)).seconds(
        tiny.sampling(TRAINING, seed=1), {TRAINING.address: TRAINING}.__getitem__
    )
    assert found == 6.0


def test_of_a_gpu_of_no_known_name_every_time_is_a_guess(store: Store) -> None:
    took(store, 5.0, TRAINING, cpu="slow", device="NVIDIA H200")
    same = tiny.training(seed=1, steps=10)
    found = [Forecast(store, Device(gpu=gpu)).expected(same, _none) for gpu in ("", "H200")]
    assert found == [Expected(5.0, is_guess=True), Expected(5.0, is_guess=False)]


def test_what_numpy_does_beside_a_gpu_counts_for_the_cpu(store: Store) -> None:
    real = tiny.real_features(tiny.extractor())
    took(store, 2.0, tiny.score(real, real), cpu="slow", device="NVIDIA H200")
    drawn = tiny.drawn_features(tiny.extractor(), SAMPLING, images=2)
    assert Forecast(store, Device(cpu="slow")).seconds(tiny.score(drawn, real), _none) == 2.0
    assert (
        Forecast(store, Device(cpu="fast", gpu="h200")).seconds(tiny.score(drawn, real), _none)
        is None
    )


# ------------------------------------------------------------------------------- a whole plan


def after(task: Task, *addresses: str) -> Task:
    return replace(task, after=addresses)


def test_so_many_workers_take_the_first_task_that_is_ready() -> None:
    """By hand: a (0 to 4) and b (0 to 3); c after b (3 to 8); d when a ends (4 to 6)."""
    a, b, c, d = (tiny.training(seed=seed) for seed in range(4))
    c = after(c, b.address)
    times = dict(zip((t.address for t in (a, b, c, d)), (4.0, 3.0, 5.0, 2.0), strict=True))
    assert finish_time([a, b, c, d], times, 2) == 8.0
    assert finish_time([a, b, c, d], times, 1) == 14.0
    assert finish_time([a, b, d], times, 2) == 5.0
    assert longest_chain([a, b, c, d], times) == 8.0
    assert finish_time([c], times, 2) == 5.0  # what it comes after is done


def test_a_training_that_several_workers_share_waits_until_so_many_are_free() -> None:
    """By hand: a (0 to 3) beside b (0 to 4), the training on both workers (4 to 9), which c does
    not overtake (9 to 14)."""
    a, b, c = (tiny.gan(seed=seed) for seed in range(3))
    times = {a.address: 3.0, b.address: 4.0, TRAINING.address: 5.0, c.address: 5.0}
    assert finish_time([a, b, TRAINING, c], times, 2, ranks=2) == 14.0
    assert finish_time([a, b, TRAINING, c], times, 2) == 9.0
    assert finish_time([TRAINING], times, 1, ranks=2) == 5.0  # whatever is asked, it begins


def test_what_is_left_of_a_run_knows_how_many_share_a_training(store: Store) -> None:
    """On two workers side by side, or each training on both, which was measured as 3 s."""
    tasks = [tiny.training(seed=seed, block_size=2) for seed in range(2)]
    took(store, 5.0, tiny.training(seed=8, block_size=2), cpu="a core", device="cpu")
    took(store, 3.0, tiny.training(seed=9, block_size=2), cpu="a core", device="cpu", ranks=2)
    alone = Left(store, tasks, 2, Device(cpu="a core"))
    shared = Left(store, tasks, 2, Device(cpu="a core", ranks=2), 2)
    assert alone.finish().seconds == pytest.approx(BEGINNING_S + 5.0)
    assert shared.finish().seconds == pytest.approx(BEGINNING_S + 6.0)


def test_what_was_measured_is_told_more_closely_than_a_guess() -> None:
    measured, guessed = Expected(100.0, is_guess=False), Expected(100.0, is_guess=True)
    assert (measured.least, measured.most) == pytest.approx((85.0, 115.0))
    assert (guessed.least, guessed.most) == pytest.approx((25.0, 400.0))


def test_times_are_told_in_the_unit_that_suits() -> None:
    assert [duration(s) for s in (4.4, 89, 90, 1200, 7200, 864_000)] == [
        *("4 s", "89 s", "2 min", "20 min", "2.0 h", "10 days"),
    ]
