"""What each kind of task computes is pinned: a number that moves must move its kind's version too.

Addresses hold results across versions of the program, so code that computes something else under
an old address would mix two kinds of numbers in one table. The pinned numbers are of a tiny study
with random weights hardly trained; they say nothing but that they have not moved.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studies.tasks.kinds import KINDS
from tests.witness import stores, tiny
from tests.witness.marks import every_step
from tests.witness.runs import ran_every_kind

TOLERANCE = 1e-2
"""Relative. Rounding differs between processors; at 17 grey levels it may move a single pixel."""

GOLDEN: dict[tuple[str, int | str], tuple[float, ...]] = {
    ("imported", 1): (755298, 39928.0859375),
    ("extractor", 1): (4, 27 / 297),
    ("train", 1): (3178, 1.24804950, 2.50644469, 1.01185834),
    ("sample", 1): (7.578125,),
    ("features", 1): (-0.0878111024, 8.30181825e-05),
    ("radii", 1): (5.54995539e-05,),
    ("score", 1): (4.86846423e-05, 5 / 6, 1.0),
    ("gradient_noise", 1): (1.15003530, 0.692527588),
    ("gan", 1): (2629, 6.87574768, 7.42312813, 8.52928162, 6.79061413, 6.49721718, 8.36805820),
    ("gan_sample", 1): (10.3359375,),
    ("external", 1): (7.88541667,),
    ("likelihood", 2): (1.82318818e-05, 4.20753932, 5.17796147, 4.31008520),
    ("likelihood_shard", 1): (1.41812296, 1.64601788),
    ("likelihood_merge", 1): (1.89599929e-05, 4.10748460, 4.98274035, 4.17680451),
    ("latents", 1): (1.0, 0.493843590, 3.74719548e-05, 0.997336805),
}


def numbers(kind: str, result: Mapping[str, Any], folder: Path) -> tuple[float, ...]:
    """A few numbers that stand for a result."""
    match kind:
        case "gan":
            curve = result["loss_curve"]
            return (result["parameters"], *curve["loss"], *curve["generator_loss"])
        case "train":
            return (result["parameters"], *result["loss_curve"]["loss"])
        case "likelihood_shard":
            (block,) = (folder / "shard").iterdir()
            with np.load(block) as arrays:
                return (float(arrays["decoder"].mean()), float(arrays["kl"].mean()))
        case "likelihood" | "likelihood_merge":
            bounds = result["variances"].values()
            return (result["prior"]["mean"], *(b["bits_per_dim"]["mean"] for b in bounds))
        case "latents":
            return (*result["alpha_bar"], float(np.load(folder / "latents.npy").std()))
        case "sample" | "gan_sample" | "external":
            return (float(np.load(folder / "samples.npy").mean()),)
        case "imported":
            (weights,) = torch.load(folder / "state.pt", weights_only=True)["weights"].values()
            return (result["parameters"], float(sum(w.abs().sum() for w in weights.values())))
        case "features":
            with np.load(folder / "features.npz") as arrays:
                return (float(arrays["mean"].sum()), float(arrays["covariance"].trace()))
        case "radii":
            return (float(np.load(folder / "radii.npy").mean()),)
        case "gradient_noise":
            return (result["squared_norm"]["mean"], result["variance"]["mean"])
        case "score":
            return (result["frechet_distance"], result["precision"], result["recall"])
        case _:
            return (result["features"], result["test_accuracy"])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, ...]]:
    """The numbers of the first task of each kind."""
    folder = tmp_path_factory.mktemp("golden")
    store, first = ran_every_kind(folder), dict[str, tuple[float, ...]]()
    imported = tiny.imported(folder / "network.pt")
    stores.done(store, imported)
    for address in [*store.study("tiny-tiny")["tasks"], imported.address]:
        kind, result = address.rpartition("-")[0], store.result(address)
        assert result is not None
        first.setdefault(kind, numbers(kind, result, store.folder(address)))
    return first


@every_step
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_computes_what_its_version_did(
    kind: str, found: dict[str, tuple[float, ...]]
) -> None:
    version = KINDS[kind].version
    remedy = f"raise the version of {kind!r} in studies/tasks/task.py, and pin {found[kind]} here"
    assert (kind, version) in GOLDEN, remedy
    assert found[kind] == pytest.approx(GOLDEN[kind, version], rel=TOLERANCE), remedy
