"""Guesses of times at the paper's scale, against sums done by hand from images a second."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from iddpm.config import GanConfig, TrainConfig
from iddpm.evaluation.config import FeaturesConfig, LikelihoodShardConfig, SampleConfig
from studies.execute.guesses import ANY_GPU, CPU_CORE, CPUS, FACTOR, GPUS, _of_gpu, guess, on_core
from studies.plan.plan import Plan, expand
from studies.spec.sweep import read_sweep
from studies.tasks.counts import multiply_adds, training_steps
from studies.tasks.task import Task
from tests.witness import tiny

ROOT = Path(__file__).parents[3]
HOUR = 3600


def planned(sweep: str, preset: str) -> Plan:
    return expand(read_sweep(ROOT / f"sweeps/{sweep}.yaml", preset=preset), outlined=True)


def hours(plan: Plan, task: Task, gpu: str | None = "h100", processes: int = 1) -> float:
    return guess(task, plan.tasks.__getitem__, gpu=gpu, processes=processes) / HOUR


def longest(plan: Plan) -> Task:
    trainings = [task for task in plan.tasks.values() if task.kind == "train"]
    return replace(max(trainings, key=training_steps), after=())


def test_a_training_on_cifar_takes_its_images_over_1500_a_second_on_an_h100() -> None:
    plan = planned("sigma_ablation", "cifar10")
    training = longest(plan)
    assert hours(plan, training) == pytest.approx(500_000 * 128 / 1500 / HOUR, rel=0.02)
    assert hours(plan, training, processes=2) == pytest.approx(hours(plan, training) / 2, rel=0.01)
    assert hours(plan, training, "a100") > 2 * hours(plan, training)
    assert hours(plan, training, "") == hours(plan, training, "a100")
    assert hours(plan, training, "NVIDIA H100 80GB HBM3") == hours(plan, training)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("nvidia h200", "h200"),
        *((name, None) for name in ("NVIDIA A10", "NVIDIA GH200 480GB", "NVIDIA A1000", "T4")),
    ],
)
def test_a_gpu_is_known_by_a_whole_word_of_its_name(name: str, known: str | None) -> None:
    """Of any other the guess is that of the slowest: an H200's for a GH200 was one by chance."""
    assert _of_gpu(name) == (GPUS[known] if known else ANY_GPU)


def test_a_word_within_a_word_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for short, long in (("t4", "ENT4XR"), ("a10", "NVIDIA A100"), ("l4", "NVIDIA L40S")):
        monkeypatch.setitem(GPUS, short, GPUS["h100"])
        assert _of_gpu(long) == ANY_GPU
        assert _of_gpu(f"NVIDIA {short.upper()}") == GPUS["h100"]


def test_the_long_training_on_imagenet_takes_seven_days() -> None:
    plan = planned("objective_ablation", "imagenet64")
    assert hours(plan, longest(plan)) / 24 == pytest.approx(7.0, rel=0.02)


def test_a_training_that_continues_another_takes_the_steps_that_are_left() -> None:
    plan = planned("overfitting", "cifar10")
    lengths = [t for t in plan.tasks.values() if isinstance(t.config, TrainConfig)]
    linear = [t for t in lengths if t.config.diffusion.schedule == "linear"]  # type: ignore[union-attr]
    in_parts = sum(guess(t, plan.tasks.__getitem__, gpu="h100") for t in linear)
    assert in_parts / HOUR == pytest.approx(500_000 * 128 / 1500 / HOUR, rel=0.02)


