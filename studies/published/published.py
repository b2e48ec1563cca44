"""A published number, and whether it may stand beside one of ours.

One rule holds for every table and figure: the number stands there where the result shares all that
it depends on. That is what the paper and the flags of its released networks state, and what they
leave open but what a reason allows to infer; a setting that was inferred is named wherever the
number is shown. A number with a setting that cannot be inferred is not one of `numbers`.

The decoder of a published bound is computed with less precision than ours is by default
(`iddpm.gaussians.discretised_log_likelihood` has the sizes). That moves a published number by less
than its last digit, and keeps none from standing there; the pages say it.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from iddpm.config import Schedule, TrainConfig, Variance
from iddpm.config_fields import canonical
from iddpm.evaluation.config import Ends
from studies.published.networks import EMA_DECAY, IMAGES, training

Metric = Literal["frechet_distance", "bits_per_dim", "precision", "recall", "bound_in_training"]
SAMPLE_METRICS: tuple[Metric, ...] = ("frechet_distance", "precision", "recall")
"""What every score of samples tells."""
INCEPTION = "inception-2015-12-05"
ENSEMBLE = ("samples.ensemble", "likelihood.ensemble")
"""Columns of a study that has ensembles: what kind of one, where an arm is one."""
NEIGHBOURS = 5
"""k of the paper's precision and recall."""
OCCLUDED = 3
"""The error of a marker that others partly hide, in errors of one in full view. How far off such a
one is was not recorded; this leaves it about half of its own height."""


class Inferred(NamedTuple):
    """Settings that the paper leaves open, and the reading by which they are filled in."""

    settings: tuple[str, ...]
    """What is called so in `differing`, or Σ or sampling steps."""
    reading: str
    """What it is taken to be, and why."""


