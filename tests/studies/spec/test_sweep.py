from pathlib import Path
from typing import Any

import pytest

from iddpm.bounds import ConfigError
from iddpm.config import Digits, Hybrid, Photos, Simple, Vlb
from iddpm.evaluation.config import Ancestral, Classifier, Ddim, LikelihoodConfig
from studies.spec.arms import ArmSpec
from studies.spec.evaluations import SamplesConfig
from studies.spec.sweep import SweepSpec, read_sweep
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep

ROOT = Path(__file__).parents[3]


def read(folder: Path, sweep: str = SWEEP, preset: str = PRESET, **options: Any) -> SweepSpec:
    return read_sweep(write_sweep(folder, sweep, preset), **options)


def samples(spec: SweepSpec) -> list[tuple[str, SamplesConfig]]:
    return [
        (arm.train.objective.kind, arm.evaluation)
        for arm in spec.arms
        if isinstance(arm.evaluation, SamplesConfig)
    ]


def sampled(spec: SweepSpec) -> list[tuple[str, int | None]]:
    return [(kind, evaluation.steps) for kind, evaluation in samples(spec)]


def with_samples(text: str) -> str:
    """The sweep with another samples entry, indented as it stands in the file."""
    return SWEEP[: SWEEP.index("      grid:\n")] + text


# ------------------------------------------------------------------------------- the real files


@pytest.fixture(scope="module")
def ablation() -> SweepSpec:
    return read_sweep(ROOT / "sweeps" / "sigma_ablation.yaml", preset="digits_full")


def test_the_ablation_pairs_every_arm_over_at_least_three_seeds(ablation: SweepSpec) -> None:
    assert len(ablation.seeds) >= 3


def test_the_ablation_compares_every_sigma_at_every_step_count(ablation: SweepSpec) -> None:
    modes: list[tuple[str, str]] = []
    for kind, evaluation in samples(ablation):
        sampler = evaluation.sampler
        modes.append((kind, "ddim" if isinstance(sampler, Ddim) else sampler.variance))
    assert {mode: modes.count(mode) for mode in modes} == {
        ("simple", "beta"): 6 + 2,
        ("simple", "beta_tilde"): 6 + 2,
        ("simple", "ddim"): 6 + 2,
        ("hybrid", "range"): 6 + 2,
    }


@pytest.mark.parametrize("preset", ["digits", "digits_full", "photos"])
def test_no_preset_of_a_laptop_cuts_seeds(preset: str, ablation: SweepSpec) -> None:
    own = read_sweep(ROOT / "sweeps/sigma_ablation.yaml", preset=preset).seeds
    assert len(own) >= len(ablation.seeds)


# ------------------------------------------------------------------------------------- the layers


def test_a_sweep_is_read_as_typed_arms(tmp_path: Path) -> None:
    spec = read(tmp_path)
    assert (spec.study, spec.preset, spec.id) == ("small", "tiny", "small-tiny")
    assert (spec.question, spec.description) == ("Is it small?", "small networks on digits")
    assert spec.seeds == (0, 1)
    assert (spec.figures, spec.claims) == ((), ())
    assert (spec.sweep_text, spec.preset_text) == (SWEEP, PRESET)
    assert len(spec.arms) == 6
    simple, hybrid = spec.arms[0], spec.arms[3]
    assert simple.evaluation == LikelihoodConfig(images=20, ema_decay=0.9)
    assert simple.train.objective == Simple()
    assert hybrid.train.objective == Hybrid()
    assert (simple.train.diffusion.steps, simple.train.network.model_channels) == (100, 8)
    assert spec.arms[1].evaluation == SamplesConfig(
        steps=10,
        images=96,
        block_size=16,
        shard_blocks=4,
        ema_decay=0.9,
        extractor=Classifier(data=Digits()),
    )


def test_the_sweep_wins_over_the_preset(tmp_path: Path) -> None:
    sweep = SWEEP.replace("seeds:", "train: {diffusion: {schedule: linear}, steps: 7}\nseeds:")
    train = read(tmp_path, sweep).arms[0].train
    assert (train.diffusion.schedule, train.diffusion.steps, train.steps) == ("linear", 100, 7)


def test_an_evaluation_wins_over_the_preset(tmp_path: Path) -> None:
    spec = read(tmp_path, SWEEP.replace("likelihood: {}", "likelihood: {images: 3, steps: 10}"))
    expected = LikelihoodConfig(images=3, steps=10, ema_decay=0.9)
    assert spec.arms[0].evaluation == expected


