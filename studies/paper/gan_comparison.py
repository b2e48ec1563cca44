"""Table 4: class-conditional ImageNet 64, diffusion of two sizes beside BigGAN-deep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studies.paper.published import INCEPTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row of the table, every number exact."""

    name: str
    frechet_distance: float
    precision: float
    recall: float


SOURCE = "Table 4"
TABLE_4 = (
    Model(name="BigGAN-deep", frechet_distance=4.06, precision=0.86, recall=0.59),
    Model(name="Improved Diffusion (small)", frechet_distance=6.92, precision=0.77, recall=0.72),
    Model(name="Improved Diffusion (large)", frechet_distance=2.92, precision=0.82, recall=0.71),
)
"""BigGAN-deep has 100M parameters, both networks counted, and was trained for 125,000 steps; the
diffusion models have 100M and 270M, were trained for 1.7M and 250,000 steps, and take 250 sampling
steps. A later evaluation of the same samples, with other neighbours and references, is another
measurement."""

RECIPE: dict[str, Any] = {
    "features": INCEPTION,
    "reference set": "imagenet64/train",
    "images": 50_000,
}
NEIGHBOURS = 5
"""k of the table's precision and recall. How many real images they are over is not stated."""


def reasons_against_table_4(recipe: Mapping[str, Any], metric: str) -> list[str]:
    """What keeps the table's numbers of a metric from standing beside ours; empty: nothing.

    Args:
        recipe: Of a score of ours.
        metric: `frechet_distance`, `precision` or `recall`.
    """
    ours = {
        "features": recipe["extractor"].partition(":")[0],
        "reference set": recipe["reference"],
        "images": recipe["images"],
    }
    theirs = dict(RECIPE)
    if metric != "frechet_distance":
        ours["neighbours"], theirs["neighbours"] = recipe["neighbours"], NEIGHBOURS
    found = [
        f"{name} ({_said(ours[name])} here, {_said(value)} in the paper)"
        for name, value in theirs.items()
        if ours[name] != value
    ]
    if metric != "frechet_distance":
        found.append(f"reference images ({_said(recipe['reference_images'])} here, not stated)")
    return found


def _said(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
