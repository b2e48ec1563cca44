"""From the store to tidy tables: one row per cell and metric, with the recipe of every number.

A cell that failed or has not run yet keeps its rows, without a value and with its state, so that a
gap is seen as one. The results of one arm have one recipe: a sweep over a part of it has that part
as a column, so that rows whose recipes differ are never averaged.
"""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

import pandas as pd

from iddpm.config import Data, ExternalConfig, GanConfig, LossSecondMoment, TrainConfig
from iddpm.config_fields import canonical
from iddpm.data import levels
from iddpm.evaluation.config import LikelihoodMergeConfig, ScoreConfig
from iddpm.schedules import betas
from studies.published.published import SAMPLE_METRICS
from studies.spec.rivals import GAN
from studies.store.records import answering, asked_of, whole
from studies.store.store import LATENTS, SAMPLES, Store
from studies.tables.plateaus import fall, log_fall
from studies.tables.recipes import result_of
from studies.tables.resampling import share_resampled
from studies.tables.study_files import StudyFiles
from studies.tables.unbiased import with_unbiased
from studies.tasks.task import Task

ARM = (
    "objective",
    "schedule",
    "T",
    "prediction",
    "variance",
    "sampler",
    "eta",
    "stride",
    "steps",
    "skip",
    "ema_decay",
    "images",
)
"""Columns that every arm has; a sweep over another setting adds a column of its dotted name."""

OF_DRAWS = "due_to_draws"
"""Column of the part of a standard error that draws of t have in it; only estimates have one."""
ESTIMATE = "bound"
"""What a recipe says of a bound that was estimated; an exact one's has no such word."""

