"""What the arms of a study are called on a page: short names that tell each from the others.

An arm is named by its objective and by how its Σ or its sampler is chosen. Any other setting is
said only where it differs between arms that would otherwise share a name; but where some networks
of a study were trained with importance sampling of t, those are called resampled, as in Fig. 6.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from iddpm.config import Objective
from iddpm.config_fields import kinds
from studies.published.published import ENSEMBLE, INCEPTION

BETA_TILDE = "β̃"
"""Beta with a combining tilde; pages and figures set it so that the tilde is seen in any font."""

VARIANCES = {
    "beta": "Σ = β",
    "beta_tilde": f"Σ = {BETA_TILDE}",
    "learned": "Σ learned freely",
    "range": "Σ learned",
}
OBJECTIVES = {"simple": "L_simple", "hybrid": "L_hybrid", "vlb": "L_vlb"}
LOSS = re.compile(rf"\bL_({'|'.join(map(re.escape, kinds(Objective)))})\b")
"""An objective as `objective_name` calls it. Pages and figures set its name as a subscript; in a
name that a person gave, such as MODEL_small, nothing else is read as a symbol."""
MODES = (*VARIANCES, "ddim")
"""How a chain chooses its noise: one of the variances, or DDIM."""

COUNTED = {
    "train.steps": "training step",
    "train.network.model_channels": "channel",
    "train.network.heads": "head",
}
"""Settings that are told as numbers of something."""
WORDS: dict[str, dict[Any, str]] = {
    "likelihood.split": {"train": "training images", "test": "test images"},
    "likelihood.estimate": {"draws": "estimated"},
    "train.network.class_conditional": {True: "class-conditional", False: "unconditional"},
    "train.network.scale_shift": {True: "scale-shift", False: "plain conditioning"},
}
"""Settings of which each value has its own words."""

TIMESTEPS = "train.timesteps"
"""The column that says how t was drawn in training, where that differs within a study."""

NAMED = ("objective", TIMESTEPS, "variance", "sampler", "eta", "rival", *ENSEMBLE)
"""Columns that the short name already tells."""


def is_rival(arm: pd.Series) -> bool:
    """Whether the arm is no diffusion model of ours, but what these stand beside."""
    return not pd.isna(arm.get("rival"))


def mode(arm: pd.Series) -> str:
    """One of `MODES`, or another sampler; empty for an arm read with every Σ at once."""
    sampler = arm.get("sampler")
    if not (pd.isna(sampler) or sampler == "ancestral"):
        return str(sampler)
    variance = arm.get("variance")
    return "" if pd.isna(variance) else str(variance)


def is_resampled(arm: "pd.Series | Mapping[str, Any]") -> bool:
    """Whether the study says of this arm that its network drew t by importance (Eq. 18)."""
    return bool(arm.get(TIMESTEPS) == "loss_second_moment")


def is_ensemble(arm: Mapping[Any, Any] | pd.Series) -> bool:
    """Whether two networks share the chain, each at its steps."""
    return any(isinstance(arm.get(column), str) for column in ENSEMBLE)


def objective_name(arm: "pd.Series | Mapping[str, Any]") -> str:
    """The objective as the paper names it: `L_vlb`, `L_vlb (resampled)`; empty if it has none."""
    if "objective" not in arm:
        return ""
    name = str(arm["objective"])
    return OBJECTIVES.get(name, f"L_{name}") + (" (resampled)" if is_resampled(arm) else "")


def short_name(arm: pd.Series) -> str:
    """Objective and Σ or sampler: `L_simple, Σ = β`, `ensemble, Σ learned`; of a rival its name."""
    if is_rival(arm):
        return str(arm["rival"])
    if pd.isna(arm.get("objective", "")):  # no network: the schedule is all there is
        return f"{arm['schedule']} schedule"
    objective = "ensemble" if is_ensemble(arm) else objective_name(arm)
    chosen = mode(arm)
    if chosen == "ddim":
        eta = float(arm["eta"])
        return f"{objective}, DDIM" + (f" η = {eta:g}" if eta else "")
    return f"{objective}, {VARIANCES.get(chosen, chosen)}" if chosen else objective


def distance_name(recipe: Mapping[str, Any]) -> str:
    """The name of a Fréchet distance: FID is kept for the features that published FIDs are over.

    Args:
        recipe: Of a score; `extractor` is a name and a content hash, `images` the number drawn.
    """
    name, images = recipe["extractor"].partition(":")[0], recipe["images"]
    if name != INCEPTION:
        return f"FD[{recipe['extractor']}]"
    return "FID" if images >= 50_000 else f"FID@{images / 1000:g}k"


def setting(column: str, value: Any) -> str:
    """One further setting in words: `T = 4000`, `cosine schedule`, `raw weights`."""
    if column == "ema_decay":
        return "raw weights" if pd.isna(value) else f"EMA {value:g}"
    if pd.isna(value):  # a setting that has no meaning for this arm
        return f"no {column.rpartition('.')[2].replace('_', ' ')}"
    if column in ("schedule", "stride"):
        return f"{str(value).replace('_', ' ')} {column}"
    if column == "steps":
        return f"{value:,} steps"
    if column in COUNTED:
        return f"{int(value):,} {COUNTED[column]}" + ("s" if value != 1 else "")
    if column in WORDS:
        return WORDS[column][value]
    if column == "train.network.attention_resolutions":
        return f"attention at {str(value).replace(',', ' and ')}" if value else "no attention"
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{column.rpartition('.')[2].replace('_', ' ')} = {shown}"


def rank(arm: pd.Series) -> tuple[int, bool, int]:
    """Where an arm stands: by objective, resampled and ensembles last, then by Σ, DDIM last.

    Schedules without a network come first, rivals last.
    """
    if is_rival(arm):
        return len(OBJECTIVES) + 2, False, 0
    objective = arm.get("objective", "simple")
    if pd.isna(objective):
        return -1, False, 0
    of_objective = len(OBJECTIVES) + 1 if is_ensemble(arm) else place(objective, OBJECTIVES)
    return of_objective, is_resampled(arm), place(mode(arm), ("", *MODES))


def place(name: str, known: Collection[str]) -> int:
    """Where a name stands among the known ones; any other comes after them."""
    return list(known).index(name) if name in known else len(known)


def labelled(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The table with two more columns: `arm`, the name of each row's arm, and `rank`, its order.

    Args:
        table: Rows of any number of arms.
        columns: The columns that make up an arm; of those of `NAMED`, any may be absent.
    """
    groups = table.groupby(columns, sort=False, dropna=False).ngroup()
    arms = table[columns].astype(object)[~groups.duplicated()].set_axis(groups.unique())
    order = sorted(arms.iterrows(), key=lambda item: rank(item[1]))
    arms = arms.loc[[group for group, _ in order]]
    names = pd.Series([short_name(arm) for _, arm in order], arms.index, dtype=object)
    for _, alike in arms.groupby(names, sort=False):
        for column in alike.columns.difference(list(NAMED), sort=False):
            if alike[column].nunique(dropna=False) > 1:
                names[alike.index] += [f", {setting(column, value)}" for value in alike[column]]
    ranks = pd.Series(range(len(arms)), arms.index)
    return table.assign(arm=groups.map(names), rank=groups.map(ranks))


def apart(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The table with the same two columns as `labelled`, where the figure says what all arms share.

    An arm is named by nothing but what differs among them, and keeps its place in the study.

    Args:
        table: Rows of any number of arms.
        columns: The columns that make up an arm.
    """
    groups = table.groupby(columns, sort=False, dropna=False).ngroup()
    arms = table[columns].astype(object)[~groups.duplicated()].set_axis(groups.unique())
    differing = [c for c in columns if arms[c].nunique(dropna=False) > 1]
    said = [c for c in differing if c not in NAMED]
    names = {
        group: ", ".join(
            [short_name(arm)] * (len(said) < len(differing) or not said)
            + [setting(column, arm[column]) for column in said]
        )
        for group, arm in arms.iterrows()
    }
    return table.assign(arm=groups.map(names), rank=groups)
