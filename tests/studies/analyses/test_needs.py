"""What figures and claims need of the arms of a sweep: refused in one sentence before it is run."""

import math
import random
from pathlib import Path

import pytest

from iddpm.bounds import ConfigError
from studies.analyses import index
from studies.analyses.analysis import arms_of
from studies.analyses.judge import judge
from studies.plan.plan import expand
from studies.spec.arms import TRAIN
from studies.spec.sweep import read_sweep
from tests.witness.made_up_tables import made_up
from tests.witness.marks import slow_except
from tests.witness.sweep_files import write_sweep

SWEEPS = sorted((Path(__file__).parents[3] / "sweeps").glob("*.yaml"))

PLAIN = """\
study: small
question: Is it small?
preset: tiny
train: {objective: simple}
seeds: [0]
evaluate:
  - likelihood: {}
  - samples: {steps: 10}
"""
HYBRID = PLAIN.replace("simple", "hybrid")
TWO_WIDTHS = f"{PLAIN}grid: {{train.network.model_channels: [4, 8]}}\n"


@pytest.mark.parametrize(
    ("asked", "needed", "found"),
    [
        (
            f"{PLAIN}figures: [class_grid]\n",
            "samples of a class-conditional network (train.network.class_conditional: true)",
            "one with train.network.class_conditional False",
        ),
        (
            f"{HYBRID}figures: [term_ratio]\n",
            "the likelihood of an L_hybrid and of an L_vlb network trained alike "
            "(train.objective), both exact (likelihood.estimate: null)",
            "one with train.objective hybrid; likelihood.estimate None",
        ),
        (
            f"{HYBRID}figures: [vlb_terms]\n".replace("{}", "{estimate: {draws: {most: 10}}}"),
            "an exact likelihood (likelihood.estimate: null), as an estimate has no terms by step",
            "one with likelihood.estimate draws",
        ),
        (
            f"{PLAIN}figures: [sample_count]\n",
            "samples of one network, scored over several numbers of them (samples.images)",
            "one with samples.images 96",
        ),
        (
            f"{PLAIN}figures: [model_size]\n",
            "networks of several sizes (train.network.model_channels)",
            "one with train.network.model_channels 8",
        ),
        (
            f"{PLAIN}figures: [early_stopping]\n",
            "samples of trainings looked at after several lengths (train.steps), with several "
            "dropouts (train.network.dropout) or averages of the weights (samples.ema_decay)",
            "one with train.steps 50; train.network.dropout 0.0; samples.ema_decay 0.9",
        ),
        (
            f"{PLAIN}figures: [overfitting]\n",
            "trainings looked at after several lengths (train.steps)",
            "one with train.steps 50",
        ),
        (
            f"{PLAIN}figures: [quality_by_batch]\n",
            "samples of networks trained with several batch sizes (train.batch_size)",
            "one with train.batch_size 16",
        ),
        (
            f"{PLAIN}figures: [learning_curves]\n",
            "a training whose objective knows the bound (train.objective: vlb or hybrid)",
            "one with train.objective simple",
        ),
        (
            f"{PLAIN}figures: [skip_prefix]\n",
            "samples of one network that skip several shares of the chain (samples.skip)",
            "one with samples.skip 0.0",
        ),
        (
            f"{PLAIN}figures: [nll_vs_steps]\n",
            "the likelihood of one network over several numbers of steps (likelihood.steps)",
            "one with likelihood.steps 100",
        ),
        (
            f"{PLAIN}figures: [architecture]\n",
            "networks that differ in their architecture (train.network.heads, "
            "train.network.attention_resolutions, train.network.scale_shift)",
            "one with train.network.heads 4; train.network.attention_resolutions 4; "
            "train.network.scale_shift True",
        ),
        (
            f"{PLAIN}claims: [learned_v_stays_in_range]\n",
            "the likelihood of a network that learns Σ in a range (train.objective: hybrid or vlb)",
            "one with train.objective simple",
        ),
        (
            f"{HYBRID}claims: [ensemble_lowers_nll]\n",
            "the likelihood of an ensemble, and of its L_hybrid and L_vlb networks alone (an "
            "evaluation with ensemble: ends, and one without for each)",
            "one with train.objective hybrid; likelihood.ensemble None; samples.ensemble None",
        ),
        (
            f"{HYBRID}claims: [importance_sampling_lowers_vlb]\n",
            "the likelihood of L_vlb networks trained with t drawn uniformly and by importance "
            "(train.timesteps: uniform, loss_second_moment)",
            "one with train.objective hybrid; train.timesteps uniform",
        ),
        (
            f"{TWO_WIDTHS}claims: [quality_follows_a_power_law_of_compute]\n",
            "samples and the likelihood of three or more networks, of several sizes "
            "(train.network.model_channels, train.steps)",
            "one with train.network.model_channels 4, 8; train.steps 50",
        ),
    ],
)
def test_what_no_arm_of_the_sweep_can_feed_is_refused(
    asked: str, needed: str, found: str, tmp_path: Path
) -> None:
    path = write_sweep(tmp_path, asked)
    key, name = asked.splitlines()[-1].removesuffix("]").split(": [")
    with pytest.raises(ConfigError) as refusal:
        index.checked(read_sweep(path))
    assert str(refusal.value) == (
        f"{path}:{len(asked.splitlines())}: {key}: expected a sweep that asks for {needed}, which "
        f"{name!r} is made from, found {found}; add it, or leave {name!r} out"
    )


