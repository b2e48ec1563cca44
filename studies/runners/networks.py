"""Trained networks, read back for what is asked of them."""

from iddpm import build, training
from iddpm.config import TrainConfig
from iddpm.denoiser import Denoiser, Network
from iddpm.evaluation.config import LikelihoodConfig, SampleConfig
from iddpm.networks.compiling import compiled
from iddpm.networks.ensembles import SwitchedNetwork
from iddpm.networks.passes import InPasses
from iddpm.networks.unet import UNet
from iddpm.running.files import weights_file
from studies.runners.work import Work, of_a_finished_task


def trained_denoiser(
    work: Work, config: SampleConfig | LikelihoodConfig
) -> tuple[TrainConfig, Denoiser]:
    """The network of the role `network`, read over the whole chain that it was trained on.

    In an ensemble the network of the role `network_b` takes its part of that chain.
    """
    trained, plain = trained_network(work, "network", config.ema_decay)
    network = compiled(plain, work.compiling)
    diffusion = build.diffusion(trained.diffusion).to(work.device)
    if config.ensemble is None:
        return trained, build.denoiser(trained, _in_passes(network, work), diffusion)
    _, plain = trained_network(work, "network_b", config.ema_decay)
    partner = compiled(plain, work.compiling)
    inner_steps = config.ensemble.inner_steps(trained.diffusion.steps)
    both = SwitchedNetwork(inner=network, outer=partner, inner_steps=inner_steps)
    return trained, build.denoiser(trained, _in_passes(both, work), diffusion)


def _in_passes(network: Network, work: Work) -> Network:
    limit = work.images_per_pass
    return network if limit is None else InPasses(network=network, images=limit)


def trained_network(work: Work, role: str, ema_decay: float | None) -> tuple[TrainConfig, UNet]:
    """The network of a role and how it was trained."""
    config = work.parent_tasks[role].config
    assert isinstance(config, TrainConfig)
    state = weights_file(work.parents[role])
    digests = work.result_of(role)["weights"]
    with of_a_finished_task(state):
        network = training.load_network(
            state, config, ema_decay=ema_decay, device=work.device, digests=digests
        )
    return config, network


def weights_role(ema_decay: float | None) -> str:
    """What a recipe calls these weights."""
    return "raw" if ema_decay is None else f"ema {ema_decay}"
