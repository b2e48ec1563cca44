"""What an interval over seeds leaves out: which images a bound is over, and what a score looks at.

Both are the same for all seeds. A result keeps the standard error of a bound over its images, not
the bound of each, and a score of one extractor: neither can be added to the spread over seeds.
"""

import json
from collections.abc import Collection

from studies.judging.verdicts import listed
from studies.spec.arms import TRAIN
from studies.tables.rows import asked
from studies.tables.tables import Tables


def left_out(tables: Tables, parts: Collection[str]) -> str:
    """What the intervals of a claim leave out, in words; empty for what is exact.

    Args:
        tables: The study.
        parts: Parts of a sweep on which the claim is measured.
    """
    bounds = {"likelihood", TRAIN} & set(parts)
    said = [_images(tables) if bounds else "", _extractor(tables) if "samples" in parts else ""]
    return " ".join(filter(None, said))


def _images(tables: Tables) -> str:
    rows = asked(tables, "bits_per_dim").dropna(subset=["value", "standard_error"])
    if rows.empty:
        return ""
    images = listed(sorted({int(count) for count in rows["images"]}))
    return (
        f"The bounds are over {images} images, the same for every seed: over others an arm would "
        f"have other bits/dim, by a standard error of up to {rows['standard_error'].max():.2g}, "
        "which arms that are compared share in part and the interval leaves out."
    )


def _extractor(tables: Tables) -> str:
    recipes = asked(tables, "frechet_distance")["recipe"].dropna().unique()
    found = [json.loads(recipe) for recipe in recipes]
    if not found:
        return ""
    names = " and ".join(sorted({recipe["extractor"].partition(":")[0] for recipe in found}))
    images = listed(sorted({int(recipe["reference_images"]) for recipe in found}))
    return (
        f"Scores look through one extractor ({names}) at {images} real images, the same for every "
        "seed: what others would change is in no interval."
    )
