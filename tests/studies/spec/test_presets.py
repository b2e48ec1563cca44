"""What a preset may say beside its settings: what depends on what, and what one sweep varies."""

from pathlib import Path
from typing import Any

import pytest

from iddpm.bounds import ConfigError
from iddpm.config import Hybrid, Simple
from iddpm.evaluation.config import Ancestral, Ddim, LikelihoodConfig
from studies.analyses.index import cautions
from studies.plan.plan import expand
from studies.spec.evaluations import SamplesConfig
from studies.spec.sweep import SweepSpec, read_sweep
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep


def read(folder: Path, words: str, sweep: str = SWEEP, **options: Any) -> SweepSpec:
    """The sweep under the preset with some more words."""
    return read_sweep(write_sweep(folder, sweep, PRESET + words), **options)


def complaint(folder: Path, words: str, sweep: str = SWEEP, **options: Any) -> str:
    with pytest.raises(ConfigError) as refusal:
        expand(read(folder, words, sweep, **options))
    return str(refusal.value).replace(f"{folder}/", "")


def dropouts(spec: SweepSpec) -> list[tuple[str, float]]:
    return [(arm.train.objective.kind, arm.train.network.dropout) for arm in spec.arms[::3]]


def sampled(spec: SweepSpec) -> list[tuple[int, str, int | None]]:
    return [
        (arm.train.steps, arm.train.objective.kind, arm.evaluation.steps)
        for arm in spec.arms
        if isinstance(arm.evaluation, SamplesConfig)
    ]


# ------------------------------------------------------------------ settings that depend on others

WHEN = """\
when:
  - if: {train.objective: hybrid}
    train: {network: {dropout: 0.3}}
    evaluate: {likelihood: {images: 5}}
  - if: {samples.steps: 100, train.objective: simple}
    evaluate: {samples: {images: 32}}
"""


def test_a_condition_that_confounds_what_the_sweep_varies_is_said(tmp_path: Path) -> None:
    (said,) = (line for line in cautions([expand(read(tmp_path, WHEN))]) if "differ in" in line)
    assert said == (
        "small-tiny: the preset tiny sets train.network.dropout to 0.3 where train.objective is "
        "hybrid, and elsewhere it is 0.0: arms that differ in the one differ in the other. Set it "
        "in the sweep to vary one thing alone."
    )
    held = [("train.network.dropout", "0.1")]
    assert not any(
        "differ in" in line for line in cautions([expand(read(tmp_path, WHEN, overrides=held))])
    )


def test_a_condition_holds_in_the_cells_that_hold_its_settings(tmp_path: Path) -> None:
    spec = read(tmp_path, WHEN)
    assert dropouts(spec) == [("simple", 0.0), ("hybrid", 0.3)]
    bounds = [a.evaluation for a in spec.arms if isinstance(a.evaluation, LikelihoodConfig)]
    assert [bound.images for bound in bounds] == [20, 5]
    images = {
        (arm.train.objective.kind, arm.evaluation.steps): arm.evaluation.images
        for arm in spec.arms
        if isinstance(arm.evaluation, SamplesConfig)
    }
    usual = {("simple", 10): 96, ("hybrid", 10): 96, ("hybrid", 100): 96}
    assert images == usual | {("simple", 100): 32}


def test_a_condition_sees_defaults_and_what_the_sweep_fixes(tmp_path: Path) -> None:
    words = (
        "when:\n  - {if: {train.diffusion.schedule: cosine}, train: {network: {dropout: 0.3}}}\n"
    )
    assert dropouts(read(tmp_path, words)) == [("simple", 0.3), ("hybrid", 0.3)]
    sweep = SWEEP.replace("seeds:", "train: {diffusion: {schedule: linear}}\nseeds:")
    assert dropouts(read(tmp_path, words, sweep)) == [("simple", 0.0), ("hybrid", 0.0)]


@pytest.mark.parametrize(
    "line",
    ["train: {network: {dropout: 0.7}}", "grid: {train.network.dropout: [0.7]}"],
)
def test_the_sweep_wins_over_a_condition(tmp_path: Path, line: str) -> None:
    sweep = SWEEP.replace("grid:\n  train.objective: [simple, hybrid]", line)
    words = "when: [{if: {train.objective: simple}, train: {network: {dropout: 0.3}}}]\n"
    assert {arm.train.network.dropout for arm in read(tmp_path, words, sweep).arms} == {0.7}