MEASURED = (
    "seed",
    "metric",
    "value",
    "standard_error",
    "recipe",
    "settings",
    "training_steps",
    "images_seen",
    "share_resampled",
    "compute",
    "state",
    "reason",
    "address",
)
CONFIGS = ("train", "samples", "likelihood")
"""Roles of the tasks whose configs are a row's `settings`."""
DRAWN = ("path", "shards", "classes", "levels")
UNDETERMINED = "the squared norm of the gradient cannot be told from zero; take more draws"
"""Why a gradient's noise scale has no value."""
OUTSIDE_RANGE = "v_outside_range"
"""Share of the numbers v of Eq. 15 below 0 or above 1, over all steps and test images."""
NOISE_METRICS = ("log_noise_scale", "gradient_squared_norm", "gradient_variance")
BOUND_METRICS = ("bits_per_dim", "decoder_bits_per_dim", "kl_bits_per_dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """A study as tables: what figures are drawn from and claims are judged on."""

    study: str
    record: Mapping[str, Any]
    results: pd.DataFrame
    steps: pd.DataFrame
    samples: pd.DataFrame
    latents: pd.DataFrame = field(default_factory=pd.DataFrame)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)
    trainings: pd.DataFrame = field(default_factory=pd.DataFrame)
    half_trained: "Tables | None" = None
    """Results and terms of the same arms after half of their training, by the names that they have
    at its end; None: the study does not ask for them."""
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """The provenance of the finished tasks that were read for them, by address."""

    def of_seeds(self, seeds: Collection[int]) -> "Tables":
        """The same as it was without any other seeds; images from elsewhere have none."""

        def only(table: pd.DataFrame) -> pd.DataFrame:
            if "seed" not in table:
                return table
            kept = table["seed"].isin(list(seeds))
            if "rival" in table:
                kept |= table["rival"].notna() & (table["rival"] != GAN)
            return table[kept]

        return Tables(
            study=self.study,
            record=self.record,
            results=only(self.results),
            steps=only(self.steps),
            samples=only(self.samples),
            latents=only(self.latents),
            losses=only(self.losses),
            trainings=only(self.trainings),
            half_trained=self.half_trained and self.half_trained.of_seeds(seeds),
            made=self.made,
        )


def tables(
    store: Store,
    study: str,
    record: Mapping[str, Any] | None = None,
    tasks: Mapping[str, Task] = MappingProxyType({}),
) -> Tables:
    """Every table of one study.

    Args:
        store: Where the results are.
        study: The study.
        record: What it asks for; None: what its record in the store says.
        tasks: Those that the caller knows, by address: they are not read.

    Raises:
        StoreError: If there is no such study, or a file of it was cut short, damaged or edited.
    """
    record = whole(store, study) if record is None else record
    read = StudyFiles(store, study, record["cells"], tasks)
    return replace(
        _measured_of(read, record),
        latents=latents_table(read),
        losses=losses_table(read),
        trainings=trainings_table(read),
        half_trained=_half_trained(read, record),
        made=read.made,
    )


def _half_trained(read: StudyFiles, record: Mapping[str, Any]) -> Tables | None:
    """What is known of the arms after half of their training; the study may not ask for it.

    Rivals stand beside them as they are.
    """
    parts = [(cell, asked_of(cell)[1]) for cell in record["cells"]]
    if not any(half for _, half in parts):
        return None
    kept = (
        (cell, half or cell["tasks"]) for cell, half in parts if half or cell["arm"].get("rival")
    )
    cells = [{**cell, "tasks": tasks} for cell, tasks in kept]
    return _measured_of(read.of(cells), record)


def _measured_of(read: StudyFiles, record: Mapping[str, Any]) -> Tables:
    """The tables of what the evaluations of some cells gave."""
    return Tables(
        study=read.name,
        record=record,
        results=with_unbiased(results(read), read),
        steps=steps_table(read),
        samples=samples_table(read),
    )


# ------------------------------------------------------------------------------------- results


def results(study: StudyFiles) -> pd.DataFrame:
    """One row per (cell, metric): the arm's columns, then those of `MEASURED`.

    Bounds are in bits/dim; `standard_error` is over images and NaN where there is none, and
    `due_to_draws`, a column where bounds are estimated, the part that draws of t have in it.
    `steps` are whole numbers everywhere: a bound or a training is over all T steps unless it says
    otherwise. A rival (a GAN, images from elsewhere) has no chain: its `steps` are 0, and it has no
    T. `compute` is the multiply-adds of the whole training, forwards and back; `share_resampled`
    the share of the `images_seen` in it whose t was drawn by importance (Eq. 18), as a rule;
    `settings` are those of `settings_behind`.
    """
    rows = [{"study": study.name, **row} for cell in study.cells for row in _cell_rows(study, cell)]
    of_estimates = [OF_DRAWS] if any(OF_DRAWS in row for row in rows) else []
    columns = ["study", "evaluation", *ARM, *_swept(study), *MEASURED, *of_estimates]
    return pd.DataFrame(rows, columns=columns)


def _swept(study: StudyFiles) -> list[str]:
    """Settings of the arms beside those that every arm has."""
    names = dict.fromkeys(name for cell in study.cells for name in cell["arm"])
    return [name for name in names if name not in (*ARM, "evaluation")]


def _cell_rows(study: StudyFiles, cell: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one cell; without a result they hold no value, and say why."""
    role = answering(cell["arm"]["evaluation"])
    address = cell["tasks"][role]
    with study.reading(address):
        result = result_of(study, address)
    state, reason = ("done", "") if result is not None else study.gap(address)
    shared = {
        **_arm(cell),
        "seed": cell["seed"],
        **_training_facts(study, cell),
        "compute": cell.get("compute"),  # a study recorded by an older version has none
        "settings": settings_behind(
            {name: study.task(cell["tasks"][name]) for name in CONFIGS if name in cell["tasks"]}
        ),
        "state": state,
        "reason": reason,
        "address": address,
    }
    with study.reading(address):
        rows = [{**shared, **row} for row in _measured(study, cell, role, result)]
        for row in rows:
            _require_numbers(row)
    yield from rows


def _measured(
    study: StudyFiles, cell: Mapping[str, Any], role: str, result: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """A row for each metric of the task that answers a cell, by the role of that task."""
    if role == "score":
        score = cast(ScoreConfig, study.task(cell["tasks"][role]).config)
        return _sample_rows(result, score.metrics)
    if role == "likelihood":
        return _bound_rows(result, _training(study, cell))
    rows = {"latents": _latents_row, "gradient_noise": _noise_rows}
    return rows.get(role, _loss_row)(result)


def _require_numbers(row: Mapping[str, Any]) -> None:
    for name in ("value", "standard_error", OF_DRAWS, "images"):
        number = row.get(name)
        is_number = isinstance(number, int | float) and math.isfinite(number)
        if number is not None and not is_number:
            raise ValueError(f"{row['metric']}: {name}: {number!r:.40} is no number")


def _loss_row(result: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    losses = [] if result is None else result["loss_curve"].get("loss", [])  # none if imported
    loss = losses[-1] if losses else None
    yield {"metric": "training_loss", "value": loss}


def settings_behind(tasks: Mapping[str, Task]) -> str:
    """The configs of a cell's training, sampling and bound, by role, as canonical JSON.

    Args:
        tasks: Of the cell, by role; those of no role in `CONFIGS` are passed over.
    """
    configs = {name: task.config for name, task in tasks.items() if name in CONFIGS}
    whole = {
        name: config.whole if isinstance(config, LikelihoodMergeConfig) else config
        for name, config in configs.items()
    }
    return json.dumps({name: canonical(config) for name, config in whole.items()}, sort_keys=True)


def _training(study: StudyFiles, cell: Mapping[str, Any]) -> TrainConfig:
    return cast(TrainConfig, study.task(cell["tasks"]["train"]).config)


def _training_facts(study: StudyFiles, cell: Mapping[str, Any]) -> dict[str, Any]:
    """What the training of a cell, of a diffusion model or of a GAN, comes to, if it has one."""
    address = cell["tasks"].get("train") or cell["tasks"].get("gan")
    if address is None:
        return {"training_steps": 0, "images_seen": 0}
    config = cast(TrainConfig | GanConfig, study.task(address).config)
    images_seen = config.steps * config.batch_size
    facts = {"training_steps": config.steps, "images_seen": images_seen}
    if isinstance(config, GanConfig):
        return facts
    if isinstance(config.timesteps, LossSecondMoment):
        T, history = config.diffusion.steps, config.timesteps.history
        return {**facts, "share_resampled": share_resampled(T, images_seen, history=history)}
    return {**facts, "share_resampled": 0.0}


def _data(study: StudyFiles, cell: Mapping[str, Any]) -> Data:
    """What the images of a cell are like: the data trained on, or held against."""
    tasks = cell["tasks"]
    address = tasks.get("train") or tasks.get("gan") or tasks["samples"]
    return cast(TrainConfig | GanConfig | ExternalConfig, study.task(address).config).data


def _arm(cell: Mapping[str, Any]) -> dict[str, Any]:
    arm = dict(cell["arm"])
    if arm.get("rival"):
        return {**arm, "steps": 0}
    return {**arm, "steps": arm.get("steps") or arm["T"]}


def _sample_rows(
    result: Mapping[str, Any] | None, more: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    for metric in (*SAMPLE_METRICS, *more):
        if result is None:
            yield {"metric": metric}
        else:
            yield {
                "metric": metric,
                "value": result[metric],
                "images": result["generated"],
                "recipe": _recipe(result),
            }


def _bound_rows(
    result: Mapping[str, Any] | None, training: TrainConfig
) -> Iterator[dict[str, Any]]:
    """One row per Σ for the bound and its two parts that depend on Σ, and one for the prior.

    Where Σ lies in a learned range (Eq. 15) one more says which share of its v left the range.
    """
    names = dict(zip(BOUND_METRICS, ("bits_per_dim", "decoder", "kl"), strict=True))
    for variance in training.variances:
        for metric, name in names.items():
            part = None if result is None else result["variances"][variance][name]
            yield {"variance": variance, "metric": metric, **_mean_of(part, result)}
    prior = None if result is None else result["prior"]
    yield {"metric": "prior_bits_per_dim", **_mean_of(prior, result)}
    if training.learned_variance == "range":
        outside = None if result is None else sum(result["range_fraction"].values())
        yield {"variance": "range", "metric": OUTSIDE_RANGE, **_shared(outside, result)}


def _shared(value: float | None, result: Mapping[str, Any] | None) -> dict[str, Any]:
    if result is None:
        return {}
    return {"value": value, "images": result["images"], "recipe": _recipe(result)}


def _latents_row(result: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    row: dict[str, Any] = {"metric": "alpha_bar_halfway"}
    if result is not None:
        row |= {"value": result["alpha_bar_halfway"], "recipe": _recipe(result)}
    yield row


def _mean_of(part: Mapping[str, Any] | None, result: Mapping[str, Any] | None) -> dict[str, Any]:
    if part is None or result is None:
        return {}
    errors = {name: part[name] for name in ("standard_error", OF_DRAWS) if name in part}
    return {**_shared(part["mean"], result), **errors}


def _noise_rows(result: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The natural log of the noise scale (in images) and its parts; an undetermined one says so.

    `standard_error` is over the draws.
    """
    names = dict(zip(NOISE_METRICS, ("log_scale", "squared_norm", "variance"), strict=True))
    for metric, name in names.items():
        part = None if result is None else result[name]
        if result is None:
            yield {"metric": metric}
        elif part is None:
            yield {"metric": metric, "recipe": _recipe(result), "reason": UNDETERMINED}
        else:
            yield {
                "metric": metric,
                "value": part["mean"],
                "standard_error": part["standard_error"],
                "recipe": _recipe(result),
            }


def _recipe(result: Mapping[str, Any]) -> str:
    return json.dumps(dict(result["recipe"]), sort_keys=True)


# --------------------------------------------------------------------------- terms of the bound


def steps_table(study: StudyFiles) -> pd.DataFrame:
    """Terms of exact bounds in bits/dim, one row per (likelihood cell, Σ, term).

    `part` is `decoder` (L_0 of Eq. 5, step 0), `kl` (Eq. 6) or `prior` (L_T of Eq. 7, step T); the
    terms of one bound add up to it.
    """
    measured = ("seed", "recipe", "address", "part", "step", "mean", "standard_error")
    columns = [*ARM, *_swept(study), *measured]
    frames = [
        frame
        for cell in study.cells
        if cell["arm"]["evaluation"] == "likelihood"
        for frame in _term_frames(study, cell)
    ]
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return whole.reindex(columns=columns)


def _term_frames(study: StudyFiles, cell: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    address = cell["tasks"]["likelihood"]
    with study.reading(address):
        result = result_of(study, address)
        if result is not None and ESTIMATE not in result["recipe"]:
            yield from _terms_of(cell, result)


def _terms_of(cell: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    T, prior = cell["arm"]["T"], result["prior"]
    for variance, bound in result["variances"].items():
        terms = bound["by_step"]
        yield pd.DataFrame(
            {
                "part": ["decoder", *["kl"] * (len(terms["mean"]) - 1), "prior"],
                "step": [*result["timesteps"], T],
                "mean": [*terms["mean"], prior["mean"]],
                "standard_error": [*terms["standard_error"], prior["standard_error"]],
                **_arm(cell),
                "variance": variance,
                "seed": cell["seed"],
                "recipe": _recipe(result),
                "address": cell["tasks"]["likelihood"],
            }
        )


# ------------------------------------------------------------------------------------- samples


def samples_table(study: StudyFiles) -> pd.DataFrame:
    """Where the images of each samples cell lie: the arm's columns, seed, and what is drawn from.

    `path` is the file of the first images, None until they are drawn; `shards` are the files of all
    images that follow one another from there; image i has the label i modulo `classes`, which is
    None where no label was asked for.
    """
    rows = []
    for cell in study.cells:
        if cell["arm"]["evaluation"] != "samples":
            continue
        drawn = _drawn_shards(study, cell)
        shards = tuple(study.folder(address) / SAMPLES for address, _ in drawn)
        row = {
            "seed": cell["seed"],
            "path": shards[0] if shards else None,
            "shards": shards,
            "classes": drawn[0][1].get("classes") if drawn else None,
            "levels": levels(_data(study, cell)),
        }
        rows.append({**_arm(cell), **row})
    return pd.DataFrame(rows, columns=[*ARM, *_swept(study), "seed", *DRAWN])


def _drawn_shards(study: StudyFiles, cell: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Address and result of each finished shard of a cell's samples, up to the first gap."""
    parents = study.task(cell["tasks"]["features"]).parents
    found = []
    for role, address in parents.items():
        if role.startswith("samples/"):
            if (result := study.result(address)) is None:
                break
            found.append((address, result))
    return found


# ------------------------------------------------------------------------------------- latents


def latents_table(study: StudyFiles) -> pd.DataFrame:
    """One row per latent of each finished cell: the arm's columns, seed, step, ᾱ, where it lies.

    `step` is t as on paper, 0 for the image itself; `place` is the latent's index in the array at
    `path`.
    """
    rows = [
        {**_arm(cell), "seed": cell["seed"], "path": study.folder(address) / LATENTS, **latent}
        for cell in study.cells
        if (address := cell["tasks"].get("latents")) and (result := study.result(address))
        for latent in _latents(study, address, result)
    ]
    columns = [*ARM, *_swept(study), "seed", "place", "step", "alpha_bar", "path"]
    return pd.DataFrame(rows, columns=columns)


def _latents(
    study: StudyFiles, address: str, result: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    with study.reading(address):
        pairs = list(zip(result["steps"], result["alpha_bar"], strict=True))
    for place, (step, signal) in enumerate(pairs):
        yield {"place": place, "step": step, "alpha_bar": signal}


# ------------------------------------------------------------------------- losses while training

OF_LOSSES = ("images_seen", "bits_per_dim")
NETWORK = ("objective", "schedule", "T", "prediction")


def losses_table(study: StudyFiles) -> pd.DataFrame:
    """The bound while training, in bits/dim: one row per (network, seed, window of steps).

    `bits_per_dim` is T times the mean over a window's images of the bound's term at their drawn
    step, with dropout, raw weights and unclipped x_0: an estimate of L_vlb without its constant
    prior term. Each term carries its weight 1 / (T p_t), which is 1 for uniform draws (Eq. 18), so
    the estimate is unbiased however t is drawn. It is NaN for L_simple, which knows no bound, and
    for a window without a finite loss. `step` is the window's last, `images_seen` counts those of
    all steps up to it.
    """
    names = _of_networks(study)
    frames = [
        _loss_frame(study, address, cell, names) for address, cell in _networks(study).items()
    ]
    columns = [*names, *("seed", "training_steps", "settings", "address", "step"), *OF_LOSSES]
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return whole.reindex(columns=columns)


def _of_networks(study: StudyFiles) -> list[str]:
    """The columns that tell one network from another, seeds apart."""
    return [*NETWORK, *(name for name in _swept(study) if name.startswith("train."))]


def _networks(study: StudyFiles) -> dict[str, Mapping[str, Any]]:
    """A cell of each training, by the training's address."""
    return {cell["tasks"]["train"]: cell for cell in study.cells if "train" in cell["tasks"]}


def _loss_frame(
    study: StudyFiles, address: str, cell: Mapping[str, Any], names: list[str]
) -> pd.DataFrame:
    training, result = _training(study, cell), study.result(address)
    with study.reading(address):
        curve = {"step": []} if result is None else result["loss_curve"]
        terms = pd.Series(curve.get("vlb", [None] * len(curve["step"])), dtype=float)
        frame = pd.DataFrame({"step": curve["step"]}, dtype=int)
    return frame.assign(
        **{name: cell["arm"].get(name) for name in names},
        seed=cell["seed"],
        training_steps=training.steps,
        settings=settings_behind({"train": study.task(address)}),
        address=address,
        images_seen=frame["step"] * training.batch_size,
        bits_per_dim=training.diffusion.steps * terms,
    )


# ------------------------------------------------------------------------------------ trainings

OF_TRAININGS = ("levels", "first_noise", "loss_fall", "bound_fall")


def trainings_table(study: StudyFiles) -> pd.DataFrame:
    """Each training that is done: its data, its chain, and how its loss ended.

    `levels` are the values that a pixel of its data can take, `first_noise` is √β of the first
    step, of images in [-1, 1]. `loss_fall` is the natural log by which the loss that it minimises
    fell over the last doubling of its steps (`studies.tables.plateaus`), and `bound_fall` the
    bits/dim by which the bound while training did; NaN where the curve does not say. A network
    trained elsewhere has no curve, and no row.
    """
    names = _of_networks(study)
    rows = [
        row
        for address, cell in _networks(study).items()
        if (row := _training_row(study, address, cell, names)) is not None
    ]
    columns = [*names, "seed", "training_steps", "settings", "address", *OF_TRAININGS]
    return pd.DataFrame(rows, columns=columns)


def _training_row(
    study: StudyFiles, address: str, cell: Mapping[str, Any], names: list[str]
) -> dict[str, Any] | None:
    training, result = _training(study, cell), study.result(address)
    with study.reading(address):
        curve = {"step": []} if result is None else result["loss_curve"]
        if not curve["step"]:
            return None
        loss, term = fall(curve), fall(curve, "vlb") if "vlb" in curve else (math.nan, math.nan)
    chain = training.diffusion
    return {
        **{name: cell["arm"].get(name) for name in names},
        "seed": cell["seed"],
        "training_steps": training.steps,
        "settings": settings_behind({"train": study.task(address)}),
        "address": address,
        "levels": levels(training.data),
        "first_noise": math.sqrt(float(betas(chain.schedule, chain.steps)[0])),
        "loss_fall": log_fall(*loss),
        "bound_fall": chain.steps * (term[0] - term[1]),
    }
