"""The noise of a training loss's gradient."""

from typing import Any

from iddpm import build
from iddpm.config import data_name
from iddpm.config_fields import canonical
from iddpm.data import load
from iddpm.evaluation import gradient_noise as noise
from iddpm.evaluation.config import GradientNoiseConfig
from iddpm.networks.flat import FlatWeights
from studies.runners.networks import trained_network, weights_role
from studies.runners.work import Work


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
    result = noise.evaluate(
        gradient,
        draws=config.draws,
        blocks=config.blocks,
        block_size=config.block_size,
        kept=work.blocks,
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
