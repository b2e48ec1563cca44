"""Latents of one image: what the task computes, and that a study of nothing else is whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from iddpm.bounds import ConfigError
from iddpm.config import DiffusionConfig, Digits
from iddpm.data import load
from iddpm.evaluation.config import LatentsConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.analyses.noise_schedules.latents import brightness
from studies.plan.costs import arm_label, costs
from studies.plan.plan import expand
from studies.report.build import build
from studies.report.summary import summary
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.tables import Tables, tables
from tests.witness.runs import ran
from tests.witness.sweep_files import PRESET, write_sweep

SWEEP = """\
study: schedules
question: How fast?
preset: tiny
grid:
  train.diffusion.schedule: [cosine, linear]
seeds: [3]
evaluate:
  - latents: {image: 5, count: 5, split: train}
figures: [beta_ratio, alpha_bar, latents]
claims: [linear_destroys_information_early, cosine_falls_evenly_between_its_ends]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Tables]:
    store = ran(tmp_path_factory.mktemp("latents"), SWEEP, PRESET)
    return store, tables(store, "schedules-tiny")


def latents(study: Tables, schedule: str) -> pd.DataFrame:
    return study.latents[study.latents["schedule"] == schedule]


def pictures(study: Tables, schedule: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    array: np.ndarray[Any, np.dtype[np.float32]] = np.load(latents(study, schedule)["path"].iloc[0])
    return array


# -------------------------------------------------------------------------------------- the task


@pytest.mark.parametrize(
    ("count", "T", "expected"),
    [
        (11, 1000, (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)),
        (3, 25, (0, 12, 25)),
        (4, 3, (0, 1, 2, 3)),
    ],
)
def test_latents_are_spaced_evenly_from_the_image_to_T(
    count: int, T: int, expected: tuple[int, ...]
) -> None:
    diffusion = DiffusionConfig(steps=T, schedule="cosine")
    assert LatentsConfig(data=Digits(), diffusion=diffusion, count=count).steps == expected


def test_the_first_latent_is_the_image_itself(made: tuple[Store, Tables]) -> None:
    stored = load(Digits(), "train").images[5]
    for schedule in ("linear", "cosine"):
        shown = pictures(made[1], schedule)
        assert (shown.shape, shown.dtype.name) == ((5, 8, 8, 1), "float32")
        np.testing.assert_array_equal(np.round((shown[0] + 1) * 8).astype(int), stored)


def test_each_latent_is_signal_and_one_noise_in_the_shares_of_the_schedule(
    made: tuple[Store, Tables],
) -> None:
    places = np.arange(1, 101) / 100
    f = np.cos((np.arange(101) / 100 + 0.008) / 1.008 * np.pi / 2) ** 2
    expected = {
        "linear": np.exp(np.cumsum(np.log1p(-np.linspace(0.001, 0.2, 100)))),
        "cosine": np.append(f[1:-1] / f[0], f[-2] / f[0] * 0.001),  # the last beta is clipped
    }
    noises = []
    for schedule, alpha_bar in expected.items():
        shown = pictures(made[1], schedule)
        for place, t in enumerate((25, 50, 75, 100), start=1):
            assert places[t - 1] == t / 100
            signal = alpha_bar[t - 1]
            noises.append((shown[place] - signal**0.5 * shown[0]) / (1 - signal) ** 0.5)
        np.testing.assert_allclose(
            latents(made[1], schedule)["alpha_bar"], [1, *alpha_bar[[24, 49, 74, 99]]], rtol=1e-9
        )
    for noise in noises[1:]:  # one draw for every t and both schedules
        np.testing.assert_allclose(noise, noises[0], atol=1e-5)  # float32
    assert abs(float(noises[0].std()) - 1) < 4 / (2 * 64) ** 0.5  # four standard errors


def test_another_seed_or_image_has_another_noise(tmp_path: Path) -> None:
    def last(seed: int, image: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        sweep = SWEEP.replace("image: 5", f"image: {image}").replace("[cosine, linear]", "[cosine]")
        store = ran(tmp_path, sweep, PRESET, "--seeds", str(seed))
        shown: np.ndarray[Any, np.dtype[np.float32]] = pictures(
            tables(store, "schedules-tiny"), "cosine"
        )[-1]
        return shown

    one, other_seed, other_image = last(3, 5), last(4, 5), last(3, 6)
    assert np.abs(one - other_seed).max() > 0.5
    assert np.abs(one - other_image).max() > 0.5


# -------------------------------------------------------------------- a study that trains nothing


def test_nothing_is_trained_for_latents(tmp_path: Path) -> None:
    plan = expand(read_sweep(write_sweep(tmp_path, SWEEP)))
    assert {task.kind for task in plan.tasks.values()} == {"latents"}
    assert all(set(cell.tasks) == {"latents"} for cell in plan.cells)
    assert [arm_label(cell.arm) for cell in plan.cells] == [
        "cosine T=100, latents",
        "linear T=100, latents",
    ]
    rows = [(c.arm, c.tasks, c.training_steps, c.network_calls) for c in costs(plan)]
    assert rows == [
        ("cosine T=100, latents", 1, 0, 0),
        ("linear T=100, latents", 1, 0, 0),
        ("total", 2, 0, 0),
    ]


def test_latents_know_no_objective_and_are_asked_for_once(tmp_path: Path) -> None:
    sweep = SWEEP.replace("seeds:", "  train.objective: [simple, hybrid]\nseeds:")
    plan = expand(read_sweep(write_sweep(tmp_path, sweep)))
    assert len(plan.cells) == len(plan.tasks) == 2
    assert {cell.arm["objective"] for cell in plan.cells} == {None}


def test_latents_stand_beside_what_needs_a_network(tmp_path: Path) -> None:
    plan = expand(
        read_sweep(write_sweep(tmp_path, SWEEP.replace("evaluate:", "evaluate:\n  - likelihood")))
    )
    kinds = [task.kind for task in plan.tasks.values()]
    assert (kinds.count("train"), kinds.count("likelihood"), kinds.count("latents")) == (2, 2, 2)
    (trained,) = {
        cell.tasks["train"]
        for cell in plan.cells
        if cell.arm["schedule"] == "linear" and "train" in cell.tasks
    }
    owners = {cost.arm: cost.training_steps for cost in costs(plan)}
    assert trained in plan.tasks
    assert owners["simple linear T=100, training"] == 50
    assert owners["linear T=100, latents"] == 0


def test_the_network_of_the_preset_does_not_matter_to_latents(tmp_path: Path) -> None:
    preset = PRESET.replace("channel_mult: [1, 2]", "channel_mult: [1, 2, 2, 2, 2, 2]")
    assert len(expand(read_sweep(write_sweep(tmp_path, SWEEP, preset))).tasks) == 2


def test_its_rows_hold_the_signal_left_halfway(made: tuple[Store, Tables]) -> None:
    results = made[1].results.set_index("schedule")
    assert set(results["metric"]) == {"alpha_bar_halfway"}
    assert results.loc["cosine", "value"] == pytest.approx(
        (np.cos(0.508 / 1.008 * np.pi / 2) / np.cos(0.008 / 1.008 * np.pi / 2)) ** 2
    )
    assert (results["training_steps"] == 0).all()
    assert (results["state"] == "done").all()


def test_what_a_run_prints_is_the_signal_left_halfway(made: tuple[Store, Tables]) -> None:
    columns, rows = summary(made[1].results)
    assert columns == ["arm", "ᾱ at T/2"]
    linear = np.prod(1 - np.linspace(0.001, 0.2, 100)[:50])
    assert rows == [["cosine schedule", "0.4938"], ["linear schedule", f"{linear:.4g}"]]


def test_its_page_says_what_there_is_and_nothing_of_training(
    made: tuple[Store, Tables], tmp_path: Path
) -> None:
    _, path = build(made[0], tmp_path / "reports")
    page = path.read_text()
    assert page.count("<figure ") == 3
    assert "2 of 2 cells done" in page
    assert "no measured claim can be decided" not in page
    assert "linear schedule" in page
    assert "Nothing has been measured yet" not in page
    assert "digits/train 5" in page


def test_while_they_are_planned_their_figure_waits(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, SWEEP)
    store = Store(tmp_path / "store")
    plan = expand(read_sweep(path))
    from studies.plan.plan import record

    store.record_study(plan.study, record(plan))
    for task in plan.tasks.values():
        store.create(task)
    study = tables(store, plan.study)
    assert FIGURES["latents"].table(study).empty
    assert set(study.results["state"]) == {"planned"}
    _, page = build(store, tmp_path / "reports")
    assert "Missing cells" in page.read_text()


def test_a_claim_about_schedules_is_not_excused_by_trainings(made: tuple[Store, Tables]) -> None:
    finding = judge("linear_destroys_information_early", made[1])
    assert finding.reason == "Every deciding quantity lies wholly where the claim puts it."


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "split: train",
            "split: test, image: 297",
            "latents.image: expected one of the 297 images of the test split, counted from 0, "
            "found 297",
        ),
        ("count: 5", "count: 1", "latents.count: expected from 2 to 101, the image and each of"),
        ("count: 5", "count: 102", "latents.count: expected from 2 to 101, the image and each of"),
        ("image: 5", "image: -1", "latents.image: expected at least 0, found -1"),
        ("image: 5", "imag: 5", "latents.imag: no such field; did you mean 'image'?"),
        (
            "image: 5",
            "seed: 5",
            "latents.seed: no such field",
        ),
    ],
)
def test_latents_that_cannot_be_are_refused(
    old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    sweep = SWEEP.replace("image: 5, ", "") if "image: 297" in new else SWEEP
    with pytest.raises(ConfigError) as refusal:
        expand(read_sweep(write_sweep(tmp_path, sweep.replace(old, new))))
    assert f"sweep.yaml:8: evaluate[0].{complaint}" in str(refusal.value)


# ------------------------------------------------------------------------------------ the figures


def test_the_pictures_are_the_latents_linear_above_cosine(made: tuple[Store, Tables]) -> None:
    figure = FIGURES["latents"].draw(FIGURES["latents"].table(made[1]))
    (axes,) = figure.axes
    above, below = (np.asarray(image.get_array()) for image in axes.images)
    for schedule, picture in (("linear", above), ("cosine", below)):
        grey = np.clip(np.round((pictures(made[1], schedule)[..., 0] + 1) * 127.5), 0, 255)
        framed = np.hstack([np.pad(one, ((0, 0), (0, 1)), constant_values=255) for one in grey])
        np.testing.assert_array_equal(picture[..., 0], np.kron(framed[:, :-1], np.ones((4, 4))))
    said = [text.get_text() for text in axes.texts]
    assert said == ["$t/T$ = 0", "0.25", "0.5", "0.75", "1", "linear schedule", "cosine schedule"]


def test_brightness_is_cut_off_at_black_and_white() -> None:
    found = brightness(np.array([-3.0, -1.0, 0.0, 1.0, 2.5], dtype=np.float32))
    assert found.tolist() == [0, 0, 128, 255, 255]


def test_its_caption_says_whose_noise_it_is(made: tuple[Store, Tables]) -> None:
    said = FIGURES["latents"].caption(FIGURES["latents"].table(made[1]), made[1])
    assert said.startswith("5 latents of one image of digits/train at evenly spaced t from 0 to T")
    assert "(seed 3)" in said


def test_alpha_bar_is_drawn_over_the_whole_process_on_linear_axes(
    made: tuple[Store, Tables],
) -> None:
    table = FIGURES["alpha_bar"].table(made[1])
    (axes,) = FIGURES["alpha_bar"].draw(table).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    curves = {line.get_label(): line for line in axes.lines}
    assert list(curves) == ["linear", "cosine"]
    betas = np.linspace(0.1 / 4000, 20 / 4000, 4000)
    expected = np.concatenate([[1.0], np.exp(np.cumsum(np.log1p(-betas)))])[::10]
    x, y = (np.asarray(values, dtype=float) for values in curves["linear"].get_data())
    np.testing.assert_allclose(x, np.linspace(0, 1, 401))
    np.testing.assert_allclose(y, expected, rtol=1e-9)
    _, cosine = curves["cosine"].get_data()
    f = np.cos((np.linspace(0, 1, 401)[:-1] + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(np.asarray(cosine)[:-1], f / f[0], rtol=1e-9)
    said = FIGURES["alpha_bar"].caption(table, made[1])
    assert "linear 0.524, 0.0789, 0.00342; cosine 0.847, 0.494, 0.144" in said
