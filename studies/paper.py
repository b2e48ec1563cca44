"""The numbers that Nichol & Dhariwal (2021, arXiv:2102.09672) published, each with its source.

A number from a table is exact; one read off a figure by measuring its picture is digitised, with
the error of the measurement beside it. Numbers are overlaid on ours only where everything that
they depend on is the same: a Fréchet distance over other features, another reference set or
another number of images is another quantity. `reasons_against` says what differs.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iddpm.config import Variance

Metric = Literal["frechet_distance", "bits_per_dim"]
INCEPTION = "inception-2015-12-05"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One number of the paper and everything it depends on, as far as the paper says.

    A setting that the paper leaves open is None, and matches nothing.
    """

    value: float
    metric: Metric
    source: str
    """Table or figure."""
    tag: Literal["exact", "digitised"]
    error: float | None
    """Of the digitisation, one side; None: exact."""
    data: str
    T: int
    schedule: str | None
    objective: str
    training_steps: int
    variance: Variance | None
    sampler: Literal["ancestral", "ddim"] | None
    """None: not sampled (a bound)."""
    steps: int
    """Reverse steps sampled or scored."""
    images: int | None
    """Images generated or scored; None: not stated."""

    def settings(self) -> dict[str, Any]:
        """What a result must share with this number to stand beside it."""
        shared = {
            "training set": self.data,
            "T": self.T,
            "schedule": self.schedule,
            "objective": self.objective,
            "training steps": self.training_steps,
            "images": self.images,
        }
        if self.metric == "frechet_distance":
            shared |= {"features": INCEPTION, "reference set": f"{self.data}/train"}
        return shared


# ------------------------------------------------------------------------------- Tables 1 and 2

TABLES: tuple[tuple[str, str, int, tuple[tuple[int, int, str, str, float, float], ...]], ...] = (
    (
        "Table 1",
        "imagenet64",
        10_000,
        (
            (200_000, 1000, "linear", "simple", 3.99, 32.5),
            (200_000, 4000, "linear", "simple", 3.77, 31.3),
            (200_000, 4000, "linear", "hybrid", 3.66, 32.2),
            (200_000, 4000, "cosine", "simple", 3.68, 27.0),
            (200_000, 4000, "cosine", "hybrid", 3.62, 28.0),
            (200_000, 4000, "cosine", "vlb", 3.57, 56.7),
            (1_500_000, 4000, "cosine", "hybrid", 3.57, 19.2),
            (1_500_000, 4000, "cosine", "vlb", 3.53, 40.1),
        ),
    ),
    (
        "Table 2",
        "cifar10",
        50_000,
        (
            (500_000, 1000, "linear", "simple", 3.73, 3.29),
            (500_000, 4000, "linear", "simple", 3.37, 2.90),
            (500_000, 4000, "linear", "hybrid", 3.26, 3.07),
            (500_000, 4000, "cosine", "simple", 3.26, 3.05),
            (500_000, 4000, "cosine", "hybrid", 3.17, 3.19),
            (500_000, 4000, "cosine", "vlb", 2.94, 11.47),
        ),
    ),
)
"""(table, data, images of its FID, rows of (training steps, T, schedule, objective, NLL, FID))."""


def table_numbers() -> Iterator[Published]:
    """Tables 1 and 2: bits/dim and FID over all T steps.

    Only row 1's Σ is stated, as β; that of the other L_simple rows is not, so it stays None.
    L_hybrid and L_vlb learn theirs (Eq. 15). How many images the bits/dim are over is not stated.
    """
    for source, data, images, rows in TABLES:
        for row, (training_steps, T, schedule, objective, nll, fid) in enumerate(rows):
            learned: Variance | None = "range" if objective != "simple" else None
            variance: Variance | None = "beta" if row == 0 else learned
            values: tuple[tuple[Metric, float], ...] = (
                ("bits_per_dim", nll),
                ("frechet_distance", fid),
            )
            for metric, value in values:
                scored = metric == "bits_per_dim"
                yield Published(
                    value=value,
                    metric=metric,
                    source=source,
                    tag="exact",
                    error=None,
                    data=data,
                    T=T,
                    schedule=schedule,
                    objective=objective,
                    training_steps=training_steps,
                    variance=variance,
                    sampler=None if scored else "ancestral",
                    steps=T,
                    images=None if scored else images,
                )


# --------------------------------------------------------------------------------------- Fig. 8

FIG_8_STEPS = (25, 50, 100, 200, 400, 1000, 4000)
FIG_8_ERROR = 0.1
OFF = math.nan
"""The marker lies above the figure's axis (40 on ImageNet 64, 20 on CIFAR-10)."""

