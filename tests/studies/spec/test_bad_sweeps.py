"""Everything that a sweep, a preset or an override can get wrong, and the sentence that says so."""

from pathlib import Path

import pytest

from studies.spec.evaluations import SCOPES
from studies.spec.presets import EVALUATIONS
from studies.spec.sweep import read_sweep
from tests.witness.complaints import complaint, inside
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep


def training(line: str) -> str:
    """The sweep with one line of training settings, on line 6."""
    return inside("seeds:", f"train: {{{line}}}\nseeds:")


def sampling(lines: str) -> str:
    """The sweep with other samples settings, from line 10 on."""
    return SWEEP[: SWEEP.index("      grid:\n")] + "".join(
        f"      {line}\n" for line in lines.splitlines()
    )


# --------------------------------------------------------------------------------- names and types

NAMES = {
    inside("question:", "qestion:"): (
        "sweep.yaml:2: qestion: no such key; did you mean 'question'?"
    ),
    training("stepz: 5"): "sweep.yaml:6: train.stepz: no such field; did you mean 'steps'?",
    training("diffusion: {schedule: linaer}"): (
        "sweep.yaml:6: train.diffusion.schedule: expected 'linear' or 'cosine', found 'linaer'; "
        "did you mean 'linear'?"
    ),
    inside("[simple, hybrid]", "[simple, hybird]"): (
        "sweep.yaml:5: grid.train.objective: expected 'simple', 'vlb' or 'hybrid', found "
        "'hybird'; did you mean 'hybrid'?"
    ),
    inside("[simple, hybrid]", "[simple, {hybird: {}}]"): (
        "sweep.yaml:5: grid.train.objective: expected 'simple', 'vlb' or 'hybrid', found "
        "'hybird'; did you mean 'hybrid'?"
    ),
    inside("[simple, hybrid]", "[{simple: {vlb_weight: 1}}]"): (
        "sweep.yaml:5: grid.train.objective.vlb_weight: no such field; this choice has no settings"
    ),
    training("objective: {vlb_weight: 0.1}"): (
        "sweep.yaml:6: train.objective: expected 'simple', 'vlb' or 'hybrid', found "
        "'vlb_weight'; name the choice as well, as in hybrid: {vlb_weight: ...}"
    ),
    training("objective: {hybrid: 5}"): (
        "sweep.yaml:6: train.objective.hybrid: expected a mapping of settings, found 5"
    ),
    training("objective: {hybrid: {kind: vlb}}"): (
        "sweep.yaml:6: train.objective.hybrid.kind: expected no kind below the name of a choice, "
        "found 'vlb'"
    ),
    training("objective: 7"): (
        "sweep.yaml:6: train.objective: expected 'simple', 'vlb' or 'hybrid', found 7; "
        "write simple: {...}"
    ),
    inside("train.objective", "train.objectve"): (
        "sweep.yaml:5: grid.train.objectve: no such field; did you mean 'objective'?"
    ),
    inside("train.objective", "objective"): (
        "sweep.yaml:5: grid: expected a key that begins with train., found 'objective'; "
        "settings of an evaluation vary inside `evaluate`"
    ),
    inside("likelihood: {}", "liklihood: {}"): (
        "sweep.yaml:8: evaluate[0].liklihood: no such key; did you mean 'likelihood'?"
    ),
    inside("        steps:", "        stpes:"): (
        "sweep.yaml:11: evaluate[1].samples.grid.stpes: no such field; did you mean 'steps'?"
    ),
    f"{SWEEP}figures: [vlb_trems]\n": (
        "sweep.yaml:12: figures: no such name 'vlb_trems'; did you mean 'vlb_terms'?"
    ),
    f"{SWEEP}claims: [learned_sigma_lowers_nl]\n": (
        "sweep.yaml:12: claims: no such name 'learned_sigma_lowers_nl'; did you mean "
        "'learned_sigma_lowers_nll'?"
    ),
    f"{SWEEP}figures: [vlb_terms, vlb_terms]\n": (
        "sweep.yaml:12: figures: expected each name once, found 'vlb_terms' twice"
    ),
}

