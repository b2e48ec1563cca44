"""Features of images and the scores over them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import Int64Array, UInt8Array
from iddpm.config import Metric, data_name
from iddpm.data import Rows, Selection, first_rows, load
from iddpm.evaluation.config import (
    Classifier,
    FeaturesConfig,
    Inception,
    RadiiConfig,
    RandomNetwork,
    SampleConfig,
    ScoreConfig,
)
from iddpm.evaluation.features import (
    Extractor,
    extract,
    load_extractor,
    make_extractor,
    save_extractor,
)
from iddpm.evaluation.frechet import BLOCK as MOMENTS_BLOCK
from iddpm.evaluation.frechet import (
    Distance,
    Moments,
    distance_to_moments,
    frechet_distance,
    merged,
    moments,
)
from iddpm.evaluation.metrics import METRICS, fd_infinity
from iddpm.evaluation.precision_recall import precision_recall, squared_radii
from iddpm.running.interruption import Interrupted
from studies.runners.networks import weights_role
from studies.runners.work import Work, of_a_finished_task
from studies.store.integrity import damaged
from studies.store.npy import read_array, sha256
from studies.store.store import FEATURES, RADII, SAMPLES, StoreError

EXTRACTOR = "extractor.pt"


def extractor(work: Work) -> dict[str, Any]:
    """The network that features are read from; leaves it in `extractor.pt`."""
    config = work.task.config
    assert isinstance(config, Classifier | RandomNetwork | Inception)
    made = make_extractor(config, progress=work.progress, should_stop=work.should_stop)
    save_extractor(work.folder / EXTRACTOR, config, made, held=work.held)
    return made.as_json()


def features(work: Work) -> dict[str, Any]:
    """Features and moments of drawn or of real images; leaves them in `features.npz`."""
    config, made = work.task.config, work.parent_tasks["extractor"].config
    assert isinstance(config, FeaturesConfig)
    assert isinstance(made, Classifier | RandomNetwork | Inception)
    weights = work.parents["extractor"] / EXTRACTOR
    with of_a_finished_task(weights):
        read_by = load_extractor(weights, made)
    if read_by.sha256 != work.result_of("extractor")["sha256"]:
        raise damaged(weights, "the weights whose hash stands in its task's result")
    images, origin = _images(work, config)
    found, summary = _read(work, read_by, images, _kept(work, config, images))
    with work.new_file(FEATURES) as file:
        np.savez(file, features=found, mean=summary.mean, covariance=summary.covariance)
    kept = {} if len(found) == len(images) else {"kept": len(found)}
    return {
        "images": len(images),
        "sha256": sha256(found),
        "extractor": f"{read_by.name}:{read_by.sha256[:8]}",
        "resize": read_by.resize,
        **kept,
        **origin,
    }


def _kept(work: Work, config: FeaturesConfig, images: Selection) -> NDArray[np.bool_]:
    """The images whose features are kept: the first so many of the split, in any order."""
    rows = first_rows(len(images.images), config.keep, permuted=work.task.takes_a_part)
    return np.isin(images.rows, rows)


def _read(
    work: Work, extractor: Extractor, images: Selection, kept: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Moments]:
    """The features that are to be kept, and the moments of all, a block at a time.

    Raises:
        Interrupted: If asked to stop; the finished blocks are kept.
    """
    config = work.task.config
    assert isinstance(config, FeaturesConfig)
    network = extractor.network.to(work.device)
    found = np.empty((np.count_nonzero(kept), extractor.dimensions), dtype=np.float32)
    summary, done = None, 0
    for start in range(0, len(images), MOMENTS_BLOCK):
        if work.should_stop():
            raise Interrupted(f"{work.task.address}: the finished blocks are kept", saved=start)
        number, count = start // MOMENTS_BLOCK, min(MOMENTS_BLOCK, len(images) - start)
        like = {"features": ((count, extractor.dimensions), "float32")}
        if arrays := work.blocks.kept(number, like):
            part = arrays["features"]
        else:
            part = extract(
                network,
                images[start : start + count],
                levels=extractor.levels,
                block_size=config.block_size,
            )
            work.blocks.keep(number, {"features": part})
        chosen = part[kept[start : start + MOMENTS_BLOCK]]
        found[done : done + len(chosen)] = chosen
        done += len(chosen)
        of_part = moments(part, device=work.device)
        summary = of_part if summary is None else merged(summary, of_part)
        work.progress(start + len(part), len(images))
    assert summary is not None
    return found, summary


class _Shards:
    """The images of all shards in a row, read from their files when they are asked for.

    No file stays open: there may be more of them than can be.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._ends = np.cumsum([len(read_array(file, mapped=True)) for file in files])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, rows: Int64Array) -> UInt8Array:
        shards = np.searchsorted(self._ends, rows, side="right")
        found = []
        for shard in np.unique(shards):
            images = read_array(self._files[shard], mapped=True)
            found.append(images[rows[shards == shard] - self._ends[shard] + len(images)])
        return np.concatenate(found)


