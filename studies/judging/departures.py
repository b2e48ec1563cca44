"""In what a study departs from the paper's experiments, as far as its claims depend on it."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import pandas as pd

from studies.judging.verdicts import listed
from studies.published.published import INCEPTION
from studies.spec.arms import RIVALS, TRAIN
from studies.tables.tables import ESTIMATE, Tables

UNLABELLED, LABELLED = "imagenet64", "imagenet64_labelled"
"""ImageNet 64: of the one the paper scores the fewest samples; of the other 250 steps (Table 4)."""
OF_THE_PAPER = (UNLABELLED, LABELLED, "cifar10", "lsun256")
"""Names of the paper's data."""
FEWEST_STEPS = 200_000
"""The fewest training steps of the networks that the paper's tables compare."""
USUAL_T = 4000
"""The length of most chains of the paper."""
FEWEST_SAMPLES = 10_000
"""Samples that the paper scores of ImageNet 64 without labels."""
USUAL_SAMPLES = 50_000
"""Samples that it scores of all other data."""
BOUNDED_IMAGES = 1000
"""Images that bits/dim are over by default in the official code; the paper does not say how many
its own are over."""


class Departure(NamedTuple):
    """A setting in which a study departs from the paper."""

    setting: str
    here: str
    paper: str


def departures(tables: Tables, parts: Collection[str]) -> list[Departure]:
    """In what a study departs, as far as what is measured on these parts depends on it.

    Args:
        tables: The study.
        parts: Parts of a sweep. What is of the schedules alone has none, and departs in nothing.
    """
    results = tables.results
    rows = results[results["recipe"].notna() & results["T"].notna()]  # a GAN has no chain
    rows = rows[(rows["training_steps"] > 0) & (rows["evaluation"].isin(parts) | (TRAIN in parts))]
    if rows.empty:
        return []
    found = _of_networks(rows)
    for part, of_part in OF_PART.items():
        found += of_part(rows[rows["evaluation"] == part]) if part in parts else []
    gan = Departure("the GAN", "a compact one", "BigGAN-deep")
    return [*found, gan] if RIVALS in parts else found


def _of_networks(rows: pd.DataFrame) -> list[Departure]:
    """Departures in what the networks were trained on, how long, and over how long a chain."""
    data = sorted({split.partition("/")[0] for split in _recipes(rows, "reference", "split")})
    steps, lengths = (_numbers(rows[column]) for column in ("training_steps", "T"))
    found = []
    if data and not set(data) & set(OF_THE_PAPER):
        found.append(Departure("images", " and ".join(data), "ImageNet 64 or CIFAR-10"))
    if steps[-1] < FEWEST_STEPS:
        most = f"{FEWEST_STEPS:,} to 1,500,000"
        found.append(Departure("training steps", listed(steps), most))
    if USUAL_T not in lengths and "lsun256" not in data:
        found.append(Departure("T", listed(lengths), f"mostly {USUAL_T:,}"))
    return found


def _of_bounds(rows: pd.DataFrame) -> list[Departure]:
    """Departures in how bits/dim are taken."""
    images = _numbers(rows["images"])
    found = []
    if images and images[-1] < BOUNDED_IMAGES:
        of_code = f"{BOUNDED_IMAGES:,} by default in the official code"
        found.append(Departure("images that bits/dim are over", listed(images), of_code))
    if said := sorted(_recipes(rows, ESTIMATE)):
        found.append(Departure("the bound", " and ".join(said), "every step of every image"))
    return found


def _of_samples(rows: pd.DataFrame) -> list[Departure]:
    """Departures in how samples are scored."""
    features = sorted({name.partition(":")[0] for name in _recipes(rows, "extractor")})
    data = {split.partition("/")[0] for split in _recipes(rows, "reference")} & set(OF_THE_PAPER)
    images, found = _numbers(rows["images"]), []
    if features != [INCEPTION]:
        found.append(Departure("features of a score", " and ".join(features), "Inception-V3"))
    fewest = USUAL_SAMPLES if data and UNLABELLED not in data else FEWEST_SAMPLES
    if images and images[-1] < fewest:
        both = f"{FEWEST_SAMPLES:,} or {USUAL_SAMPLES:,}"
        found.append(
            Departure("samples that are scored", listed(images), f"{fewest:,}" if data else both)
        )
    if LABELLED not in data and (rows["steps"] < rows["T"]).all():
        steps = listed(_numbers(rows["steps"]))
        found.append(Departure("sampling steps", steps, "all of the chain, beside fewer"))
    noisy = rows.loc[rows["eta"] != 0, "settings"].unique()  # without noise DDIM shares none
    if len(noisy) and all(map(_off_a_path, noisy)):
        path = "off one Brownian motion for chains of every length"
        found.append(Departure("noise of the steps", path, "drawn for each step"))
    return found


def _off_a_path(settings: str) -> bool:
    """Whether samples with these settings share the noise of their steps."""
    return bool(json.loads(settings).get("samples", {}).get("noise") == "brownian")


OF_PART: Mapping[str, Callable[[pd.DataFrame], list[Departure]]] = {
    "likelihood": _of_bounds,
    "samples": _of_samples,
}
"""By part of a sweep: its departures."""


def _recipes(rows: pd.DataFrame, *keys: str) -> set[str]:
    """What stands in the rows' recipes under one of these keys."""
    recipes = [json.loads(recipe) for recipe in rows["recipe"].unique()]
    return {recipe[key] for recipe in recipes for key in keys if key in recipe}


def _numbers(column: pd.Series) -> list[int]:
    return sorted({int(number) for number in column.dropna()})