VALUES = {
    training("steps: true"): "sweep.yaml:6: train.steps: expected a whole number, found true",
    training("steps: ten"): "sweep.yaml:6: train.steps: expected a whole number, found 'ten'",
    training("steps: "): "sweep.yaml:6: train.steps: expected a whole number, found nothing",
    training("optimizer: {learning_rate: .nan}"): (
        "sweep.yaml:6: train.optimizer.learning_rate: expected a finite number, found nan"
    ),
    training("optimizer: {betas: [0.9, .nan]}"): (
        "sweep.yaml:6: train.optimizer.betas: expected finite numbers, found [0.9, nan]"
    ),
    training("optimizer: {betas: [0.9]}"): (
        "sweep.yaml:6: train.optimizer.betas: expected a list of 2 numbers, found [0.9]"
    ),
    training("optimizer: {learning_rate: -1e-3}"): (
        "sweep.yaml:6: train.optimizer.learning_rate: expected a positive number, found -0.001"
    ),
    training("steps: -5"): "sweep.yaml:6: train.steps: expected at least 1, found -5",
    training("network: {dropout: -0.1}"): (
        "sweep.yaml:6: train.network.dropout: expected a probability in [0, 1), found -0.1"
    ),
    training("network: {dropout: 1}"): (
        "sweep.yaml:6: train.network.dropout: expected a probability in [0, 1), found 1.0"
    ),
    training("ema_decays: 0.9"): (
        "sweep.yaml:6: train.ema_decays: expected a list of numbers, found 0.9"
    ),
    training("network: 5"): (
        "sweep.yaml:6: train.network: expected a mapping of settings, found 5"
    ),
    training("diffusion: {steps: 1}"): (
        "sweep.yaml:6: train.diffusion.steps: expected at least 2 (the first step's variance is "
        "stood in for by the second's), found 1"
    ),
    training("seed: 3"): (
        "sweep.yaml:6: train.seed: expected no seed here, found 3; list seeds under `seeds`: a "
        "cell trains, samples and scores with its own"
    ),
    inside("likelihood: {}", "likelihood: {seed: 1}"): (
        "sweep.yaml:8: evaluate[0].likelihood.seed: expected no seed here, found 1; list seeds "
        "under `seeds`: a cell trains, samples and scores with its own"
    ),
    inside("likelihood: {}", "likelihood: {images: 0}"): (
        "sweep.yaml:8: evaluate[0].likelihood.images: expected at least 2, for a standard error, "
        "found 0"
    ),
    inside("likelihood: {}", "likelihood: {estimate: {draws: {most: 7}}}"): (
        "sweep.yaml:8: evaluate[0].likelihood.estimate.most: expected an even number, since draws "
        "come in pairs, found 7"
    ),
    inside("likelihood: {}", "likelihood: {estimate: {draws: {most: 2}}}"): (
        "sweep.yaml:8: evaluate[0].likelihood.estimate.most: expected at least 4, a pair at t = 0 "
        "and a pair at other steps, found 2"
    ),
    inside("likelihood: {}", "likelihood: {estimate: {draws: {error: 0.0}}}"): (
        "sweep.yaml:8: evaluate[0].likelihood.estimate.error: expected a positive number, found 0.0"
    ),
    inside("likelihood: {}", "likelihood: {estimate: {most: 8}}"): (
        "sweep.yaml:8: evaluate[0].likelihood.estimate: expected 'draws', found 'most'; name the "
        "choice as well, as in draws: {most: ...}"
    ),
    inside("likelihood: {}", "likelihood: {estimate: {draws: {most: 100}}}"): (
        "sweep.yaml:8: evaluate[0].likelihood.estimate.most: expected fewer draws than the 100 "
        "steps of the chain, found 100; leave the estimate out: the exact bound takes no more "
        "network calls"
    ),
    inside("likelihood: {}", "likelihood: {block_size: 1, shard_blocks: 1}"): (
        "sweep.yaml:8: evaluate[0].likelihood.shard_blocks: expected shards of at least 2 images "
        "(a block has 1), found 1"
    ),
    inside("[10, 100]", "[10, many]"): (
        "sweep.yaml:11: evaluate[1].samples.grid.steps: expected a whole number or null, "
        "found 'many'"
    ),
    sampling("steps: 10\nimages: 3"): (
        "sweep.yaml:11: evaluate[1].samples.images: expected more than the 3 neighbours of a "
        "score, found 3"
    ),
    sampling("steps: 10\nimages: 9999\nmetrics: [fd_infinity]"): (
        "sweep.yaml:11: evaluate[1].samples.images: expected at least 10,000, over which the "
        "metric fd_infinity draws its line, found 9999"
    ),
    sampling("steps: 10\nimages: 1"): (
        "sweep.yaml:11: evaluate[1].samples.images: expected at least 2, found 1"
    ),
    sampling("steps: 10\nshard_blocks: 0"): (
        "sweep.yaml:11: evaluate[1].samples.shard_blocks: expected at least 1, found 0"
    ),
    sampling("steps: 10\nneighbours: 0"): (
        "sweep.yaml:11: evaluate[1].samples.neighbours: expected at least 1, found 0"
    ),
    sampling("steps: 10\nblock_size: -1"): (
        "sweep.yaml:11: evaluate[1].samples.block_size: expected at least 1, found -1"
    ),
    inside("likelihood: {}", "likelihood: {steps: 1}"): (
        "sweep.yaml:8: evaluate[0].likelihood.steps: expected at least 2, found 1"
    ),
    sampling("steps: 10\nreference: {images: 2}"): (
        "sweep.yaml:11: evaluate[1].samples.reference.images: expected more than the 3 "
        "neighbours of a score, found 2"
    ),
    sampling("steps: 10\nskip: 1"): (
        "sweep.yaml:11: evaluate[1].samples.skip: expected a fraction in [0, 1), found 1.0"
    ),
    sampling("clip: true"): (
        "sweep.yaml:10: evaluate[1].samples.steps: expected a value, found none (it has no default)"
    ),
    inside("study: small", "study: ../small"): (
        "sweep.yaml:1: study: expected a name of letters, digits, _, - and . (it names a "
        "folder), found '../small'"
    ),
    inside("study: small", "study: 5"): (
        "sweep.yaml:1: study: expected text, found 5; write it in quotes"
    ),
    inside("study: small\n", ""): (
        "sweep.yaml:1: study: expected a value, found none (it has no default)"
    ),
    inside("[0, 1]", "[]"): "sweep.yaml:6: seeds: expected at least one seed, found none",
    inside("[0, 1]", "[0, 0]"): (
        "sweep.yaml:6: seeds: expected whole numbers of at least 0, each once, found [0, 0]"
    ),
    inside("[0, 1]", "3"): "sweep.yaml:6: seeds: expected a list of whole numbers, found 3",
}