def test_a_cell_wins_over_the_sweep(tmp_path: Path) -> None:
    spec = read(tmp_path, with_samples("      steps: 50\n      include: [{steps: 20}]\n"))
    assert sampled(spec) == [("simple", 20), ("hybrid", 20)]


def test_an_override_wins_over_everything(tmp_path: Path) -> None:
    overrides = [
        ("train.steps", "9"),
        ("likelihood.images", "4"),
        ("samples.steps", "[20, 30]"),
        ("train.objective", "hybrid"),
        ("train.objective.vlb_weight", "1e-2"),
    ]
    spec = read(tmp_path, overrides=overrides)
    assert spec.overrides == tuple(overrides)
    assert {arm.train.steps for arm in spec.arms} == {9}
    assert {arm.train.objective for arm in spec.arms} == {Hybrid(vlb_weight=0.01)}
    assert spec.arms[0].evaluation == LikelihoodConfig(images=4, ema_decay=0.9)
    assert sampled(spec) == [("hybrid", 20), ("hybrid", 30)]


def test_an_override_may_leave_a_rule_without_a_cell(tmp_path: Path) -> None:
    sweep = f"{SWEEP}      exclude: [{{steps: 100, train.objective: hybrid}}]\n"
    assert sampled(read(tmp_path, sweep, overrides=[("samples.steps", "10")])) == [
        ("simple", 10),
        ("hybrid", 10),
    ]


def test_given_seeds_stand_in_for_the_sweeps(tmp_path: Path) -> None:
    assert read(tmp_path, seeds=[7]).seeds == (7,)


def test_a_given_preset_stands_in_for_the_sweeps(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    other = tmp_path / "presets" / "other.yaml"
    other.write_text(PRESET.replace("steps: 50", "steps: 60"))
    spec = read_sweep(tmp_path / "sweep.yaml", preset="other")
    assert (spec.id, spec.arms[0].train.steps) == ("small-other", 60)


@pytest.mark.parametrize("asked", ["caf\u00e9", "cafe\u0301"])
@pytest.mark.parametrize("stored", ["caf\u00e9", "cafe\u0301"])
def test_two_spellings_that_look_alike_are_one_preset(
    tmp_path: Path, stored: str, asked: str
) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "presets" / "tiny.yaml").rename(tmp_path / "presets" / f"{stored}.yaml")
    assert read_sweep(path, preset=asked).id == "small-caf\u00e9"


def test_preset_files_that_look_alike_are_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    for name in ("caf\u00e9", "cafe\u0301"):
        (tmp_path / "presets" / f"{name}.yaml").write_text(PRESET)
    with pytest.raises(ConfigError) as caught:
        read_sweep(path, preset="caf\u00e9")
    assert str(caught.value) == (
        f"{path}: preset: expected one file of this name in {tmp_path / 'presets'}, found "
        "'cafe\\u0301.yaml' and 'caf\\xe9.yaml', which look alike; rename one of them"
    )
    assert read_sweep(path, preset="tiny").preset == "tiny"


def test_a_preset_whose_name_cannot_be_seen_is_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "presets" / "a\u202eb.yaml").write_text(PRESET)
    with pytest.raises(ConfigError, match=r"preset: .* that can be seen, found U\+202E; rename"):
        read_sweep(path, preset="a\u202eb")


def test_names_that_files_cannot_have_are_refused_with_the_bound(tmp_path: Path) -> None:
    longest = "s" * (200 - len("-tiny"))
    assert len(read(tmp_path, SWEEP.replace("small", longest, 1)).id) == 200
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, SWEEP.replace("small", f"{longest}s", 1))
    assert str(caught.value) == (
        f"{tmp_path}/sweep.yaml:1: study: expected a name that takes at most 200 bytes with that "
        "of the preset, found 201; both name files; shorten one of them"
    )


def test_presets_may_lie_elsewhere(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "presets").rename(tmp_path / "mine")
    assert read_sweep(path, presets_dir=tmp_path / "mine").preset == "tiny"


def test_a_sweep_far_from_home_finds_the_projects_presets(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP.replace("tiny", "digits"))
    assert read_sweep(path).preset == "digits"


# ------------------------------------------------------------------------------- what is left out