def test_of_two_conditions_that_set_the_same_the_later_wins(tmp_path: Path) -> None:
    words = (
        "when:\n"
        "  - {if: {train.diffusion.steps: 100}, train: {network: {dropout: 0.1, heads: 2}}}\n"
        "  - {if: {train.objective: hybrid}, train: {network: {dropout: 0.2}}}\n"
    )
    spec = read(tmp_path, words)
    assert dropouts(spec) == [("simple", 0.1), ("hybrid", 0.2)]
    assert {arm.train.network.heads for arm in spec.arms} == {2}


def test_conditions_do_not_see_one_another(tmp_path: Path) -> None:
    words = (
        "when:\n"
        "  - {if: {train.objective: hybrid}, train: {network: {dropout: 0.1}}}\n"
        "  - {if: {train.network.dropout: 0.1}, train: {batch_size: 8}}\n"
    )
    assert {arm.train.batch_size for arm in read(tmp_path, words).arms} == {16}


def test_a_rule_sees_what_a_condition_sets(tmp_path: Path) -> None:
    sweep = SWEEP.replace("seeds:", "exclude: [{train.network.dropout: 0.3}]\nseeds:")
    assert {arm.train.objective for arm in read(tmp_path, WHEN, sweep).arms} == {Simple()}


LAMBDA = "{objective: {hybrid: {vlb_weight: 0.5}}}"
WITHIN = {
    "settings": ("", PRESET.replace("train:\n", f"train:\n  {LAMBDA[1:-1]}\n")),
    "a condition": (f"when: [{{if: {{train.objective: hybrid}}, train: {LAMBDA}}}]\n", PRESET),
}


@pytest.mark.parametrize("said", WITHIN)
def test_what_a_preset_says_within_a_choice_holds_wherever_a_sweep_chooses_it(
    tmp_path: Path, said: str
) -> None:
    words, preset = WITHIN[said]

    def objectives(sweep: str = SWEEP, **options: Any) -> list[object]:
        spec = read_sweep(write_sweep(tmp_path, sweep, preset + words), **options)
        return list(dict.fromkeys(arm.train.objective for arm in spec.arms))

    assert objectives() == [Simple(), Hybrid(vlb_weight=0.5)]
    grid = "grid:\n  train.objective: [simple, hybrid]"
    fixed = SWEEP.replace(grid, "train: {objective: hybrid}")
    assert objectives(fixed) == [Hybrid(vlb_weight=0.5)]
    assert objectives(overrides=[("train.objective", "hybrid")]) == [Hybrid(vlb_weight=0.5)]
    for own, whole in (
        ("vlb_weight: 0.25", Hybrid(vlb_weight=0.25)),
        ("variance: learned", Hybrid(vlb_weight=0.5, variance="learned")),
    ):
        assert objectives(SWEEP.replace("[simple, hybrid]", f"[{{hybrid: {{{own}}}}}]")) == [whole]


def test_what_a_preset_says_within_a_choice_of_an_evaluation_holds_too(tmp_path: Path) -> None:
    preset = PRESET.replace("extractor: c", "sampler: {ddim: {eta: 0.5}}, extractor: c")
    sweep = f"{SWEEP}        sampler: [ancestral, ddim, {{ddim: {{eta: 0}}}}]\n"
    spec = read_sweep(write_sweep(tmp_path, sweep, preset))
    found = [arm.evaluation for arm in spec.arms if isinstance(arm.evaluation, SamplesConfig)]
    assert {samples.sampler for samples in found} == {Ancestral(), Ddim(eta=0.5), Ddim(eta=0)}


