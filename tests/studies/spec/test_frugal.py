"""The frugal presets: their cost by the plan, and what of them is the paper's."""

from dataclasses import replace

import pytest

from iddpm.config import TrainConfig
from iddpm.data import outline
from iddpm.evaluation.config import Draws, LikelihoodConfig
from studies.execute.guesses import GPUS
from studies.plan.plan import chained
from studies.spec.sweep import read_sweep
from studies.tasks.counts import multiply_adds
from studies.tasks.kinds import KINDS
from tests.studies.spec.test_paper_scale import SWEEPS, can_carry, untold
from tests.witness.marks import slow_except
from tests.witness.paper_scale import ROOT, K, arms, drawn, planned

FRUGAL = ("cifar10_frugal", "imagenet64_frugal")
OTHERS = ("noise_schedules", "released_checkpoints", "lottery")
ASKING = [sweep for sweep in SWEEPS if sweep not in OTHERS]
"""The sweeps of the paper's questions that train a network."""
OF_TERMS = ("nll_stride", "hybrid_vlb_ensemble", "sigma_ablation")
"""Sweeps with exact bounds: of terms by step, or of chains with few steps to draw from."""
DAY = 86_400 * GPUS["h100"]["tf32"]
"""Multiply-adds of a day of one H100, at the rate that forecasts state."""


def asked(preset: str) -> list[str]:
    return [sweep for sweep in ASKING if can_carry(preset, sweep)]


@pytest.mark.parametrize("preset", FRUGAL)
def test_all_sixteen_sweeps_take_at_most_twenty_days_of_an_h100(preset: str) -> None:
    tasks = chained(t for sweep in asked(preset) for t in planned(sweep, preset).tasks.values())
    days = sum(multiply_adds(task, tasks.__getitem__) for task in tasks.values()) / DAY
    assert 10 < days <= 20
    paper = preset.removesuffix("_frugal")
    theirs = chained(t for sweep in asked(paper) for t in planned(sweep, paper).tasks.values())
    assert sum(multiply_adds(t, theirs.__getitem__) for t in theirs.values()) / DAY > 4.5 * days
    assert {t.kind for t in tasks.values() if KINDS[t.kind].uses_gpu} <= {
        t.kind for t in theirs.values()
    } | {"likelihood"}


@pytest.mark.parametrize("preset", FRUGAL)
def test_three_seeds_are_trained_for_fifty_thousand_steps_and_one_sweep_further(
    preset: str,
) -> None:
    end = {"cifar10_frugal": 500 * K, "imagenet64_frugal": 200 * K}[preset]
    for sweep in asked(preset):
        spec = read_sweep(ROOT / f"sweeps/{sweep}.yaml", preset=preset)
        one = preset == "imagenet64_frugal" and sweep == "early_stopping"  # the paper's: CIFAR-10
        assert (spec.tuned, spec.seeds) == (True, (0,) if one else (0, 1, 2))
        longest = max(arm.train.steps for arm in spec.arms)
        assert longest == (end if sweep == "objective_ablation" else 50 * K), sweep
        assert {arm.train.precision for arm in spec.arms} == {"tf32"}


@pytest.mark.parametrize("preset", FRUGAL)
def test_samples_are_few_of_few_steps_but_for_the_number_that_is_quoted(preset: str) -> None:
    for sweep in asked(preset):
        for arm in arms(sweep, preset):
            if (samples := drawn(arm)) is None:
                continue
            steps = samples.steps or arm.train.diffusion.steps
            is_gallery, is_final = sweep == "sample_gallery", steps == 4 * K
            assert samples.metrics == (() if is_gallery or is_final else ("fd_infinity",))
            if is_gallery:
                assert samples.images == 100
            elif steps == 4 * K:
                assert sweep == "objective_ablation"
                assert arm.train.steps > 50 * K
                paper = drawn(arms("objective_ablation", preset.removesuffix("_frugal"))[-1])
                assert paper is not None
                assert replace(samples, images=0x100) == replace(paper, images=0x100)
            else:
                assert (steps <= 250, samples.images) == (True, 10 * K)


@pytest.mark.parametrize("preset", FRUGAL)
def test_bounds_are_estimated_except_where_their_terms_are_asked_for(preset: str) -> None:
    for sweep in asked(preset):
        bounds = [a.evaluation for a in arms(sweep, preset)]
        for bound in (one for one in bounds if isinstance(one, LikelihoodConfig)):
            if bound.estimate is None:
                assert sweep in OF_TERMS
                assert bound.images is not None
                assert bound.images <= 2000
            else:
                assert bound.estimate == Draws(most=40)
                assert bound.images in (2000, 10 * K)
                assert bound.cdf == "tanh_official"


@pytest.mark.parametrize("preset", FRUGAL)
def test_networks_and_data_are_those_of_the_papers_preset(preset: str) -> None:
    (ours,), (theirs,) = (
        {arm.train.data for arm in arms("sigma_ablation", name)}
        for name in (preset, preset.removesuffix("_frugal"))
    )
    assert (ours, outline(ours)) == (theirs, outline(theirs))
    for sweep in asked(preset):
        same = {
            replace(arm.train, steps=1)
            for arm in arms(sweep, preset.removesuffix("_frugal"))
            if isinstance(arm.train, TrainConfig)
        }
        assert {replace(arm.train, steps=1) for arm in arms(sweep, preset)} <= same, sweep


@pytest.mark.parametrize(
    ("sweep", "preset"),
    slow_except(
        [(sweep, preset) for preset in FRUGAL for sweep in asked(preset)],
        ("sigma_ablation", "cifar10_frugal"),
        ("objective_ablation", "cifar10_frugal"),
    ),
)
def test_every_claim_of_the_papers_preset_can_be_decided(sweep: str, preset: str) -> None:
    assert untold(sweep, preset) <= untold(sweep, preset.removesuffix("_frugal"))