def test_all_samples_of_an_fid_take_12_hours_and_an_exact_bound_two_and_a_half() -> None:
    plan = planned("objective_ablation", "cifar10")
    whole = [
        t
        for t in plan.tasks.values()
        if isinstance(t.config, SampleConfig) and t.config.steps == 4000
    ]
    networks = {t.parents["network"] for t in whole}
    shards = [t for t in whole if t.parents["network"] == min(networks)]
    drawn = sum(
        (t.config.last_block - t.config.first_block) * 500
        for t in shards
        if isinstance(t.config, SampleConfig)
    )
    took = sum(hours(plan, t) for t in shards)
    assert took * 50_000 / drawn == pytest.approx(12.3, rel=0.02)
    bounds = [
        t
        for t in plan.tasks.values()
        if isinstance(t.config, LikelihoodShardConfig)
        and plan.tasks[t.parents["network"]].config.diffusion.steps == 4000  # type: ignore[union-attr]
    ]
    one = [t for t in bounds if t.parents["network"] == bounds[0].parents["network"]]
    took = sum(hours(plan, t) for t in one)
    assert took == pytest.approx(2.5, rel=0.02)


def test_what_numpy_does_takes_a_cpu_core_whatever_gpu_there_is() -> None:
    """All distances between 50,000 vectors of 2048 numbers; of 10,000 among them and to these."""
    plan = planned("skip_prefix", "cifar10")
    pairs = {"radii": 50_000**2, "score": 10_000**2 + 10_000 * 50_000}
    for kind, count in pairs.items():
        task = next(t for t in plan.tasks.values() if t.kind == kind)
        sums = 2048 * count + (25 * 2048**3 if kind == "score" else 0)
        assert hours(plan, task) == pytest.approx(sums / CPU_CORE / HOUR)
        assert hours(plan, task, None) == hours(plan, task)


def test_inception_reads_some_thousand_images_a_second() -> None:
    plan = planned("skip_prefix", "cifar10")
    features = next(
        t for t in plan.tasks.values() if isinstance(t.config, FeaturesConfig) and t.config.data
    )
    seconds = guess(features, plan.tasks.__getitem__, gpu="h100")
    assert 1000 < 50_000 / seconds < 4000


def test_the_gan_of_the_paper_presets_takes_hours_not_days() -> None:
    plan = planned("gan_comparison", "cifar10")
    gan = next(t for t in plan.tasks.values() if isinstance(t.config, GanConfig))
    assert 0.5 < hours(plan, gan) < 24


def test_rounding_as_tf32_does_is_faster_and_bf16_faster_still() -> None:
    for rates in GPUS.values():
        assert rates["float32"] < rates["tf32"] < rates["bf16"]


def test_there_is_a_guess_for_every_kind_of_task() -> None:
    tasks = {task.address: task for task in tiny.study()}
    for task in tasks.values():
        assert 0 <= guess(task, tasks.__getitem__, gpu=None) < 60


def test_the_committed_core_takes_the_minutes_that_it_is_told_from() -> None:
    plan = planned("sigma_ablation", "digits")
    (cpu,) = CPUS.values()
    rows = re.findall(
        r"^\| (\w+) \| \d+ \| ([\d.e]+) \| ([\d.]+) \|$", (ROOT / cpu.source).read_text(), re.M
    )
    assert {kind for kind, *_ in rows} == set(cpu.rates)
    for kind, operations, minutes in rows:
        rate = float(operations) / float(minutes) / 60
        for task in (task for task in plan.tasks.values() if task.kind == kind):
            seconds, is_guess = on_core(task, plan.tasks.__getitem__, cpu)
            assert not is_guess
            assert seconds == pytest.approx(
                multiply_adds(task, plan.tasks.__getitem__) / rate, rel=0.02
            )


def test_a_guess_is_as_wrong_as_it_says_for_the_committed_core() -> None:
    (cpu,) = CPUS.values()
    assert all(1 / FACTOR <= rate / CPU_CORE <= FACTOR for rate in cpu.rates.values())


def test_of_another_network_the_committed_core_is_guessed() -> None:
    training = tiny.training()
    (cpu,) = CPUS.values()
    assert on_core(training, _no_other, cpu)[1]


def _no_other(address: str) -> Task:
    raise AssertionError(address)