def test_a_rule_leaves_out_the_cells_that_hold_all_its_settings(tmp_path: Path) -> None:
    sweep = with_samples(
        "      grid:\n"
        "        steps: [10, 100]\n"
        "        sampler: [{ancestral: {variance: beta}}, ancestral: {variance: range}, ddim]\n"
        "      exclude:\n"
        "        - {train.objective: simple, sampler: {ancestral: {variance: range}}}\n"
        "        - {sampler: ddim, steps: 100}\n"
        "        - {train.objective: hybrid, sampler.variance: beta}\n"
    ).replace("ancestral: {variance: range}, ddim", "{ancestral: {variance: range}}, ddim")
    found = {(kind, e.steps, e.sampler) for kind, e in samples(read(tmp_path, sweep))}
    assert found == {
        ("simple", 10, Ancestral()),
        ("simple", 100, Ancestral()),
        ("simple", 10, Ddim()),
        ("hybrid", 10, Ancestral(variance="range")),
        ("hybrid", 100, Ancestral(variance="range")),
        ("hybrid", 10, Ddim()),
    }


def test_a_rule_sees_defaults(tmp_path: Path) -> None:
    rule = "{clip: true, sampler: {ancestral: {stride: even}}, steps: 10}"
    sweep = f"{SWEEP}      exclude: [{rule}]\n"
    assert sampled(read(tmp_path, sweep)) == [("simple", 100), ("hybrid", 100)]


def test_a_rule_at_the_top_leaves_out_trainings(tmp_path: Path) -> None:
    sweep = SWEEP.replace("seeds:", "exclude: [{train.objective: simple}]\nseeds:")
    assert {arm.train.objective for arm in read(tmp_path, sweep).arms} == {Hybrid()}


def test_an_excluded_cell_need_not_be_a_config_that_can_be(tmp_path: Path) -> None:
    grid = "  train.objective.vlb_weight: [0.5]\nexclude: [{train.objective: simple}]\nseeds:"
    spec = read(tmp_path, SWEEP.replace("seeds:", grid))
    assert {arm.train.objective for arm in spec.arms} == {Hybrid(vlb_weight=0.5)}


def test_an_included_cell_is_not_left_out(tmp_path: Path) -> None:
    sweep = f"{SWEEP}      exclude: [{{steps: 100}}]\n      include: [{{steps: 100, skip: 0.5}}]\n"
    found = [(e.steps, e.skip) for kind, e in samples(read(tmp_path, sweep)) if kind == "simple"]
    assert found == [(10, 0.0), (100, 0.5)]


def test_a_preset_leaves_out_what_is_beyond_its_budget(tmp_path: Path) -> None:
    preset = PRESET.replace(
        "extractor: c", "exclude: [{steps: 100, train.objective: simple}, {steps: 3}], extractor: c"
    )
    spec = read(tmp_path, preset=preset)
    assert sampled(spec) == [("simple", 10), ("hybrid", 10), ("hybrid", 100)]


# ------------------------------------------------------------------------------------- the blocks

BLOCKS = """\
study: blocks
question: Do blocks add up?
preset: tiny
seeds: [0]
train: {steps: 5}
evaluate: [likelihood]
blocks:
  - grid: {train.objective: [simple, hybrid]}
  - grid: {train.objective: [vlb, hybrid]}
    train: {steps: 6}
    evaluate: [{samples: {steps: 10}}]
  - grid: {train.objective: [simple, vlb]}
"""


def described(arm: ArmSpec) -> tuple[object, int, type]:
    return arm.train.objective, arm.train.steps, type(arm.evaluation)


def test_blocks_add_up_and_an_arm_that_two_have_is_one(tmp_path: Path) -> None:
    assert [described(arm) for arm in read(tmp_path, BLOCKS).arms] == [
        (Simple(), 5, LikelihoodConfig),
        (Hybrid(), 5, LikelihoodConfig),
        (Vlb(), 6, SamplesConfig),
        (Hybrid(), 6, SamplesConfig),
        (Vlb(), 5, LikelihoodConfig),
    ]


def test_a_sweep_without_evaluations_is_one_of_trainings(tmp_path: Path) -> None:
    arms = read(tmp_path, SWEEP[: SWEEP.index("evaluate:")]).arms
    assert [arm.evaluation for arm in arms] == [None, None]


def test_a_sweep_may_bring_data_of_its_own(tmp_path: Path) -> None:
    own = SWEEP.replace("preset: tiny\n", "preset: tiny\ndata: {photos: {train_images: 7}}\n")
    assert own != SWEEP
    spec = read_sweep(write_sweep(tmp_path, own))
    assert {arm.train.data for arm in spec.arms} == {Photos(train_images=7)}
    twice = f"{own}train: {{data: digits}}\n"
    with pytest.raises(ConfigError, match="data: expected data in one place"):
        read_sweep(write_sweep(tmp_path, twice))
    wrong = own.replace("photos:", "photo:")
    with pytest.raises(ConfigError, match=r"train\.data: .*did you mean 'photos'"):
        read_sweep(write_sweep(tmp_path, wrong))
