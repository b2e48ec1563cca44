"""The published numbers against a second transcription, and when they may stand beside ours."""

import json
from typing import Any

import pytest

from studies.paper import (
    FIG_2,
    fig_8_numbers,
    numbers,
    reasons_against,
    same_cell,
    settings_of,
    table_numbers,
)
from studies.paper.sampling_steps import FIG_8_ERROR

TABLES_1_AND_2 = """
imagenet64  200K 1K linear simple 3.99 32.5
imagenet64  200K 4K linear simple 3.77 31.3
imagenet64  200K 4K linear hybrid 3.66 32.2
imagenet64  200K 4K cosine simple 3.68 27.0
imagenet64  200K 4K cosine hybrid 3.62 28.0
imagenet64  200K 4K cosine vlb    3.57 56.7
imagenet64 1500K 4K cosine hybrid 3.57 19.2
imagenet64 1500K 4K cosine vlb    3.53 40.1
cifar10     500K 1K linear simple 3.73 3.29
cifar10     500K 4K linear simple 3.37 2.90
cifar10     500K 4K linear hybrid 3.26 3.07
cifar10     500K 4K cosine simple 3.26 3.05
cifar10     500K 4K cosine hybrid 3.17 3.19
cifar10     500K 4K cosine vlb    2.94 11.47
"""

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


def thousands(text: str) -> int:
    return 1000 * int(text.removesuffix("K"))


def test_tables_1_and_2_are_as_published() -> None:
    expected = set()
    for line in TABLES_1_AND_2.strip().splitlines():
        data, trained, T, schedule, objective, nll, fid = line.split()
        key = (data, thousands(trained), thousands(T), schedule, objective)
        expected |= {(*key, "bits_per_dim", float(nll)), (*key, "frechet_distance", float(fid))}
    found = {
        (p.data, p.training_steps, p.T, p.schedule, p.objective, p.metric, p.value)
        for p in table_numbers()
    }
    assert found == expected


def test_table_numbers_are_exact_over_all_steps_and_only_row_one_says_beta() -> None:
    for number in table_numbers():
        assert (number.tag, number.error, number.steps) == ("exact", None, number.T)
        assert number.source == ("Table 1" if number.data == "imagenet64" else "Table 2")
        if number.metric == "frechet_distance":
            assert number.images == (10_000 if number.data == "imagenet64" else 50_000)
        if number.objective == "simple":
            assert number.variance == ("beta" if number.T == 1000 else None)
        else:
            assert number.variance == "range"


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


def test_fig_8_numbers_say_that_they_are_digitised_and_by_how_much_they_may_be_off() -> None:
    assert {(p.tag, p.error, p.source, p.T) for p in fig_8_numbers()} == {
        ("digitised", FIG_8_ERROR, "Fig. 8", 4000)
    }
    assert FIG_8_ERROR == 0.1


def test_fig_2_is_as_digitised() -> None:
    steps = [0, 50, 100, 200, 500, 1000, 1500, 2000, 2500, 3000, 3500, 3900, 4000]
    terms = "1.1 5.9e-3 2.4e-3 8.2e-4 1.8e-4 5.1e-5 2.4e-5 1.2e-5 5.4e-6 1.7e-6 3.6e-7 7.2e-8 5e-8"
    assert dict(zip(steps, map(float, terms.split()), strict=True)) == FIG_2


def a_row(**changes: Any) -> dict[str, Any]:
    """A result made exactly as the paper's fully trained CIFAR-10 L_hybrid network was."""
    recipe = {"extractor": "inception-2015-12-05:6726825d", "reference": "cifar10/train"}
    row = {
        "metric": "frechet_distance",
        "objective": "hybrid",
        "schedule": "cosine",
        "T": 4000,
        "variance": "range",
        "sampler": "ancestral",
        "steps": 50,
        "images": 50_000,
        "training_steps": 500_000,
        "recipe": json.dumps(recipe),
    }
    return row | changes


def comparable(row: dict[str, Any]) -> list[float]:
    ours = settings_of(row)
    return [p.value for p in numbers() if same_cell(p, row) and not reasons_against(p, ours)]


def test_a_result_made_as_the_papers_stands_beside_its_number() -> None:
    assert comparable(a_row()) == [5.6]
    assert comparable(a_row(steps=4000)) == [3.19, 3.2]
    ddim = a_row(objective="simple", sampler="ddim", variance=float("nan"))
    assert comparable(ddim) == [5.9]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"images": 10_000}, "images (10,000 here, 50,000 in the paper)"),
        ({"schedule": "linear"}, "schedule (linear here, cosine in the paper)"),
        ({"T": 1000}, "T (1,000 here, 4,000 in the paper)"),
        ({"training_steps": 1000}, "training steps (1,000 here, 500,000 in the paper)"),
        (
            {"recipe": '{"extractor": "digits-classifier:1", "reference": "cifar10/train"}'},
            "features (digits-classifier here, inception-2015-12-05 in the paper)",
        ),
        (
            {"recipe": '{"extractor": "inception-2015-12-05:1", "reference": "cifar10/test"}'},
            "reference set (cifar10/test here, cifar10/train in the paper)",
        ),
    ],
)
def test_one_setting_that_differs_keeps_the_papers_number_away(
    change: dict[str, Any], named: str
) -> None:
    row = a_row(**change)
    assert comparable(row) == []
    paper = next(p for p in fig_8_numbers() if p.value == 5.6)
    assert reasons_against(paper, settings_of(row)) == [named]


def test_what_the_paper_leaves_open_matches_nothing() -> None:
    row = a_row(metric="bits_per_dim", steps=4000, sampler=None, recipe='{"split": "cifar10/test"}')
    nll = next(p for p in table_numbers() if p.value == 3.17)
    assert reasons_against(nll, settings_of(row)) == [
        "images (50,000 here, not stated in the paper)"
    ]