APART = (
    PLAIN
    + """zip:
  train.diffusion.schedule: [linear, cosine]
  train.network.dropout: [0.0, 0.3]
claims: [cosine_lowers_nll]
"""
)


def test_a_refusal_names_what_else_keeps_the_arms_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        index.checked(read_sweep(write_sweep(tmp_path, APART)))
    assert ", whose arms differ in train.network.dropout as well; add it" in str(refusal.value)
    alike = APART.replace("0.3]", "0.0]")
    index.checked(read_sweep(write_sweep(tmp_path, alike)))


def test_the_refusal_is_at_the_line_of_the_name(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, f"{PLAIN}figures:\n  - beta_ratio\n  - skip_prefix\n")
    with pytest.raises(ConfigError, match=rf"^{path}:11: figures: "):
        index.checked(read_sweep(path))


@pytest.mark.parametrize(
    "asked",
    [
        f"{TWO_WIDTHS}figures: [model_size]\nclaims: [larger_networks_are_better]\n",
        PLAIN.replace("samples: {steps: 10}", "samples: {steps: 10, grid: {skip: [0.0, 0.2]}}")
        + "figures: [skip_prefix]\nclaims: [first_steps_carry_the_bound]\n",
        f"{HYBRID}figures: [learning_curves]\nclaims: [learned_v_stays_in_range]\n",
    ],
)
def test_what_an_arm_can_feed_is_taken(asked: str, tmp_path: Path) -> None:
    assert index.checked(read_sweep(write_sweep(tmp_path, asked))).figures


def test_what_an_override_or_another_preset_leaves_out_is_not_refused(tmp_path: Path) -> None:
    skipping = PLAIN.replace(
        "samples: {steps: 10}", "samples: {steps: 10, grid: {skip: [0.0, 0.2]}}"
    )
    path = write_sweep(tmp_path, f"{skipping}figures: [skip_prefix]\n")
    other = (tmp_path / "presets" / "tiny.yaml").read_text()
    other = other.replace("images: 96,", "images: 96, exclude: [{skip: 0.2}],")
    (tmp_path / "presets" / "other.yaml").write_text(other)
    for_it = f"{other}sweeps: {{small: {{train.steps: 40}}}}\n"  # in a folder without a small.yaml
    (tmp_path / "presets" / "tiny.yaml").write_text(for_it)
    for options in ({"overrides": [("samples.skip", "0.0")]}, {"preset": "other"}, {}):
        spec = index.checked(read_sweep(path, **options))
        assert {getattr(arm.evaluation, "skip", 0.0) for arm in spec.arms} == {0.0}
        assert spec.figures == ("skip_prefix",)


@pytest.mark.parametrize("sweep", [path.stem for path in SWEEPS])
def test_what_a_sweep_of_the_project_asks_for_its_arms_feed(sweep: str) -> None:
    spec = read_sweep(SWEEPS[0].parent / f"{sweep}.yaml")
    arms = arms_of([(arm.train, arm.evaluation) for arm in spec.arms])
    asked = [index.FIGURES[name] for name in spec.figures]
    asked += [index.CLAIMS[name] for name in spec.claims]
    assert [need.arms for need in asked if not need.is_met(arms)] == []


ON_OTHER_TABLES = (
    "first_steps_carry_the_bound",
    "learned_v_stays_in_range",
    "vlb_gradient_is_noisier",
    "hybrid_is_better_between_the_ends",
    "importance_sampling_steadies_vlb",
    "only_large_diffusion_beats_gan",
)
"""Claims on more than the distances and bounds that made-up tables hold."""
WITHOUT_THEM = ("gan_comparison", "noise_schedules", "released_checkpoints")
WITH_RESULTS = [p.stem for p in SWEEPS if p.stem not in WITHOUT_THEM]


@pytest.mark.parametrize("sweep", slow_except(WITH_RESULTS, "sigma_ablation"))
def test_a_need_is_met_by_the_arms_just_where_their_results_decide_the_claim(sweep: str) -> None:
    spec = read_sweep(SWEEPS[0].parent / f"{sweep}.yaml")
    draws = random.Random(0)
    tables = made_up(expand(spec), lambda row: math.exp(draws.random()))
    arms = arms_of([(arm.train, arm.evaluation) for arm in spec.arms])
    evaluations = {arm.evaluation for arm in arms}
    for name, need in index.CLAIMS.items():
        parts = set(need.parts) - {TRAIN}
        if need.arms and name not in ON_OTHER_TABLES and parts <= evaluations:
            decided = judge(name, tables).verdict != "not run"
            assert decided == need.is_met(arms), name
