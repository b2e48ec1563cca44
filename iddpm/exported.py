"""Networks that come back from files for other programs: how they were trained, as a config.

A file that was exported from here says it; of any other it is stated. What no config of ours can
express is refused.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from iddpm.bounds import ConfigError
from iddpm.config import (
    Diffusers,
    DiffusionConfig,
    Hybrid,
    LearnedVariance,
    Objective,
    Safetensors,
    Schedule,
    Simple,
    Source,
    TrainConfig,
    UNetConfig,
    Vlb,
)
from iddpm.data import outline
from iddpm.networks import exported_files
from iddpm.networks.exported_files import FOREIGN, Exported
from iddpm.networks.official import ForeignError
from iddpm.schedules import RESCALED_STEPS, betas

OBJECTIVES: Mapping[str, Objective] = {"simple": Simple(), "hybrid": Hybrid(), "vlb": Vlb()}


def exported_training(config: TrainConfig, source: Safetensors | Diffusers) -> TrainConfig:
    """How the network in the files of `source` was trained, on the data of `config`.

    Raises:
        ConfigError: If a file is missing or damaged, contradicts what is stated, or says too
            little, or if no config of ours has such a network and chain.
    """
    path = Path(source.path)
    if path.exists() and path.is_dir() != isinstance(source, Diffusers):
        kinds = ("a file of safetensors", "the folder of a DDIMPipeline")
        expected, other = kinds if path.is_dir() else reversed(kinds)
        raise ConfigError(f"{source.where}.path", expected, f"{other}, {path}")
    with of_file(source):
        found = exported_files.read(path)
        stated = replace(source, **_told(source, found.training))
        size, side = outline(config.data).size, found.settings["image_size"]
        if side != size:
            raise _refused(source, f"a network for images of {size}x{size}", f"{side}x{side}")
        weights: Any = stated.weights
        steps: Any = stated.steps
        return TrainConfig(
            data=config.data,
            source=stated,
            diffusion=DiffusionConfig(schedule=_schedule(source, found), steps=len(found.betas)),
            prediction=found.prediction,
            network=_network(source, found.settings, len(found.betas)),
            objective=_objective(stated, found),
            ema_decays=() if weights == "raw" else (weights,),
            steps=steps,
        )


@contextmanager
def of_file(source: Source) -> Iterator[None]:
    """Says of a file that cannot be used which setting names it.

    Raises:
        ConfigError: In place of an error about the file.
    """
    try:
        yield
    except ForeignError as error:
        raise _refused(source, error.expected, error.found, error.hint) from error
    except OSError as error:
        where = error.filename or source.path
        raise ConfigError(
            f"{source.where}.path", "a checkpoint", f"{where}: {error.strerror}"
        ) from error
    except ConfigError as error:
        if error.path.startswith(source.where):
            raise
        raise _refused(source, f"{error.path} of {error.expected}", error.found) from error
    except (KeyError, TypeError, ValueError) as error:
        found = f"words that are none ({type(error).__name__}: {error})"
        raise _refused(source, FOREIGN, found) from error


def _refused(source: Source, expected: str, found: str, hint: str = "") -> ConfigError:
    return ConfigError(f"{source.where}.path", expected, f"{found} in {source.path}", hint)


def _told(source: Safetensors | Diffusers, said: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the training: what the file says, or else what is stated."""
    known = {}
    for name in (item.name for item in fields(source) if item.name not in ("kind", "path")):
        stated, word = getattr(source, name), said.get(name)
        word = word["kind"] if isinstance(word, Mapping) else word
        if stated is not None and word not in (None, stated):
            expected = f"{word}, which the file says, or nothing"
            raise ConfigError(f"{source.where}.{name}", expected, f"{stated}")
        known[name] = stated if word is None else word
    if unsaid := [name for name, value in known.items() if value is None]:
        expected = f"{', '.join(unsaid)} to be stated, as the file does not say it"
        hint = f"write from: {{{source.kind}: {{path: ..., {unsaid[0]}: ...}}}}"
        raise ConfigError(f"{source.where}.path", expected, "nothing of it", hint)
    return known


def _schedule(source: Source, found: Exported) -> Schedule:
    """The schedule that has the betas of the file, up to rounding in float32."""
    T = len(found.betas)
    names: tuple[Schedule, ...] = get_args(Schedule)
    for name in names:
        with suppress(ConfigError):  # it has no such number of steps
            if np.allclose(betas(name, T), found.betas, rtol=1e-6, atol=0):
                return name
    raise _refused(source, f"the betas of a schedule ({', '.join(names)}) at T = {T}", "others")


def _network(source: Source, settings: Mapping[str, Any], T: int) -> UNetConfig:
    scale = settings["timestep_scale"]
    if scale not in (1, RESCALED_STEPS / T):
        expected = f"step numbers as they are, or times {RESCALED_STEPS / T:g}"
        raise _refused(source, expected, f"times {scale:g}")
    if settings["low_resolution"]:
        raise _refused(source, "a network that draws images by itself", "one that enlarges others")
    names = {item.name for item in fields(UNetConfig)} & settings.keys() - {"low_resolution"}
    own: dict[str, Any] = {name: settings[name] for name in names}
    own |= {name: tuple(one) for name, one in own.items() if isinstance(one, list)}
    conditional = settings["classes"] is not None
    return UNetConfig(**own, rescale_timesteps=scale != 1, class_conditional=conditional)


def _objective(source: Safetensors | Diffusers, found: Exported) -> Objective:
    learned: Any = found.learned_variance
    said = found.training.get("objective", {})
    kind = source.objective if isinstance(source, Safetensors) else "simple"
    assert kind is not None
    own = {} if isinstance(source, Diffusers) else {k: v for k, v in said.items() if k != "kind"}
    objective = replace(OBJECTIVES[kind], **own)
    if learned is not None and isinstance(objective, Vlb | Hybrid):
        objective = replace(objective, variance=learned)
    if (getattr(objective, "variance", None) in get_args(LearnedVariance)) != (learned is not None):
        expected = "hybrid or vlb for a network with" if learned else "simple for one without"
        raise ConfigError(f"{source.where}.objective", f"{expected} a learned variance", repr(kind))
    return objective
