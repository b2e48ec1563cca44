"""Networks that were trained elsewhere: how, and on which images, as far as that is known.

Eight files were released with the official code (README of openai/improved-diffusion, MODEL_FLAGS,
DIFFUSION_FLAGS and TRAIN_FLAGS of each). A file is a bare state dict, so its name or a person says
what the shapes of its tensors do not. Whether the weights are an average is said nowhere; their
published scores are those of the average of decay 0.9999, the flag's default, so that is what they
are taken for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iddpm.bounds import ConfigError
from iddpm.config import (
    Diffusers,
    DiffusionConfig,
    Hybrid,
    LossSecondMoment,
    OpenAi,
    OptimizerConfig,
    Source,
    TrainConfig,
    UNetConfig,
    Uniform,
    Vlb,
)
from iddpm.data import UNKNOWN, Description, outline
from iddpm.exported import OBJECTIVES, exported_training, of_file
from iddpm.networks import exported_files, official
from iddpm.networks.official import Architecture
from iddpm.networks.size import trained_size

URL = "https://openaipublic.blob.core.windows.net/diffusion/march-2021/"
AVERAGE = 0.9999
TOLD = (
    *("heads", "schedule", "T", "rescale_timesteps", "prediction", "objective", "weights"),
    "steps",
)
"""What no shape tells, as `OpenAi` calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """One of the released networks: how it was trained, and on images of which size."""

    settings: Mapping[str, Any]
    """Fields of a `TrainConfig`."""
    size: int = 64

    def training(self, source: OpenAi, like: TrainConfig) -> TrainConfig:
        """The config of the network, with the data of another."""
        averages = (AVERAGE,)
        return TrainConfig(data=like.data, source=source, ema_decays=averages, **self.settings)


def _cosine(network: UNetConfig, steps: int) -> dict[str, Any]:
    """The unconditional networks of Tables 1 and 2."""
    diffusion = DiffusionConfig(schedule="cosine", steps=4000)
    shared = {"diffusion": diffusion, "network": network, "steps": steps}
    return {**shared, "objective": Hybrid()}


def _by_vlb(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "objective": Vlb(), "timesteps": LossSecondMoment()}


def _lsun(batch_size: int, learning_rate: float, steps: int) -> Released:
    network = UNetConfig(
        channel_mult=(1, 1, 2, 2, 4, 4),
        res_blocks=2,
        attention_resolutions=(16,),
        heads=1,
        scale_shift=False,
        rescale_timesteps=False,
    )
    settings = {
        "diffusion": DiffusionConfig(schedule="linear", steps=1000),
        "network": network,
        "objective": Hybrid(),
        "optimizer": OptimizerConfig(learning_rate=learning_rate),
        "batch_size": batch_size,
        "steps": steps,
    }
    return Released(settings=settings, size=256)


_CIFAR10 = _cosine(UNetConfig(dropout=0.3), 500_000)
_IMAGENET64 = _cosine(UNetConfig(channel_mult=(1, 2, 3, 4)), 1_500_000)
_LARGE = UNetConfig(
    model_channels=192,
    channel_mult=(1, 2, 3, 4),
    rescale_timesteps=False,
    class_conditional=True,
)
_CONDITIONAL = {
    "objective": Hybrid(vlb_weight=1 / 4000),  # what no rescaling of learned sigmas comes to
    "optimizer": OptimizerConfig(learning_rate=3e-4),
}

RELEASED: Mapping[str, Released] = {
    "imagenet64_uncond_100M_1500K": Released(settings=_IMAGENET64),
    "imagenet64_uncond_vlb_100M_1500K": Released(settings=_by_vlb(_IMAGENET64)),
    "cifar10_uncond_50M_500K": Released(settings=_CIFAR10, size=32),
    "cifar10_uncond_vlb_50M_500K": Released(settings=_by_vlb(_CIFAR10), size=32),
    "imagenet64_cond_270M_250K": Released(
        settings={**_cosine(_LARGE, 250_000), **_CONDITIONAL, "batch_size": 2048}
    ),
    "upsample_cond_500K": Released(
        settings={
            **_CONDITIONAL,
            "diffusion": DiffusionConfig(schedule="linear", steps=4000),
            "network": replace(
                _LARGE, channel_mult=(1, 1, 2, 2, 4, 4), res_blocks=2, low_resolution=64
            ),
            "batch_size": 256,
            "steps": 500_000,
        },
        size=256,
    ),
    "lsun_uncond_100M_1200K_bs128": _lsun(128, 1e-4, 1_200_000),
    # The flag of its README says 128; its name and the paper say 64.
    "lsun_uncond_100M_2400K_bs64": _lsun(64, 2e-5, 2_400_000),
}
"""By the name of the file, without its `.pt`."""


