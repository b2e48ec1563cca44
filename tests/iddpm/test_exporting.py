"""Networks leave for other programs and come back: equal weights, equal images."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from iddpm import build, exporting
from iddpm.bounds import ConfigError
from iddpm.config import DiffusionConfig, Digits, Hybrid, Simple, TrainConfig, UNetConfig
from iddpm.data import describe
from iddpm.denoiser import Denoiser
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.unet import UNet
from iddpm.running.checkpoints import CheckpointError
from iddpm.samplers import ddim, to_uint8
from tests.witness.diffusers_schedulers import scheduler

pytest.importorskip("safetensors")
DIGITS = describe(Digits())
NETWORK = UNetConfig(
    model_channels=8,
    channel_mult=(1, 2, 2),
    res_blocks=1,
    attention_resolutions=(4, 2),
    heads=2,
    groups=4,
    rescale_timesteps=False,
)
CONFIG = TrainConfig(
    data=Digits(), network=NETWORK, diffusion=DiffusionConfig(steps=1000), objective=Simple()
)


def drawn(config: TrainConfig, seed: int = 0) -> UNet:
    """A network with weights that say something, also where training starts from zero."""
    torch.manual_seed(seed)
    network = build.network(config, DIGITS)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return network.eval().requires_grad_(False)


def ours(denoiser: Denoiser, x_T: Tensor, steps: int, given: Conditioning | None = None) -> Tensor:
    total = denoiser.diffusion.steps
    kept = range(0, total, total // steps)
    short = replace(denoiser, diffusion=denoiser.diffusion.respaced(tuple(kept)))
    generator = torch.Generator()
    return ddim(short, x_T, eta=0.0, clip=True, generator=generator, conditioning=given)


def theirs(folder: Path, x_T: Tensor, steps: int, labels: Tensor | None = None) -> Tensor:
    """By the pipeline's own model and scheduler; the learned half of the output is left out."""
    import diffusers

    made: Any = diffusers.DDIMPipeline
    pipeline = made.from_pretrained(folder)
    pipeline.scheduler.set_timesteps(steps)
    x_t = x_T
    with torch.inference_mode():
        for t in pipeline.scheduler.timesteps:
            output = pipeline.unet(x_t, t, class_labels=labels).sample[:, : x_T.shape[1]]
            step = pipeline.scheduler.step(output, t, x_t, use_clipped_model_output=True)
            x_t = step.prev_sample
    return x_t


def pixels_that_differ(a: Tensor, b: Tensor) -> int:
    return int((to_uint8(a, 256) != to_uint8(b, 256)).sum())


