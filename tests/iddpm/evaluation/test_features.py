"""Extractors are functions of their config, and features of the image alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from iddpm.arrays import UInt8Array
from iddpm.bounds import ConfigError
from iddpm.config import Digits, Photos
from iddpm.data import load
from iddpm.evaluation.config import Classifier, ExtractorConfig, Inception, RandomNetwork
from iddpm.evaluation.features import (
    Extractor,
    extract,
    load_extractor,
    make_extractor,
    save_extractor,
)
from iddpm.evaluation.frechet import frechet_distance
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.interruption import Interrupted

QUICK = Classifier(
    data=Digits(), channels=8, features=16, steps=60, batch_size=64, learning_rate=3e-3
)
RANDOM = RandomNetwork(data=Digits())
COLOUR = RandomNetwork(data=Photos(train_images=20, test_images=20), features=24)


@pytest.fixture(scope="module")
def quick() -> Extractor:
    return make_extractor(QUICK)


def digits() -> UInt8Array:
    return load(Digits(), "test").images


def test_a_short_training_tells_digits_apart_by_its_own_account(quick: Extractor) -> None:
    data = load(Digits(), "test")
    network: Any = quick.network
    found = extract(quick.network, data.images, levels=17)
    scores = found @ network.scores.weight.detach().numpy().T + network.scores.bias.detach().numpy()
    assert quick.test_accuracy == pytest.approx((scores.argmax(1) == data.labels).mean())
    assert quick.test_accuracy is not None
    assert quick.test_accuracy > 0.85


@pytest.mark.slow
def test_the_classifier_of_a_study_is_right_on_over_95_percent_of_test_digits() -> None:
    accuracy = make_extractor(Classifier(data=Digits(), steps=150)).test_accuracy
    assert accuracy is not None
    assert accuracy > 0.95


def test_an_extractor_is_a_function_of_its_config(quick: Extractor) -> None:
    assert make_extractor(QUICK).sha256 == quick.sha256
    assert make_extractor(RANDOM).sha256 == make_extractor(RANDOM).sha256
    others: list[ExtractorConfig] = [RANDOM, RandomNetwork(data=Digits(), seed=1), COLOUR]
    assert len({make_extractor(config).sha256 for config in others}) == 3


def test_making_an_extractor_leaves_torchs_own_random_stream_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    make_extractor(Classifier(data=Digits(), channels=2, features=2, steps=1))
    assert torch.equal(torch.rand(3), expected)


def test_a_result_names_data_kind_and_hash(quick: Extractor) -> None:
    assert quick.as_json() == {
        "name": "digits-classifier",
        "sha256": quick.sha256,
        "features": 16,
        "test_accuracy": quick.test_accuracy,
    }
    assert make_extractor(COLOUR).as_json()["name"] == "photos-random"
    assert make_extractor(COLOUR).as_json()["test_accuracy"] is None


@pytest.mark.parametrize("config", [QUICK, RANDOM])
def test_a_saved_extractor_comes_back_whole(
    tmp_path: Path, config: ExtractorConfig, quick: Extractor
) -> None:
    made = quick if config is QUICK else make_extractor(config)
    save_extractor(tmp_path / "extractor.pt", config, made)
    back = load_extractor(tmp_path / "extractor.pt", config)
    assert back.as_json() == made.as_json()
    images = digits()[:5]
    np.testing.assert_array_equal(
        extract(back.network, images, levels=17), extract(made.network, images, levels=17)
    )


def test_an_extractor_of_another_config_is_refused(tmp_path: Path) -> None:
    save_extractor(tmp_path / "extractor.pt", RANDOM, make_extractor(RANDOM))
    with pytest.raises(CheckpointError):
        load_extractor(tmp_path / "extractor.pt", RandomNetwork(data=Digits(), seed=1))


@pytest.mark.parametrize("config", [QUICK, RANDOM])
def test_features_of_an_image_do_not_depend_on_the_others(
    config: ExtractorConfig, quick: Extractor
) -> None:
    network = (quick if config is QUICK else make_extractor(config)).network
    images = digits()[:45]
    whole = extract(network, images, levels=17, block_size=20)
    shards = [images[:20], images[20:40], images[40:]]
    parts = [extract(network, shard, levels=17, block_size=20) for shard in shards]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not isinstance(config, Inception)
    assert whole.shape == (45, config.features)
    assert whole.dtype == np.float32


def test_every_network_call_holds_one_block() -> None:
    sizes = []

    class Watched(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = make_extractor(RANDOM).network

        def forward(self, images: torch.Tensor) -> Any:
            sizes.append(len(images))
            return self.inner(images)

    extract(Watched(), digits()[:45], levels=17, block_size=20)
    assert sizes == [20, 20, 20]


def degraded(images: UInt8Array, kind: str) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 17, images.shape)
    ways = {
        "noise": np.where(rng.random(images.shape) < 0.3, noise, images),
        "blur": (images + np.roll(images, 1, 1) + np.roll(images, 1, 2)) // 3,
        "one class": images[np.resize(np.arange(20), len(images))],
    }
    return ways[kind].astype(np.uint8)


@pytest.mark.parametrize("config", [QUICK, RANDOM])
@pytest.mark.parametrize("kind", ["noise", "blur", "one class"])
def test_degraded_images_are_farther_away_than_unseen_ones(
    config: ExtractorConfig, kind: str, quick: Extractor
) -> None:
    network = (quick if config is QUICK else make_extractor(config)).network
    train, test = (load(Digits(), split).images for split in ("train", "test"))
    reference, unseen, worse = (
        extract(network, images, levels=17) for images in (train, test, degraded(test, kind))
    )
    near, far = (frechet_distance(reference, features).value for features in (unseen, worse))
    assert far > 2 * near


def test_random_features_mix_means_and_deviations_of_responses_at_halving_scales() -> None:
    config = RandomNetwork(data=Digits(), channels=2, features=3)
    weights = [
        weight.double().numpy() for weight in make_extractor(config).network.state_dict().values()
    ]
    *convolutions, projection = sorted(weights, key=lambda weight: weight.ndim, reverse=True)
    image = digits()[0].transpose(2, 0, 1) / 8 - 1
    pooled: list[NDArray[Any]] = []
    for scale, weight in enumerate(convolutions):
        if scale > 0:
            channels, height, width = image.shape
            image = image.reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4))
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        response = np.einsum("chwij,ocij->ohw", windows, weight)
        image = np.where(response > 0, response, 0.2 * response)
        pooled += [image.mean((1, 2)), image.std((1, 2))]
    found = extract(make_extractor(config).network, digits()[:1], levels=17)[0]
    np.testing.assert_allclose(found, projection @ np.concatenate(pooled), rtol=1e-4, atol=1e-5)


def test_a_random_network_reads_images_smaller_than_its_scales() -> None:
    network = make_extractor(RANDOM).network
    tiny = np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1)
    assert len(np.unique(extract(network, tiny, levels=17), axis=0)) == 8


def test_a_classifier_of_data_without_labels_is_refused() -> None:
    message = "extractor.classifier.data: expected data with labels, found none; use .* 'random'"
    with pytest.raises(ConfigError, match=message):
        make_extractor(Classifier(data=Photos()))


def test_training_tells_its_progress_and_stops_when_asked() -> None:
    told = []
    config = Classifier(data=Digits(), channels=2, features=2, steps=9)
    with pytest.raises(Interrupted):
        make_extractor(
            config,
            progress=lambda done, total: told.append((done, total)),
            should_stop=lambda: len(told) == 3,
        )
    assert told == [(1, 9), (2, 9), (3, 9)]
