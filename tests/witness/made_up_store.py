"""Stores whose results are invented: whole studies on disk at once, with numbers known before.

Tasks are real tasks with real addresses; only their results were never computed. The default
study is a small Σ-ablation in which every claim of the paper holds.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from iddpm.config import (
    DiffusionConfig,
    Digits,
    Hybrid,
    Objective,
    Schedule,
    Simple,
    TrainConfig,
    UNetConfig,
)
from iddpm.evaluation.config import (
    Ancestral,
    Classifier,
    Ddim,
    FeaturesConfig,
    LikelihoodConfig,
    SampleConfig,
    Sampler,
    ScoreConfig,
)
from studies.store.store import Failure
from studies.tasks.task import Task, task_json

IMAGES = 16
BOUNDED_IMAGES = 359
SIMPLE, HYBRID = Simple(), Hybrid()
ARMS: tuple[tuple[Objective, Sampler], ...] = (
    (SIMPLE, Ancestral(variance="beta")),
    (SIMPLE, Ancestral(variance="beta_tilde")),
    (SIMPLE, Ddim()),
    (HYBRID, Ancestral(variance="beta")),
    (HYBRID, Ancestral(variance="beta_tilde")),
    (HYBRID, Ancestral(variance="range")),
)

SMALL = TrainConfig(
    data=Digits(),
    network=UNetConfig(model_channels=32, channel_mult=(1, 2), groups=8),
    ema_decays=(0.99,),
)
LOSS = {"beta": 3.0, "beta_tilde": 1.5, "range": 0.4, "ddim": 0.6}
"""How much of the distance few steps add, by Σ."""
LEVEL = {"beta": 2.51, "beta_tilde": 2.48, "range": 2.46, "learned": 2.46}


def distance(objective: str, mode: str, steps: int, seed: int) -> float:
    """A Fréchet distance that falls with the steps, more steeply for a fixed Σ."""
    wobble: float = 1 + 0.01 * ((7 * seed + 3 * len(objective) + 2 * len(mode) + steps) % 5 - 2)
    return 4.0 * wobble * (1 + LOSS[mode] * math.pow(10 / steps, 0.8))


def bound(objective: str, variance: str, seed: int) -> float:
    """Bits/dim: lower with the learned Σ."""
    return LEVEL[variance] + 0.002 * ((5 * seed + len(objective) + 2 * len(variance)) % 4)


def terms(total: float, T: int) -> list[float]:
    """Terms of a bound that fall steeply and add up to all but a thousandth of it."""
    shares = 1 / np.arange(1, T + 1) ** 2.2
    return [float(term) for term in 0.999 * total * shares / shares.sum()]


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """What a made-up study holds. Cells whose task is in `failed` or `planned` have no result."""

    study: str = "sigma_ablation-digits"
    question: str = "Does it matter whether Σ is β, β̃ or learned?"
    preset: str = "digits"
    T: int = 200
    schedule: Schedule = "cosine"
    training_steps: int = 1500
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: tuple[int, ...] = (10, 50, 200)
    arms: tuple[tuple[Objective, Sampler], ...] = ARMS
    distance: Callable[[str, str, int, int], float] = distance
    bound: Callable[[str, str, int], float] = bound
    terms: Callable[[float, int], list[float]] = terms
    extractor: str = "digits-classifier:ab12cd34"
    reference: str = "digits/train"
    images: int = IMAGES
    figures: tuple[str, ...] = ("beta_ratio", "vlb_terms", "quality_vs_steps", "sample_grid")
    claims: tuple[str, ...] = (
        "beta_tilde_close_to_beta",
        "first_steps_carry_the_bound",
        "sigma_choice_is_minor_at_many_steps",
        "learned_sigma_lowers_nll",
        "learned_sigma_keeps_quality_at_few_steps",
    )
    failed: Mapping[tuple[str, str, int, int], str] = field(default_factory=dict)
    """(objective, mode, steps, seed) of a samples cell -> the message of its failure."""
    planned_bounds: tuple[tuple[str, int], ...] = ()
    """(objective, seed) of likelihood cells that have not run."""
    likelihood: bool = True
    training: TrainConfig = SMALL
    """What all networks share beside T, schedule and number of steps."""
    reference_images: int = 1438


def write_store(root: Path, *studies: MadeUp) -> Path:
    """A store with these studies at `root`."""
    _write(root / "store.json", {"format": 1})
    for study in studies:
        _write_study(root, study)
    return root


def _write_study(root: Path, study: MadeUp) -> None:
    cells = [
        *(_likelihood_cell(root, study, o, s) for o, s in product(_objectives(study), study.seeds)),
        *(
            _samples_cell(root, study, arm, steps, seed)
            for arm, steps, seed in product(study.arms, study.steps, study.seeds)
        ),
    ]
    tasks = dict.fromkeys(address for cell in cells for address in cell["tasks"].values())
    record = {
        "study": study.study.partition("-")[0],
        "question": study.question,
        "preset": study.preset,
        "description": "a small network on small images",
        "seeds": list(study.seeds),
        "figures": list(study.figures),
        "claims": list(study.claims),
        "overrides": [],
        "sweep_path": "sweeps/sigma_ablation.yaml",
        "sweep_text": f"study: sigma_ablation\nquestion: {study.question}\n# <b>as written</b>\n",
        "preset_text": "train:\n  steps: 1500\n",
        "cells": cells,
        "tasks": list(tasks),
    }
    _write(root / "studies" / f"{study.study}.json", record)


def _objectives(study: MadeUp) -> Sequence[Objective]:
    return list(dict.fromkeys(objective for objective, _ in study.arms)) if study.likelihood else []


def _train(root: Path, study: MadeUp, objective: Objective, seed: int) -> Task:
    config = replace(
        study.training,
        diffusion=DiffusionConfig(schedule=study.schedule, steps=study.T),
        objective=objective,
        steps=study.training_steps,
        seed=seed,
    )
    task = Task(kind="train", config=config, digests=(("data", "d1"),))
    curve = {"step": [100, 200], "loss": [0.25, 0.25]}
    result = {
        "steps": study.training_steps,
        "parameters": 123_456,
        "images_seen": 128 * study.training_steps,
        "loss_curve": curve,
        "weights": {"raw": "aa", "0.99": "bb"},
    }
    _finish(root, task, result, seconds=60.0)
    return task


def _arm(study: MadeUp, objective: Objective, evaluation: str) -> dict[str, Any]:
    return {
        "evaluation": evaluation,
        "objective": objective.kind,
        "schedule": study.schedule,
        "T": study.T,
        "prediction": "eps",
        "variance": None,
        "sampler": None,
        "eta": None,
        "stride": None,
        "steps": None,
        "skip": None,
        "ema_decay": 0.99,
        "images": None,
    }


def _likelihood_cell(root: Path, study: MadeUp, objective: Objective, seed: int) -> dict[str, Any]:
    network = _train(root, study, objective, seed)
    config = LikelihoodConfig(ema_decay=0.99)
    task = Task(kind="likelihood", config=config, inputs=(("network", network.address),))
    if (objective.kind, seed) in study.planned_bounds:
        _create(root, task)
    else:
        variances = network.config.variances  # type: ignore[union-attr]
        _finish(root, task, likelihood_result(study, objective.kind, variances, seed), seconds=5.0)
    arm = _arm(study, objective, "likelihood")
    arm |= {"stride": "even", "steps": study.T, "images": BOUNDED_IMAGES}
    return {
        "arm": arm,
        "seed": seed,
        "tasks": {"train": network.address, "likelihood": task.address},
    }


def likelihood_result(
    study: MadeUp, objective: str, variances: tuple[str, ...], seed: int
) -> dict[str, Any]:
    def of(variance: str) -> dict[str, Any]:
        total = study.bound(objective, variance, seed)
        by_step = study.terms(total, study.T)
        return {
            "bits_per_dim": {"mean": total, "standard_error": 0.01},
            "decoder": {"mean": by_step[0], "standard_error": 0.01},
            "kl": {"mean": sum(by_step[1:]), "standard_error": 0.01},
            "by_step": {"mean": by_step, "standard_error": [0.1 * term for term in by_step]},
        }

    left = {"range_fraction": {"below_0": 1e-4, "above_1": 2e-4}} if "range" in variances else {}
    return {
        **left,
        "images": BOUNDED_IMAGES,
        "dimensions": 64,
        "steps": study.T,
        "timesteps": list(range(study.T)),
        "prior": {"mean": 0.0025, "standard_error": 1e-5},
        "variances": {variance: of(variance) for variance in variances},
        "x_0_mse_by_step": [0.1] * study.T,
        "recipe": {"split": "digits/test", "clip": True, "weights": "ema 0.99", "cdf": "tanh"},
    }


def _samples_cell(
    root: Path, study: MadeUp, arm: tuple[Objective, Sampler], steps: int, seed: int
) -> dict[str, Any]:
    objective, sampler = arm
    network = _train(root, study, objective, seed)
    tasks = _scored(root, study, network, sampler, steps, seed)
    mode = sampler.kind if isinstance(sampler, Ddim) else sampler.variance
    message = study.failed.get((objective.kind, mode, steps, seed))
    if message is not None:
        _fail(root, tasks["samples"], message)
        _create(root, tasks["features"])
        _create(root, tasks["score"])
    else:
        _draw(root, tasks["samples"], steps, seed)
        _finish(root, tasks["features"], {"images": IMAGES, "source": "samples"}, seconds=1.0)
        fd = study.distance(objective.kind, mode, steps, seed)
        _finish(root, tasks["score"], score_result(study, fd), seconds=0.5)
    asked = {
        "variance": None if isinstance(sampler, Ddim) else mode,
        "sampler": sampler.kind,
        "eta": sampler.eta if isinstance(sampler, Ddim) else None,
        "stride": sampler.stride,
        "steps": steps,
        "skip": 0.0,
        "images": study.images,
    }
    addresses = {role: task.address for role, task in tasks.items()}
    return {
        "arm": _arm(study, objective, "samples") | asked,
        "seed": seed,
        "tasks": {"train": network.address, **addresses},
    }


def _scored(
    root: Path, study: MadeUp, network: Task, sampler: Sampler, steps: int, seed: int
) -> dict[str, Task]:
    """Samples, their features and score by role, once what they share with others is finished."""
    config = SampleConfig(
        sampler=sampler,
        steps=steps,
        ema_decay=study.training.ema_decays[0],
        last_block=1,
        block_size=IMAGES,
        seed=seed,
    )
    samples = Task(kind="sample", config=config, inputs=(("network", network.address),))
    data = (("data", "d1"),)
    extractor = Task(kind="extractor", config=Classifier(data=Digits()), digests=data)
    read_by = ("extractor", extractor.address)
    drawn = (read_by, ("samples/0", samples.address))
    features = Task(kind="features", config=FeaturesConfig(), inputs=drawn)
    real = FeaturesConfig(data=Digits())
    reference = Task(kind="features", config=real, inputs=(read_by,), digests=data)
    needs = (("generated", features.address), ("reference", reference.address))
    _finish(root, extractor, {"name": "digits-classifier", "test_accuracy": 0.97}, seconds=4.0)
    _finish(root, reference, {"images": 1438, "source": "digits/train"}, seconds=1.0)
    score = Task(kind="score", config=ScoreConfig(), inputs=needs)
    return {"samples": samples, "features": features, "score": score}


def _draw(root: Path, samples: Task, steps: int, seed: int) -> None:
    _finish(root, samples, {"images": IMAGES, "network_calls": IMAGES * steps}, seconds=0.1 * steps)
    np.save(root / "tasks" / samples.address / "samples.npy", _pictures(seed, steps))


def _pictures(seed: int, steps: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    y, x = np.mgrid[:8, :8]
    waves = [np.sin((x * (i + 1) + seed + y * steps**0.5) / 4) for i in range(IMAGES)]
    return np.round(8 + 8 * np.stack(waves)[..., None]).astype(np.uint8)


def score_result(study: MadeUp, fd: float) -> dict[str, Any]:
    return {
        "frechet_distance": fd,
        "clipped_mass": 0.0,
        "precision": 1 / (1 + fd / 20),
        "recall": 1 / (1 + fd / 10),
        "generated": study.images,
        "reference": 1438,
        "dimensions": 64,
        "neighbours": 3,
        "recipe": {
            "extractor": study.extractor,
            "reference": study.reference,
            "resize": "none",
            "weights": "ema 0.99",
            "images": study.images,
            "reference_images": study.reference_images,
            "neighbours": 3,
        },
    }


# ------------------------------------------------------------------------------------- the files


def _create(root: Path, task: Task) -> Path:
    folder = root / "tasks" / task.address
    _write(folder / "task.json", task_json(task))
    return folder


def _finish(root: Path, task: Task, result: Mapping[str, Any], *, seconds: float) -> None:
    folder = root / "tasks" / task.address
    if (folder / "result.json").exists():
        return
    _create(root, task)
    _write(folder / "result.json", result)
    _write(folder / "provenance.json", PROVENANCE | {"seconds": seconds})


def _fail(root: Path, task: Task, message: str) -> None:
    folder = _create(root, task)
    failure = Failure(error="exception", message=message, traceback=f"...\n{message}")
    _write(folder / "attempts" / "1" / "error.json", asdict(failure))


PROVENANCE: dict[str, Any] = {
    "host": "workbench",
    "executor": "local",
    "job": None,
    "attempt": 1,
    "started": "2026-01-02T03:04:05+00:00",
    "ended": "2026-01-02T03:05:05+00:00",
    "seconds": 60.0,
    "versions": {"python": "3.11.9", "torch": "2.13.0", "numpy": "2.4.6"},
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "dirty": False,
    "device": "cpu",
    "cpu": "A Made-Up Processor @ 3 GHz",
    "threads": 1,
    "peak_memory_mb": 512,
}


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, sort_keys=True, indent=1) + "\n")


def variant(**changes: Any) -> MadeUp:
    """The default study with some of its parts changed."""
    return replace(MadeUp(), **changes)
