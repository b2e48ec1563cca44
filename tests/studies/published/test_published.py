"""The published numbers against a second transcription, and when they may stand beside ours."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from iddpm.evaluation.config import LikelihoodMergeConfig
from studies.analyses.bound_terms.paper import FIG_2
from studies.analyses.index import numbers
from studies.analyses.objective_ablation.paper import table_numbers
from studies.analyses.sampling_stride.paper import FIG_8_ERROR, fig_8_numbers
from studies.published.published import (
    Published,
    closest_reasons,
    comparable,
    differences,
    differing,
    settings_of,
)
from studies.tables.groupings import records
from tests.witness.made_up_tables import made_up, planned
from tests.witness.transcribed import TABLES_1_AND_2

FID = "frechet_distance"
RATES = str([1e-4 * (128 / width) ** 0.5 for width in (64, 96, 128, 192)])

FIG_8 = """
imagenet64 mid  simple beta       -    -    -    32.2 26.2 22.8 22.3
imagenet64 full simple beta       -    -    -    30.5 23.0 19.5 18.4
imagenet64 mid  simple beta_tilde 34.8 27.7 25.4 24.4 23.2 22.9 22.6
imagenet64 full simple beta_tilde 31.7 24.1 21.5 19.5 19.2 19.1 18.6
imagenet64 mid  simple ddim       29.8 26.6 24.9 23.7 24.0 24.5 24.2
imagenet64 full simple ddim       26.2 22.9 21.1 20.3 19.8 20.0 19.7
imagenet64 mid  hybrid range      28.4 23.6 22.7 22.4 22.3 22.1 22.5
imagenet64 full hybrid range      26.9 21.8 20.3 19.2 19.2 18.8 19.2
cifar10    mid  simple beta       -    -    -    10.3 4.3  2.9  3.55
cifar10    full simple beta       -    -    -    12.3 4.9  2.7  3.05
cifar10    mid  simple beta_tilde 15.6 10.8 8.1  6.4  5.35 4.7  4.1
cifar10    full simple beta_tilde 15.1 9.6  6.9  5.4  4.5  3.85 3.4
cifar10    mid  simple ddim       9.2  7.4  6.4  6.0  5.75 5.5  5.4
cifar10    full simple ddim       7.9  5.9  4.9  4.3  4.1  3.85 3.75
cifar10    mid  hybrid range      10.8 6.5  4.9  4.2  3.95 3.9  3.9
cifar10    full hybrid range      10.6 5.6  4.0  3.4  3.3  3.2  3.2
"""

TRAINED = {
    ("imagenet64", "mid"): 500_000,
    ("imagenet64", "full"): 1_500_000,
    ("cifar10", "mid"): 200_000,
    ("cifar10", "full"): 500_000,
}


def test_tables_1_and_2_are_as_published() -> None:
    expected = {
        (*row.trained, metric, value)
        for row in TABLES_1_AND_2
        for metric, value in (("bits_per_dim", row.bits_per_dim), (FID, row.frechet_distance))
    }
    found = {
        (p.data, p.training_steps, p.T, p.schedule, p.objective, p.metric, p.value)
        for p in table_numbers()
    }
    assert found == expected


def test_table_numbers_are_exact_over_all_steps_and_say_what_is_inferred() -> None:
    for number in table_numbers():
        assert (number.tag, number.error, number.steps) == ("exact", None, number.T)
        assert number.source == ("Table 1" if number.data == "imagenet64" else "Table 2")
        scored = number.metric == "bits_per_dim"
        images = {True: (49_999, 10_000), False: (10_000, 50_000)}[scored]
        assert number.images == images[number.data == "cifar10"]
        assert number.variance == ("beta" if number.objective == "simple" else "range")
        stated = number.objective != "simple" or number.T == 1000  # row 1 has Ho et al.'s Σ = β
        names = [name for one in number.inferred for name in one.settings]
        assert names == [*([] if stated else ["Σ"]), "images" if scored else "sampling steps"]


def test_fig_8_is_as_digitised() -> None:
    expected = set()
    for line in FIG_8.strip().splitlines():
        data, stage, objective, mode, *values = line.split()
        for steps, value in zip((25, 50, 100, 200, 400, 1000, 4000), values, strict=True):
            if value != "-":
                trained = TRAINED[data, stage]
                expected.add((data, trained, objective, mode, steps, float(value)))
    found = {
        (p.data, p.training_steps, p.objective, p.variance or p.sampler, p.steps, p.value)
        for p in fig_8_numbers()
    }
    assert found == expected


HIDDEN = """
imagenet64 mid  simple beta       1000 4000
imagenet64 full simple beta       400 1000 4000
imagenet64 full simple beta_tilde 50 100 200 400 1000
cifar10    mid  simple beta       400 1000 4000
cifar10    full simple beta       400 4000
cifar10    mid  simple beta_tilde 4000
cifar10    full simple beta_tilde 1000 4000
cifar10    full simple ddim       50 100 200 400 1000 4000
"""


def test_fig_8_numbers_say_that_they_are_digitised_and_by_how_much_they_may_be_off() -> None:
    assert {(p.tag, p.source, p.T) for p in fig_8_numbers()} == {("digitised", "Fig. 8", 4000)}
    hidden = set()
    for line in HIDDEN.strip().splitlines():
        data, stage, objective, mode, *steps = line.split()
        hidden |= {(data, TRAINED[data, stage], objective, mode, int(n)) for n in steps}
    for p in fig_8_numbers():
        place = (p.data, p.training_steps, p.objective, p.variance or p.sampler, p.steps)
        if place == ("imagenet64", 500_000, "simple", "beta_tilde", 4000):
            assert p.value - p.error == pytest.approx(21.2)  # type: ignore[operator]
        else:
            assert p.error == pytest.approx(0.3 if place in hidden else 0.1), place


def test_of_fig_8_the_schedule_of_l_simple_is_inferred_from_table_2() -> None:
    for p in fig_8_numbers():
        names = [name for one in p.inferred for name in one.settings]
        assert names == (["schedule"] if p.objective == "simple" else [])
    beta = {p.steps: p for p in fig_8_numbers() if p.data == "cifar10" and p.variance == "beta"}
    rows = [p for p in table_numbers() if p.data == "cifar10" and p.objective == "simple"]
    fids = {(p.schedule, p.T): p.value for p in rows if p.metric == "frechet_distance"}
    assert beta[4000].value == fids["cosine", 4000]
    assert abs(beta[4000].value - fids["linear", 4000]) > FIG_8_ERROR


def test_fig_2_is_as_digitised() -> None:
    steps = [0, 50, 100, 200, 500, 1000, 1500, 2000, 2500, 3000, 3500, 3900, 4000]
    terms = "1.1 5.9e-3 2.4e-3 8.2e-4 1.8e-4 5.1e-5 2.4e-5 1.2e-5 5.4e-6 1.7e-6 3.6e-7 7.2e-8 5e-8"
    assert dict(zip(steps, map(float, terms.split()), strict=True)) == FIG_2


# ------------------------------------------------------------------------------------- the rule


@cache
def found(
    sweep: str, preset: str, *overrides: tuple[str, str], metrics: Sequence[str] = (FID,)
) -> set[Published]:
    """The numbers that stand beside a sweep's results, had each cell of its plan one."""
    rows = made_up(planned(sweep, preset=preset, overrides=overrides), lambda row: 1.0, metrics)
    return {n for row in records(rows.results) for n in numbers() if comparable(n, row)}


