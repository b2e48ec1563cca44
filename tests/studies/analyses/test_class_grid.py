"""Samples by class, and every step count of a small study, drawn from what tiny networks drew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studies.analyses.drawings import FIGURES
from studies.analyses.sample_gallery.class_grid import CLASSES, COLUMNS
from studies.analyses.sentences import SENTENCES
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.labels import setting
from studies.tables.tables import Tables, tables
from tests.witness.runs import ran
from tests.witness.tiny_sweep import PRESET

SWEEPS = Path(__file__).parents[3] / "sweeps"
SWEEP = """
study: gallery
question: What do they look like?
preset: tiny
seeds: [0]
blocks:
  - grid:
      train.objective: [hybrid, vlb]
    evaluate:
      - samples: {sampler: {ancestral: {variance: range}}, grid: {steps: [2, 8]}}
  - train: {objective: hybrid, network: {class_conditional: true}}
    evaluate:
      - samples: {sampler: {ancestral: {variance: range}}, grid: {steps: [2, 4]}}
figures: [sample_grid, class_grid]
"""
CONDITIONAL = "`train.network.class_conditional`"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    preset = PRESET.replace("images: 6", "images: 100").replace("block_size: 4", "block_size: 20")
    return tables(ran(tmp_path_factory.mktemp("gallery"), SWEEP, preset), "gallery-tiny")


def drawn_by_class(study: Tables) -> pd.DataFrame:
    return FIGURES["class_grid"].table(study)


def test_a_row_holds_the_images_that_were_asked_for_its_class(study: Tables) -> None:
    table = drawn_by_class(study)
    arm = study.samples.query(f"{CONDITIONAL} and steps == 4").iloc[0]
    assert len(arm["shards"]) == 5  # shards of 20 images, of which 80 are looked at
    stream = np.concatenate([np.load(path) for path in arm["shards"]])
    for row in table.itertuples():
        image = stream[int(row.label) + 10 * int(row.column)]  # type: ignore[arg-type]
        assert bytes.fromhex(str(row.pixels)) == image.tobytes()
    found = table[["label", "column"]].itertuples(index=False, name=None)
    assert list(found) == [(c, n) for n in range(COLUMNS) for c in range(CLASSES)]


def test_only_class_conditional_arms_are_drawn_and_those_with_their_most_steps(
    study: Tables,
) -> None:
    table = drawn_by_class(study)
    assert set(table["steps"]) == {4}
    assert set(table["arm"]) == {"L_hybrid, Σ learned, class-conditional"}
    assert set(study.samples["classes"].dropna()) == {10}
    assert study.samples.query(f"not {CONDITIONAL}")["classes"].isna().all()
    seeds = pd.concat([study.samples.assign(seed=1), study.samples], ignore_index=True)
    assert set(drawn_by_class(replace(study, samples=seeds))["seed"]) == {0}


def test_the_rows_are_drawn_from_top_to_bottom_beside_their_class(study: Tables) -> None:
    table = drawn_by_class(study)
    axes = FIGURES["class_grid"].draw(table).axes[0]
    pictures = [np.asarray(image.get_array()) for image in axes.images]
    assert len(pictures) == CLASSES
    arm = study.samples.query(f"{CONDITIONAL} and steps == 4").iloc[0]
    stream = np.concatenate([np.load(path) for path in arm["shards"]])[..., 0].astype(float)
    for label, picture in enumerate(pictures):
        first = np.kron(np.round(stream[label] * 255 / 16), np.ones((4, 4)))
        np.testing.assert_array_equal(picture[:, :32, 0], first)
    tops = [image.get_extent()[3] for image in axes.images]
    assert tops == sorted(tops)
    said = [text.get_text() for text in axes.texts]
    assert said == ["$L_{\\mathrm{hybrid}}$, Σ learned\nclass-conditional", *map(str, range(8))]


def test_the_caption_says_which_images_these_are(study: Tables) -> None:
    said = FIGURES["class_grid"].caption(drawn_by_class(study), study)
    assert "The first 8 samples of the first 8 of 10 classes, one class per row" in said
    assert "from the networks of seed 0, 4 sampling steps. None is picked" in said


def test_of_as_many_classes_as_imagenet_has_the_papers_are_shown(
    study: Tables, tmp_path: Path
) -> None:
    stream = np.arange(9000, dtype="<u2").view(np.uint8)  # each image tells its place
    np.save(tmp_path / "samples.npy", stream.reshape(9000, 1, 2, 1).repeat(2, axis=1))
    drawn = study.samples.query(f"{CONDITIONAL} and steps == 4")
    shards = pd.Series([(tmp_path / "samples.npy",)] * len(drawn), drawn.index)
    large = replace(study, samples=drawn.assign(classes=1000, shards=shards, levels=256))
    table = drawn_by_class(large)
    places = [int.from_bytes(bytes.fromhex(str(p))[:2], "little") for p in table["pixels"]]
    papers = [9, 11, 28, 97, 130, 141, 154, 157]  # ostrich to papillon, Fig. 9
    assert places == [1000 * column + label for column in range(8) for label in papers]
    axes = FIGURES["class_grid"].draw(table).axes[0]
    assert [text.get_text() for text in axes.texts][1:] == [str(label) for label in papers]
    assert len({image.get_extent()[3] for image in axes.images}) == 8
    said = FIGURES["class_grid"].caption(table, large)
    assert "The first 8 samples of the paper's classes of 1,000: 9 (ostrich), 11 (gold" in said


def test_shards_count_up_to_the_first_that_is_missing(study: Tables, tmp_path: Path) -> None:
    arm = study.samples.query(f"{CONDITIONAL} and steps == 2").iloc[0]
    store = Store(arm["path"].parents[2])
    missing = arm["shards"][3].with_name("result.json")
    kept = missing.read_bytes()
    missing.unlink()
    try:
        again = tables(store, "gallery-tiny").samples.query(f"{CONDITIONAL} and steps == 2")
        assert again["shards"].iloc[0] == arm["shards"][:3]
    finally:
        missing.write_bytes(kept)


def test_a_small_study_shows_every_step_count_the_hybrid_above_the_vlb(study: Tables) -> None:
    table = FIGURES["sample_grid"].table(study)
    rows = table.drop_duplicates(["steps", "arm"])
    assert list(dict.fromkeys(rows["steps"])) == [2, 4, 8]
    assert list(rows.query("steps == 8")["arm"]) == [
        "L_hybrid, Σ learned, unconditional",
        "L_vlb, Σ learned",
    ]


def test_a_study_without_labels_has_no_samples_by_class(study: Tables) -> None:
    unlabelled = study.samples.assign(classes=None)
    assert FIGURES["class_grid"].table(replace(study, samples=unlabelled)).empty


def test_conditioning_on_the_class_is_said_in_a_word() -> None:
    column = "train.network.class_conditional"
    assert (setting(column, True), setting(column, False)) == ("class-conditional", "unconditional")


# ------------------------------------------------------------------------------ sample_gallery.yaml


def test_the_gallery_shows_both_objectives_from_the_same_noise_and_one_conditional_arm() -> None:
    spec = read_sweep(SWEEPS / "sample_gallery.yaml")
    shown = [(arm.train.objective.kind, arm.train.network.class_conditional) for arm in spec.arms]
    assert shown.count(("hybrid", False)) == shown.count(("vlb", False)) == 5
    assert shown.count(("hybrid", True)) == 1
    assert {arm.train.timesteps.kind for arm in spec.arms if arm.train.objective.kind == "vlb"} == {
        "loss_second_moment"
    }
    assert spec.claims == ()


def test_photographs_have_no_classes_to_show_but_both_objectives() -> None:
    plan = expand(read_sweep(SWEEPS / "sample_gallery.yaml", preset="photos"))
    arms = [arm.train for arm in plan.spec.arms]
    assert {train.objective.kind for train in arms} == {"hybrid", "vlb"}
    assert not any(train.network.class_conditional for train in arms)


def test_the_answer_of_a_gallery_counts_the_images_there_are(study: Tables) -> None:
    said = SENTENCES["sample_gallery"](study)  # 2 objectives x 2 step counts, and 2 by class
    assert said.startswith("Pictures to look at, none of them picked: 600 samples in 6 sets")
    nothing = replace(study, samples=study.samples.assign(path=None))
    assert SENTENCES["sample_gallery"](nothing) == ""
