"""What does not fit together is refused before anything starts, in words that say what to do."""

from dataclasses import replace
from typing import Any

import pytest

from iddpm.bounds import ConfigError
from iddpm.checks import check_likelihood, check_samples, check_shares, check_training
from iddpm.config import (
    DiffusionConfig,
    Digits,
    Hybrid,
    Photos,
    Simple,
    TrainConfig,
    UNetConfig,
    Vlb,
)
from iddpm.data import Description
from iddpm.evaluation.config import Ancestral, Ddim, LikelihoodConfig, SampleConfig

NETWORK = UNetConfig(
    model_channels=16,
    channel_mult=(1, 2),
    res_blocks=1,
    attention_resolutions=(4,),
    heads=4,
    groups=8,
)
TRAIN = TrainConfig(
    data=Digits(),
    diffusion=DiffusionConfig(steps=1000),
    network=NETWORK,
    objective=Hybrid(),
    ema_decays=(0.99, 0.995),
)
SAMPLES = SampleConfig(steps=50, last_block=1, block_size=4, ema_decay=0.99)
DIGITS = Description(
    channels=1, size=8, levels=17, classes=10, train_images=1437, test_images=360, digest=""
)


def network(**changes: Any) -> TrainConfig:
    return replace(TRAIN, network=replace(NETWORK, **changes))


def test_what_fits_is_let_through() -> None:
    check_training(TRAIN, DIGITS)
    check_training(network(class_conditional=True), DIGITS)
    check_training(network(channel_mult=(1, 2, 2, 2), attention_resolutions=(8, 1)), DIGITS)
    check_samples(SAMPLES, TRAIN)
    check_samples(replace(SAMPLES, sampler=Ancestral(variance="range"), steps=1000), TRAIN)
    check_samples(replace(SAMPLES, sampler=Ddim(stride=tuple(range(50)))), TRAIN)
    check_likelihood(LikelihoodConfig(images=360, ema_decay=0.995), TRAIN, DIGITS)
    check_likelihood(LikelihoodConfig(images=1437, split="train"), TRAIN, DIGITS)
    check_likelihood(LikelihoodConfig(steps=25, stride="even_plus_first"), TRAIN, DIGITS)