@pytest.mark.parametrize("sweep", NAMES, ids=NAMES.get)
def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path, sweep: str) -> None:
    assert complaint(tmp_path, sweep) == NAMES[sweep]


@pytest.mark.parametrize("sweep", VALUES, ids=VALUES.get)
def test_a_wrong_value_is_refused(tmp_path: Path, sweep: str) -> None:
    assert complaint(tmp_path, sweep) == VALUES[sweep]


def test_1e_4_is_read_as_the_number_it_means(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, training("optimizer: {learning_rate: 1e-4}, steps: 1e2"))
    train = read_sweep(path).arms[0].train
    assert (train.optimizer.learning_rate, train.steps) == (1e-4, 100)


# ---------------------------------------------------------------------------------------- the cells

CELLS = {
    inside("[simple, hybrid]", "[]"): (
        "sweep.yaml:5: grid.train.objective: expected a list of at least one, found an empty one"
    ),
    inside("[simple, hybrid]", "simple"): (
        "sweep.yaml:5: grid.train.objective: expected a list, found 'simple'; put it in [ ]"
    ),
    inside("\n  train.objective: [simple, hybrid]", " {}"): (
        "sweep.yaml:4: grid: expected at least one setting, found none"
    ),
    inside("\n  train.objective: [simple, hybrid]", " [1]"): (
        "sweep.yaml:4: grid: expected a mapping, found [1]"
    ),
    inside("[10, 100]", "[10, 10]"): (
        "sweep.yaml:10: evaluate[1].samples: expected each cell once, found two alike "
        "(train.objective 'simple'; steps 10)"
    ),
    inside("[simple, hybrid]", "[simple, {simple: {}}]"): (
        "sweep.yaml:8: evaluate[0].likelihood: expected each cell once, found two alike "
        "(train.objective a mapping of 'simple')"
    ),
    f"{SWEEP}      include: [{{steps: 100}}]\n": (
        "sweep.yaml:10: evaluate[1].samples: expected each cell once, found two alike "
        "(train.objective 'simple'; steps 100)"
    ),
    f"{SWEEP}      exclude: [{{steps: 50}}]\n": (
        "sweep.yaml:12: evaluate[1].samples.exclude[0]: expected a rule that leaves out a cell, "
        "found one that matches none; mend or remove it"
    ),
    f"{SWEEP}      exclude: [{{}}]\n": (
        "sweep.yaml:12: evaluate[1].samples.exclude[0]: expected at least one setting, found none"
    ),
    f"{SWEEP}      exclude: {{steps: 10}}\n": (
        "sweep.yaml:12: evaluate[1].samples.exclude: expected a list, found a mapping of 'steps'; "
        "put it in [ ]"
    ),
    f"{SWEEP}      exclude: [{{stesp: 10}}]\n": (
        "sweep.yaml:12: evaluate[1].samples.exclude[0].stesp: no such field; did you mean 'steps'?"
    ),
    f"{SWEEP}      exclude: [{{train.objectiv: simple}}]\n": (
        "sweep.yaml:12: evaluate[1].samples.exclude[0].train.objectiv: no such field; did you "
        "mean 'objective'?"
    ),
    inside("seeds:", "exclude: [{steps: 10}]\nseeds:"): (
        "sweep.yaml:6: exclude[0]: expected a key that begins with train., found 'steps'"
    ),
    inside("seeds:", "exclude: [{train.objective: simple}, {train.objective: hybrid}]\nseeds:"): (
        "sweep.yaml:1: exclude: expected a cell left to run, found every one excluded"
    ),
    f"{SWEEP}      exclude: [{{steps: 10}}, {{steps: 100}}]\n": (
        "sweep.yaml:10: evaluate[1].samples.exclude: expected a cell left to run, found every one "
        "excluded"
    ),
    inside(
        "grid:\n  train.objective: [simple, hybrid]",
        "blocks:\n  - train: {objective: vlb}\n  - grid: {train.objective: [simple]}\n"
        "    exclude: [{train.objective: simple}]",
    ): ("sweep.yaml:6: blocks[1].exclude: expected a cell left to run, found every one excluded"),
    sampling("zip: {steps: [10, 20], images: [96]}"): (
        "sweep.yaml:10: evaluate[1].samples.zip.images: expected 2 values, as many as steps has, "
        "found 1"
    ),
    inside("[10, 100]", f"{list(range(2, 102))}\n        skip: {[i / 2e3 for i in range(1001)]}"): (
        "sweep.yaml:10: evaluate[1].samples: expected at most 20000 cells, found 100100"
    ),
    inside("[0, 1]", str(list(range(250))), inside("[10, 100]", str(list(range(2, 252))))): (
        "sweep.yaml:1: grid: expected at most 20000 cells, found 125500"
    ),
    inside("seeds:", "blocks: []\nseeds:", SWEEP.replace("grid:\n  train", "#\n#")): (
        "sweep.yaml:6: blocks: expected a list of at least one block, found []"
    ),
    inside("seeds:", "blocks: [{grid: {train.objective: [vlb]}}]\nseeds:"): (
        "sweep.yaml:5: grid: expected no such key beside blocks, found a mapping of "
        "'train.objective'; move it into the blocks that it is meant for"
    ),
    inside("grid:\n  train.objective: [simple, hybrid]", "blocks: [{gird: 1}]"): (
        "sweep.yaml:4: blocks[0].gird: no such key; did you mean 'grid'?"
    ),
    SWEEP[: SWEEP.index("  - likelihood")] + "  []\n": (
        "sweep.yaml:8: evaluate: expected a list of at least one evaluation, found []; "
        "write - samples: {...}"
    ),
    inside("likelihood: {}", "{likelihood: {}, samples: {}}"): (
        f"sweep.yaml:8: evaluate[0]: expected one of {' or '.join(EVALUATIONS)}, found a mapping "
        "of 'likelihood', 'samples'"
    ),
}