WRONG_WHENS = {
    "when: {}\n": (
        "presets/tiny.yaml:12: when: expected a list of at least one, found {}; "
        "write - {if: {...}, train: {...}}"
    ),
    "when: [{fi: {}}]\n": "presets/tiny.yaml:12: when[0].fi: no such key; did you mean 'if'?",
    "when: [{train: {steps: 5}}]\n": (
        "presets/tiny.yaml:12: when[0].if: expected the settings that it depends on, found none"
    ),
    "when: [{if: {train.steps: 5}}]\n": (
        "presets/tiny.yaml:12: when[0]: expected settings under train or evaluate, found none"
    ),
    "when: [{if: {}, train: {steps: 5}}]\n": (
        "presets/tiny.yaml:12: when[0].if: expected at least one setting, found none"
    ),
    "when: [{if: {steps: 5}, train: {steps: 6}}]\n": (
        "presets/tiny.yaml:12: when[0].if: expected a key that begins with train., samples., "
    ),
    "when: [{if: {train.diffusion.schedul: linear}, train: {steps: 6}}]\n": (
        "presets/tiny.yaml:12: when[0].if.train.diffusion.schedul: no such field; did you mean "
        "'schedule'?"
    ),
    "when: [{if: {train.diffusion.schedule: linaer}, train: {steps: 6}}]\n": (
        "presets/tiny.yaml:12: when[0].if.train.diffusion.schedule: expected 'linear' or 'cosine', "
        "found 'linaer'; did you mean 'linear'?"
    ),
    "when:\n  - if: {train.steps: 50}\n    train: {network: {droput: 0.1}}\n": (
        "presets/tiny.yaml:14: when[0].train.network.droput: no such field; did you mean 'dropout'?"
    ),
    "when: [{if: {train.steps: 50}, evaluate: {sample: {}}}]\n": (
        "presets/tiny.yaml:12: when[0].evaluate.sample: no such key; did you mean 'samples'?"
    ),
    "when: [{if: {samples.steps: 10}, train: {steps: 6}}]\n": (
        "presets/tiny.yaml:12: when[0].if: expected keys that begin with train., which "
        "when[0].train can depend on, found one that begins with samples."
    ),
    "when: [{if: {samples.steps: 10}, resources: {train: {gpus: 4}}}]\n": (
        "presets/tiny.yaml:12: when[0].if: expected keys that begin with train., which "
        "when[0].resources can depend on, found one that begins with samples."
    ),
    "when: [{if: {train.steps: 50}, resources: {features: {gpus: 1}}}]\n": (
        "presets/tiny.yaml:12: when[0].resources.features: no such key; there are: train, sample, "
        "likelihood, likelihood_shard, likelihood_merge, gradient_noise"
    ),
    "when: [{if: {train.steps: 50}, resources: {sample: {gpus: 2}}}]\n": (
        "presets/tiny.yaml:12: resources.sample: expected one process (only a training runs on "
        "several), found 1 nodes with 2 GPUs each; give these to train alone"
    ),
    "when: [{if: {samples.steps: 10}, evaluate: {likelihood: {images: 6}}}]\n": (
        "presets/tiny.yaml:12: when[0].if: expected keys that begin with likelihood. or train., "
        "which when[0].evaluate.likelihood can depend on, found one that begins with samples."
    ),
    "when: [{if: {train.steps: 50}, train: {objective: {vlb_weight: 0.1}}}]\n": (
        "presets/tiny.yaml:12: train.objective: expected 'simple', 'vlb' or 'hybrid', found "
        "'vlb_weight'; name the choice as well, as in hybrid: {vlb_weight: ...}"
    ),
    "when: [{if: {train.objective: hybrid}, train: {network: {dropout: 1.5}}}]\n": (
        "presets/tiny.yaml:12: train.network.dropout: expected a probability in [0, 1), found 1.5"
    ),
}


@pytest.mark.parametrize("words", WRONG_WHENS)
def test_a_wrong_condition_is_refused(tmp_path: Path, words: str) -> None:
    assert complaint(tmp_path, words).startswith(WRONG_WHENS[words])


# -------------------------------------------------------------------------- the words for one sweep


def test_a_list_stands_in_for_the_grids(tmp_path: Path) -> None:
    spec = read(tmp_path, "sweeps: {small: {samples.steps: [20, 30], train.objective: hybrid}}\n")
    assert sampled(spec) == [(50, "hybrid", 20), (50, "hybrid", 30)]


