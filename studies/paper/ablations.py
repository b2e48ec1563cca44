"""Tables 1 and 2: what schedule, T and objective do to bits/dim and FID."""

from collections.abc import Iterator

from iddpm.config import Variance
from studies.paper.published import Metric, Published

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