@pytest.mark.parametrize("sweep", CELLS, ids=CELLS.get)
def test_cells_that_cannot_be_are_refused(tmp_path: Path, sweep: str) -> None:
    assert complaint(tmp_path, sweep) == CELLS[sweep]


# ------------------------------------------------------------------ what one part asks of another

FIT = {
    inside("[10, 100]", "[10, 101]"): (
        "sweep.yaml:11: evaluate[1].samples.steps: expected from 2 to the 100 of the trained "
        "chain, found 101"
    ),
    inside("[10, 100]", "[1, 10]"): (
        "sweep.yaml:11: evaluate[1].samples.steps: expected at least 2, found 1"
    ),
    sampling("steps: 10\nreference: {images: 5000}"): (
        "sweep.yaml:11: evaluate[1].samples.reference.images: expected at most the 1500 images "
        "of the train split, found 5000"
    ),
    sampling("steps: 10\nextractor: {random: {data: photos}}"): (
        "sweep.yaml:11: evaluate[1].samples.extractor.data: expected images of the trained data's "
        "channels, size and levels (1, 8, 17), found (3, 16, 256)"
    ),
    inside("likelihood: {}", "likelihood: {images: 298}"): (
        "sweep.yaml:8: evaluate[0].likelihood.images: expected at most the 297 images of the test "
        "split, found 298"
    ),
    training("network: {groups: 3}"): (
        "sweep.yaml:6: train.network.groups: expected a divisor of every width (one is 8), found 3"
    ),
    training("network: {heads: 3}"): (
        "sweep.yaml:6: train.network.heads: expected a divisor of the width of the middle block "
        "(16), found 3"
    ),
}


