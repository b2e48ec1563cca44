"""The presets at the paper's scale have the data, networks and recipes of the paper.

Transcribed once more from the paper (arXiv:2102.09672), its appendices and the official flags.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from iddpm.bounds import ConfigError
from iddpm.config import GanConfig, Hybrid, TrainConfig
from iddpm.data import outline
from iddpm.evaluation.config import GradientNoiseConfig, Inception, LikelihoodConfig, SampleConfig
from studies import run
from studies.analyses.index import checked
from studies.analyses.judge import judge
from studies.plan.plan import expand
from studies.spec.evaluations import SamplesConfig
from studies.spec.sweep import read_sweep
from tests.witness.made_up_tables import made_up
from tests.witness.marks import slow_except
from tests.witness.paper_scale import ROOT, K, arms, drawn, parameters, planned

EVERY_PRESET = sorted(path.stem for path in (ROOT / "sweeps/presets").glob("*.yaml"))
PRESETS = ("cifar10", "imagenet64", "imagenet64_cond", "lsun256")
SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))

# ------------------------------------------------------------------------- every sweep of theirs

UNLABELLED = ("imagenet64", "lsun256", "photos")


REFUSED = {
    "gan_comparison": "expected data with labels, found none in",
    "released_checkpoints": r"expected data of \d+x\d+ pixels for \w+, found",
}
"""What a sweep is refused with under a preset whose data cannot carry it."""


def can_carry(preset: str, sweep: str) -> bool:
    if sweep == "released_checkpoints":  # of the data that the paper's networks were trained on
        return preset.removesuffix("_frugal") in PRESETS
    return not (sweep == "gan_comparison" and preset.removesuffix("_frugal") in UNLABELLED)


OF_ONE_SEED = ("lottery", "released_checkpoints")
"""Sweeps that vary the seeds of parts, or whose networks are read from files."""


@pytest.mark.parametrize("preset", EVERY_PRESET)
@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_is_taken_under_every_preset_and_planned_where_its_data_can_carry_it(
    sweep: str, preset: str
) -> None:
    if can_carry(preset, sweep):
        plan = planned(sweep, preset)
        spec = plan.spec
        assert plan.tasks
    else:
        spec = read_sweep(ROOT / f"sweeps/{sweep}.yaml", preset=preset)
        with pytest.raises(ConfigError, match=REFUSED[sweep]):
            expand(spec, outlined=True)
    assert checked(spec).id == f"{sweep}-{preset}"
    assert spec.arms
    assert spec.figures
    assert sweep not in OF_ONE_SEED or spec.seeds == (0,)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("sweep", SWEEPS)
def test_no_grid_of_a_laptop_is_left_at_the_papers_scale(sweep: str, preset: str) -> None:
    spec = read_sweep(ROOT / f"sweeps/{sweep}.yaml", preset=preset)
    assert (spec.tuned, spec.seeds) == (True, (0,))
    for arm in spec.arms:
        train, evaluation = arm.train, arm.evaluation
        assert train.steps == 1 or train.steps >= 8_000
        assert (train.network.groups, train.network.model_channels >= 64) == (32, True)
        assert train.batch_size >= 64
        assert train.optimizer.learning_rate <= 6e-4
        if isinstance(evaluation, SamplesConfig):
            assert evaluation.images >= 5_000 or sweep == "sample_gallery"
        if isinstance(evaluation, LikelihoodConfig):
            data = outline(train.data)
            whole = data.train_images if evaluation.split == "train" else data.test_images
            assert min(data.test_images, 10_000) <= (evaluation.images or whole) <= 50_000
    for rival in spec.rivals:
        if isinstance(rival.config, GanConfig) and preset not in UNLABELLED:
            assert (rival.config.channels, rival.config.steps) == (96, 125_000)


ASKED_ELSEWHERE = {
    ("early_stopping", "cifar10"): {
        "small_dropout_improves_the_best_quality",  # its dropouts are those that the paper tried
        "small_dropout_takes_longer",
    },
    ("early_stopping", "imagenet64_cond"): {"best_dropout_depends_on_the_schedule"},  # of CIFAR-10
    **{
        ("sampling_stride", preset): {"large_batches_help_hybrid_not_ddim"}  # of LSUN
        for preset in ("cifar10", "imagenet64", "imagenet64_cond")
    },
    ("sampling_stride", "lsun256"): {
        "even_stride_hurts_ddim",  # of the others
        "even_stride_helps_ancestral_sampling",
    },
}
"""Claims that a preset cannot tell of, since the paper shows them on other data."""


@cache
def untold(sweep: str, preset: str) -> set[str]:
    """The claims of a sweep that its scores and bounds do not feed, were all of them there."""

    def value(row: Mapping[str, Any]) -> float:
        return float(3 + 100 / (row["compute"] or 1e9) ** 0.1)

    plan = planned(sweep, preset)
    tables = made_up(plan, value, ("frechet_distance", "precision", "recall"))
    return {claim for claim in plan.spec.claims if judge(claim, tables).verdict == "not run"}


@pytest.mark.parametrize(
    ("sweep", "preset"),
    slow_except(
        [
            (sweep, preset)
            for sweep, preset in product(SWEEPS, PRESETS)
            # the first has neither scores nor bounds, the other no claims
            if sweep not in ("noise_schedules", "released_checkpoints") and can_carry(preset, sweep)
        ],
        *((sweep, "cifar10") for sweep in SWEEPS),
        *ASKED_ELSEWHERE,
    ),
)
def test_every_claim_can_be_decided_at_the_papers_scale_that_can_be_on_a_laptop(
    sweep: str, preset: str
) -> None:
    more = untold(sweep, preset) - untold(sweep, "digits")
    assert more == ASKED_ELSEWHERE.get((sweep, preset), set())


# ---------------------------------------------------------------------------------- the data

ABSENT = {
    "cifar10": ("cifar10.npz", "train (50000, 32, 32, 3) and test (10000, 32, 32, 3)", 10),
    "imagenet64": ("imagenet64.npz", "train (1281149, 64, 64, 3) and test (49999, 64, 64, 3)", 0),
    "imagenet64_cond": (
        "imagenet64_labelled.npz",
        "train (1281167, 64, 64, 3) and test (50000, 64, 64, 3)",
        1000,
    ),
    "lsun256": ("lsun256.npz", "train (3033042, 256, 256, 3) and test (300, 256, 256, 3)", 0),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_without_its_data_says_what_to_put_where(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, arrays, classes = ABSENT[preset]
    monkeypatch.chdir(tmp_path)
    sweep = str(ROOT / "sweeps/sampling_stride.yaml")
    assert run.main([sweep, "--preset", preset]) == 2
    said = capsys.readouterr().err
    labels = f", train_labels and test_labels of integers below {classes}" if classes else ""
    assert said.count("\n") == 1
    assert re.search(rf"presets/{preset}.yaml:\d+: train.data.path: ", said)
    assert (
        f"expected an .npz file, found no file at data/{file}; put there the arrays {arrays} of "
        f"uint8{labels}. Source: "
    ) in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_without_its_data_can_be_looked_at(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = str(ROOT / "sweeps/sampling_stride.yaml")
    assert run.main([sweep, "--preset", preset, "--dry-run", "--verbose"]) == 0
    said = capsys.readouterr().out
    assert f"found no file at data/{ABSENT[preset][0]}; put there" in said
    assert "found no file at data/pt_inception-2015-12-05-6726825d.pth; get https://" in said
    trained = {arm.train: parameters(arm.train) for arm in arms("sampling_stride", preset)}
    for count in trained.values():
        assert f"{count:,}" in said
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_missing_are_told_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = ROOT / "sweeps/sampling_stride.yaml"
    spec = read_sweep(path, preset="cifar10", overrides=[("train.data", "photos")])
    with pytest.raises(ConfigError, match=r"samples.*path: expected the weights of Inception-V3"):
        expand(spec)


def test_inception_reads_colour_images_alone() -> None:
    path = ROOT / "sweeps/sampling_stride.yaml"
    spec = read_sweep(path, preset="digits", overrides=[("samples.extractor", "inception")])
    with pytest.raises(ConfigError, match="3 channels and 256 levels for 'inception', found 1"):
        expand(spec, outlined=True)


# ---------------------------------------------------------------------------------- the networks

COUNTED = {
    ("cifar10", "simple"): 52_542_979,
    ("cifar10", "hybrid"): 52_546_438,
    ("imagenet64", "hybrid"): 121_063_942,
    ("lsun256", "hybrid"): 113_676_678,
    ("imagenet64_cond", "hybrid"): 273_049_350,
}


@pytest.mark.parametrize(("preset", "objective"), COUNTED)
def test_networks_have_the_official_number_of_parameters(preset: str, objective: str) -> None:
    found = {
        parameters(arm.train)
        for arm in arms("sampling_stride", preset)
        if arm.train.objective.kind == objective
    }
    assert found == {COUNTED[preset, objective]}


def test_the_small_network_with_labels_has_the_official_number_of_parameters() -> None:
    path = ROOT / "sweeps/sampling_stride.yaml"
    overrides = [("train.network.model_channels", "128")]
    spec = read_sweep(path, preset="imagenet64_cond", overrides=overrides)
    small = {arm.train for arm in spec.arms if arm.train.objective.kind == "hybrid"}
    assert {parameters(train) for train in small} == {121_575_942}


SETTINGS = {
    "cifar10": ((1, 2, 2, 2), 3, (16, 8), 4, True, True, 128, 1e-4),
    "imagenet64": ((1, 2, 3, 4), 3, (16, 8), 4, True, True, 128, 1e-4),
    "imagenet64_cond": ((1, 2, 3, 4), 3, (16, 8), 4, True, False, 2048, 3e-4),
    "lsun256": ((1, 1, 2, 2, 4, 4), 2, (16,), 1, False, False, 128, 1e-4),
}
"""Multipliers, blocks, attention, heads, scale-shift, rescaled steps, batch, learning rate."""


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_are_the_papers(preset: str) -> None:
    train = arms("noise_schedules", preset)[0].train
    network = train.network
    assert (
        network.channel_mult,
        network.res_blocks,
        network.attention_resolutions,
        network.heads,
        network.scale_shift,
        network.rescale_timesteps,
        train.batch_size,
        train.optimizer.learning_rate,
    ) == SETTINGS[preset]
    assert (network.groups, network.model_channels) == (32, 192 if "cond" in preset else 128)
    assert (train.diffusion.steps, train.ema_decays) == (
        1000 if preset == "lsun256" else 4000,
        (0.999, 0.9999, 0.99995),
    )
    assert network.class_conditional == (preset == "imagenet64_cond")
    assert (train.optimizer.betas, train.optimizer.weight_decay) == ((0.9, 0.999), 0)


@pytest.mark.parametrize("preset", PRESETS)
def test_scores_have_the_papers_recipe(preset: str) -> None:
    scored = [s for arm in arms("sampling_stride", preset) if (s := drawn(arm))]
    without_figure = preset == "imagenet64_cond"  # of these strides
    assert {s.images for s in scored} == {
        10_000 if preset == "imagenet64" or without_figure else 50_000
    }
    assert {s.reference.images for s in scored} == {50_000 if preset == "lsun256" else None}
    assert {(s.reference.split, s.neighbours, s.clip, s.ema_decay) for s in scored} == {
        ("train", 5, True, 0.9999)
    }
    assert all(isinstance(s.extractor, Inception) for s in scored)
    assert {arm.train.data.name for arm in arms("sampling_stride", preset)} == {  # type: ignore[union-attr]
        ABSENT[preset][0].removesuffix(".npz")
    }


LAMBDA = {
    "cifar10": {4000: 0.001, 1000: 0.001},
    "imagenet64": {4000: 0.001, 1000: 0.001},
    "imagenet64_cond": {4000: 1 / 4000},  # trained without rescaling: 1 / T
    "lsun256": {4000: 1 / 4000, 1000: 1 / 1000},
}


@pytest.mark.parametrize("preset", PRESETS)
def test_lambda_is_that_of_the_official_flags_in_every_sweep(preset: str) -> None:
    found = [
        (arm.train.diffusion.steps, arm.train.objective.vlb_weight)
        for sweep in SWEEPS
        for arm in read_sweep(ROOT / f"sweeps/{sweep}.yaml", preset=preset).arms
        if isinstance(arm.train.objective, Hybrid)
    ]
    assert len(found) > 100
    assert [weight for _, weight in found] == [LAMBDA[preset][T] for T, _ in found]


@pytest.mark.parametrize("preset", PRESETS)
def test_networks_compute_as_torch_does_for_the_official_code(preset: str) -> None:
    asked = [arm for sweep in SWEEPS if can_carry(preset, sweep) for arm in arms(sweep, preset)]
    assert {arm.train.precision for arm in asked if arm.train.source is None} == {"tf32"}
    chains = [arm.evaluation for arm in asked if arm.evaluation is not None]
    kinds = SamplesConfig | LikelihoodConfig | GradientNoiseConfig
    assert {e.precision for e in chains if isinstance(e, kinds)} == {"tf32"}


@pytest.mark.parametrize("preset", PRESETS)
def test_no_trajectory_is_trained_twice_for_its_averages(preset: str) -> None:
    """The presets of a laptop are left out: the study of their averages has a list of its own."""
    kept: dict[TrainConfig, set[tuple[float, ...]]] = defaultdict(set)
    for sweep in SWEEPS:
        if can_carry(preset, sweep):
            for task in planned(sweep, preset).tasks.values():
                if isinstance(task.config, TrainConfig) and task.kind == "train":
                    trajectory = replace(task.config, steps=1, ema_decays=())
                    kept[trajectory].add(task.config.ema_decays)
    assert len(kept) > 10
    assert {lists for found in kept.values() for lists in found} == {(0.999, 0.9999, 0.99995)}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_gallery_draws_what_is_looked_at_and_not_what_a_score_takes(preset: str) -> None:
    drawn_images = {s.images for a in arms("sample_gallery", preset) if (s := drawn(a))}
    # Fig. 9 has eight of some classes of a thousand, and a label is a place modulo the classes.
    assert drawn_images == {8 * 1000 if preset == "imagenet64_cond" else 100}
    tasks = planned("sample_gallery", preset).tasks.values()
    blocks = [t.config for t in tasks if isinstance(t.config, SampleConfig)]
    surplus = {c.last_block * c.block_size for c in blocks}
    assert max(surplus) == max(drawn_images)


def test_bounds_of_overfitting_are_of_as_many_images_trained_on_as_not() -> None:
    found = {
        (a.evaluation.split, a.evaluation.images or outline(a.train.data).test_images)
        for a in arms("overfitting", "cifar10")
        if isinstance(a.evaluation, LikelihoodConfig)
    }
    assert found == {("test", 10 * K), ("train", 10 * K)}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_skipped_starts_are_scored_by_as_many_images_as_those_of_fig_4(preset: str) -> None:
    assert {s.images for a in arms("skip_prefix", preset) if (s := drawn(a))} == {10 * K}


@pytest.mark.parametrize("preset", ["cifar10", "imagenet64_cond"])
def test_rivals_are_met_in_the_250_steps_of_table_4(preset: str) -> None:
    assert {s.steps for a in arms("gan_comparison", preset) if (s := drawn(a))} == {250}


@pytest.mark.parametrize("sweep", ["sigma_ablation", "sampling_stride", "skip_prefix"])
def test_the_large_network_is_not_sampled_for_figures_that_the_paper_has_of_others(
    sweep: str,
) -> None:
    found = [s for a in arms(sweep, "imagenet64_cond") if (s := drawn(a))]
    assert max(s.steps or 4000 for s in found) == 250
    assert {s.images for s in found} == {10 * K}


def test_the_gradient_noise_with_labels_is_of_a_training_by_batches_of_fig_7s_size() -> None:
    found = {arm.train for arm in arms("gradient_noise", "imagenet64_cond")}
    assert {(t.batch_size, t.optimizer.learning_rate) for t in found} == {(128, 1e-4)}
    assert {parameters(train) for train in found} == {121_575_942}
    assert max(train.steps for train in found) == 200 * K