def resolved(config: TrainConfig) -> TrainConfig:
    """How the network of `config.source` was trained, on the data of `config`; no weight is read.

    A released file need not be there. Of another, the list of its tensors is read.

    Raises:
        ConfigError: If what no shape tells is not stated, or contradicts what is known.
    """
    source = config.source
    assert source is not None
    if not isinstance(source, OpenAi):
        return exported_training(config, source)
    name = source.name or Path(source.path).stem
    if source.name is not None and name not in RELEASED:
        expected = f"a released file, {', '.join(RELEASED)}"
        raise ConfigError("from.openai.name", expected, repr(name))
    if name not in RELEASED:
        return _as_stated(config, source)
    found = RELEASED[name].training(replace(source, name=name), config)
    for option, known in _told(found).items():
        stated = getattr(source, option)
        if stated is not None and stated != known:
            expected = f"{known}, which {name} has, or nothing"
            raise ConfigError(f"from.openai.{option}", expected, f"{stated}")
    return found


def check(config: TrainConfig, description: Description, *, outlined: bool = False) -> None:
    """Whether the file is there, and holds the network that its config says, for such images.

    Args:
        config: Of an imported network.
        description: Of the images that it is for.
        outlined: Whether a released file may be missing.

    Raises:
        ConfigError: If not.
    """
    source = config.source
    assert source is not None
    name = source.name if isinstance(source, OpenAi) else None
    known = None if name is None else RELEASED[name].size
    if known is not None and known != description.size:
        expected = f"data of {known}x{known} pixels for {name}"
        raise ConfigError(_path(source), expected, f"{description.size}x{description.size}")
    if lack := missing(source):
        if outlined:
            return
        raise lack
    channels, enlarges = description.channels, config.network.low_resolution is not None
    classes = description.classes if config.network.class_conditional else None
    wanted = {
        "input channels": channels * (2 if enlarges else 1),
        "output channels": channels * (1 if config.learned_variance is None else 2),
        "labels": classes,
        "parameters": trained_size(config, description).parameters,
    }
    for (what, ours), count in zip(wanted.items(), _counts(source), strict=True):
        if count != ours:
            whose = f"{name} has for such images" if name else "such images need"
            raise ConfigError(
                _path(source),
                f"a network of {_number(ours)} {what}, as {whose}",
                f"{_number(count)} in {source.path}",
                _advice(what, count, channels),
            )


def missing(source: Source) -> ConfigError | None:
    """Which file to put where, if it is not there."""
    path = Path(source.path)
    if isinstance(source, Diffusers):
        path /= exported_files.OF_DIFFUSERS
    if path.is_file():
        return None
    name = source.name if isinstance(source, OpenAi) else None
    hint = f"get {URL}{name}.pt and put it there" if name else ""
    return ConfigError(_path(source), "a checkpoint", f"no file at {path}", hint)


def told(config: TrainConfig) -> str:
    """An imported network in words, its average named as such."""
    assert config.source is not None
    weights = [f"the average of decay {decay:g}" for decay in config.ema_decays] or ["raw"]
    name = Path(config.source.path).name
    without = ", without a learned variance" if isinstance(config.source, Diffusers) else ""
    return f"{name} (its weights {weights[0]}, of {config.steps:,} training steps{without})"


def digest(source: Source) -> str:
    """sha256 of the file or files; `iddpm.data.UNKNOWN` where they are not there."""
    return exported_files.digest(Path(source.path)) if missing(source) is None else UNKNOWN