def of(*sources: str, **settings: Any) -> set[Published]:
    """The numbers of some tables or figures that have these settings."""
    return {
        n
        for n in numbers()
        if n.source in sources and all(getattr(n, k) == v for k, v in settings.items())
    }


@pytest.mark.parametrize(
    ("sweep", "preset", "sources"),
    [
        ("objective_ablation", "cifar10", ("Table 2",)),
        ("sigma_ablation", "cifar10", ("Fig. 8",)),
        ("objective_ablation", "imagenet64", ("Table 1",)),
        ("sigma_ablation", "imagenet64", ("Fig. 8",)),
        ("skip_prefix", "imagenet64", ("Fig. 4",)),
        ("model_size", "imagenet64", ("Fig. 10",)),
        ("hybrid_vlb_ensemble", "imagenet64", ("App. D",)),
    ],
)
def test_a_sweep_at_the_papers_scale_meets_every_number_of_its_source(
    sweep: str, preset: str, sources: tuple[str, ...]
) -> None:
    data = "cifar10" if preset == "cifar10" else "imagenet64"
    assert of(*sources, data=data)
    assert of(*sources, data=data) <= found(sweep, preset)


def test_class_conditional_networks_meet_table_4() -> None:
    metrics = (FID, "precision", "recall")
    assert found("gan_comparison", "imagenet64_cond", metrics=metrics) == of("Table 4")
    three = [("samples.neighbours", "3"), ("samples.reference.keep", "10000")]
    for other in three:
        ours = found("gan_comparison", "imagenet64_cond", other, metrics=metrics)
        assert ours == of("Table 4", metric=FID)


def test_other_steps_of_table_4_are_another_number() -> None:
    assert found("gan_comparison", "imagenet64_cond", ("samples.steps", "100")) == set()


def test_a_thousand_test_images_are_enough_to_stand_beside_a_bound_and_fewer_are_not() -> None:
    whole = found("likelihood_comparison", "cifar10")
    assert whole != set()
    assert found("likelihood_comparison", "cifar10", ("likelihood.images", "1000")) == whole
    assert found("likelihood_comparison", "cifar10", ("likelihood.images", "999")) == set()


