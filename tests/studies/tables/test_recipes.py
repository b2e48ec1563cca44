"""Numbers are told apart by what they are over, whatever that is called."""

import json
from pathlib import Path
from typing import Any

import pytest

from iddpm.config import Digits, Npz
from iddpm.evaluation.config import (
    Classifier,
    ExtractorConfig,
    FeaturesConfig,
    Inception,
    LikelihoodConfig,
    ScoreConfig,
)
from iddpm.evaluation.weights_file import PUBLISHED
from iddpm.running.files import write_json
from studies.store.store import Store
from studies.tables.labels import distance_name
from studies.tables.recipes import result_of
from studies.tasks.task import Task

NPZ = Npz(path="some.npz", name="photos")


def finished(store: Store, task: Task, result: dict[str, Any]) -> Task:
    store.create(task)
    write_json(store.folder(task.address) / "result.json", result)
    return task


def scored(
    store: Store, network: ExtractorConfig, name: str, weights: str, *, digest: str = "d" * 64
) -> dict[str, Any]:
    """The recipe of a score, as it is read, over features of these weights."""
    data = (("data", digest),)
    extractor = Task(kind="extractor", config=network, digests=data)
    finished(store, extractor, {"name": name, "sha256": weights})
    needs = (("extractor", extractor.address),)
    reference = Task(kind="features", config=FeaturesConfig(data=NPZ), inputs=needs, digests=data)
    store.create(reference)
    score = Task(
        kind="score",
        config=ScoreConfig(),
        inputs=(("generated", "features-0"), ("reference", reference.address)),
    )
    recipe = {"extractor": f"{name}:{weights[:8]}", "reference": "photos/train", "images": 50_000}
    finished(store, score, {"recipe": recipe})
    result = result_of(store, score.address)
    assert result is not None
    return dict(result["recipe"])


@pytest.mark.parametrize("digits", [8, 20, 64])
def test_a_distance_over_the_published_weights_is_an_fid(store: Store, digits: int) -> None:
    recipe = scored(store, Inception(sha256=PUBLISHED[:digits]), "inception-2015-12-05", "a" * 64)
    assert distance_name(recipe) == "FID"


@pytest.mark.parametrize("name", ["inception-2015-12-05", "inception"])
def test_a_distance_over_other_weights_is_none_whatever_the_extractor_was_called(
    store: Store, name: str
) -> None:
    recipe = scored(store, Inception(sha256="12345678"), name, "a" * 64)
    assert distance_name(recipe) == "FD[inception:aaaaaaaa]"
    assert recipe["extractor"] == "inception:aaaaaaaa"


def test_what_cannot_be_looked_up_is_no_fid(store: Store) -> None:
    recipe = scored(store, Inception(), "inception-2015-12-05", "a" * 64)
    assert distance_name(recipe) == "FID"
    for path in store.root.glob("tasks/extractor-*/task.json"):
        path.unlink()
    (address,) = (address for address in store.addresses() if address.startswith("score-"))
    result = result_of(store, address)
    assert result is not None
    assert distance_name(result["recipe"]) == "FD[inception:aaaaaaaa]"


def test_two_files_of_images_of_one_name_are_two_recipes(store: Store) -> None:
    network = Classifier(data=Digits())
    one, other = (
        scored(store, network, "photos-classifier", "a" * 64, digest=digest * 64)
        for digest in ("1", "2")
    )
    assert {name for name in one if one[name] != other[name]} == {"data"}
    assert (one["data"], other["data"]) == ("1" * 16, "2" * 16)


def test_two_extractors_whose_hashes_begin_alike_are_two_recipes(
    store: Store, tmp_path: Path
) -> None:
    network = Classifier(data=Digits())
    stores = store, Store(tmp_path / "another")
    one, other = (
        scored(place, network, "digits-classifier", "a" * 8 + rest * 56)
        for place, rest in zip(stores, ("1", "2"), strict=True)
    )
    assert one["extractor"] == other["extractor"]
    assert one != other


def test_bounds_on_two_files_of_one_name_are_two_recipes(store: Store) -> None:
    recipes = []
    for digest in ("1", "2"):
        task = Task(
            kind="likelihood",
            config=LikelihoodConfig(images=2),
            inputs=(("network", "train-0"),),
            digests=(("data", digest * 64),),
        )
        finished(store, task, {"recipe": {"split": "photos/test"}})
        result = result_of(store, task.address)
        assert result is not None
        recipes.append(json.dumps(result["recipe"]))
    assert recipes[0] != recipes[1]


def test_a_result_without_a_recipe_is_read_as_it_is(store: Store) -> None:
    task = finished(store, Task(kind="extractor", config=Classifier(data=Digits())), {"name": "x"})
    assert result_of(store, task.address) == {"name": "x"}
    assert result_of(store, "extractor-0123456789abcdef") is None
