"""The scores against torch-fidelity's, where it is installed: `pip install --no-deps`.

It asks for torchvision, of which its metrics use nothing, and which would bring another torch: what
it imports of that stands here as empty modules. Its precision and recall take the sets in the other
order, and are in float32.
"""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from iddpm.data import fixed_permutation
from iddpm.evaluation.frechet import frechet_distance
from iddpm.evaluation.inception_score import inception_score
from iddpm.evaluation.metrics import kid
from iddpm.evaluation.precision_recall import precision_recall

DRAWS = np.random.default_rng(0)
REAL, GENERATED = (
    (DRAWS.standard_normal((count, 24)) @ DRAWS.standard_normal((24, 24)) / 4 + shift).astype(
        np.float32
    )
    for count, shift in ((300, 0), (260, 0.1))
)
CLASSES = DRAWS.standard_normal((9, 24)).astype(np.float32)


@pytest.fixture(scope="module")
def fidelity() -> Any:
    """Its modules of metrics, by the beginnings of their names."""
    named = ("", ".transforms", ".transforms.functional", ".datasets", ".models")
    empty = {f"torchvision{name}": ModuleType(f"torchvision{name}") for name in named}
    for name in ("CIFAR10", "STL10", "CIFAR100"):
        setattr(empty["torchvision.datasets"], name, object)
    vars(empty["torchvision"]).update(
        {name[1:]: empty[f"torchvision{name}"] for name in (".transforms", ".datasets", ".models")}
    )
    vars(empty["torchvision.transforms"])["functional"] = empty["torchvision.transforms.functional"]
    vars(empty["torchvision.transforms"])["Compose"] = object
    before = {name: sys.modules.get(name) for name in empty}
    sys.modules.update(empty)
    try:
        return {
            name: pytest.importorskip(f"torch_fidelity.metric_{name}")
            for name in ("fid", "kid", "isc", "prc")
        }
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def test_the_distance_is_the_same(fidelity: Any) -> None:
    statistics = [
        fidelity["fid"].fid_features_to_statistics(torch.from_numpy(one).double())
        for one in (REAL, GENERATED)
    ]
    found = fidelity["fid"].fid_statistics_to_metric(*statistics, verbose=False)
    expected = found["frechet_inception_distance"]
    assert frechet_distance(GENERATED, REAL).value == pytest.approx(expected, rel=1e-6)


def test_the_kernel_distance_is_the_same(fidelity: Any) -> None:
    sets = [torch.from_numpy(one[:260]).double() for one in (REAL, GENERATED)]
    settings = {"kid_subset_size": 260, "kid_subsets": 1, "verbose": False}
    found = fidelity["kid"].kid_features_to_metric(*sets, **settings)
    expected = found["kernel_inception_distance_mean"]
    assert kid(REAL[:260], GENERATED) == pytest.approx(expected, rel=1e-6)


def test_the_inception_score_is_the_same(fidelity: Any) -> None:
    mixed = GENERATED[fixed_permutation(len(GENERATED))]
    logits = torch.from_numpy(mixed).double() @ torch.from_numpy(CLASSES).double().T
    found = fidelity["isc"].isc_features_to_metric(logits, splits=10, shuffle=False)
    expected = found["inception_score_mean"], found["inception_score_std"]
    assert inception_score(GENERATED, CLASSES, part=26) == pytest.approx(expected, rel=1e-6)


def test_precision_and_recall_are_the_same(fidelity: Any) -> None:
    sets = [torch.from_numpy(one) for one in (GENERATED, REAL)]
    settings = {"prc_neighborhood": 3, "prc_batch_size": 1000, "verbose": False}
    found = fidelity["prc"].prc_features_to_metric(*sets, save_cpu_ram=False, **settings)
    shares = precision_recall(REAL, GENERATED, k=3)
    assert shares == pytest.approx((found["precision"], found["recall"]), rel=1e-6)
    assert 0 < min(shares) < max(shares) < 1
