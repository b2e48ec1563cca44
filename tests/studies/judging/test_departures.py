"""What a verdict says of the difference from the paper follows from the claim and the study."""

import json
from typing import Any

import pytest

from studies.analyses.needs import LIKELIHOOD, SAMPLES
from studies.judging.departures import Departure, departures
from studies.spec.arms import RIVALS, TRAIN
from tests.witness.made_up_rows import BOUND, SCORE, planned, tables_of

TRAINED_LIKE_THE_PAPER = {"training_steps": 500_000, "T": 4000}
FID = (
    SCORE
    | TRAINED_LIKE_THE_PAPER
    | {
        "images": 50_000,
        "steps": 4000,
        "recipe": json.dumps(
            {"extractor": "inception-2015-12-05:ab", "reference": "cifar10/train"}
        ),
    }
)
FEWER = {
    "recipe": json.dumps({"extractor": "inception-2015-12-05:ab", "reference": "imagenet64/train"})
}
BITS = (
    BOUND
    | TRAINED_LIKE_THE_PAPER
    | {
        "images": 10_000,
        "recipe": json.dumps({"split": "cifar10/test"}),
    }
)


def of(*rows: dict[str, Any], parts: tuple[str, ...]) -> list[Departure]:
    return departures(tables_of(rows), parts)


def test_of_bits_per_dim_nothing_is_said_of_features() -> None:
    assert of(BOUND, SCORE, parts=LIKELIHOOD) == [
        ("images", "digits", "ImageNet 64 or CIFAR-10"),
        ("training steps", "800", "200,000 to 1,500,000"),
        ("T", "1,000", "mostly 4,000"),
        ("images that bits/dim are over", "16", "1,000 by default in the official code"),
    ]


def test_of_samples_nothing_is_said_of_bits_per_dim() -> None:
    said = of(BOUND, SCORE, parts=SAMPLES)
    assert ("features of a score", "digits-classifier", "Inception-V3") in said
    assert ("samples that are scored", "192", "10,000 or 50,000") in said
    assert not any("bits/dim" in one.setting for one in said)


def test_of_trainings_neither_is_said() -> None:
    settings = [one.setting for one in of(BOUND, SCORE, parts=(TRAIN,))]
    assert settings == ["images", "training steps", "T"]


def test_of_schedules_alone_nothing_departs() -> None:
    assert of(BOUND, SCORE, parts=()) == []


@pytest.mark.parametrize(("rows", "parts"), [(FID, SAMPLES), (BITS, LIKELIHOOD)])
def test_where_nothing_differs_nothing_is_said_to(
    rows: dict[str, Any], parts: tuple[str, ...]
) -> None:
    assert of(rows, parts=parts) == []


def path(noise: str) -> dict[str, str]:
    return {"settings": json.dumps({"samples": {"noise": noise}})}


EDGES = (
    (
        FID,
        path("brownian"),
        SAMPLES,
        (
            "noise of the steps",
            "off one Brownian motion for chains of every length",
            "drawn for each step",
        ),
    ),
    (FID, path("independent"), SAMPLES, ()),
    (FID, path("brownian") | {"sampler": "ddim", "eta": 0.0}, SAMPLES, ()),
    (FID, {"images": 50_000}, SAMPLES, ()),
    (FID, {"images": 49_999}, SAMPLES, ("samples that are scored", "49,999", "50,000")),
    (FID | FEWER, {"images": 10_000}, SAMPLES, ()),
    (FID | FEWER, {"images": 9_999}, SAMPLES, ("samples that are scored", "9,999", "10,000")),
    (FID, {"steps": 250}, SAMPLES, ("sampling steps", "250", "all of the chain, beside fewer")),
    (BITS, {"images": 1000}, LIKELIHOOD, ()),
    (BITS, {"images": 999}, LIKELIHOOD, ("images that bits/dim are over", "999")),
    (BITS, {"training_steps": 200_000}, LIKELIHOOD, ()),
    (BITS, {"training_steps": 199_999}, LIKELIHOOD, ("training steps", "199,999")),
    (BITS, {"T": 3999}, LIKELIHOOD, ("T", "3,999")),
    (BITS, {"recipe": "{}"}, LIKELIHOOD, ()),  # of no images that are named
    (FID, {"steps": 250, "training_steps": 0}, SAMPLES, ()),  # of a network from elsewhere
)


