"""Rivals in a sweep: how they are written and planned, and what is wrong with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iddpm import build
from iddpm.bounds import ConfigError
from iddpm.config import Digits, GanConfig
from iddpm.data import describe, load
from studies.plan.costs import arm_label, costs
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from tests.witness.rivals_sweep import SWEEP, of_kind, planned, written
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET

SWEEPS = Path(__file__).parents[3] / "sweeps"


def test_a_gan_has_a_cell_per_seed_and_images_from_elsewhere_have_one(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    cells = [(cell.arm.get("rival"), cell.seed) for cell in plan.cells]
    assert cells[4:] == [("GAN", 0), ("GAN", 1), ("real digits", 0)]
    assert [rival for rival, _ in cells[:4]] == [None] * 4
    kinds = {kind: len(of_kind(plan, kind)) for kind in ("gan", "gan_sample", "external")}
    assert kinds == {"gan": 2, "gan_sample": 4, "external": 1}  # shards of one block of four


def test_rivals_are_scored_as_the_presets_samples_are(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    scores = [plan.tasks[cell.tasks["score"]] for cell in plan.cells]
    assert len({score.config for score in scores}) == 1
    assert len({score.parents["reference"] for score in scores}) == 1
    generated = [plan.tasks[score.parents["generated"]] for score in scores]
    assert len({(task.config, task.parents["extractor"]) for task in generated}) == 1


def test_a_gan_is_given_what_the_preset_gives_and_the_sweep_adjusts(tmp_path: Path) -> None:
    preset = PRESET + "gan: {latent: 7, steps: 9, ema_decay: 0.25}\n"
    sweep = written(tmp_path, preset=preset)
    options: dict[str, Any] = {"overrides": [("gan.channels", "5"), ("samples.images", "5")]}
    gan, elsewhere = read_sweep(sweep, **options).rivals
    assert gan.config == GanConfig(
        data=Digits(), latent=2, channels=5, batch_size=4, ema_decay=0.5, steps=3
    )
    assert (gan.samples.images, elsewhere.samples.images) == (5, 5)
    alone = written(tmp_path, ("{latent: 2, channels: 4, batch_size: 4, ema_decay: 0.5, ", "{"))
    (found, _) = read_sweep(write_preset(alone, preset)).rivals
    assert isinstance(found.config, GanConfig)
    assert (found.config.latent, found.config.steps, found.config.ema_decay) == (7, 3, 0.25)


def write_preset(sweep: Path, preset: str) -> Path:
    (sweep.parent / "presets" / "tiny.yaml").write_text(preset)
    return sweep


def test_two_gans_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    other = "  - gan: {latent: 3, channels: 4, batch_size: 4, ema_decay: 0.5, steps: 3}\n  - ext"
    plan = planned(tmp_path, ("  - ext", other))
    labels = {arm_label(cell.arm) for cell in plan.cells if cell.arm.get("rival") == "GAN"}
    assert labels == {"GAN, latent=2, 6 images", "GAN, latent=3, 6 images"}


def test_the_content_and_not_the_place_or_name_is_in_the_address(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    (here,) = of_kind(planned(first), "external")
    (there,) = of_kind(planned(second, ("real digits", "another name")), "external")
    assert here.address == there.address
    third = tmp_path / "c"
    third.mkdir()
    np.savez(third / "elsewhere.npz", load(Digits(), "train").images[:20])
    (other,) = of_kind(planned(third), "external")
    assert other.address != here.address


def test_what_a_rival_costs_is_counted(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    found = {cost.arm: cost for cost in costs(plan)}
    assert (found["GAN, training"].training_steps, found["GAN, training"].tasks) == (2 * 3, 2)
    gan, data = next(rival.config for rival in plan.spec.rivals), describe(Digits())
    assert isinstance(gan, GanConfig)
    networks = build.gan_generator(gan, data), build.gan_discriminator(gan, data)
    assert found["GAN, training"].parameters == sum(
        p.numel() for network in networks for p in network.parameters()
    )
    assert found["GAN, 6 images"].parameters is None
    assert found["GAN, 6 images"].network_calls == 2 * 8  # two blocks of four per seed
    assert found["real digits, 6 images"].network_calls == 0
    assert found["real digits, 6 images"].tasks == 3


SAMPLED = ("steps: 3}", "steps: 3}\n    samples: {sampler: ddim}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- gan: {latent: 2", "- gan: {laten: 2", "rivals[0].gan.laten: no such field; did you"),
        ("- gan: {", "- gan: {seed: 1, ", "rivals[0].gan.seed: expected no seed here"),
        ("- gan: {", "- gann: {", "rivals[0].gann: no such key; did you mean 'gan'?"),
        ("steps: 3}", "steps: 0}", "rivals[0].gan.steps: expected at least 1, found 0"),
        (*SAMPLED, "rivals[0].samples.sampler: no such field"),
        ("name: real digits, ", "", "rivals[1].external.name: expected a value, found none"),
        ("elsewhere.npz", "nowhere.npz", "rivals[1].external.path: expected an .npz file or a"),
        (
            "real digits",
            " gan",
            "rivals[1].external.name: expected another name than GAN, which one trained here has, "
            "found 'gan'; say whose it is, such as 'GAN of the authors'",
        ),
        (
            "name: real digits",
            r'name: "a\nb"',
            "rivals[1].external.name: expected a line of characters that can be seen, found U+000A",
        ),
        (
            "real digits",
            "x" * 201,
            "rivals[1].external.name: expected a name of at most 200 characters, found 201",
        ),
        (
            "figures:",
            "  - external: {name: real digits, path: other.npz}\nfigures:",
            "rivals[2].external.name: expected a name of its own, found that of rivals[1]",
        ),
        (
            "elsewhere.npz}",
            "elsewhere.npz}\n    samples: {images: 21}",
            "rivals[1].samples.images: expected at most the 20 images at external.path, found 21",
        ),
        (
            "channels: 4,",
            "channels: 4, channel_mult: [1, 1, 1, 1, 1],",
            "rivals[0].gan.channel_mult: expected at most 4 levels for images of 8 pixels",
        ),
    ],
)
def test_what_is_wrong_with_a_rival_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, (old, new))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "sweep.yaml") + ":")


@pytest.mark.parametrize("outlined", [False, True])
def test_images_of_levels_that_the_data_lack_are_refused_before_anything_is_trained(
    tmp_path: Path, outlined: bool
) -> None:
    images = load(Digits(), "test").images[:20].copy()
    images[3, 0, 0] = 254
    np.savez(tmp_path / "elsewhere.npz", images)
    spec = read_sweep(written(tmp_path))
    with pytest.raises(
        ConfigError, match=r"rivals\[1\].external.path: expected pixels of 17 levels"
    ):
        expand(spec, outlined=outlined)


def test_a_name_has_one_spelling_of_all_that_look_like_it(tmp_path: Path) -> None:
    (rival,) = (r for r in planned(tmp_path, ("real", "re\u0301al")).spec.rivals if r.kind != "gan")
    assert rival.config.name == "r\u00e9al digits"  # type: ignore[union-attr]


def test_an_empty_list_two_alike_or_two_in_one_entry_are_refused(tmp_path: Path) -> None:
    entries = SWEEP[SWEEP.index("rivals:\n") : SWEEP.index("figures")]
    for rivals, message in (
        ("rivals: []\n", "rivals: expected a list of at least one rival"),
        ("rivals: [gan, gan]\n", "rivals[1]: expected each rival once, found two alike"),
        ("rivals: [{}]\n", "rivals[0]: expected one of gan or external"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_sweep(write_sweep(tmp_path, SWEEP.replace(entries, rivals), PRESET))
        assert message in str(caught.value)


def test_a_gan_setting_without_a_gan_is_refused() -> None:
    sweep = SWEEPS / "sigma_ablation.yaml"
    with pytest.raises(ConfigError, match=r"gan.steps: expected a setting of what the sweep does"):
        read_sweep(sweep, overrides=[("gan.steps", "3")])


def test_photographs_have_no_labels_for_a_gan(tmp_path: Path) -> None:
    preset = PRESET.replace("data: digits", "data: {photos: {train_images: 20, test_images: 4}}")
    preset = preset.replace("classifier: {channels: 4, features: 4, steps: 3}", "random: {}")
    changes = [(", network: {class_conditional: true}", ""), (", class_grid", "")]
    elsewhere = f"  - external: {{name: real digits, path: {tmp_path / 'elsewhere.npz'}}}\n"
    sweep = written(tmp_path, *changes, (elsewhere, ""), preset=preset)
    expected = r"rivals\[0\].gan.data: expected data with labels, .* found none in 'photos'"
    with pytest.raises(ConfigError, match=expected):
        expand(read_sweep(sweep))