def test_a_list_of_another_key_is_combined_with_every_cell(tmp_path: Path) -> None:
    spec = read(tmp_path, "sweeps: {small: {train.steps: [60, 70], samples.steps: 10}}\n")
    assert sampled(spec) == [(s, kind, 10) for kind in ("simple", "hybrid") for s in (60, 70)]


def test_a_list_of_another_key_is_combined_with_included_cells(tmp_path: Path) -> None:
    sweep = f"{SWEEP}      include: [{{steps: 20, skip: 0.5}}]\n"
    words = "sweeps: {small: {samples.clip: [true, false]}}\n"
    found = [a.evaluation for a in read(tmp_path, words, sweep).arms[1:7]]
    assert [(e.steps, e.skip, e.clip) for e in found if isinstance(e, SamplesConfig)] == [
        (steps, 0.5 if steps == 20 else 0.0, clip)
        for steps in (10, 100, 20)
        for clip in (True, False)
    ]


def test_a_list_that_is_a_setting_itself_is_one_setting(tmp_path: Path) -> None:
    spec = read(tmp_path, "sweeps: {small: {train.ema_decays: [0.9, 0.99]}}\n")
    assert {arm.train.ema_decays for arm in spec.arms} == {(0.9, 0.99)}
    spec = read(tmp_path, "sweeps: {small: {train.ema_decays: [[0.9], [0.9, 0.99]]}}\n")
    assert {arm.train.ema_decays for arm in spec.arms} == {(0.9,), (0.9, 0.99)}


def test_any_other_value_wins_over_the_sweep(tmp_path: Path) -> None:
    sweep = SWEEP.replace("seeds:", "train: {batch_size: 8}\nseeds:")
    words = (
        "sweeps:\n  small:\n"
        "    train.batch_size: 4\n"
        "    train.objective.vlb_weight: 0.5\n"
        "    train.objective: [hybrid]\n"
    )
    (train,) = {arm.train for arm in read(tmp_path, words, sweep).arms}
    assert (train.batch_size, train.objective) == (4, Hybrid(vlb_weight=0.5))


def test_lists_in_step_are_replaced_together(tmp_path: Path) -> None:
    sweep = SWEEP.replace("grid:\n        steps: [10, 100]", "zip: {steps: [10], images: [96]}")
    words = "sweeps: {small: {samples.steps: [20, 30], samples.images: [40, 50]}}\n"
    found = [a.evaluation for a in read(tmp_path, words, sweep).arms[1:3]]
    assert [(e.steps, e.images) for e in found if isinstance(e, SamplesConfig)] == [
        (20, 40),
        (30, 50),
    ]


def test_seeds_stand_in_for_the_sweeps_and_yield_to_the_command_line(tmp_path: Path) -> None:
    words = "sweeps: {small: {seeds: [3]}}\n"
    assert read(tmp_path, words).seeds == (3,)
    assert read(tmp_path, words, seeds=[4, 5]).seeds == (4, 5)


def test_a_presets_seeds_are_those_of_every_sweep_that_it_says_no_others_of(tmp_path: Path) -> None:
    assert read(tmp_path, "seeds: [3]\n").seeds == (3,)
    assert read(tmp_path, "seeds: [3]\nsweeps: {small: {seeds: [4]}}\n").seeds == (4,)
    assert read(tmp_path, "seeds: [3]\n", seeds=[5]).seeds == (5,)
    assert complaint(tmp_path, "seeds: [3, 3]\n") == (
        "presets/tiny.yaml:12: seeds: expected whole numbers of at least 0, each once, found [3, 3]"
    )


def test_only_what_the_papers_scale_says_of_a_sweep_is_tuned_for_it(tmp_path: Path) -> None:
    assert read(tmp_path, "").tuned
    assert read(tmp_path, "scale: laptop\n").tuned
    assert not read(tmp_path, "scale: paper\n").tuned
    assert read(tmp_path, "scale: paper\nsweeps: {small: {}}\n").tuned
    assert complaint(tmp_path, "scale: papr\n") == (
        "presets/tiny.yaml:12: scale: expected 'laptop' or 'paper', found 'papr'; "
        "did you mean 'paper'?"
    )


