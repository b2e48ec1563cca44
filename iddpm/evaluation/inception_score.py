"""The Inception Score (Salimans et al., 2016, arXiv:1606.03498): sure classes, and many of them."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from iddpm.data import fixed_permutation
from iddpm.evaluation.feature_sets import check_comparable

PART = 5000
"""Images of one score, as in guided-diffusion's evaluator; the last part may have fewer."""


class InceptionScore(NamedTuple):
    """Over the parts; the deviation says nothing of training runs and is 0 of a single part."""

    mean: float
    deviation: float


def inception_score(
    features: NDArray[Any], classes: NDArray[Any], *, part: int = PART, device: str = "cpu"
) -> InceptionScore:
    """exp of the mean KL divergence of p(class | image) from p(class), for each part of the images.

    Parts are cut from one fixed permutation: in the order of files, images that are sorted by class
    would make parts of a few classes each, which score too low. guided-diffusion's evaluator keeps
    the order that it is given.

    Probabilities are the softmax of `features @ classes.T`, without biases, as the official
    evaluators take them (the paper's text leaves it open), in float64.

    Args:
        features: Pooled features of Inception-V3, shape (N, 2048), in any order.
        classes: `iddpm.evaluation.inception.load_classes`, shape (C, 2048).
        part: Images of one score.
        device: Where products are taken.

    Raises:
        ValueError: If features are none or not finite, or their dimensions are not the classes'.
    """
    check_comparable(features, classes[:1], at_least=1)
    weights = torch.from_numpy(classes.astype(np.float64)).to(device)
    order = fixed_permutation(len(features))
    scores = []
    for start in range(0, len(features), part):
        vectors = features[order[start : start + part]].astype(np.float64)
        block = torch.from_numpy(vectors).to(device)
        log_p = (block @ weights.T).log_softmax(dim=1)
        log_marginal = log_p.logsumexp(dim=0) - np.log(len(block))
        divergences = (log_p.exp() * (log_p - log_marginal)).sum(dim=1)
        scores.append(float(divergences.mean().exp()))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