OVER_ALL_STEPS = Inferred(
    ("sampling steps",), "all T sampling steps, where Fig. 8 has the FIDs of Tables 1 and 2"
)
ENOUGH_IMAGES = 1000
"""Of a bound: so many the official script takes unless told otherwise."""
WHOLE_TEST_SET = Inferred(
    ("images",),
    "bits/dim over the whole test set, which Fig. 10 calls the validation set, and of which "
    f"{ENOUGH_IMAGES:,} images or more give the same mean but for chance, its decoder with the "
    "float32 rounding of the released code (cdf: tanh_official), which adds 1e-4 to 1e-3 bits/dim "
    "where a network is good, less than the paper's last digit, so that bits/dim here with more "
    "digits (cdf: tanh) stand beside it too",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One number of the paper and everything it depends on."""

    value: float
    metric: Metric
    source: str
    """Table or figure."""
    tag: Literal["exact", "digitised"]
    error: float | None
    """Of the digitisation, one side; None: exact."""
    data: str
    T: int
    schedule: Schedule
    objective: str
    training_steps: int
    channels: int = 128
    """Of the network's first layer."""
    variance: Variance | None
    """None: DDIM takes none."""
    sampler: Literal["ancestral", "ddim"] | None
    """None: not sampled (a bound)."""
    steps: int
    """Reverse steps sampled or scored."""
    images: int
    """Images generated or scored; 0: those of the training itself."""
    networks: Literal["one", "an ensemble"] = "one"
    """What takes the steps of the chain."""
    skip: float = 0.0
    """Fraction of the reverse process left out."""
    inferred: tuple[Inferred, ...] = ()
    """The settings among these that the paper leaves open."""

    @property
    def training(self) -> TrainConfig:
        """How the network was trained."""
        return training(
            self.data,
            schedule=self.schedule,
            T=self.T,
            objective=self.objective,
            steps=self.training_steps,
            channels=self.channels,
        )


@cache
def _settings(published: Published) -> "Settings":
    """What a result must share with this number to stand beside it, by dotted path."""
    ensemble = Ends() if published.networks == "an ensemble" else None
    own = {"ema_decay": EMA_DECAY, "ensemble": canonical(ensemble)}
    read = {"clip": True, "estimate": None, **own}
    real_images, _ = IMAGES[published.data]
    trained = _of_training(canonical(published.training))
    if published.metric == "bound_in_training":  # the same however long the training goes on
        return {path: value for path, value in trained.items() if path != "train.steps"}
    shared = {**trained, **_leaves(read), "images": published.images}
    if published.metric == "bits_per_dim":
        return shared | {"split": "test"}
    shared |= {"features": INCEPTION, "reference set": f"{published.data}/train"}
    if published.metric == "frechet_distance":
        return shared | {"reference images": real_images}
    return shared | {"neighbours": NEIGHBOURS, "neighbours among": published.images}


# ----------------------------------------------------------------------------------- and ours

NO_SETTING = ("block_size", "ema_decays", "precision", "max_nonfinite_steps", "seed")
"""Of a training: how it is computed, or which of its like it is."""
OF_TRAINING = ("batch_size", "optimizer", "timesteps")
"""What nobody knows of a network that was trained elsewhere, unless it was released."""
Settings = dict[str, Any]


def settings_of(row: Mapping[str, Any]) -> Settings:
    """The settings of one row of a results table, by dotted path.

    Args:
        row: A row of `tables.results` that has a recipe, or of `tables.losses`.
    """
    configs, recipe = _read(row["settings"]), _read(row.get("recipe") or "{}")
    found = _of_training(configs["train"]) if "train" in configs else {}
    asked = configs.get("samples", configs.get("likelihood", {}))
    read = {key: asked.get(key) for key in ("clip", "estimate", "ema_decay", "ensemble")}
    second = (asked.get("ensemble") or {}).get("source")
    if second and "name" not in second:  # another file: nobody knows how it was trained
        read["ensemble"] = "of another file"
    return found | {
        **_leaves(read),
        "images": recipe.get("images"),
        "split": asked.get("split"),
        "features": recipe.get("extractor", "").partition(":")[0],
        "reference set": recipe.get("reference"),
        "reference images": recipe.get("reference_images"),
        "neighbours": recipe.get("neighbours"),
        "neighbours among": recipe.get("neighbours_among", recipe.get("reference_images")),
    }


@cache
def _read(text: str) -> Any:
    return json.loads(text)


def _of_training(config: Mapping[str, Any]) -> Settings:
    """The settings of a training, from its config as plain values."""
    source = config.get("source")
    unknown = OF_TRAINING if source and "name" not in source else ()
    shared = {
        key: value
        for key, value in config.items()
        if key not in (*NO_SETTING, *unknown, "data", "source")
    }
    data = config["data"]
    return {"training set": data.get("name", data["kind"]), **_leaves(shared, "train")}


def _leaves(value: Any, path: str = "") -> Settings:
    """Every setting by its dotted path; that of a choice holds its kind."""
    if not isinstance(value, Mapping):
        return {path: value}
    found: Settings = {}
    for key, item in value.items():
        below = path if key == "kind" else f"{path}.{key}".removeprefix(".")
        found |= _leaves(item, below)
    return found


# ---------------------------------------------------------------------------------- the rule


def comparable(published: Published, row: Mapping[str, Any]) -> bool:
    """Whether a published number may stand beside the result of this row."""
    return (
        published.metric == row["metric"]
        and same_cell(published, row)
        and not differences(published, settings_of(row))
    )


def same_cell(published: Published, row: Mapping[str, Any]) -> bool:
    """True if both are read with the same Σ and sampler over the same steps."""
    is_whole = published.steps == published.T  # by any stride the whole chain
    skip = row.get("skip")
    skipped = 0.0 if skip is None or math.isnan(skip) else skip
    if (row["steps"], skipped) != (published.steps, published.skip):
        return False
    if published.sampler == "ddim":
        is_plain = row["sampler"] == "ddim" and row["eta"] == 0
        return is_plain and (is_whole or row["stride"] == "constant")
    chain = published.sampler is None or row["sampler"] == published.sampler
    return chain and row["variance"] == published.variance and (is_whole or row["stride"] == "even")


def differences(published: Published, ours: Settings) -> dict[str, tuple[Any, Any]]:
    """Ours and the paper's value of each setting, by its path, that keeps the two apart."""
    theirs = _settings(published)
    return {
        path: (ours.get(path), value)
        for path, value in theirs.items()
        if not _is_alike(path, ours.get(path), value, published.metric)
        and not _of_another(path, ours, theirs)
    }


def _is_alike(path: str, ours: Any, theirs: Any, metric: Metric) -> bool:
    if path == "images" and metric == "bits_per_dim" and ours is not None:
        return bool(ENOUGH_IMAGES <= ours <= theirs)  # unlike a distance's, a mean's is no setting
    if path.endswith("learning_rate") and ours is not None:
        return math.isclose(ours, theirs, rel_tol=1e-3)  # the paper rounds it to four digits
    return bool(ours == theirs)


def _of_another(path: str, ours: Settings, theirs: Settings) -> bool:
    """Whether it is a setting of a choice that was made otherwise, which is said already."""
    choice = path.rpartition(".")[0]
    return choice in theirs and ours.get(choice) != theirs[choice]


class Difference(NamedTuple):
    """A setting that keeps a published number from standing beside a result."""

    setting: str
    here: str
    paper: str

    is_inferred: bool = False
    """Whether the paper leaves its value open."""

    def __str__(self) -> str:
        """In words: `T (1,000 here, 4,000 in the paper)`."""
        how = "inferred for" if self.is_inferred else "in"
        more = f" here, {self.paper} {how} the paper" if self.paper else ""
        return f"{self.setting} ({self.here}{more})"


def differing(published: Published, ours: Settings) -> list[Difference]:
    """What keeps a published number from standing beside a result of ours; empty: nothing.

    Args:
        published: The paper's number.
        ours: The result's settings, as `settings_of` gives them.
    """
    inferred = {name for one in published.inferred for name in one.settings}
    found = differences(published, ours)
    of_network = [path for path in found if path.startswith("train.network.")]
    joined = of_network if len(of_network) > 1 else []
    told = [
        Difference(name, _said(path, here), _said(path, there), name in inferred)
        for path, (here, there) in found.items()
        if path not in joined and (name := _name(path))
    ]
    return told + ([Difference("network", ", ".join(map(_name, joined)), "")] if joined else [])


def closest(
    rows: Iterable[Mapping[str, Any]], published: Iterable[Published]
) -> tuple[Published | None, list[Difference]]:
    """The published number that differs least from any of these results, and in what it does.

    Of several such, one with the objective of the result; None where there is none.

    Args:
        rows: Of a results table, each with a recipe.
        published: Numbers of their metrics; those of other metrics are passed over.
    """
    candidates = tuple(published)
    each = [(row["metric"], settings_of(row)) for row in rows]
    once = {(metric, json.dumps(ours, sort_keys=True)): ours for metric, ours in each}
    pairs = [
        (number, ours)
        for (metric, _), ours in once.items()
        for number in candidates
        if number.metric == metric
    ]
    found = min(pairs, key=lambda pair: _distance(*pair), default=None)
    return (None, []) if found is None else (found[0], differing(*found))


def closest_reasons(rows: Iterable[Mapping[str, Any]], published: Iterable[Published]) -> list[str]:
    """What differs from the published number of `closest`, in words."""
    return list(map(str, closest(rows, published)[1]))


def _distance(published: Published, ours: Settings) -> tuple[int, bool]:
    found = differences(published, ours)
    return len(found), "train.objective" in found


NAMES = {
    "train.diffusion.steps": "T",
    "train.steps": "training steps",
    "ema_decay": "weights",
    "estimate": "bound",
}


def _name(path: str) -> str:
    """What a setting is called on a page."""
    return NAMES.get(path, path.rpartition(".")[2].replace("_", " "))


def _said(path: str, value: Any) -> str:
    if path == "ema_decay":
        return "raw" if value is None else f"EMA {value:g}"
    if path == "estimate":
        return "exact" if value is None else "estimated from draws of t"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " and ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