@pytest.mark.parametrize("preset", ["imagenet64", "cifar10"])
def test_at_the_papers_scale_the_decoder_is_the_official_one_and_another_stands_there_too(
    preset: str,
) -> None:
    for sweep in ("objective_ablation", "likelihood_comparison", "model_size"):
        tasks = planned(sweep, preset=preset).tasks.values()
        merges = [t.config for t in tasks if isinstance(t.config, LikelihoodMergeConfig)]
        assert {merge.whole.cdf for merge in merges} == {"tanh_official"}
    ours = found("likelihood_comparison", preset, metrics=("bits_per_dim",))
    wide = [("likelihood.cdf", "tanh")]
    assert ours == found("likelihood_comparison", preset, *wide, metrics=("bits_per_dim",)) != set()


TRAINING = {
    "train.network.model_channels": "64",
    "train.network.dropout": "0.2",
    "train.network.res_blocks": "2",
    "train.network.channel_mult": "[1, 2, 2]",
    "train.network.attention_resolutions": "[16]",
    "train.network.heads": "1",
    "train.network.scale_shift": "false",
    "train.network.rescale_timesteps": "false",
    "train.network.class_conditional": "true",
    "train.optimizer.learning_rate": "1.0e-2",
    "train.optimizer.weight_decay": "0.01",
    "train.batch_size": "64",
    "train.steps": "1000",
    "train.diffusion.steps": "1000",
    "train.prediction": "v",
    "train.data": "photos",
}
READING = {
    "samples.ema_decay": "null",
    "samples.clip": "false",
    "samples.images": "10000",
    "samples.reference.images": "1000",
    "samples.reference.split": "test",
    "samples.extractor": "random",
    "likelihood.ema_decay": "null",
    "likelihood.clip": "false",
    "likelihood.images": "999",
    "likelihood.split": "train",
}


@pytest.mark.parametrize("setting", TRAINING)
def test_one_setting_of_the_training_that_differs_keeps_every_number_away(setting: str) -> None:
    own = [(setting, TRAINING[setting])]
    if setting == "train.data":
        own += [("samples.extractor", "random"), ("likelihood.images", "500")]  # all there are
    assert found("overfitting", "cifar10") != set()
    assert found("overfitting", "cifar10", *own) == set()
    if setting != "train.diffusion.steps":  # its chains are longer than that
        assert found("sigma_ablation", "cifar10") != set()
        assert found("sigma_ablation", "cifar10", *own) == set()


@pytest.mark.parametrize("setting", READING)
def test_one_setting_of_the_reading_that_differs_keeps_the_numbers_of_its_metric_away(
    setting: str,
) -> None:
    metric = FID if setting.startswith("samples") else "bits_per_dim"
    as_many = [("likelihood.images", "10000")] if setting == "likelihood.split" else []
    ours = found("objective_ablation", "cifar10", (setting, READING[setting]), *as_many)
    assert {n.metric for n in found("objective_ablation", "cifar10")} == {FID, "bits_per_dim"}
    assert metric not in {n.metric for n in ours}
    assert len(ours) >= 6


