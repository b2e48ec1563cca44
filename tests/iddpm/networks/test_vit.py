"""DINOv2's network computes what is written out by hand, from files of the published layout."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iddpm.bounds import ConfigError
from iddpm.evaluation.features import dinov2, extract
from iddpm.networks.vit import VisionTransformer, load_vit
from tests.witness.vit_by_hand import features, random_weights, weights_file

DRAWS = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(2, 12, 20, 3), (1, 260, 300, 3)])
def test_features_are_those_of_the_network_written_out(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    weights = random_weights(128, 2)
    images = DRAWS.integers(0, 256, shape, dtype=np.uint8)
    network = load_vit(weights_file(tmp_path, weights))
    found = extract(network, images, levels=256, block_size=2)
    expected = features(weights, images)
    assert found.shape == (len(images), 128)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)  # float32 against float64
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(("width", "depth", "millions"), [(768, 12, 86.6), (1024, 24, 304.4)])
def test_the_published_shapes_are_known_by_their_size(
    width: int, depth: int, millions: float
) -> None:
    with torch.device("meta"):
        network = VisionTransformer(width=width, depth=depth)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_extractor_is_known_by_its_weights(tmp_path: Path) -> None:
    one, other = (dinov2(weights_file(tmp_path, random_weights(64, 1, seed))) for seed in (0, 1))
    assert (one.name, one.dimensions, one.levels) == ("dinov2", 64, 256)
    assert one.resize == "bicubic to 224, antialiased"
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"cls_token": None}, "no cls_token whose width is a multiple of 64"),
        ({"cls_token": torch.zeros(1, 1, 65)}, "no cls_token whose width is a multiple of 64"),
        ({"register_tokens": torch.zeros(1, 4, 64)}, "register_tokens beside them"),
        ({"blocks.0.mlp.fc1.bias": None}, "no blocks.0.mlp.fc1.bias"),
        ({"blocks.1.ls1.gamma": torch.ones(64)}, "no blocks.1.attn.proj.bias"),
        (
            {"pos_embed": torch.zeros(1, 9, 64)},
            "pos_embed of (1, 9, 64) instead of (1, 1370, 64)",
        ),
        ({"norm.bias": "text"}, "norm.bias of str instead of (64,)"),
    ],
)
def test_weights_of_another_network_are_refused(
    changes: dict[str, Any], found: str, tmp_path: Path
) -> None:
    weights = {k: v for k, v in (random_weights(64, 1) | changes).items() if v is not None}
    with pytest.raises(ConfigError) as refusal:
        load_vit(weights_file(tmp_path, weights))
    assert re.match(r"--weights: expected the weights of DINOv2 \(vit-b/14", str(refusal.value))
    assert f"found {found}; get https://" in str(refusal.value)


def test_a_file_that_is_missing_or_none_of_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"found no file at .*no\.pth; get https://"):
        load_vit(tmp_path / "no.pth")
    (tmp_path / "x.pth").write_bytes(b"hello")
    with pytest.raises(ConfigError, match="found something else; get"):
        load_vit(tmp_path / "x.pth")