FIG_8: dict[tuple[str, int, str, str], tuple[float, ...]] = {
    ("imagenet64", 500_000, "simple", "beta"): (OFF, OFF, OFF, 32.2, 26.2, 22.8, 22.3),
    ("imagenet64", 1_500_000, "simple", "beta"): (OFF, OFF, OFF, 30.5, 23.0, 19.5, 18.4),
    ("imagenet64", 500_000, "simple", "beta_tilde"): (34.8, 27.7, 25.4, 24.4, 23.2, 22.9, 22.6),
    ("imagenet64", 1_500_000, "simple", "beta_tilde"): (31.7, 24.1, 21.5, 19.5, 19.2, 19.1, 18.6),
    ("imagenet64", 500_000, "simple", "ddim"): (29.8, 26.6, 24.9, 23.7, 24.0, 24.5, 24.2),
    ("imagenet64", 1_500_000, "simple", "ddim"): (26.2, 22.9, 21.1, 20.3, 19.8, 20.0, 19.7),
    ("imagenet64", 500_000, "hybrid", "range"): (28.4, 23.6, 22.7, 22.4, 22.3, 22.1, 22.5),
    ("imagenet64", 1_500_000, "hybrid", "range"): (26.9, 21.8, 20.3, 19.2, 19.2, 18.8, 19.2),
    ("cifar10", 200_000, "simple", "beta"): (OFF, OFF, OFF, 10.3, 4.3, 2.9, 3.55),
    ("cifar10", 500_000, "simple", "beta"): (OFF, OFF, OFF, 12.3, 4.9, 2.7, 3.05),
    ("cifar10", 200_000, "simple", "beta_tilde"): (15.6, 10.8, 8.1, 6.4, 5.35, 4.7, 4.1),
    ("cifar10", 500_000, "simple", "beta_tilde"): (15.1, 9.6, 6.9, 5.4, 4.5, 3.85, 3.4),
    ("cifar10", 200_000, "simple", "ddim"): (9.2, 7.4, 6.4, 6.0, 5.75, 5.5, 5.4),
    ("cifar10", 500_000, "simple", "ddim"): (7.9, 5.9, 4.9, 4.3, 4.1, 3.85, 3.75),
    ("cifar10", 200_000, "hybrid", "range"): (10.8, 6.5, 4.9, 4.2, 3.95, 3.9, 3.9),
    ("cifar10", 500_000, "hybrid", "range"): (10.6, 5.6, 4.0, 3.4, 3.3, 3.2, 3.2),
}
"""FID by number of steps, digitised. Keys: data, training steps, objective, Σ (or "ddim")."""


def fig_8_numbers() -> Iterator[Published]:
    """Fig. 8: FID against the number of sampling steps, T = 4000.

    The schedule of the L_simple network is not stated; its CIFAR-10 end point agrees with the
    cosine row of Table 2, so cosine is taken.
    """
    for (data, training_steps, objective, mode), values in FIG_8.items():
        for steps, value in zip(FIG_8_STEPS, values, strict=True):
            if math.isnan(value):
                continue
            yield Published(
                value=value,
                metric="frechet_distance",
                source="Fig. 8",
                tag="digitised",
                error=FIG_8_ERROR,
                data=data,
                T=4000,
                schedule="cosine",
                objective=objective,
                training_steps=training_steps,
                variance=_VARIANCES.get(mode),
                sampler="ddim" if mode == "ddim" else "ancestral",
                steps=steps,
                images=50_000 if data == "cifar10" else 10_000,
            )


_VARIANCES: dict[str, Variance] = {"beta": "beta", "beta_tilde": "beta_tilde", "range": "range"}

# --------------------------------------------------------------------------------------- Fig. 2

FIG_2: dict[int, float] = {
    0: 1.1,
    50: 5.9e-3,
    100: 2.4e-3,
    200: 8.2e-4,
    500: 1.8e-4,
    1000: 5.1e-5,
    1500: 2.4e-5,
    2000: 1.2e-5,
    2500: 5.4e-6,
    3000: 1.7e-6,
    3500: 3.6e-7,
    3900: 7.2e-8,
    4000: 5e-8,
}
"""Term of the bound (bits/dim) by diffusion step, T = 4000, digitised. The paper does not say which
network and data the figure shows, so no result of ours can be known to be comparable with it."""

# -------------------------------------------------------------------------------- comparability


def numbers() -> tuple[Published, ...]:
    """Every number that a result could stand beside."""
    return (*table_numbers(), *fig_8_numbers())


def settings_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one row of the results table, under the names of `Published.settings`.

    Args:
        row: A row of `tables.results` that has a recipe.
    """
    recipe = json.loads(row["recipe"])
    reference = recipe.get("reference") or recipe.get("split") or "?"
    return {
        "training set": reference.partition("/")[0],
        "T": row["T"],
        "schedule": row["schedule"],
        "objective": row["objective"],
        "training steps": row["training_steps"],
        "images": row["images"],
        "features": recipe.get("extractor", "").partition(":")[0],
        "reference set": reference,
    }


def reasons_against(published: Published, ours: Mapping[str, Any]) -> list[str]:
    """What keeps a published number from standing beside a result of ours; empty: nothing.

    Args:
        published: The paper's number.
        ours: The result's settings, as `settings_of` gives them.
    """
    return [
        f"{name} ({_said(ours[name])} here, {_said(theirs)} in the paper)"
        for name, theirs in published.settings().items()
        if theirs is None or ours[name] != theirs
    ]


def _said(value: str | int | None) -> str:
    if value is None:
        return "not stated"
    return value if isinstance(value, str) else f"{int(value):,}"


def same_cell(published: Published, row: Mapping[str, Any]) -> bool:
    """True if both are read with the same Σ and sampler over the same number of steps."""
    chosen = "sampler" if "ddim" in (published.sampler, row["sampler"]) else "variance"
    ours = row[chosen], row["steps"]
    return ours == (getattr(published, chosen), published.steps)
