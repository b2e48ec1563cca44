"""Weights of networks that were trained elsewhere are read as they are."""

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iddpm import importing
from iddpm.config import Digits, OpenAi, TrainConfig
from iddpm.data import describe
from iddpm.networks import official
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.unet import UNet
from iddpm.released import resolved
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.files import STATE_FILE
from iddpm.training import load_network
from tests.witness import official_files as files

DIGITS = describe(Digits())


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return of_file(files.write(tmp_path / "ema_0.9999_000007.pt", files.drawn(**files.SMALL)))


def of_file(path: Path) -> TrainConfig:
    source = OpenAi(
        path=str(path),
        heads=4,
        schedule="cosine",
        T=20,
        rescale_timesteps=True,
        prediction="eps",
        objective="hybrid",
    )
    return resolved(TrainConfig(data=Digits(), source=source))


def kept(config: TrainConfig, folder: Path) -> dict[str, object]:
    assert config.source
    digest = official.digest(Path(config.source.path))
    return importing.keep(config, folder, digest=digest, held=nullcontext)


def test_the_weights_are_kept_as_a_training_leaves_them(
    config: TrainConfig, tmp_path: Path
) -> None:
    result = kept(config, tmp_path)
    weights = result["weights"]
    assert isinstance(weights, dict)
    loaded = load_network(
        tmp_path / STATE_FILE, config, ema_decay=0.9999, device="cpu", digests=weights
    )
    for name, tensor in files.drawn(**files.SMALL).items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert result["steps"] == 7
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 17])
    assert torch.equal(loaded(x, t), importing.network(config, DIGITS)(x, t))


def test_heads_and_rescaling_are_those_that_were_stated(config: TrainConfig) -> None:
    unet = importing.network(config, DIGITS)
    assert unet.timestep_scale == 1000 / 20
    plain = replace(config, network=replace(config.network, heads=1, rescale_timesteps=False))
    other = importing.network(plain, DIGITS)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([0, 0])
    assert other.timestep_scale == 1
    assert not torch.allclose(unet(x, t), other(x, t))  # at t = 0 the heads alone differ


def test_the_network_of_the_upsampler_takes_smaller_images(tmp_path: Path) -> None:
    """As the released one does: its first convolution sees both, enlarged to one side."""
    weights = files.drawn(**files.SMALL, low_resolution=True)
    path = files.write(tmp_path / "x.pt", weights)
    plain = of_file(files.write(tmp_path / "ema_0.9999_000007.pt", files.drawn(**files.SMALL)))
    source = OpenAi(path=str(path))
    config = replace(plain, source=source, network=replace(plain.network, low_resolution=4))
    unet = importing.network(config, DIGITS)
    x, t, low = torch.randn(2, 1, 8, 8), torch.tensor([3, 17]), torch.randn(2, 1, 4, 4)
    found = unet(x, t, Conditioning(low_resolution=low))
    assert found.shape == (2, 2, 8, 8)
    assert isinstance(unet, UNet)
    twice = torch.cat((x, torch.nn.functional.interpolate(low, size=8, mode="bilinear")), dim=1)
    first = unet.input_blocks[0](twice, torch.zeros(2, 128))
    own = torch.nn.functional.conv2d(
        twice, weights["input_blocks.0.0.weight"], weights["input_blocks.0.0.bias"], padding=1
    )
    torch.testing.assert_close(first, own)
    assert not torch.allclose(found, unet(x, t, Conditioning(low_resolution=-low)))


def test_a_file_that_changed_since_it_was_planned_is_refused(
    config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="was there when the sweep was planned"):
        importing.keep(config, tmp_path, digest="0" * 64, held=nullcontext)
    assert not (tmp_path / STATE_FILE).exists()


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weights = files.drawn(**files.SMALL)
    weights["out.0.bias"][3] = torch.nan
    config = of_file(files.write(tmp_path / "ema_0.9999_000007.pt", weights))
    with pytest.raises(CheckpointError, match=re.escape("found others in out.0.bias")):
        kept(config, tmp_path)


def test_tensors_of_another_network_of_as_many_numbers_are_refused(tmp_path: Path) -> None:
    weights = files.drawn(**files.SMALL)
    bias = weights.pop("out.0.bias")
    config = of_file(files.write(tmp_path / "ema_0.9999_000007.pt", {**weights, "bias": bias}))
    with pytest.raises(CheckpointError, match="found others: Unexpected key"):
        kept(config, tmp_path)
