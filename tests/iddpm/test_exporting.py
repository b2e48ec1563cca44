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
from iddpm.config import (
    DiffusionConfig,
    Digits,
    Hybrid,
    Objective,
    Simple,
    TrainConfig,
    UNetConfig,
)
from iddpm.data import describe
from iddpm.denoiser import Denoiser
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.exported_files import OF_DIFFUSERS
from iddpm.networks.unet import UNet
from iddpm.running.checkpoints import CheckpointError
from iddpm.samplers import ddim
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


def by_pipeline(folder: Path, count: int, steps: int) -> Any:
    """Images by the pipeline itself, in [0, 1], of the noise that seed 1 draws."""
    import diffusers

    made: Any = diffusers.DDIMPipeline
    pipeline = made.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        batch_size=count,
        generator=torch.Generator().manual_seed(1),
        num_inference_steps=steps,
        use_clipped_model_output=True,
        output_type="np",
    ).images


@pytest.mark.slow
@pytest.mark.parametrize("objective", [Simple(), Hybrid()], ids=["fixed", "learned"])
def test_diffusers_draws_the_same_images_in_50_ddim_steps(
    objective: Objective, tmp_path: Path
) -> None:
    config = replace(CONFIG, objective=objective)
    network = drawn(config)
    exporting.write_diffusers(config, network, tmp_path, ema_decay=None)
    x_T = torch.randn(160, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    denoiser = build.denoiser(config, network, build.diffusion(config.diffusion))
    found = ours(denoiser, x_T, 50)
    assert found.numel() > 10_000
    assert 0.1 < found.std() < 2
    shown = (found / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    drawn_there = by_pipeline(tmp_path, len(x_T), 50)
    assert drawn_there.shape == shown.shape
    assert int(((255 * drawn_there).round() != (255 * shown).round()).sum()) == 0
    back = exporting.read(tmp_path)
    torch.testing.assert_close(ours(back, x_T, 50), found)


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
def test_a_network_comes_back_from_a_folder_of_diffusers_without_its_variance(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    network = drawn(variant(changes))
    exporting.write_diffusers(variant(changes), network, tmp_path, ema_decay=None)
    back = exporting.read(tmp_path)
    assert back.learned_variance is None
    returned: Any = back.network
    assert returned.state_dict().keys() == network.state_dict().keys()
    for name, weights in network.state_dict().items():
        kept = weights[:1] if name in ("out.2.weight", "out.2.bias") else weights
        assert torch.equal(returned.state_dict()[name], kept)
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([0, 3, 999])
    labels = torch.tensor([0, 9, 4]) if "class_conditional" in changes else None
    given = Conditioning(labels=labels)
    torch.testing.assert_close(returned(x, t, given), network(x, t, given)[:, :1])
    with pytest.raises(ValueError, match=r"found 'range' \(it learned none\)"):
        back.log_variance(back.output(x, t, given), t, "range")


@pytest.mark.parametrize("objective", [Simple(), Hybrid()], ids=["fixed", "learned"])
@pytest.mark.parametrize("labelled", [False, True])
def test_the_card_of_a_pipeline_says_what_it_leaves_out(
    objective: Objective, labelled: bool, tmp_path: Path
) -> None:
    network = replace(NETWORK, class_conditional=labelled)
    config = replace(CONFIG, network=network, objective=objective)
    exporting.write_diffusers(config, drawn(config), tmp_path, ema_decay=None)
    card = (tmp_path / "README.md").read_text()
    learned = isinstance(objective, Hybrid)
    assert ("The learned variance (range) is left out of these files" in card) == learned
    assert ("`DDIMPipeline` hands its network no labels" in card) == labelled
    exporting.write_safetensors(config, drawn(config), tmp_path, ema_decay=None)
    card = (tmp_path / "README.md").read_text()
    assert "is left out" not in card
    assert "no labels" not in card


@pytest.mark.slow  # diffusers takes seconds to import
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_two_networks_say_the_same(changes: dict[str, Any], tmp_path: Path) -> None:
    config = variant(changes)
    network = drawn(config)
    exporting.write_diffusers(config, network, tmp_path, ema_decay=None)
    import diffusers

    made: Any = diffusers.UNet2DModel
    model = made.from_pretrained(tmp_path, subfolder="unet")
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([0, 3, 999])
    labels = torch.tensor([0, 9, 4]) if config.network.class_conditional else None
    given = Conditioning(labels=labels)
    found = network(x, t, given)
    torch.testing.assert_close(model(x, t, class_labels=labels).sample, found[:, :1])


def test_safetensors_come_back_with_their_chain(tmp_path: Path) -> None:
    network = replace(NETWORK, rescale_timesteps=True, channel_mult=(1, 2, 3))
    config = replace(
        CONFIG, network=network, diffusion=DiffusionConfig(steps=400), objective=Hybrid()
    )
    unet = drawn(config)
    path = exporting.write_safetensors(config, unet, tmp_path, ema_decay=0.9999)
    back = exporting.read(path)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([0, 399])
    assert torch.equal(back.network(x, t, None), unet(x, t))
    assert torch.equal(back.diffusion.betas, build.diffusion(config.diffusion).betas)
    assert back.learned_variance == "range"
    card = (tmp_path / "README.md").read_text()
    for said in (
        "cosine, T = 400",
        "average of decay 0.9999",
        "hybrid",
        "multiplied by 2.5",
        "digits, 8x8",
    ):
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
        exporting.write_diffusers(config, drawn(config), tmp_path, ema_decay=None)
    assert said in str(caught.value)
    assert "export it to safetensors" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_model_of_diffusers_that_is_another_network_is_refused(tmp_path: Path) -> None:
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path, ema_decay=None)
    file = tmp_path / "unet" / "config.json"
    model = json.loads(file.read_text())
    for name, value in (("freq_shift", 1), ("attn_norm_num_groups", None), ("act_fn", "gelu")):
        file.write_text(json.dumps({**model, name: value}))
        with pytest.raises(ConfigError, match=f"UNet2DModel.{name}: expected .*, as our network"):
            exporting.read(tmp_path)


def test_a_model_of_diffusers_with_more_channels_than_images_is_refused(tmp_path: Path) -> None:
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path, ema_decay=None)
    file = tmp_path / "unet" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "out_channels": 2}))
    with pytest.raises(ConfigError, match=r"UNet2DModel\.out_channels: expected 1, as images have"):
        exporting.read(tmp_path)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    path = exporting.write_safetensors(CONFIG, drawn(CONFIG), tmp_path, ema_decay=None)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match="expected a whole network that was exported"):
        exporting.read(path)
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path / "d", ema_decay=None)
    with pytest.raises(CheckpointError, match="KeyError"):  # it has weights alone
        exporting.read(tmp_path / "d" / OF_DIFFUSERS)
    with pytest.raises(ConfigError, match="expected a file of safetensors, found no file"):
        exporting.read(tmp_path / "none")


def test_the_scheduler_that_is_written_has_our_chain(tmp_path: Path) -> None:
    exporting.write_diffusers(CONFIG, drawn(CONFIG), tmp_path, ema_decay=None)
    import diffusers

    made: Any = diffusers.DDIMScheduler
    read = made.from_pretrained(tmp_path, subfolder="scheduler")
    own = scheduler("DDIMScheduler", build.diffusion(CONFIG.diffusion).betas.numpy(), 50)
    assert torch.equal(read.alphas_cumprod, own.alphas_cumprod)