@pytest.mark.parametrize("sweep", FIT, ids=FIT.get)
def test_what_does_not_fit_is_refused_where_it_was_asked(tmp_path: Path, sweep: str) -> None:
    assert complaint(tmp_path, sweep) == FIT[sweep]


def test_an_extractor_is_of_data_that_it_can_read(tmp_path: Path) -> None:
    preset = inside("extractor: classifier", "extractor: {classifier: {data: photos}}", PRESET)
    assert complaint(tmp_path, preset=preset) == (
        "presets/tiny.yaml:11: evaluate[1].samples.extractor: expected data with labels, found "
        "none in 'photos'; use the extractor 'random'"
    )


def test_a_network_for_photos_needs_sides_that_photos_have(tmp_path: Path) -> None:
    assert complaint(tmp_path, training("data: photos")) == (
        "presets/tiny.yaml:4: train.network.attention_resolutions: expected sides of the feature "
        "maps of images of 16 pixels, 16, 8, found 4"
    )


# --------------------------------------------------------------------------- presets and overrides

PRESETS = {
    inside("description:", "descripton:", PRESET): (
        "presets/tiny.yaml:1: descripton: no such key; did you mean 'description'?"
    ),
    inside("data: digits\n", "", PRESET): (
        "presets/tiny.yaml:1: data: expected a value, found none (it has no default)"
    ),
    inside("data: digits", "data: digitz", PRESET): (
        "presets/tiny.yaml:2: train.data: expected 'digits', 'photos', 'folder' or 'npz', found "
        "'digitz'; did you mean 'digits'?"
    ),
    inside("  steps: 50", "  stpes: 50", PRESET): (
        "presets/tiny.yaml:8: train.stpes: no such field; did you mean 'steps'?"
    ),
    inside("images: 20", "imagse: 20", PRESET): (
        "presets/tiny.yaml:10: evaluate.likelihood.imagse: no such field; did you mean 'images'?"
    ),
    inside("  samples:", "  sample:", PRESET): (
        "presets/tiny.yaml:11: evaluate.sample: no such key; did you mean 'samples'?"
    ),
    inside("images: 96", "exclude: [{stesp: 5}], images: 96", PRESET): (
        "presets/tiny.yaml:11: evaluate.samples.exclude[0].stesp: no such field; "
        "did you mean 'steps'?"
    ),
    inside("data: digits", "data: {folder: {size: 8}}", PRESET): (
        "presets/tiny.yaml:2: train.data.path: expected a value, found none (it has no default)"
    ),
    inside("data: digits", "data: {photos: {test_images: 1000000}}", PRESET): None,
}