@pytest.mark.slow
def test_diffusers_draws_the_same_images_in_50_ddim_steps(tmp_path: Path) -> None:
    network = drawn(CONFIG)
    exporting.write_diffusers(CONFIG, network, tmp_path, weights="raw")
    x_T = torch.randn(160, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    denoiser = build.denoiser(CONFIG, network, build.diffusion(CONFIG.diffusion))
    found = ours(denoiser, x_T, 50)
    assert found.numel() > 10_000
    assert 0.1 < found.std() < 2
    assert pixels_that_differ(found, theirs(tmp_path, x_T, 50)) == 0
    back = exporting.read(tmp_path)
    assert torch.equal(found, ours(back, x_T, 50))


VARIANTS: dict[str, dict[str, Any]] = {
    "one head, attention at several widths": {"heads": 1, "channel_mult": (1, 2, 3)},
    "added embedding": {"scale_shift": False},
    "labels": {"class_conditional": True},
    "no attention but in the middle": {"attention_resolutions": ()},
    "two blocks": {"res_blocks": 2, "attention_resolutions": (2,)},
}


def variant(changes: dict[str, Any]) -> TrainConfig:
    return replace(CONFIG, network=replace(NETWORK, **changes), objective=Hybrid())


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_network_comes_back_from_a_folder_of_diffusers(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    network = drawn(variant(changes))
    exporting.write_diffusers(variant(changes), network, tmp_path, weights="raw")
    back = exporting.read(tmp_path)
    assert back.learned_variance == "range"
    returned: Any = back.network
    assert returned.state_dict().keys() == network.state_dict().keys()
    for name, weights in network.state_dict().items():
        assert torch.equal(returned.state_dict()[name], weights)
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([0, 3, 999])
    given = Conditioning(labels=torch.tensor([0, 9, 4])) if "class_conditional" in changes else None
    assert torch.equal(returned(x, t, given), network(x, t, given))


@pytest.mark.slow  # diffusers takes seconds to import
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_two_networks_say_the_same(changes: dict[str, Any], tmp_path: Path) -> None:
    config = variant(changes)
    network = drawn(config)
    exporting.write_diffusers(config, network, tmp_path, weights="raw")
    import diffusers

    made: Any = diffusers.UNet2DModel
    model = made.from_pretrained(tmp_path, subfolder="unet")
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([0, 3, 999])
    labels = torch.tensor([0, 9, 4]) if config.network.class_conditional else None
    given = Conditioning(labels=labels)
    found = network(x, t, given)
    assert found.shape == (3, 2, 8, 8)
    torch.testing.assert_close(model(x, t, class_labels=labels).sample, found)


def test_safetensors_come_back_with_their_chain(tmp_path: Path) -> None:
    network = replace(NETWORK, rescale_timesteps=True, channel_mult=(1, 2, 3))
    config = replace(
        CONFIG, network=network, diffusion=DiffusionConfig(steps=400), objective=Hybrid()
    )
    unet = drawn(config)
    path = exporting.write_safetensors(config, unet, tmp_path, weights="average 0.9999")
    back = exporting.read(path)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([0, 399])
    assert torch.equal(back.network(x, t, None), unet(x, t))
    assert torch.equal(back.diffusion.betas, build.diffusion(config.diffusion).betas)
    assert back.learned_variance == "range"
    card = (tmp_path / "README.md").read_text()
    for said in ("cosine, T = 400", "average 0.9999", "hybrid", "multiplied by 2.5", "digits, 8x8"):
        assert said in card


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "network.rescale_timesteps: expected false for UNet2DModel of diffusers, found": (
        {"rescale_timesteps": True},
        400,
    ),
    "network.heads: expected heads of one width": ({"channel_mult": (1, 2, 4)}, 1000),
    "network.channel_mult: expected 1 for the first level": ({"channel_mult": (2, 2, 2)}, 1000),
    "network.low_resolution: expected no smaller images": ({"low_resolution": 4}, 1000),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_diffusers_cannot_express_is_refused(said: str, tmp_path: Path) -> None:
    changes, steps = REFUSED[said]
    network: Any = replace(NETWORK, **changes)
    config = replace(CONFIG, network=network, diffusion=DiffusionConfig(steps=steps))
    with pytest.raises(ConfigError) as caught:
        exporting.write_diffusers(config, drawn(config), tmp_path, weights="raw")
    assert said in str(caught.value)
    assert "export it to safetensors" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_model_of_diffusers_that_is_another_network_is_refused(tmp_path: Path) -> None:
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path, weights="raw")
    file = tmp_path / "unet" / "config.json"
    model = json.loads(file.read_text())
    for name, value in (("freq_shift", 1), ("attn_norm_num_groups", None), ("act_fn", "gelu")):
        file.write_text(json.dumps({**model, name: value}))
        with pytest.raises(ConfigError, match=f"UNet2DModel.{name}: expected .*, as our network"):
            exporting.read(tmp_path)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    path = exporting.write_safetensors(CONFIG, drawn(CONFIG), tmp_path, weights="raw")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match="expected a whole network that was exported"):
        exporting.read(path)
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path / "d", weights="raw")
    with pytest.raises(CheckpointError, match="KeyError"):  # it has weights, and no word of ours
        exporting.read(tmp_path / "d" / exporting.OF_DIFFUSERS)
    with pytest.raises(ConfigError, match="expected a file of safetensors, found no file"):
        exporting.read(tmp_path / "none")


def test_the_scheduler_that_is_written_has_our_chain(tmp_path: Path) -> None:
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path, weights="raw")
    import diffusers

    made: Any = diffusers.DDIMScheduler
    read = made.from_pretrained(tmp_path, subfolder="scheduler")
    own = scheduler("DDIMScheduler", build.diffusion(CONFIG.diffusion).betas.numpy(), 50)
    assert torch.equal(read.alphas_cumprod, own.alphas_cumprod)
