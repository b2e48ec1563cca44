"""The front door gives what the rooms behind it give, on the draws that studies take."""

import ast
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import iddpm
import studies
from iddpm.config import LossSecondMoment, Npz, OptimizerConfig, TrainConfig
from iddpm.model import BLOCK, SAVED
from iddpm.plain import configured, plain
from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError
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


def test_brownian_noise_is_that_of_the_sampler(model: iddpm.Model) -> None:
    x_T = torch.randn((BLOCK, 1, 8, 8), generator=generator(0, "x_T", 0))
    expected = ancestral(
        model.denoiser,
        x_T,
        variance="range",
        clip=True,
        generator=generator(0, "reverse", 0),
        noise="brownian",
    )
    drawn = model.sample(BLOCK, noise="brownian")
    assert np.array_equal(drawn, to_uint8(expected, 17).numpy())
    assert not np.array_equal(drawn, model.sample(BLOCK))


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


# ------------------------------------------------------------------------------- saved and loaded


def weights_of(model: iddpm.Model) -> dict[str, torch.Tensor]:
    network = model.denoiser.network
    assert isinstance(network, iddpm.UNet)
    return dict(network.state_dict())


def test_a_saved_model_comes_back_bit_for_bit(model: iddpm.Model, tmp_path: Path) -> None:
    file = tmp_path / "models" / "one.pt"
    model.save(file)
    back = iddpm.Model.load(file)
    assert back.config == model.config
    assert back.result == model.result
    assert repr(back) == repr(model)
    assert weights_of(back).keys() == weights_of(model).keys()
    for name, weight in weights_of(model).items():
        assert torch.equal(weights_of(back)[name], weight)
    assert np.array_equal(back.sample(2, seed=5), model.sample(2, seed=5))
    bounds = [one.likelihood(images=2) for one in (model, back)]
    assert bounds[0].bits_per_dim == bounds[1].bits_per_dim
    back.save(tmp_path / "two.pt")
    again = iddpm.Model.load(tmp_path / "two.pt")
    assert np.array_equal(again.sample(2, seed=5), model.sample(2, seed=5))


def test_files_of_others_are_refused(model: iddpm.Model, tmp_path: Path) -> None:
    trained(folder=tmp_path / "kept")
    (state,) = (tmp_path / "kept").glob("*.pt")
    text, cut, other = (tmp_path / f"{name}.pt" for name in ("text", "cut", "other"))
    text.write_text("no model")
    model.save(cut)
    cut.write_bytes(cut.read_bytes()[:-100])
    torch.save({"weights": {}}, other)
    for file in (text, cut, other, state):
        with pytest.raises(CheckpointError, match=r"a model that Model\.save wrote"):
            iddpm.Model.load(file)
    with pytest.raises(FileNotFoundError):
        iddpm.Model.load(tmp_path / "none.pt")


def test_a_model_that_was_changed_after_it_was_saved_is_refused(
    model: iddpm.Model, tmp_path: Path
) -> None:
    def changed(name: str, **parts: object) -> Path:
        state = {
            "config": plain(model.config),
            "data_digest": iddpm.describe(model.config.data).digest,
            "result": model.result.as_json(),
            "weights": weights_of(model),
        }
        checkpoints.save(tmp_path / name, SAVED, {**state, **parts})
        return tmp_path / name

    iddpm.Model.load(changed("as it is"))
    weights = {k: 2 * v for k, v in weights_of(model).items()}
    with pytest.raises(CheckpointError, match="the weights whose hash their training noted"):
        iddpm.Model.load(changed("weights", weights=weights))
    config = plain(model.config)
    for wrong in (
        config | {"surprise": 1},
        config | {"batch_size": -1},
        config | {"objective": {"kind": "mine"}},
    ):
        with pytest.raises(CheckpointError, match=r"a model that Model\.save wrote"):
            iddpm.Model.load(changed("config", config=wrong))
    with pytest.raises(iddpm.ConfigError, match=r"digits: expected the data .*, found others"):
        iddpm.Model.load(changed("data", data_digest="another"))


def test_every_config_goes_through_plain_values_unchanged() -> None:
    for config in (
        TrainConfig(data=Npz(path="x.npz"), objective=iddpm.Vlb(variance="beta")),
        TrainConfig(data=iddpm.Photos(), network=NETWORK, timesteps=LossSecondMoment(history=3)),
        TrainConfig(data=iddpm.Digits(), optimizer=OptimizerConfig(clip_norm=1.0), seed=7),
    ):
        assert configured(TrainConfig, plain(config)) == config
        through_json = json.loads(json.dumps(plain(config)))
        assert configured(TrainConfig, through_json) == config


def test_a_field_that_an_older_version_did_not_know_has_the_value_it_stood_for() -> None:
    config = TrainConfig(data=iddpm.Digits())
    values = plain(config)
    del values["optimizer"]["clip_norm"]
    assert configured(TrainConfig, values) == config
    del values["optimizer"]["learning_rate"]
    with pytest.raises(iddpm.ConfigError, match=r"optimizer\.learning_rate: expected a value"):
        configured(TrainConfig, values)
