"""What is measured of a network itself: its bound, and the noise of its gradient."""

from dataclasses import replace
from typing import Any

from iddpm import build
from iddpm.config import GradientNoiseConfig, LikelihoodConfig, canonical, data_name
from iddpm.data import load
from iddpm.evaluation import gradient_noise as noise
from iddpm.evaluation import likelihood as bound
from iddpm.flat import FlatWeights
from iddpm.precision import arithmetic
from iddpm.strides import stride_timesteps
from studies.runners.networks import trained_denoiser, trained_network, weights_role
from studies.runners.work import Work
from studies.store import BLOCKS


def likelihood(work: Work) -> dict[str, Any]:
    """The bound on a split, by term and by step, for every variance that the network has."""
    config = work.task.config
    assert isinstance(config, LikelihoodConfig)
    trained, denoiser = trained_denoiser(work, config)
    if config.steps is not None:
        kept = stride_timesteps(config.stride, trained.diffusion.steps, config.steps)
        denoiser = replace(denoiser, diffusion=denoiser.diffusion.respaced(kept))
    data = load(trained.data, config.split)
    images = data.images[: config.images]
    labels = data.labels if trained.network.class_conditional else None
    blocks = work.folder / BLOCKS
    blocks.mkdir(exist_ok=True)
    with arithmetic(config.precision, work.device):
        result = bound.evaluate(
            denoiser,
            images,
            levels=data.levels,
            variances=trained.variances,
            clip=config.clip,
            block_size=config.block_size,
            seed=config.seed,
            labels=None if labels is None else labels[: config.images],
            device=work.device,
            folder=blocks,
            progress=work.progress,
            should_stop=work.should_stop,
        )
    recipe = {
        "split": f"{data_name(trained.data)}/{config.split}",
        "images": len(images),
        "clip": config.clip,
        "weights": weights_role(config.ema_decay),
        "cdf": "tanh",
        "precision": config.precision,
    }
    return {**result.as_json(), "recipe": recipe}


def gradient_noise(work: Work) -> dict[str, Any]:
    """The noise scale of a training loss's gradient, at the weights that the training ended with.

    The network is in training mode, dropout and all: it is the gradient that training follows.
    """
    config = work.task.config
    assert isinstance(config, GradientNoiseConfig)
    trained, network = trained_network(work, "network", config.ema_decay)
    diffusion = build.diffusion(trained.diffusion).to(work.device)
    gradient = noise.LossGradient(
        objective=config.objective or trained.objective,
        denoiser=build.denoiser(trained, network.train().requires_grad_(True), diffusion),
        weights=FlatWeights(network),
        data=load(trained.data, "train"),
        class_conditional=trained.network.class_conditional,
        has_dropout=trained.network.dropout > 0,
        block_size=config.block_size,
        seed=config.seed,
        precision=config.precision,
        device=work.device,
    )
    blocks = work.folder / BLOCKS
    blocks.mkdir(exist_ok=True)
    result = noise.evaluate(
        gradient,
        draws=config.draws,
        blocks=config.blocks,
        block_size=config.block_size,
        folder=blocks,
        progress=work.progress,
        should_stop=work.should_stop,
    )
    recipe = {
        "split": f"{data_name(trained.data)}/train",
        "loss": "the training's" if config.objective is None else canonical(config.objective),
        "timesteps": "uniform",
        "weights": weights_role(config.ema_decay),
        "small batch": result.small_batch,
        "big batch": result.big_batch,
        "draws": result.draws,
        "precision": config.precision,
    }
    return {**result.as_json(), "recipe": recipe}