@pytest.mark.parametrize(("row", "change", "parts", "said"), EDGES)
def test_what_differs_begins_just_below_the_papers(
    row: dict[str, Any], change: dict[str, Any], parts: tuple[str, ...], said: tuple[str, ...]
) -> None:
    found = of(row | change, parts=parts)
    assert [one[: len(said)] for one in found] == ([said] if said else [])
    assert of(row, row | change, parts=parts) == []  # one of the study is the paper's


@pytest.mark.parametrize("data", ["imagenet64", "imagenet64_labelled", "cifar10", "lsun256"])
def test_the_papers_data_are_no_difference(data: str) -> None:
    recipe = json.dumps({"split": f"{data}/test"})
    assert of(BITS | {"recipe": recipe}, parts=LIKELIHOOD) == []


def test_where_some_data_are_the_papers_the_images_are_no_difference() -> None:
    digits = BITS | {"recipe": json.dumps({"split": "digits/test"})}
    assert of(BITS, digits, parts=LIKELIHOOD) == []
    assert [one.setting for one in of(digits, parts=LIKELIHOOD)] == ["images"]


def test_an_estimated_bound_is_another_arithmetic() -> None:
    recipe = json.dumps({"split": "cifar10/test", "bound": "estimated from 10 draws"})
    said = ("the bound", "estimated from 10 draws", "every step of every image")
    assert of(BITS, BITS | {"recipe": recipe}, parts=LIKELIHOOD) == [said]


@pytest.mark.parametrize(("images", "departs"), [(10_000, False), (9_999, True)])
def test_of_other_data_the_fewer_samples_of_the_paper_are_enough(
    images: int, departs: bool
) -> None:
    recipe = {"extractor": "inception-2015-12-05:ab", "reference": "digits/train"}
    found = of(FID | {"images": images, "recipe": json.dumps(recipe)}, parts=SAMPLES)
    assert (("samples that are scored", f"{images:,}", "10,000 or 50,000") in found) is departs


def test_scores_through_several_extractors_name_each() -> None:
    recipe = json.dumps({"extractor": "vit:cd", "reference": "cifar10/train"})
    (said,) = of(FID, FID | {"recipe": recipe}, parts=SAMPLES)
    assert said == ("features of a score", "inception-2015-12-05 and vit", "Inception-V3")


def test_on_lsun_a_thousand_steps_of_noise_are_the_papers() -> None:
    lsun = BITS | {"T": 1000, "recipe": json.dumps({"split": "lsun256/test"})}
    assert of(lsun, parts=LIKELIHOOD) == []
    other = BITS | {"T": 1000}
    assert of(other, parts=LIKELIHOOD) == [("T", "1,000", "mostly 4,000")]


def test_with_labels_the_paper_samples_250_steps() -> None:
    recipe = {"extractor": "inception-2015-12-05:ab", "reference": "imagenet64_labelled/train"}
    assert of(FID | {"steps": 250, "recipe": json.dumps(recipe)}, parts=SAMPLES) == []


def test_a_gan_here_is_not_the_papers() -> None:
    gan = FID | {"T": None, "training_steps": 2000}
    assert of(FID, gan, parts=(*SAMPLES, RIVALS)) == [("the GAN", "a compact one", "BigGAN-deep")]


def test_before_there_are_results_nothing_is_said() -> None:
    assert of(planned(BOUND), parts=LIKELIHOOD) == []
