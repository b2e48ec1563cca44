"""What is known of networks that were trained elsewhere, and what has to be said of the others."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iddpm import released
from iddpm.bounds import ConfigError
from iddpm.config import Data, Declared, Digits, Npz, OpenAi, TrainConfig
from iddpm.data import describe, outline
from iddpm.networks.size import trained_size
from iddpm.released import RELEASED, resolved
from tests.witness import official_files as files

PARAMETERS = {  # millions, by the names of the files, and 280 by the README for the upsampler
    "cifar10": 53,
    "imagenet64_uncond": 121,
    "imagenet64_cond": 273,
    "upsample": 280,
    "lsun": 114,
}


def of_images(size: int, classes: int | None = None) -> Data:
    declared = Declared(size=size, classes=classes, train_images=1, test_images=1, source="")
    return Npz(path="none.npz", declared=declared)


def asked(data: Data, path: Path | str, **options: Any) -> TrainConfig:
    return TrainConfig(data=data, source=OpenAi(path=str(path), **options))


def small(tmp_path: Path, name: str = "ema_0.9999_000007.pt", **flags: Any) -> Path:
    return files.write(tmp_path / name, files.drawn(**{**files.SMALL, **flags}))


SAID: dict[str, Any] = {
    "heads": 4,
    "schedule": "cosine",
    "T": 20,
    "rescale_timesteps": True,
    "prediction": "eps",
    "objective": "hybrid",
}


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_file_fits_what_is_known_of_its_name(name: str, tmp_path: Path) -> None:
    path = files.write(tmp_path / f"{name}.pt", files.hollow(**files.FLAGS[name]))
    data = of_images(files.FLAGS[name]["image_size"], files.FLAGS[name].get("classes"))
    config = resolved(asked(data, path))
    released.check(config, outline(data))
    (millions,) = (count for start, count in PARAMETERS.items() if name.startswith(start))
    assert trained_size(config, outline(data)).parameters / 1e6 == pytest.approx(millions, rel=0.01)
    without = resolved(asked(data, f"nowhere/{name}.pt"))
    assert replace(without, source=config.source) == config
    renamed = resolved(asked(data, "nowhere/other.pt", name=name))
    assert replace(renamed, source=config.source) == config


def test_every_name_is_of_a_file_of_the_read_me() -> None:
    assert set(RELEASED) == set(files.FLAGS)


def test_what_the_name_of_another_file_tells_need_not_be_said(tmp_path: Path) -> None:
    averaged = resolved(asked(Digits(), small(tmp_path), **SAID))
    assert (averaged.ema_decays, averaged.steps) == ((0.9999,), 7)
    raw = resolved(asked(Digits(), small(tmp_path, "model000020.pt"), **SAID))
    assert (raw.ema_decays, raw.steps) == ((), 20)
    network = averaged.network
    assert (network.channel_mult, network.attention_resolutions) == ((1, 2), (4,))
    assert (network.heads, averaged.diffusion.steps) == (4, 20)
    released.check(averaged, describe(Digits()))


def refusal(config: TrainConfig, check: bool = False) -> str:
    try:
        found = resolved(config)
        if check:
            released.check(found, describe(config.data))
    except ConfigError as error:
        return str(error)
    return ""


def test_what_nobody_said_is_asked_for_at_once(tmp_path: Path) -> None:
    said = refusal(asked(Digits(), small(tmp_path, "mine.pt"), heads=4))
    assert (
        "expected schedule, T, rescale_timesteps, prediction, objective, weights, steps to be "
        "stated"
    ) in said
    assert "'mine.pt' is no name known" in said


def test_a_file_that_predicts_x_0_is_read_as_such(tmp_path: Path) -> None:
    stated = asked(Digits(), small(tmp_path), **{**SAID, "prediction": "x_0"})
    assert resolved(stated).prediction == "x_0"
    assert resolved(asked(Digits(), small(tmp_path), **SAID)).prediction == "eps"


def test_what_is_known_is_not_contradicted() -> None:
    config = asked(of_images(32), "cifar10_uncond_50M_500K.pt", heads=8)
    assert "heads: expected 4, which cifar10_uncond_50M_500K has, or nothing, found 8" in refusal(
        config
    )
    config = asked(of_images(32), "cifar10_uncond_50M_500K.pt", prediction="x_0")
    assert "prediction: expected eps, which cifar10_uncond_50M_500K has, or nothing" in refusal(
        config
    )
    assert "expected a released file" in refusal(asked(Digits(), "x.pt", name="cifar"))


def test_a_fixed_variance_is_no_learned_one(tmp_path: Path) -> None:
    fixed = small(tmp_path, out_channels=1)
    assert "expected simple for one without a learned variance, found 'hybrid'" in refusal(
        asked(Digits(), fixed, **SAID)
    )
    plain = resolved(asked(Digits(), fixed, **{**SAID, "objective": "simple"}))
    assert plain.learned_variance is None
    with_learned = asked(Digits(), small(tmp_path, "model1.pt"), **{**SAID, "objective": "simple"})
    assert "expected hybrid or vlb for a network with a learned variance" in refusal(with_learned)


def test_a_released_name_on_a_file_of_fixed_variance_is_refused(tmp_path: Path) -> None:
    flags = {**files.FLAGS["cifar10_uncond_50M_500K"], "out_channels": 3}
    path = files.write(tmp_path / "cifar10_uncond_50M_500K.pt", files.hollow(**flags))
    config = resolved(asked(of_images(32), path))
    with pytest.raises(ConfigError, match=r"6 output channels.*found 3.*fixed, not learned"):
        released.check(config, outline(config.data))


def test_a_file_for_other_images_is_refused(tmp_path: Path) -> None:
    coloured = small(tmp_path, in_channels=3)
    assert "1 input channels, as such images need, found 3" in refusal(
        asked(Digits(), coloured, **{**SAID, "objective": "simple"}), check=True
    )
    config = resolved(asked(of_images(64), "cifar10_uncond_50M_500K.pt"))
    with pytest.raises(ConfigError, match=r"data of 32x32 pixels for cifar10.*found 64x64"):
        released.check(config, outline(config.data))


def test_a_file_that_is_not_there_is_named_with_where_it_is_published() -> None:
    config = resolved(asked(of_images(32), "there/cifar10_uncond_50M_500K.pt"))
    assert config.source
    lack = str(released.missing(config.source))
    assert "no file at there/cifar10_uncond_50M_500K.pt" in lack
    assert re.search(r"get https://openaipublic\S+/march-2021/cifar10_uncond_50M_500K.pt ", lack)
    assert "no file at mine.pt" in refusal(asked(Digits(), "mine.pt"))