@pytest.mark.parametrize("preset", PRESETS, ids=PRESETS.get)
def test_a_wrong_preset_is_refused(tmp_path: Path, preset: str) -> None:
    expected = PRESETS[preset] or "presets/tiny.yaml:2: train.data.test_images: expected at most"
    assert complaint(tmp_path, preset=preset).startswith(expected)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    data = f"data: {{folder: {{path: {tmp_path}/images, size: 8}}}}"
    assert complaint(tmp_path, preset=inside("data: digits", data, PRESET)) == (
        "presets/tiny.yaml:2: train.data.path: expected a folder images/train with image files, "
        "found none; put the images below train/ and test/"
    )


def test_a_folder_with_a_broken_image_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "images" / split).mkdir(parents=True)
        (tmp_path / "images" / split / "a.png").write_bytes(b"not an image")
    data = f"data: {{folder: {{path: {tmp_path}/images, size: 8}}}}"
    assert complaint(tmp_path, preset=inside("data: digits", data, PRESET)) == (
        "presets/tiny.yaml:2: train.data.path: expected an image that can be read, found "
        "images/train/a.png broken (its content is no image of a known kind); replace or remove it"
    )


@pytest.mark.parametrize("name", ["tyni", "../presets/tiny", ""])
def test_a_preset_that_does_not_exist_is_refused(tmp_path: Path, name: str) -> None:
    hint = "did you mean 'tiny'?" if name == "tyni" else "there are: tiny"
    assert complaint(tmp_path, inside("tiny", f"'{name}'")) == (
        f"sweep.yaml: preset: expected one in presets, found {name!r}; {hint}"
    )


