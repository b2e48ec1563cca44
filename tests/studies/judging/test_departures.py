"""What a verdict says of the difference from the paper follows from the claim and the study."""

import json
from typing import Any

import pytest

from studies.analyses.needs import LIKELIHOOD, SAMPLES
from studies.judging.departures import departures
from studies.spec.arms import RIVALS, TRAIN
from tests.witness.made_up_results import BOUND, SCORE, planned, study

TRAINED_LIKE_THE_PAPER = {"training_steps": 500_000, "T": 4000}
FID = (
    SCORE
    | TRAINED_LIKE_THE_PAPER
    | {
        "images": 50_000,
        "recipe": json.dumps(
            {"extractor": "inception-2015-12-05:ab", "reference": "cifar10/train"}
        ),
    }
)
BITS = (
    BOUND
    | TRAINED_LIKE_THE_PAPER
    | {
        "images": 10_000,
        "recipe": json.dumps({"split": "cifar10/test"}),
    }
)
NO_SPREAD = "The paper shows no spread over seeds."


def of(*rows: dict[str, Any], parts: tuple[str, ...]) -> str:
    return departures(study(rows), parts)


def test_of_bits_per_dim_nothing_is_said_of_features() -> None:
    assert of(BOUND, SCORE, parts=LIKELIHOOD) == (
        "What differs from the paper under the preset digits: the images (digits here, ImageNet 64 "
        "or CIFAR-10 there); training steps (800 here, 200,000 to 1,500,000 there); T (1,000 here, "
        "mostly 4,000 there); the images that bits/dim are over (64 here, 1,000 by default in the "
        f"official code). {NO_SPREAD}"
    )


def test_of_samples_nothing_is_said_of_bits_per_dim() -> None:
    said = of(BOUND, SCORE, parts=SAMPLES)
    assert "the features of a score (digits-classifier here, Inception-V3 there)" in said
    assert "the samples that are scored (192 here, 10,000 or 50,000 there)" in said
    assert "bits/dim" not in said


def test_of_trainings_neither_is_said() -> None:
    said = of(BOUND, SCORE, parts=(TRAIN,))
    assert "training steps (800 here" in said
    assert "bits/dim" not in said
    assert "features" not in said


def test_of_schedules_alone_nothing_is_said_of_data_or_training() -> None:
    said = of(BOUND, SCORE, parts=())
    assert said.startswith("It is computed from the schedules alone, without data or networks")
    assert "digits" not in said


@pytest.mark.parametrize(("rows", "parts"), [(FID, SAMPLES), (BITS, LIKELIHOOD)])
def test_where_nothing_differs_nothing_is_said_to(
    rows: dict[str, Any], parts: tuple[str, ...]
) -> None:
    assert of(rows, parts=parts) == NO_SPREAD


EDGES = (
    (FID, {"images": 10_000}, SAMPLES, ""),
    (FID, {"images": 9_999}, SAMPLES, "the samples that are scored (9,999 here"),
    (BITS, {"images": 1000}, LIKELIHOOD, ""),
    (BITS, {"images": 999}, LIKELIHOOD, "the images that bits/dim are over (999 here"),
    (BITS, {"training_steps": 200_000}, LIKELIHOOD, ""),
    (BITS, {"training_steps": 199_999}, LIKELIHOOD, "training steps (199,999 here"),
    (BITS, {"T": 3999}, LIKELIHOOD, "T (3,999 here, mostly 4,000 there)"),
)


@pytest.mark.parametrize(("row", "change", "parts", "said"), EDGES)
def test_what_differs_begins_just_below_the_papers(
    row: dict[str, Any], change: dict[str, Any], parts: tuple[str, ...], said: str
) -> None:
    found = of(row | change, parts=parts)
    assert said in found
    assert (found == NO_SPREAD) == (said == "")
    assert of(row, row | change, parts=parts) == NO_SPREAD  # one of the study is the paper's


@pytest.mark.parametrize("data", ["imagenet64", "imagenet64_labelled", "cifar10", "lsun256"])
def test_the_papers_data_are_no_difference(data: str) -> None:
    recipe = json.dumps({"split": f"{data}/test"})
    assert of(BITS | {"recipe": recipe}, parts=LIKELIHOOD) == NO_SPREAD


def test_where_some_data_are_the_papers_the_images_are_no_difference() -> None:
    digits = BITS | {"recipe": json.dumps({"split": "digits/test"})}
    assert of(BITS, digits, parts=LIKELIHOOD) == NO_SPREAD
    assert "the images (digits here, " in of(digits, parts=LIKELIHOOD)


def test_on_lsun_a_thousand_steps_of_noise_are_the_papers() -> None:
    lsun = BITS | {"T": 1000, "recipe": json.dumps({"split": "lsun256/test"})}
    assert of(lsun, parts=LIKELIHOOD) == NO_SPREAD
    other = BITS | {"T": 1000}
    assert "T (1,000 here, mostly 4,000 there)" in of(other, parts=LIKELIHOOD)


def test_a_gan_here_is_not_the_papers() -> None:
    gan = FID | {"T": None, "training_steps": 2000}
    said = of(FID, gan, parts=(*SAMPLES, RIVALS))
    assert said == (
        "What differs from the paper under the preset digits: the GAN (a compact one here, "
        f"BigGAN-deep there). {NO_SPREAD}"
    )


def test_before_there_are_results_nothing_is_said() -> None:
    assert of(planned(BOUND), parts=LIKELIHOOD) == ""