def _images(work: Work, config: FeaturesConfig) -> tuple[Selection, dict[str, str]]:
    """The first so many images of a split, or of the shards in their order, and what they are.

    Raises:
        ValueError: If there are fewer than were asked for.
    """
    images: Rows
    if config.data is not None:
        origin = {"source": f"{data_name(config.data)}/{config.split}"}
        images = load(config.data, config.split).images
    else:
        roles = [role for role in work.parents if role.startswith("samples/")]
        images = _Shards([work.parents[role] / SAMPLES for role in roles])
        origin = {"source": "samples", "weights": _drawn_by(work, roles[0])}
    if config.images is not None and len(images) < config.images:
        raise ValueError(
            f"features.images: expected at most the {len(images)} of {origin['source']}, "
            f"found {config.images}"
        )
    rows = first_rows(len(images), config.images, permuted=work.task.takes_a_part)
    return Selection(images, rows), origin


def _drawn_by(work: Work, role: str) -> str:
    """Which weights drew the images of a shard; a rival's shard says it itself."""
    config = work.parent_tasks[role].config
    if isinstance(config, SampleConfig):
        return weights_role(config.ema_decay)
    return str(work.result_of(role)["weights"])


def radii(work: Work) -> dict[str, Any]:
    """How far each real vector is from its k-th neighbour, squared; leaves it in `radii.npy`."""
    config = work.task.config
    assert isinstance(config, RadiiConfig)
    found = squared_radii(
        _features(work.parents["features"]),
        config.neighbours,
        device=work.device,
        progress=work.progress,
        should_stop=work.should_stop,
    )
    work.save_array(RADII, found)
    read = work.result_of("features")
    return {"vectors": len(found), "sha256": sha256(found), "features_sha256": read["sha256"]}


def score(work: Work) -> dict[str, Any]:
    """Fréchet distance, precision, recall and what else was asked for, against real images."""
    config = work.task.config
    assert isinstance(config, ScoreConfig)
    generated, real = (_features(work.parents[role]) for role in ("generated", "reference"))
    distance = _distance(work, generated, real)
    shares = precision_recall(
        *(real, generated),
        k=config.neighbours,
        real_radii=_radii(work),
        device=work.device,
    )
    return {
        "frechet_distance": distance.value,
        "clipped_mass": distance.clipped_mass,
        "precision": shares.precision,
        "recall": shares.recall,
        **{name: _metric(work, name, real, generated) for name in config.metrics},
        "generated": len(generated),
        "reference": len(real),
        "dimensions": generated.shape[1],
        "neighbours": config.neighbours,
        "recipe": _score_recipe(work, config),
    }


def _radii(work: Work) -> NDArray[np.float64] | None:
    """The radii of the reference; None: an older version planned the score, which finds them.

    Raises:
        StoreError: If they are of features that were made anew since.
    """
    if "radii" not in work.parents:
        return None
    path = work.parents["radii"] / RADII
    made, read = work.result_of("radii")["features_sha256"], work.result_of("reference")["sha256"]
    if made != read:
        raise StoreError(
            f"{path}: expected the radii of the features in {work.parents['reference']}, found "
            "those of others; delete its result.json and run the sweep again with --retry failed"
        )
    return read_array(path)


def _distance(work: Work, generated: NDArray[np.float32], real: NDArray[np.float32]) -> Distance:
    """Between all that was read, of which the real features may be kept in part only."""
    if (reference := _moments_of_all(work, real)) is None:
        return frechet_distance(generated, real, device=work.device)
    return distance_to_moments(generated, reference, device=work.device)


def _metric(
    work: Work, name: Metric, real: NDArray[np.float32], generated: NDArray[np.float32]
) -> float:
    if name == "fd_infinity":
        return fd_infinity(real, generated, _moments_of_all(work, real), device=work.device)
    return METRICS[name](real, generated)


def _moments_of_all(work: Work, kept: NDArray[np.float32]) -> Moments | None:
    """Of all real images, where their features are kept in part; None: all are kept."""
    folder = work.parents["reference"]
    images = work.result_of("reference")["images"]
    if images == len(kept):
        return None
    mean, covariance = (read_array(folder / FEATURES, name) for name in ("mean", "covariance"))
    return Moments(mean, covariance, images)


def _score_recipe(work: Work, config: ScoreConfig) -> dict[str, Any]:
    """All that a score must share with another to be compared with it."""
    drawn, real = (work.result_of(role) for role in ("generated", "reference"))
    hashes = {read["extractor"].rpartition(":")[2] for read in (drawn, real)}
    assert len(hashes) == 1  # an older version gave any weights of Inception-V3 the published name
    return {
        "extractor": drawn["extractor"],
        "reference": real["source"],
        "reference_images": real["images"],
        "images": drawn["images"],
        "weights": drawn["weights"],
        "resize": drawn.get("resize", "none"),
        "neighbours": config.neighbours,
        **({"neighbours_among": real["kept"]} if "kept" in real else {}),
    }


def _features(folder: Path) -> NDArray[np.float32]:
    return read_array(folder / FEATURES, "features")
