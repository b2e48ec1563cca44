"""Fréchet distances without the bias of the number of samples, from the features in the store.

Over the 192 samples of a laptop's study most of a distance is bias (`iddpm.evaluation.frechet_bias`
has the estimate). A share of such a distance says little of the quality: ten per cent of it may be
half of what tells samples from images. Claims are therefore judged on the distance without it.
"""

from collections.abc import Callable
from functools import cache, partial

import pandas as pd
from threadpoolctl import threadpool_limits

from iddpm.arrays import FloatArray
from iddpm.evaluation.frechet_bias import least_vectors, unbiased_distance
from studies.store.npy import read_array
from studies.store.pruning import JUDGED_DIMENSIONS
from studies.store.store import FEATURES
from studies.tables.study_files import StudyFiles

UNBIASED = "frechet_distance_unbiased"
"""The metric's name in a results table."""

Moments = Callable[[str], tuple[FloatArray, FloatArray]]
"""From the address of features to their mean and covariance."""


def with_unbiased(results: pd.DataFrame, study: StudyFiles) -> pd.DataFrame:
    """The results, and a row more for each distance that is known without its bias.

    None is over more than `JUDGED_DIMENSIONS`, where one distance takes seconds and this one nine
    of them; of too few samples; or of features that are no longer in the store.

    Args:
        results: Of the study.
        study: Where the features are.

    Raises:
        StoreError: If a file of features is damaged.
    """
    rows = results[(results["metric"] == "frechet_distance") & results["value"].notna()]
    moments = cache(partial(_moments, study))
    addresses = rows["address"].unique()
    with threadpool_limits(1, user_api="blas"):  # over such small matrices more would wait
        values = {address: _distance(study, address, moments) for address in addresses}
    found = rows.assign(metric=UNBIASED, value=rows["address"].map(values)).dropna(subset=["value"])
    return pd.concat([results, found], ignore_index=True) if len(found) else results


def _distance(study: StudyFiles, address: str, moments: Moments) -> float | None:
    """Of a finished score."""
    parents = study.task(address).parents
    generated, real = (parents[role] for role in ("generated", "reference"))
    files = [study.folder(one) / FEATURES for one in (generated, real)]
    if not all(file.exists() for file in files):
        return None
    features = read_array(files[0], "features")
    count, dimensions = features.shape
    if dimensions > JUDGED_DIMENSIONS or count < least_vectors(dimensions):
        return None
    return unbiased_distance(features, *moments(real))


def _moments(study: StudyFiles, address: str) -> tuple[FloatArray, FloatArray]:
    path = study.folder(address) / FEATURES
    return read_array(path, "mean"), read_array(path, "covariance")
