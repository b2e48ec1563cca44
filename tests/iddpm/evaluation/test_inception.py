"""Inception-V3 computes what its description says, from a file of the published layout."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from iddpm.bounds import ConfigError
from iddpm.config_fields import canonical
from iddpm.data import to_unit
from iddpm.evaluation.config import Inception
from iddpm.evaluation.features import extract, load_extractor, make_extractor, save_extractor
from iddpm.evaluation.inception import (
    NAME,
    OTHER,
    WithSpatial,
    load_classes,
    load_inception,
    resized,
)
from iddpm.evaluation.weights_file import PUBLISHED, SOURCE, check_weights, is_published
from studies.published.published import INCEPTION
from tests.witness.inception_by_hand import (
    Weights,
    both,
    random_weights,
    scaled,
    shapes,
    weights_file,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_weights()


@pytest.fixture(scope="module")
def file(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return weights_file(tmp_path_factory.mktemp("weights"), weights)


def test_the_features_are_those_of_the_network_written_out(
    weights: Weights, file: tuple[Path, str]
) -> None:
    joined = extract(WithSpatial(load_inception(*file)), IMAGES[:1], levels=256, block_size=2)
    found_both = np.split(joined, [2048], axis=1)
    for found, expected in zip(found_both, both(weights, IMAGES[:1]), strict=True):
        assert found.shape == expected.shape
        assert expected.std() > 0.01  # the random network lets something through
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)  # float32 against float64


def test_the_classes_are_read_without_their_biases(weights: Weights, tmp_path: Path) -> None:
    classes = torch.randn(1008, 2048)
    path, _ = weights_file(tmp_path, {**weights, "fc.weight": classes})
    np.testing.assert_array_equal(load_classes(path), classes)


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, "found none where"), (torch.zeros(5, 3), r"found fc.weight of (5, 3) where")],
)
def test_a_file_without_the_classes_is_refused(
    tmp_path: Path, value: torch.Tensor | None, found: str
) -> None:
    path, _ = weights_file(
        tmp_path, {"x": torch.zeros(1)} if value is None else {"fc.weight": value}
    )
    with pytest.raises(ConfigError) as refusal:
        load_classes(path)
    assert f"{found} the classes of an Inception Score should be; get " in str(refusal.value)


@pytest.mark.parametrize("side", [8, 299, 400])
def test_images_are_scaled_with_their_corners_on_each_other(side: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    found = resized(torch.from_numpy(image).permute(2, 0, 1)[None].double(), 299)[0]
    np.testing.assert_allclose(found.permute(1, 2, 0), scaled(image), atol=2e-2)  # float32 places
    assert (found[:, 0, 0].numpy() == image[0, 0]).all()


def test_an_image_of_its_own_size_is_left_alone() -> None:
    image = torch.rand(1, 3, 299, 299)
    assert (resized(image, 299) == image).all()


def test_pixels_are_read_as_whole_levels(file: tuple[Path, str]) -> None:
    network, images = load_inception(*file), torch.from_numpy(to_unit(IMAGES, 256))
    with torch.no_grad():
        assert (network(images) == network(images + 1e-4)).all()


def test_the_published_layout_has_94_convolutions_and_nothing_else_is_learned(
    file: tuple[Path, str],
) -> None:
    network = load_inception(*file)
    assert len(shapes()) == 94
    assert sum(p.numel() for p in network.parameters()) == sum(
        a * b * c * d for a, b, c, d in shapes().values()
    )
    assert not any(p.requires_grad for p in network.parameters())


def test_an_extractor_is_named_and_known_by_its_weights(
    file: tuple[Path, str], tmp_path: Path
) -> None:
    config = Inception(path=str(file[0]), sha256=file[1])
    made = make_extractor(config)
    assert made.name == OTHER  # an FID is over the published weights alone
    assert (made.dimensions, made.levels, made.resize) == (2048, 256, "TF1 bilinear to 299")
    save_extractor(tmp_path / "extractor.pt", config, made)
    again = load_extractor(tmp_path / "extractor.pt", config)
    assert again.sha256 == made.sha256
    assert again.as_json() == made.as_json()


def test_where_the_file_lies_is_not_what_it_is() -> None:
    assert canonical(Inception(path="a")) == canonical(Inception(path="b"))
    assert canonical(Inception()) != canonical(Inception(sha256="0" * 8))


def refused(path: Path, sha256: str) -> str:
    with pytest.raises(ConfigError) as refusal:
        load_inception(path, sha256)
    return str(refusal.value)


def test_weights_that_are_missing_say_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    assert re.fullmatch(
        r"extractor\.inception\.path: expected the weights of Inception-V3, found no file at "
        r".*/no\.pth; get https://\S+/pt_inception-2015-12-05-6726825d\.pth and put it there",
        refused(tmp_path / "no.pth", "6726825d"),
    )


def test_weights_of_another_hash_are_refused(file: tuple[Path, str]) -> None:
    text = refused(file[0], "6726825d")
    assert text.startswith("extractor.inception.sha256: expected ")
    assert f"begins with 6726825d, found {file[1]}; get https://" in text


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("Mixed_5b.branch1x1.conv.weight", None, "no Mixed_5b.branch1x1.conv.weight"),
        ("Mixed_8a.conv.weight", torch.zeros(1), "Mixed_8a.conv.weight beside them"),
        (
            "Conv2d_1a_3x3.bn.bias",
            torch.zeros(3),
            r"Conv2d_1a_3x3.bn.bias of (3,) instead of (32,)",
        ),
        ("Conv2d_1a_3x3.bn.bias", "text", "Conv2d_1a_3x3.bn.bias of str instead of (32,)"),
    ],
)
def test_weights_of_another_network_are_refused(
    weights: Weights, tmp_path: Path, name: str, value: object, found: str
) -> None:
    shapes_alone = {key: torch.zeros(()).expand(weight.shape) for key, weight in weights.items()}
    changed = {**shapes_alone, name: value}
    if value is None:
        del changed[name]
    text = refused(*weights_file(tmp_path, changed))  # type: ignore[arg-type]
    assert (
        f"expected the weights of Inception-V3 in {tmp_path}/inception.pth, found {found};" in text
    )


@pytest.mark.parametrize("content", [b"hello", b""])
def test_a_file_that_is_none_of_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path, _ = weights_file(tmp_path, {"x": torch.zeros(1)})
    path.write_bytes(content)
    assert "found something else" in refused(path, hashlib.sha256(content).hexdigest())


def test_a_hash_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^extractor\.sha256: expected 8 to 64 hexadecimal"):
        Inception(sha256="xyz")


def test_the_published_weights_are_known_by_their_whole_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert NAME == INCEPTION
    assert f"{PUBLISHED[:8]}.pth" in SOURCE
    assert re.fullmatch("[0-9a-f]{64}", PUBLISHED)
    assert is_published("6726825d")
    assert is_published(PUBLISHED)
    assert not is_published("6726825e")
    path = tmp_path / "weights.pth"
    path.write_bytes(b"some weights")
    found = hashlib.sha256(b"some weights").hexdigest()
    check_weights(path, found[:8])
    twin = found[:8] + PUBLISHED[8:]  # another file of the same first digits
    monkeypatch.setattr("iddpm.evaluation.weights_file.PUBLISHED", twin)
    with pytest.raises(ConfigError, match=r"expected .*weights\.pth to have a sha256 that begins"):
        check_weights(path, found[:8])


def test_an_extractor_of_the_published_weights_bears_their_name(
    file: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = hashlib.sha256(file[0].read_bytes()).hexdigest()
    monkeypatch.setattr("iddpm.evaluation.weights_file.PUBLISHED", whole)
    assert make_extractor(Inception(path=str(file[0]), sha256=file[1])).name == NAME