BEGINNINGS = ", ".join(f"{scope}." for scope in SCOPES)
OVERRIDES = {
    ("train.stepz", "3"): (
        "--set train.stepz=3: train.stepz: no such field; did you mean 'steps'?"
    ),
    ("steps", "3"): (
        f"--set steps=3: steps: expected a key that begins with {BEGINNINGS}, found 'steps'"
    ),
    ("train", "3"): (
        f"--set train=3: train: expected a key that begins with {BEGINNINGS}, found 'train'"
    ),
    ("train.steps", ""): "--set train.steps=: expected a value, found an empty document",
    ("train.steps", "[1"): None,
    ("train.network.heads", "3"): (
        "--set train.network.heads=3: train.network.heads: expected a divisor of the width of the "
        "middle block (16), found 3"
    ),
    ("samples.steps", "[1000]"): (
        "--set samples.steps=[1000]: evaluate[1].samples.steps: expected from 2 to the 100 of "
        "the trained chain, found 1000"
    ),
    ("samples.steps", "[]"): (
        "--set samples.steps=[]: evaluate[1].samples.grid.steps: expected a list of at least one, "
        "found an empty one"
    ),
    ("likelihood.seed", "3"): (
        "--set likelihood.seed=3: evaluate[0].likelihood.seed: expected no seed here, found 3; "
        "list seeds under `seeds`: a cell trains, samples and scores with its own"
    ),
}


@pytest.mark.parametrize("override", OVERRIDES, ids="=".join)
def test_a_wrong_override_is_refused(tmp_path: Path, override: tuple[str, str]) -> None:
    expected = OVERRIDES[override] or "--set train.steps=[1: expected a value, found broken YAML"
    assert complaint(tmp_path, overrides=[override]).startswith(expected)


def test_an_override_of_what_is_not_evaluated_is_refused(tmp_path: Path) -> None:
    sweep = SWEEP[: SWEEP.index("  - samples")]
    assert complaint(tmp_path, sweep, overrides=[("samples.steps", "5")]) == (
        "--set samples.steps=5: samples.steps: expected a setting of what the sweep does "
        "(likelihood, train), found 'samples'"
    )


def test_an_override_of_one_of_several_lists_in_step_must_have_their_length(tmp_path: Path) -> None:
    sweep = sampling("zip: {steps: [10, 20], images: [96, 32]}")
    assert complaint(tmp_path, sweep, overrides=[("samples.steps", "[10]")]) == (
        "--set samples.steps=[10]: evaluate[1].samples.zip.steps: expected 2 values, as many as "
        "images has, found 1; give lists for every key of the zip, or of this length"
    )


@pytest.mark.parametrize("part", ["weights", "order", "noise"])
def test_seeds_that_share_a_part_of_a_training_are_not_counted_as_several(
    tmp_path: Path, part: str
) -> None:
    said = f"train.seeds.{part}: expected one seed in the sweep beside it, as trainings that share "
    said += "it are not independent, found {}; use one seed: seeds: [0], or --seeds 0"
    pinned = training(f"seeds: {{{part}: 0}}")
    assert complaint(tmp_path, pinned) == f"sweep.yaml:6: {said.format(2)}"
    varied = inside("seeds:", f"  train.seeds.{part}: [0, 1]\nseeds:")
    assert complaint(tmp_path, varied) == f"sweep.yaml:6: {said.format(2)}"
    overrides = [(f"train.seeds.{part}", "7")]
    assert complaint(tmp_path, overrides=overrides, seeds=[3, 4, 5]) == (
        f"--set train.seeds.{part}=7: {said.format(3)}"
    )
    assert read_sweep(write_sweep(tmp_path, pinned), seeds=[1]).seeds == (1,)


def test_seeds_that_share_the_noise_of_sampling_are_not_counted_as_several(tmp_path: Path) -> None:
    pinned = sampling("steps: 5\nnoise_seed: 0")
    assert complaint(tmp_path, pinned) == (
        "sweep.yaml:11: evaluate[1].samples.noise_seed: expected one seed in the sweep beside it, "
        "as samples that share it are not independent, found 2; use one seed: seeds: [0], or "
        "--seeds 0"
    )
    assert read_sweep(write_sweep(tmp_path, pinned), seeds=[1]).seeds == (1,)


def test_wrong_seeds_from_the_command_line_are_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, seeds=[1, 1]) == (
        "--seeds: seeds: expected whole numbers of at least 0, each once, found [1, 1]"
    )