def test_the_command_line_wins_over_the_preset(tmp_path: Path) -> None:
    words = (
        "sweeps: {small: {samples.steps: [20, 30], train.steps: [60, 70], train.batch_size: 4,"
        " train.objective: hybrid}}\n"
    )
    overrides = [("samples.steps", "10"), ("train.steps", "9"), ("train.batch_size", "2")]
    spec = read(tmp_path, words, overrides=overrides)
    assert sampled(spec) == [(9, "hybrid", 10)]
    assert {arm.train.batch_size for arm in spec.arms} == {2}
    assert spec.overrides == tuple(overrides)


def test_a_list_on_the_command_line_is_combined_with_every_cell(tmp_path: Path) -> None:
    spec = read(tmp_path, "", overrides=[("train.steps", "[60, 70]"), ("samples.steps", "10")])
    assert sampled(spec) == [(s, kind, 10) for kind in ("simple", "hybrid") for s in (60, 70)]


def test_cells_are_left_out_of_one_sweep(tmp_path: Path) -> None:
    words = (
        "sweeps:\n  small:\n    train.steps: [60, 70]\n    exclude:\n"
        "      - {train.steps: 70, train.objective: simple}\n"
        "      - {samples.steps: 100, train.steps: 60}\n"
    )
    assert sampled(read(tmp_path, words)) == [
        (60, "simple", 10),
        (60, "hybrid", 10),
        (70, "hybrid", 10),
        (70, "hybrid", 100),
    ]


def test_the_rules_of_the_sweep_and_of_the_budget_go_on_to_work(tmp_path: Path) -> None:
    sweep = SWEEP + (
        "        sampler: [ancestral, ddim]\n"
        "      exclude: [{steps: 20, sampler: ddim}, {steps: 100, sampler: ddim}]\n"
    )
    budget = PRESET.replace("extractor: c", "exclude: [{steps: 30}], extractor: c")
    words = "sweeps: {small: {samples.steps: [20, 30, 40], train.objective: hybrid}}\n"
    spec = read_sweep(write_sweep(tmp_path, sweep, budget + words))
    found = [a.evaluation for a in spec.arms if isinstance(a.evaluation, SamplesConfig)]
    assert {(e.steps, e.sampler) for e in found} == {
        (20, Ancestral()),
        (40, Ancestral()),
        (40, Ddim()),
    }


def test_listed_trainings_are_replaced(tmp_path: Path) -> None:
    grid = "grid:\n  train.objective: [simple, hybrid]"
    sweep = SWEEP.replace(grid, "include: [{train.steps: 5}, {train.steps: 6}]")
    listed = "[{train.steps: 7, train.objective: hybrid}]"
    words = f"sweeps: {{small: {{include: {listed}, samples.steps: 10}}}}\n"
    assert sampled(read(tmp_path, words, sweep)) == [(7, "hybrid", 10)]