@pytest.mark.parametrize(
    ("config", "size", "message"),
    [
        (
            network(channel_mult=(1, 2, 2, 2)),
            12,
            "network.channel_mult: expected at most 3 levels for images of 12 pixels, since each "
            "further level halves the side, found 4",
        ),
        (
            network(attention_resolutions=(4, 16)),
            8,
            "network.attention_resolutions: expected sides of the feature maps of images of 8 "
            "pixels, 8, 4, found 16",
        ),
        (
            network(channel_mult=(1, 2, 3), attention_resolutions=(4,), heads=3, model_channels=8),
            8,
            "network.heads: expected a divisor of 16, the width of the level of side 4, found 3",
        ),
    ],
)
def test_a_training_that_cannot_be_is_refused(config: TrainConfig, size: int, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_training(config, replace(DIGITS, size=size))
    assert str(error.value) == message


def test_class_conditional_training_needs_labels() -> None:
    config = replace(network(class_conditional=True), data=Photos())
    with pytest.raises(ConfigError) as error:
        check_training(config, replace(DIGITS, classes=None))
    assert str(error.value) == (
        "network.class_conditional: expected data with labels, found none in 'photos'; choose "
        "other data or class_conditional: false"
    )


@pytest.mark.parametrize("objective", [Simple(), Vlb(variance="beta"), Hybrid(variance="learned")])
def test_a_variance_that_was_not_learned_is_refused(objective: Simple | Vlb | Hybrid) -> None:
    train = replace(TRAIN, objective=objective)
    with pytest.raises(ConfigError) as error:
        check_samples(replace(SAMPLES, sampler=Ancestral(variance="range")), train)
    learned = ", learned" if isinstance(objective, Hybrid) else ""
    assert str(error.value) == (
        f"samples.sampler.ancestral.variance: expected one of beta, beta_tilde{learned}, found "
        f"'range', which a network trained with the objective {objective.kind!r} did not learn; "
        "train it with {hybrid: {variance: range}}"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ema_decay": 0.9},
            "samples.ema_decay: expected an average that the training keeps (0.99, 0.995), found "
            "0.9; add it to train.ema_decays",
        ),
        (
            {"steps": 1001},
            "samples.steps: expected from 2 to the 1000 of the trained chain, found 1001",
        ),
        (
            {"sampler": Ddim(), "steps": 400},
            "samples.steps: expected a count that a constant stride over 1000 steps can have, "
            "found 400; the nearest are 334 and 500",
        ),
        (
            {"sampler": Ancestral(stride=(0, 5)), "steps": 3},
            "samples.steps: expected 2, the length of the explicit stride, found 3",
        ),
        (
            {"sampler": Ancestral(stride=(0, 1000)), "steps": 2},
            "samples.sampler.ancestral.stride: expected increasing step indices from 0 to 999, "
            "found (0, 1000)",
        ),
        (
            {"sampler": Ddim(stride=(5, 2)), "steps": 2},
            "samples.sampler.ddim.stride: expected increasing step indices from 0 to 999, "
            "found (5, 2)",
        ),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_samples(replace(SAMPLES, **changes), TRAIN)
    assert str(error.value) == message


def test_an_average_of_a_training_that_keeps_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the training keeps \(none\), found 0.99"):
        check_samples(SAMPLES, replace(TRAIN, ema_decays=()))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            LikelihoodConfig(images=361),
            "likelihood.images: expected at most the 360 images of the test split, found 361",
        ),
        (
            LikelihoodConfig(images=1438, split="train"),
            "likelihood.images: expected at most the 1437 images of the train split, found 1438",
        ),
        (
            LikelihoodConfig(ema_decay=0.9),
            "likelihood.ema_decay: expected an average that the training keeps (0.99, 0.995), "
            "found 0.9; add it to train.ema_decays",
        ),
        (
            LikelihoodConfig(steps=2000),
            "likelihood.steps: expected from 2 to the 1000 of the trained chain, found 2000",
        ),
        (
            LikelihoodConfig(steps=2, stride=(1, 1)),
            "likelihood.stride: expected increasing step indices from 0 to 999, found (1, 1)",
        ),
        (
            LikelihoodConfig(stride=(0, 1, 2)),
            "likelihood.steps: expected 3, the length of the explicit stride, found None, which "
            "is the whole chain",
        ),
    ],
)
def test_a_bound_that_cannot_be_taken_is_refused(config: LikelihoodConfig, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_likelihood(config, TRAIN, DIGITS)
    assert str(error.value) == message


@pytest.mark.parametrize(("block_size", "processes"), [(None, 1), (3, 2), (3, 4), (1, 12), (6, 2)])
def test_blocks_are_shared_out_evenly(block_size: int | None, processes: int) -> None:
    check_shares(replace(TRAIN, batch_size=12, block_size=block_size), processes)


@pytest.mark.parametrize(
    ("block_size", "processes", "found"),
    [
        (None, 2, "found 1 of 12 images; set it to 6 or a divisor of that"),
        (4, 2, "found 3 of 4 images; set it to 6 or a divisor of that"),
        (
            4,
            5,
            "found 3 of 4 images; no block_size helps, as 12 images are no multiple of 5: "
            "choose another number of processes",
        ),
    ],
)
def test_blocks_that_cannot_be_shared_out_are_refused(
    block_size: int | None, processes: int, found: str
) -> None:
    config = replace(TRAIN, batch_size=12, block_size=block_size)
    with pytest.raises(ConfigError) as caught:
        check_shares(config, processes)
    assert str(caught.value) == (
        f"train.block_size: expected blocks to share among {processes} processes, {found}"
    )