# ----------------------------------------------------------------------------- files of other names


def _as_stated(config: TrainConfig, source: OpenAi) -> TrainConfig:
    """The network of a file that was not released, by its shapes and by what is stated."""
    if lack := missing(source):
        raise replace(lack, hint=f"of the names known without the file it has none: {_NAMES}")
    found, description = _architecture(source), outline(config.data)
    stated: Any = replace(source, **_of_name(source))
    if unsaid := [option for option in TOLD if getattr(stated, option) is None]:
        raise ConfigError(
            _path(source),
            f"{', '.join(unsaid)} to be stated, as {Path(source.path).name!r} is no name known",
            "nothing of them",
            "write from: {openai: {path: ..., heads: 4, ...}}, or give the file its own name",
        )
    learned = found.out_channels == 2 * description.channels
    if learned != (stated.objective != "simple"):
        expected = "hybrid or vlb for a network with" if learned else "simple for one without"
        raise ConfigError(
            "from.openai.objective", f"{expected} a learned variance", f"{stated.objective!r}"
        )
    return TrainConfig(
        data=config.data,
        source=stated,
        diffusion=DiffusionConfig(schedule=stated.schedule, steps=stated.T),
        prediction=stated.prediction,
        network=_network(found, description, heads=stated.heads, rescale=stated.rescale_timesteps),
        objective=OBJECTIVES[stated.objective],
        timesteps=Uniform(),
        ema_decays=() if stated.weights == "raw" else (stated.weights,),
        steps=stated.steps,
    )


def _network(
    found: Architecture, description: Description, *, heads: int, rescale: bool | None
) -> UNetConfig:
    return UNetConfig(
        model_channels=found.model_channels,
        channel_mult=found.channel_mult,
        res_blocks=found.res_blocks,
        attention_resolutions=tuple(description.size // 2**level for level in found.attends),
        heads=heads,
        scale_shift=found.scale_shift,
        rescale_timesteps=bool(rescale),
        class_conditional=found.classes is not None,
    )


def _of_name(source: OpenAi) -> dict[str, Any]:
    """What the official trainer writes into a name: `model500000.pt`, `ema_0.9999_500000.pt`."""
    read = re.fullmatch(r"(?:model|ema_(0\.\d{1,9})_)(\d{1,9})", Path(source.path).stem)
    if read is None:
        return {}
    average, steps = read.groups()
    says = {"weights": float(average) if average else "raw", "steps": int(steps)}
    return {key: value for key, value in says.items() if getattr(source, key) is None}


def _told(config: TrainConfig) -> dict[str, Any]:
    """What no shape tells of a network, as `OpenAi` calls it."""
    network, diffusion = config.network, config.diffusion
    return {
        "heads": network.heads,
        "schedule": diffusion.schedule,
        "T": diffusion.steps,
        "rescale_timesteps": network.rescale_timesteps,
        "prediction": config.prediction,
        "objective": config.objective.kind,
        "weights": config.ema_decays[0],
        "steps": config.steps,
    }


# ------------------------------------------------------------------------------------------- words

_NAMES = ", ".join(RELEASED)


def _path(source: Source) -> str:
    """The setting that names a file, for an error."""
    return f"{source.where}.path"


def _counts(source: Source) -> tuple[int, int, int | None, int]:
    """Channels in and out, labels and parameters of the network in a file."""
    if isinstance(source, OpenAi):
        found = _architecture(source)
        return found.in_channels, found.out_channels, found.classes, found.parameters
    with of_file(source):
        said = exported_files.read(Path(source.path))
        of = said.settings
        return of["in_channels"], of["out_channels"], of["classes"], said.parameters


def _architecture(source: OpenAi) -> Architecture:
    with of_file(source):
        return official.architecture(Path(source.path))


def _number(count: int | None) -> str:
    return "no" if count is None else f"{count:,}"


def _advice(what: str, found: int | None, channels: int) -> str:
    if what == "output channels" and found == channels:
        return "its variance is fixed, not learned"
    return "it is another file, or made for other images"