def test_the_words_for_other_sweeps_are_not_heard(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(SWEEP)
    spec = read(tmp_path, "sweeps: {other: {train.steps: 7, seeds: [9]}}\n")
    assert ({arm.train.steps for arm in spec.arms}, spec.seeds) == ({50}, (0, 1))


WRONG_WORDS = {
    "sweeps: {small: {include: [{train.stepz: 5}]}}\n": (
        "presets/tiny.yaml:12: sweeps.small.include[0].train.stepz: no such field; did you mean "
    ),
    "sweeps: {small: {include: [{train.steps: 5}]}}\n": (
        "presets/tiny.yaml:12: include: expected a sweep that lists trainings under include, to be "
        "replaced, found one that lists none"
    ),
    "sweeps: {small: [5]}\n": ("presets/tiny.yaml:12: sweeps.small: expected a mapping, found [5]"),
    "sweeps: {small: {sedes: [1]}}\n": (
        "presets/tiny.yaml:12: sweeps.small: expected seeds, include, blocks, exclude, "
        "half_trained or a dotted key such as train.steps, found 'sedes'; did you mean 'seeds'?"
    ),
    "sweeps: {small: {sampels.steps: [1]}}\n": (
        "presets/tiny.yaml:12: sweeps.small: expected a key that begins with train., samples., "
    ),
    "sweeps:\n  small:\n    train.stepz: [5, 6]\n": (
        "presets/tiny.yaml:14: sweeps.small.train.stepz: no such field; did you mean 'steps'?"
    ),
    "sweeps: {small: {train.steps: [5, six]}}\n": (
        "presets/tiny.yaml:12: sweeps.small.train.steps: expected a whole number, found 'six'"
    ),
    "sweeps: {small: {samples.steps: []}}\n": (
        "presets/tiny.yaml:12: sweeps.small.samples.steps: expected a list of at least one, found "
        "an empty one"
    ),
    "sweeps: {small: {train.batch_size: []}}\n": (
        "presets/tiny.yaml:12: sweeps.small.train.batch_size: expected a list of at least one, "
        "found an empty one"
    ),
    "sweeps: {small: {seeds: [-1]}}\n": (
        "presets/tiny.yaml:12: seeds: expected whole numbers of at least 0, each once, found [-1]"
    ),
    "sweeps: {small: {samples.steps: [1000]}}\n": (
        "presets/tiny.yaml:12: evaluate[1].samples.steps: expected from 2 to the 100 of "
    ),
    "sweeps: {small: {exclude: {}}}\n": (
        "presets/tiny.yaml:12: sweeps.small.exclude: expected a list of at least one rule, found {}"
    ),
    "sweeps: {small: {exclude: [{steps: 5}]}}\n": (
        "presets/tiny.yaml:12: sweeps.small.exclude[0]: expected a key that begins with train., "
    ),
    "sweeps: {small: {exclude: [{samples.steps: 10, likelihood.images: 20}]}}\n": (
        "presets/tiny.yaml:12: sweeps.small.exclude[0]: expected settings of one kind of "
        "evaluation, found likelihood and samples"
    ),
    "sweeps: {small: {exclude: [{samples.steps: 11}]}}\n": (
        "presets/tiny.yaml:12: sweeps.small.exclude[0]: expected a rule that leaves out a cell, "
        "found one that matches none; mend or remove it"
    ),
    "sweeps: {small: {exclude: [{train.batch_size: 16}]}}\n": (
        "sweep.yaml:1: exclude: expected a cell left to run, found every one excluded"
    ),
}


@pytest.mark.parametrize("words", WRONG_WORDS)
def test_wrong_words_for_a_sweep_are_refused(tmp_path: Path, words: str) -> None:
    assert complaint(tmp_path, words).startswith(WRONG_WORDS[words])


def test_wrong_words_for_another_sweep_are_refused_too(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(SWEEP)
    assert complaint(tmp_path, "sweeps: {other: {train.steps: [5, six]}}\n") == (
        "presets/tiny.yaml:12: sweeps.other.train.steps: expected a whole number, found 'six'"
    )


def test_words_for_a_sweep_that_is_not_there_are_a_caution(tmp_path: Path) -> None:
    spec = read(tmp_path, "sweeps: {smal: {train.steps: 5}}\n")
    assert {arm.train.steps for arm in spec.arms} == {50}
    (said,) = (line for line in cautions([expand(spec)]) if "sweeps.smal" in line)
    assert said.replace(f"{tmp_path}/", "") == (
        "presets/tiny.yaml:12: sweeps.smal: no such sweep here, so it changes nothing; "
        "did you mean 'small'?"
    )


def test_words_on_what_the_sweep_does_not_ask_are_refused(tmp_path: Path) -> None:
    sweep = SWEEP[: SWEEP.index("  - samples")]
    assert complaint(tmp_path, "sweeps: {small: {samples.steps: 5}}\n", sweep) == (
        "presets/tiny.yaml:12: sweeps.small.samples.steps: expected a setting of what the sweep "
        "does (likelihood, train), found 'samples'"
    )


def test_one_of_several_lists_in_step_must_have_their_length(tmp_path: Path) -> None:
    sweep = SWEEP.replace("grid:\n        steps: [10, 100]", "zip: {steps: [10], images: [96]}")
    assert complaint(tmp_path, "sweeps: {small: {samples.steps: [20, 30]}}\n", sweep) == (
        "presets/tiny.yaml:12: evaluate[1].samples.zip.steps: expected 1 values, as many as images "
        "has, found 2; give lists for every key of the zip, or of this length"
    )


BLOCKS = """\
study: small
question: Is it small?
preset: tiny
seeds: [0]
evaluate: [{samples: {steps: 10}}]
blocks:
  - train: {objective: simple}
  - train: {objective: hybrid}
    evaluate: [{samples: {grid: {steps: [10, 20]}}}]
  - train: {objective: vlb}
    evaluate: [likelihood]
"""


def test_a_key_may_be_of_one_block(tmp_path: Path) -> None:
    words = (
        "sweeps:\n  small:\n    blocks[1].samples.steps: [30, 40]\n    train.steps: 60\n"
        "    blocks[0].train.steps: [70, 80]\n"
    )
    assert sampled(read(tmp_path, words, BLOCKS)) == [
        (70, "simple", 10),
        (80, "simple", 10),
        (60, "hybrid", 30),
        (60, "hybrid", 40),
    ]


def test_a_block_on_the_command_line_wins_over_the_preset(tmp_path: Path) -> None:
    words = "sweeps: {small: {'blocks[1].samples.steps': [30, 40]}}\n"
    overrides = [("blocks[1].samples.steps", "50")]
    assert sampled(read(tmp_path, words, BLOCKS, overrides=overrides)) == [
        (50, "simple", 10),
        (50, "hybrid", 50),
    ]
    assert sampled(read(tmp_path, words, BLOCKS, overrides=[("samples.steps", "50")])) == [
        (50, "simple", 50),
        (50, "hybrid", 50),
    ]


def test_some_blocks_alone_are_run(tmp_path: Path) -> None:
    words = "sweeps: {small: {blocks: [1], 'blocks[1].train.steps': 60}}\n"
    assert sampled(read(tmp_path, words, BLOCKS)) == [(60, "hybrid", 10), (60, "hybrid", 20)]
    assert len(read(tmp_path, "sweeps: {small: {blocks: [2, 0]}}\n", BLOCKS).arms) == 2


@pytest.mark.parametrize("chosen", ["[3]", "[]", "[-1]"])
def test_blocks_that_there_are_not_are_refused(tmp_path: Path, chosen: str) -> None:
    assert complaint(tmp_path, f"sweeps: {{small: {{blocks: {chosen}}}}}\n", BLOCKS) == (
        "presets/tiny.yaml:12: blocks: expected some of the sweep's blocks, which are 0 to 2, "
        f"found {chosen}"
    )
    assert complaint(tmp_path, f"sweeps: {{small: {{blocks: {chosen}}}}}\n") == (
        "presets/tiny.yaml:12: blocks: expected no such key for a sweep without blocks, "
        f"found {chosen}"
    )


WRONG_BLOCKS = {
    "blocks[3].train.steps": (
        "sweeps.small.blocks[3].train.steps: expected a block of the sweep, which has 3, found "
        "blocks[3]"
    ),
    "blocks[1].train.stepz": (
        "sweeps.small.blocks[1].train.stepz: no such field; did you mean 'steps'?"
    ),
    "blocks[2].samples.steps": (
        "sweeps.small.blocks[2].samples.steps: expected a setting of what the block does "
        "(likelihood, train), found 'samples'"
    ),
    "blocks[x].train.steps": "sweeps.small: expected a key that begins with train., samples., ",
}


@pytest.mark.parametrize("key", WRONG_BLOCKS)
def test_a_wrong_block_is_refused(tmp_path: Path, key: str) -> None:
    found = complaint(tmp_path, f"sweeps: {{small: {{'{key}': 50}}}}\n", BLOCKS)
    assert found.startswith(f"presets/tiny.yaml:12: {WRONG_BLOCKS[key]}")


def test_a_block_of_a_sweep_without_blocks_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, "sweeps: {small: {'blocks[0].train.steps': 5}}\n") == (
        "presets/tiny.yaml:12: sweeps.small.blocks[0].train.steps: expected a block of the sweep, "
        "which has none, found blocks[0]"
    )
