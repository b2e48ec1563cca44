"""What the arms of a study are called on a page: short names that tell each from the others.

An arm is named by its objective and by how its Σ or its sampler is chosen. Any other setting is said
only where it differs between arms that would otherwise share a name.
"""

from collections.abc import Hashable, Mapping
from typing import Any, cast

import pandas as pd

from studies.paper import INCEPTION

BETA_TILDE = "β̃"
"""Beta with a combining tilde; pages and figures set it so that the tilde is seen in any font."""

VARIANCES = {
    "beta": "Σ = β",
    "beta_tilde": f"Σ = {BETA_TILDE}",
    "learned": "Σ learned freely",
    "range": "Σ learned",
}
OBJECTIVES = {"simple": "L_simple", "hybrid": "L_hybrid", "vlb": "L_vlb"}
MODES = (*VARIANCES, "ddim")
"""How a chain chooses its noise: one of the variances, or DDIM."""

NAMED = ("objective", "variance", "sampler", "eta")
"""Columns that the short name already tells."""


def mode(arm: pd.Series) -> str:
    """One of `MODES`; empty for an arm read with every Σ at once."""
    if arm.get("sampler") == "ddim":
        return "ddim"
    variance = arm.get("variance")
    return "" if pd.isna(variance) else str(variance)


def short_name(arm: pd.Series) -> str:
    """Objective and Σ or sampler: `L_simple, Σ = β`, `L_simple, DDIM`."""
    objective = OBJECTIVES[arm["objective"]] if "objective" in arm else ""
    chosen = mode(arm)
    if chosen == "ddim":
        eta = float(arm["eta"])
        return f"{objective}, DDIM" + (f" η = {eta:g}" if eta else "")
    return f"{objective}, {VARIANCES[chosen]}" if chosen else objective


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
    if column in ("schedule", "stride"):
        return f"{value} {column}"
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{column.removeprefix('train.').replace('_', ' ')} = {shown}"


def rank(arm: pd.Series) -> tuple[int, int]:
    """Where an arm stands in a list: by objective, then by Σ, DDIM last."""
    objective = arm.get("objective", "simple")
    return list(OBJECTIVES).index(objective), ("", *MODES).index(mode(arm))


def labelled(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The table with two more columns: `arm`, the name of each row's arm, and `rank`, its order.

    Args:
        table: Rows of any number of arms.
        columns: The columns that make up an arm; of those of `NAMED`, any may be absent.
    """
    arms = table[columns].drop_duplicates().astype(object)
    arms = arms.loc[sorted(arms.index, key=lambda index: rank(arms.loc[index]))]
    names = arms.apply(short_name, axis=1) if len(arms) else pd.Series(dtype=object)
    extra = [column for column in columns if column not in NAMED]
    for _, same in arms.groupby(names, sort=False):
        for column in extra:
            if same[column].nunique(dropna=False) > 1:
                names[same.index] += same[column].map(lambda value, c=column: f", {setting(c, value)}")
    order = {_key(arm): place for place, (_, arm) in enumerate(arms.iterrows())}
    places = [order[_key(row)] for _, row in table[columns].astype(object).iterrows()]
    listed = list(names)
    return table.assign(arm=[listed[place] for place in places], rank=places)


def _key(arm: pd.Series) -> tuple[Hashable, ...]:
    return tuple(None if pd.isna(value) else cast(Hashable, value) for value in arm)