def a_row(*overrides: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """A result made exactly as the paper's fully trained CIFAR-10 L_hybrid network was."""
    rows = made_up(
        planned("sigma_ablation", preset="cifar10", overrides=overrides), lambda row: 1.0
    )
    asked = {
        "objective": "hybrid",
        "metric": FID,
        "steps": 50,
        "training_steps": 500_000,
    } | changes
    return next(row for row in records(rows.results) if asked.items() <= row.items())


def beside(row: dict[str, Any]) -> list[float]:
    return [n.value for n in numbers() if comparable(n, row)]


def test_a_result_made_as_the_papers_stands_beside_its_number() -> None:
    assert beside(a_row()) == [5.6]
    assert beside(a_row(steps=4000)) == [3.19, 3.2]
    assert beside(a_row(objective="simple", sampler="ddim")) == [5.9]


@pytest.mark.parametrize(
    ("images", "apart"), [(999, True), (1000, False), (10_000, False), (10_001, True)]
)
def test_a_bound_is_over_a_thousand_images_to_the_papers(images: int, apart: bool) -> None:
    ours = settings_of(a_row()) | {"images": images}
    number = next(n for n in table_numbers() if (n.data, n.metric) == ("cifar10", "bits_per_dim"))
    assert ("images" in differences(number, ours)) == apart


@pytest.mark.parametrize(("rate", "apart"), [(1.0005e-4, False), (1.005e-4, True)])
def test_a_rate_may_be_rounded_at_its_fourth_digit(rate: float, apart: bool) -> None:
    path = "train.optimizer.learning_rate"
    number = next(n for n in table_numbers() if n.data == "cifar10")
    assert (path in differences(number, settings_of(a_row()) | {path: rate})) == apart


@pytest.mark.parametrize("change", [{"stride": "constant"}, {"sampler": "cooled"}, {"skip": 0.1}])
def test_another_chain_is_another_cell(change: dict[str, Any]) -> None:
    assert beside(a_row() | change) == []


@pytest.mark.parametrize("change", [{"stride": "even"}, {"eta": 0.5}])
def test_ddim_is_the_papers_without_noise_and_over_its_constant_stride(
    change: dict[str, Any],
) -> None:
    ddim = a_row(objective="simple", sampler="ddim")
    assert beside(ddim | change) == []


def test_all_steps_are_all_steps_by_any_stride() -> None:
    assert beside(a_row(steps=4000) | {"stride": "constant"}) == [3.19, 3.2]


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("samples.images", "10000", "images (10,000 here, 50,000 in the paper)"),
        ("train.steps", "1000", "training steps (1,000 here, 500,000 in the paper)"),
        ("train.network.model_channels", "64", "model channels (64 here, 128 in the paper)"),
        ("train.optimizer.learning_rate", "0.01", "learning rate (0.01 here, 0.0001 in the paper)"),
        ("samples.ema_decay", "null", "weights (raw here, EMA 0.9999 in the paper)"),
        ("samples.clip", "false", "clip (no here, yes in the paper)"),
        (
            "samples.reference.images",
            "1000",
            "reference images (1,000 here, 50,000 in the paper)",
        ),
        (
            "samples.reference.split",
            "test",
            "reference set (cifar10/test here, cifar10/train in the paper)",
        ),
    ],
)
def test_what_differs_is_said_with_both_values(key: str, value: str, named: str) -> None:
    changed = {"training_steps": int(value)} if key == "train.steps" else {}
    row = a_row((key, value), **changed)
    paper = next(p for p in fig_8_numbers() if p.value == 5.6)
    assert named in [*map(str, differing(paper, settings_of(row)))]
    assert len([*map(str, differing(paper, settings_of(row)))]) <= 2


def test_many_settings_of_a_network_are_named_together() -> None:
    row = a_row(("train.network.heads", "1"), ("train.network.model_channels", "64"))
    paper = next(p for p in fig_8_numbers() if p.value == 5.6)
    assert [*map(str, differing(paper, settings_of(row)))] == ["network (model channels, heads)"]


def test_another_objective_is_one_difference_however_many_settings_it_has() -> None:
    hybrid = next(p for p in fig_8_numbers() if p.value == 5.6)
    ours = settings_of(a_row(objective="simple", variance="beta"))
    assert [*map(str, differing(hybrid, ours))] == ["objective (simple here, hybrid in the paper)"]


def test_a_setting_that_is_inferred_is_named_as_such() -> None:
    few = [("likelihood.images", "999")]
    plan = planned("likelihood_comparison", preset="imagenet64", overrides=few)
    bits = made_up(plan, lambda row: 1.0).results
    assert closest_reasons(records(bits), numbers()) == [
        "images (999 here, 49,999 inferred for the paper)"
    ]


def test_of_numbers_that_differ_as_much_one_of_the_same_objective_is_told() -> None:
    on_digits = made_up(planned("overfitting"), lambda row: 1.0).results
    said = closest_reasons(records(on_digits), numbers())
    assert said[0] == "training set (digits here, cifar10 in the paper)"
    assert not any("objective" in reason for reason in said)
    row = a_row(("train.diffusion.schedule", "linear"), schedule="linear", steps=4000)
    of_table_2 = [n for n in table_numbers() if n.data == "cifar10" and n.schedule == "cosine"]
    others = [n for n in of_table_2 if n.objective != "hybrid"]
    told = closest_reasons([row], [*others, *(n for n in of_table_2 if n not in others)])
    assert told == [
        "schedule (linear here, cosine in the paper)",
        "dropout (0.1 here, 0.3 in the paper)",
    ]


def test_importance_sampling_of_t_is_part_of_the_papers_l_vlb() -> None:
    uniform = ("blocks[2].train.timesteps", "uniform")
    ours = found("objective_ablation", "cifar10", uniform)
    assert {n.objective for n in ours} == {"simple", "hybrid"}
    assert {n.objective for n in found("objective_ablation", "cifar10")} == {
        "simple",
        "hybrid",
        "vlb",
    }


def test_the_learning_rates_of_the_sizes_may_be_written_out() -> None:
    ours = found("model_size", "imagenet64", ("train.optimizer.learning_rate", RATES))
    assert of("Fig. 10", metric=FID) <= ours


def test_every_published_setting_may_be_inferred_only_with_a_reading() -> None:
    for number in numbers():
        for one in number.inferred:
            assert one.settings
            assert "; " not in one.reading  # readings are joined by it
