"""The front door gives what the rooms behind it give, on the draws that studies take."""

import ast
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import iddpm
import studies
from iddpm.model import BLOCK
from iddpm.running.draws import generator
from iddpm.samplers import ancestral, ddim, to_uint8
from iddpm.strides import even
from iddpm.training import load_network
from tests.witness.tiny import NETWORK


def trained(**settings: object) -> iddpm.Model:
    return iddpm.train(
        iddpm.Digits(),
        objective=iddpm.Hybrid(),
        network=NETWORK,
        T=12,
        steps=3,
        batch_size=4,
        ema_decay=0.9,
        **settings,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def model() -> iddpm.Model:
    return trained()


def test_the_images_are_those_that_the_sampler_draws_from_the_stream(model: iddpm.Model) -> None:
    x_T = torch.randn((BLOCK, 1, 8, 8), generator=generator(2, "x_T", 0))
    expected = ancestral(
        model.denoiser, x_T, variance="range", clip=True, generator=generator(2, "reverse", 0)
    )
    drawn = model.sample(BLOCK + 1, seed=2)
    assert drawn.shape == (BLOCK + 1, 8, 8, 1)
    assert np.array_equal(drawn[:BLOCK], to_uint8(expected, 17).numpy())
    assert np.array_equal(model.sample(2, seed=2), drawn[:2])


def test_another_sampler_takes_a_shorter_chain(model: iddpm.Model) -> None:
    chain = iddpm.Denoiser(
        network=model.denoiser.network,
        diffusion=model.denoiser.diffusion.respaced((0, 4, 8)),
        prediction="eps",
        learned_variance="range",
    )
    x_T = torch.randn((BLOCK, 1, 8, 8), generator=generator(0, "x_T", 0))
    expected = ddim(chain, x_T, eta=0, clip=True, generator=generator(0, "reverse", 0))
    drawn = model.sample(BLOCK, steps=3, sampler=iddpm.Ddim())
    assert np.array_equal(drawn, to_uint8(expected, 17).numpy())


def test_the_bound_is_of_the_chain_and_the_images_asked_for(model: iddpm.Model) -> None:
    found = model.likelihood(images=5, steps=4)
    assert (found.images, found.timesteps) == (5, even(12, 4))
    assert set(found.bits_per_dim) == {"beta", "beta_tilde", "range"}
    parts = found.bounds["range"]
    assert found.bits_per_dim["range"].mean == pytest.approx(
        found.prior.mean + parts.decoder.mean + parts.kl.mean
    )
    assert model.likelihood(images=3, split="train").images == 3


def test_a_folder_keeps_the_training_and_is_only_read_again(tmp_path: Path) -> None:
    first = trained(folder=tmp_path / "new" / "folder")
    state = tmp_path / "new" / "folder" / "state.pt"
    told: list[int] = []
    again = trained(folder=state.parent, progress=lambda done, total: told.append(done))
    assert told == []
    assert again.result == first.result
    kept = load_network(state, first.config, ema_decay=0.9, device="cpu").state_dict()
    network = again.denoiser.network
    assert isinstance(network, iddpm.UNet)
    assert all(torch.equal(kept[name], value) for name, value in network.state_dict().items())


def test_wrong_arguments_are_refused_with_what_to_write(model: iddpm.Model) -> None:
    with pytest.raises(iddpm.ConfigError, match=r"sample\.count: expected a whole number, found "):
        model.sample("3")  # type: ignore[arg-type]
    with pytest.raises(iddpm.ConfigError, match=r"sample\.count: expected at least 1, found 0"):
        model.sample(0)
    with pytest.raises(iddpm.ConfigError, match=r"samples\.sampler: .* found 'ddim'; write Ddim"):
        model.sample(1, sampler="ddim")  # type: ignore[arg-type]
    with pytest.raises(iddpm.ConfigError, match=r"samples\.steps: expected .* found 13"):
        model.sample(1, steps=13)
    with pytest.raises(iddpm.ConfigError, match="at most the 297 images of the test split"):
        model.likelihood(images=300)
    with pytest.raises(iddpm.ConfigError, match="attention_resolutions: expected sides of the"):
        iddpm.train(iddpm.Digits(), network=iddpm.UNetConfig(channel_mult=(1,)))


def test_features_are_of_level_indices_alone() -> None:
    extractor = iddpm.extractor(iddpm.Photos(train_images=2, test_images=2))
    assert extractor.name == "photos-random"
    images = iddpm.load(iddpm.Photos(train_images=2, test_images=2), "train").images
    assert extractor.features(images).shape == (2, extractor.dimensions)
    with pytest.raises(ValueError, match=r"expected uint8 level indices .* found float64 of shape"):
        extractor.features(images / 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("package", [iddpm, studies])
def test_what_a_type_checker_sees_is_what_is_there(package: ModuleType) -> None:
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text())
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert dir(package) == sorted(seen)
    for name, room in seen.items():
        found = getattr(package, name)
        assert getattr(found, "__module__", room) == room, name
    with pytest.raises(AttributeError, match=r"no such name 'ConfigErorr'.*mean 'ConfigError'"):
        _ = package.ConfigErorr
