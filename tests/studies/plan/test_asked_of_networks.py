"""What is asked of trained networks is what is computed: every setting, put together by hand.

The weights are loaded, the kept steps written out and the images cut here; only the mathematics of
`iddpm` is shared with the runners.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from iddpm import samplers
from iddpm.config import Cdf, Digits, Split, TrainConfig
from iddpm.data import load
from iddpm.denoiser import Denoiser, Network
from iddpm.diffusion import Diffusion
from iddpm.evaluation.config import (
    Ancestral,
    Ddim,
    Ends,
    FeaturesConfig,
    LikelihoodConfig,
    RandomNetwork,
    SampleConfig,
    Sampler,
)
from iddpm.evaluation.features import extract, load_extractor
from iddpm.evaluation.likelihood import Reading
from iddpm.networks.ensembles import SwitchedNetwork
from iddpm.running.draws import generator
from iddpm.running.files import STATE_FILE
from iddpm.samplers import to_uint8
from iddpm.schedules import betas
from iddpm.training import load_network
from studies.runners.scores import EXTRACTOR
from studies.store.store import FEATURES, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.stores import done, result_of

FAST = replace(tiny.TRAINING.optimizer, learning_rate=1e-2)
"""So that ten steps leave weights and their average far enough apart."""
FIRST = tiny.training(optimizer=FAST)
ENDS = Ends(share=0.2)
"""Steps 0, 1, 8 and 9 of ten are those of the second network."""
SECOND = tiny.training(optimizer=FAST, objective=ENDS.objective, timesteps=ENDS.timesteps)
T = 10


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    done(store, FIRST, SECOND)
    return store


def network(store: Store, task: Task, ema_decay: float | None) -> Network:
    assert isinstance(task.config, TrainConfig)
    file = store.folder(task.address) / STATE_FILE
    return load_network(file, task.config, ema_decay=ema_decay, device="cpu")


def both(store: Store, inner: float | None, outer: float | None) -> Network:
    """The ensemble of weights with these decays."""
    first, second = network(store, FIRST, inner), network(store, SECOND, outer)
    return SwitchedNetwork(inner=first, outer=second, inner_steps=range(2, 8))


def denoiser(network: Network, kept: Iterable[int] = range(T)) -> Denoiser:
    chain = Diffusion.from_betas(betas("cosine", T)).respaced(list(kept))
    return Denoiser(network=network, diffusion=chain, learned_variance="range")


def bound(
    network: Network,
    *,
    kept: Iterable[int] = range(T),
    split: Split = "test",
    images: int = 4,
    block_size: int = 2,
    clip: bool = True,
    seed: int = 0,
    cdf: Cdf = "tanh",
) -> dict[str, Any]:
    """What a bound should say, its recipe apart."""
    reading = Reading(
        denoiser=denoiser(network, kept),
        levels=17,
        variances=("beta", "beta_tilde", "range"),
        clip=clip,
        block_size=block_size,
        seed=seed,
        cdf=cdf,
    )
    blocks = reading.blocks(load(Digits(), split).images[:images])
    return reading.bound(blocks, dimensions=64).as_json()


BOUNDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"steps": 5}, {"kept": (0, 2, 4, 7, 9)}),
    ({"steps": 5, "stride": "constant"}, {"kept": (0, 2, 4, 6, 8)}),
    ({"steps": 2, "stride": "even_plus_first"}, {"kept": (0, 1, 2, 3, 4, 9)}),
    ({"steps": 3, "stride": (1, 4, 8)}, {"kept": (1, 4, 8)}),
    ({"split": "train"}, {"split": "train"}),
    ({"images": 5}, {"images": 5}),
    ({"block_size": 3}, {"block_size": 3}),
    ({"clip": False}, {"clip": False}),
    ({"seed": 1}, {"seed": 1}),
    ({"cdf": "tanh_official"}, {"cdf": "tanh_official"}),
]
"""Settings as a sweep says them, and by hand."""


@pytest.mark.parametrize(("asked", "by_hand"), BOUNDS)
def test_a_bound_is_read_as_its_settings_say(
    store: Store, asked: dict[str, Any], by_hand: dict[str, Any]
) -> None:
    weights = network(store, FIRST, None)
    found = result_of(store, tiny.likelihood(FIRST, **asked))
    recipe = found.pop("recipe")
    assert found == bound(weights, **by_hand)
    assert (found == bound(weights)) == (asked == {})
    said = {"split": f"digits/{asked.get('split', 'test')}", "images": asked.get("images", 4)}
    said |= {key: asked.get(key, default) for key, default in (("clip", True), ("cdf", "tanh"))}
    assert recipe == {**said, "weights": "raw", "precision": "float32"}


@pytest.mark.parametrize("asked", [{"seed": 1}, {"split": "train"}, {"cdf": "tanh_official"}])
def test_shards_of_a_bound_are_read_as_its_settings_say(
    store: Store, asked: dict[str, Any]
) -> None:
    *shards, merge = tiny.sharded_likelihood(FIRST, **asked)
    assert result_of(store, *shards, merge) == result_of(store, tiny.likelihood(FIRST, **asked))


def test_the_decoder_alone_depends_on_how_the_normal_s_distribution_is_computed(
    store: Store,
) -> None:
    ours, theirs = (
        result_of(store, tiny.likelihood(FIRST, cdf=cdf, clip=False))["variances"]["range"]
        for cdf in ("tanh", "tanh_official")
    )
    assert ours["kl"] == theirs["kl"]
    assert ours["by_step"]["mean"][1:] == theirs["by_step"]["mean"][1:]
    assert ours["decoder"] != theirs["decoder"]


# --------------------------------------------------------------------------- weights and ensembles


@pytest.mark.parametrize("decay", [None, 0.9])
def test_both_networks_of_an_ensemble_are_read_with_the_weights_asked_for(
    store: Store, decay: float | None
) -> None:
    found = result_of(store, ensemble(tiny.likelihood(FIRST, ema_decay=decay)))
    assert found.pop("recipe")["weights"] == ("raw" if decay is None else "ema 0.9")
    assert found == bound(both(store, decay, decay))
    other = 0.9 if decay is None else None
    assert found != bound(both(store, decay, other))
    assert found != bound(both(store, other, decay))


@pytest.mark.parametrize("decay", [None, 0.9])
def test_both_networks_of_an_ensemble_draw_with_the_weights_asked_for(
    store: Store, decay: float | None
) -> None:
    found = drawn(store, ensemble(tiny.sampling(FIRST, ema_decay=decay)))
    assert np.array_equal(found, images(both(store, decay, decay)))
    other = 0.9 if decay is None else None
    assert not np.array_equal(found, images(both(store, decay, other)))


def ensemble(task: Task) -> Task:
    assert isinstance(task.config, LikelihoodConfig | SampleConfig)
    config = replace(task.config, ensemble=ENDS)
    return replace(task, config=config, inputs=(*task.inputs, ("network_b", SECOND.address)))


# ----------------------------------------------------------------------------------------- samples


def images(
    network: Network,
    *,
    sampler: Sampler | None = None,
    kept: Iterable[int] = (0, 2, 4, 7, 9),
    start: int | None = None,
    clip: bool = True,
    blocks: Iterable[int] = (0, 1),
    seed: int = 0,
) -> NDArray[np.uint8]:
    """What a shard of samples should hold."""
    sampler = sampler or Ancestral(variance="range")
    found = []
    for block in blocks:
        x_T = torch.randn(2, 1, 8, 8, generator=generator(seed, "x_T", block))
        noise = generator(seed, "reverse", block)
        of = denoiser(network, kept)
        if isinstance(sampler, Ddim):
            eta = sampler.eta
            x_0 = samplers.ddim(of, x_T, eta=eta, clip=clip, generator=noise, start=start)
        else:
            of_step = sampler.variance
            x_0 = samplers.ancestral(
                of, x_T, variance=of_step, clip=clip, generator=noise, start=start
            )
        found.append(to_uint8(x_0, 17).numpy())
    return np.concatenate(found)


def drawn(store: Store, task: Task) -> NDArray[np.uint8]:
    result_of(store, task)
    found: NDArray[np.uint8] = np.load(store.folder(task.address) / "samples.npy")
    return found


@pytest.mark.parametrize(
    ("asked", "by_hand"),
    [
        ({}, {}),
        ({"sampler": Ancestral(variance="beta")}, {"sampler": Ancestral(variance="beta")}),
        (
            {"sampler": Ancestral(variance="range", stride="constant")},
            {"kept": (0, 2, 4, 6, 8)},
        ),
        (
            {"sampler": Ddim(stride="constant")},
            {"sampler": Ddim(), "kept": (0, 2, 4, 6, 8)},
        ),
        (
            {"sampler": Ddim(eta=0.5, stride="even")},
            {"sampler": Ddim(eta=0.5)},
        ),
        ({"steps": 10}, {"kept": range(T)}),
        ({"skip": 0.4}, {"start": 3}),
        ({"clip": False}, {"clip": False}),
        ({"first_block": 1, "last_block": 3}, {"blocks": (1, 2)}),
        ({"seed": 1}, {"seed": 1}),
    ],
)
def test_samples_are_drawn_as_their_settings_say(
    store: Store, asked: dict[str, Any], by_hand: dict[str, Any]
) -> None:
    weights = network(store, FIRST, 0.9)
    found = drawn(store, tiny.sampling(FIRST, **asked))
    assert np.array_equal(found, images(weights, **by_hand))
    assert np.array_equal(found, images(weights)) == (asked == {})


# ---------------------------------------------------------------------------------------- features


@pytest.mark.parametrize("split", ["train", "test"])
def test_real_features_are_those_of_the_split_asked_for(store: Store, split: Split) -> None:
    made = tiny.extractor()
    result_of(store, made)
    images = load(Digits(), split).images
    config = FeaturesConfig(images=len(images), data=Digits(), split=split)
    task = replace(tiny.real_features(made), config=config)
    said = result_of(store, task)
    assert isinstance(made.config, RandomNetwork)
    read_by = load_extractor(store.folder(made.address) / EXTRACTOR, made.config)
    expected = extract(read_by.network, images, levels=17)
    found = np.load(store.folder(task.address) / FEATURES)
    np.testing.assert_allclose(found["features"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["mean"], expected.mean(0), rtol=1e-5, atol=1e-6)
    assert (said["source"], said["images"]) == (f"digits/{split}", len(images))
