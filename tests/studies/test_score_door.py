"""The door that scores any two sets of images, and what it says where it cannot."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iddpm.config import Digits
from iddpm.data import load
from iddpm.evaluation.config import Classifier
from iddpm.evaluation.features import Extractor, extract, make_extractor
from iddpm.evaluation.frechet import frechet_distance
from iddpm.evaluation.inception import NAME, WithSpatial, load_classes, load_inception
from iddpm.evaluation.metrics import kid
from iddpm.evaluation.precision_recall import precision_recall
from studies import score
from tests.witness import vit_by_hand
from tests.witness.image_folders import write_image
from tests.witness.inception_by_hand import random_weights, weights_file

DRAWS = np.random.default_rng(0)
COLOUR = DRAWS.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
LEVELS = DRAWS.integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
FINE = Digits(levels=256)
"""As the preset digits has them."""
OWN = ("--extractor", "classifier")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = random_weights() | {"fc.weight": 0.05 * torch.randn(1008, 2048)}
    return weights_file(tmp_path_factory.mktemp("weights"), made)[0]


@pytest.fixture(scope="module")
def classifier() -> Extractor:
    return make_extractor(Classifier(data=FINE, channels=4, steps=3))


@pytest.fixture
def quick(classifier: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of the classifier of digits one that is small and hardly trained."""
    made = make_extractor

    def kept(config: Any) -> Extractor:
        return classifier if config == Classifier(data=FINE) else made(config)

    monkeypatch.setattr(score, "make_extractor", kept)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def npz(name: str, **arrays: Any) -> str:
    np.savez(name, **arrays)
    return name


def scores(*words: str) -> dict[str, Any]:
    assert score.main([*words, "--out", "found.json"]) == 0
    found: dict[str, Any] = json.loads(Path("found.json").read_text())
    return found


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert score.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said.removeprefix("error: ").removesuffix("\n")


# ---------------------------------------------------------------------------------- what is told


@pytest.mark.usefixtures("quick")
def test_samples_are_scored_against_data_by_the_network_of_its_studies(
    classifier: Extractor, capsys: pytest.CaptureFixture[str]
) -> None:
    found = scores(npz("x.npz", arr_0=LEVELS), "digits:test", *OWN)
    generated, real = (
        extract(classifier.network, images, levels=256)
        for images in (LEVELS, load(FINE, "test").images)
    )
    shares = precision_recall(real, generated, k=3)
    assert found["scores"] == {
        "frechet_distance": pytest.approx(frechet_distance(generated, real).value, rel=1e-6),
        "clipped_mass": pytest.approx(0, abs=1e-10),
        "kid": pytest.approx(kid(real, generated), rel=1e-6),
        "precision": shares.precision,
        "recall": shares.recall,
    }
    name = f"digits-256-levels-classifier:{classifier.sha256[:8]}"
    assert found["recipe"] == {
        "extractor": name,
        "resize": "none",
        "precision": "float32",
        "samples": "x.npz",
        "samples_images": 30,
        "samples_digest": found["recipe"]["samples_digest"],
        "reference": "digits-256-levels/test",
        "reference_images": 297,
        "reference_digest": found["recipe"]["reference_digest"],
        "neighbours": 3,
    }
    said = capsys.readouterr().out
    assert f"64 features of {name} in float32 on " in said
    assert f"FD[{name}]@30: " in said
    assert "precision (k = 3): " in said
    assert "FID" not in said.replace("no FID: that is over the published weights", "")
    assert "x.npz: 30 images are fewer than 64 features; distances are far above" in said
    assert f"compare with scores over {name}, digits-256-levels/test and 30 images alone" in said


@pytest.mark.usefixtures("quick")
def test_pixels_of_another_scale_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Digits of 17 levels lie in the same bytes as those of 256."""
    coarse = npz("coarse.npz", arr_0=load(Digits(), "test").images)
    scores(coarse, "digits:test", "--metrics", "fd", *OWN)
    said = "no pixel of coarse.npz is above 16, where digits-256-levels/test reaches 255: if its le"
    assert said in capsys.readouterr().out
    scores(npz("x.npz", arr_0=LEVELS), "digits:test", "--metrics", "fd", *OWN)
    assert "no pixel of" not in capsys.readouterr().out


@pytest.mark.slow
def test_inception_reads_folders_and_archives_and_its_score_and_spatial_features(
    weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, image in enumerate(COLOUR[:2]):
        write_image(Path("x") / f"{i}.png", image)
    reference = npz("real.npz", images=COLOUR[2:])
    published = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setattr("iddpm.evaluation.weights_file.PUBLISHED", published)
    asked = ("--weights", str(weights), "--batch", "2", "--metrics", "fd", "is", "sfid")
    answer = scores("x", reference, *asked)
    assert answer["recipe"]["inception_score_parts"] == "5000 of one fixed permutation"
    found = answer["scores"]
    network = WithSpatial(load_inception(weights, published))
    pooled, spatial = np.split(extract(network, COLOUR, levels=256, block_size=2), [2048], axis=1)
    for name, read in (("frechet_distance", pooled), ("spatial_frechet_distance", spatial)):
        expected = frechet_distance(read[:2], read[2:]).value
        assert found[name] == pytest.approx(expected, rel=1e-6)
    p = np.exp(pooled[:2].astype(float) @ load_classes(weights).T.astype(float))
    p /= p.sum(1, keepdims=True)
    expected = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    assert found["inception_score"] == pytest.approx(expected, rel=1e-6)
    said = capsys.readouterr().out
    for label in ("FID@2: ", "Inception Score@2: ", "sFID@2: "):
        assert f"\n{label}" in said
    assert "no FID" not in said


def test_other_weights_are_no_fid(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = npz("x.npz", arr_0=COLOUR[:2])
    asked = ("--weights", str(weights), "--metrics", "fd", "--batch", "2")
    name = scores(file, file, *asked)["recipe"]["extractor"]
    said = capsys.readouterr().out
    assert name.startswith("inception:")
    assert f"\nFD[{name}]@2: " in said
    assert "no FID: that is over the published weights of Inception-V3" in said


def test_distances_are_taken_over_dinov2_too(capsys: pytest.CaptureFixture[str]) -> None:
    made = vit_by_hand.random_weights(64, 1)
    file = str(vit_by_hand.weights_file(Path(), made))
    x, y = npz("x.npz", arr_0=COLOUR[:2]), npz("y.npz", arr_0=COLOUR[2:])
    found = scores(x, y, "--extractor", "dinov2", "--weights", file, "--batch", "2")
    pooled = vit_by_hand.features(made, COLOUR)
    expected = frechet_distance(pooled[:2], pooled[2:]).value
    assert found["scores"]["frechet_distance"] == pytest.approx(expected, rel=1e-3)
    assert found["recipe"]["resize"] == "bicubic to 224, antialiased"
    assert "\nFD[dinov2:" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_statistics_that_are_written_stand_for_their_images(
    classifier: Extractor, capsys: pytest.CaptureFixture[str]
) -> None:
    file = npz("x.npz", arr_0=LEVELS)
    assert score.main(["digits:test", "--write", "real.npz", *OWN]) == 0
    assert "real.npz: mu and sigma of 297 images\n" in capsys.readouterr().out
    direct = scores(file, "digits:test", "--metrics", "fd", *OWN)["scores"]
    # the name of the data says by which network
    found = scores("digits:test", "real.npz", *OWN)
    assert found["scores"]["frechet_distance"] == pytest.approx(0, abs=1e-9)
    remark = "without kid, which needs at least 2 images of real.npz"
    assert remark in found["remarks"]
    assert score.main([file, "digits", "--write", "made.npz", "--metrics", "fd", *OWN]) == 0
    both_written = scores("made.npz", "real.npz")
    name = f"digits-256-levels-classifier:{classifier.sha256[:8]}"
    assert both_written["recipe"]["extractor"] == name
    for key in direct:
        assert both_written["scores"][key] == pytest.approx(direct[key], rel=1e-6, abs=1e-9)


@pytest.mark.usefixtures("quick")
def test_what_statistics_of_other_people_do_not_say_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = npz("real.npz", mu=np.zeros(64), sigma=np.eye(64), arr_0=LEVELS)
    assert score.main(["digits:test", file, *OWN]) == 0
    said = capsys.readouterr().out
    assert "real.npz does not say which features its statistics are of" in said
    assert "real.npz: distances are to its statistics, all else to its images" in said
    assert "KID[" in said


def test_mass_that_was_clipped_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    sigma = np.diag(np.where(np.arange(20) < 12, -0.0009, 1.0))  # each is within what is refused
    x, y = npz("x.npz", mu=np.zeros(20), sigma=sigma), npz("y.npz", mu=np.zeros(20), sigma=sigma)
    one = npz("one.npz", mu=np.zeros(20), sigma=np.eye(20))
    said = "the eigenvalues' mass was below zero and taken as 0: a covariance is broken"
    assert not any(said in remark for remark in scores(one, one)["remarks"])
    for pair in ((x, one), (one, y)):
        found = scores(*pair)
        share = 12 * 0.0009 / (12 * 0.0009 + 8)
        assert found["scores"]["clipped_mass"] == pytest.approx(share)
        assert f"{share:.2g} of {said}" in found["remarks"][0]


@pytest.mark.usefixtures("quick")
def test_names_do_not_steer_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "a\x1b[31mRED\nFID: 1.0"
    x = npz("x\x1b[2J.npz", mu=np.zeros(2), sigma=np.eye(2), extractor=np.array(odd))
    assert score.main([x, x]) == 0
    monkeypatch.setattr(score, "SAID_EVERY", 10)
    images = npz("y\x1b[2J.npz", arr_0=LEVELS)
    asked = (images, "digits:test", "--metrics", "fd", "--write", "z\x1b[2J.npz")
    assert score.main([*asked, *OWN]) == 0
    made = make_extractor(Classifier(data=FINE, channels=4, steps=3))
    monkeypatch.setattr(score, "make_extractor", lambda config: replace(made, name=odd))
    assert score.main([images, "digits:test", "--metrics", "fd", *OWN]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\nFID: 1.0" not in said
    assert "FD[a\\x1b[31mRED\\nFID: 1.0]: 0\n" in said
    assert "30 of 30 images of y\\x1b[2J.npz\n" in said
    assert "z\\x1b[2J.npz: mu and sigma of 30 images\n" in said
    assert "features of a\\x1b[31mRED\\nFID: 1.0:" in said


@pytest.mark.usefixtures("quick")
def test_fd_infinity_is_taken_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for room in ("fd_infinity", "scores"):
        monkeypatch.setattr(f"iddpm.evaluation.{room}.FEWEST", 100)
    monkeypatch.setattr("iddpm.evaluation.fd_infinity.fd_infinity.__kwdefaults__", {
        "fewest": 100, "device": "cpu", "progress": lambda done, total: None
    })  # fmt: skip
    found = scores("digits:test", "digits", "--metrics", "fd_infinity", *OWN)["scores"]
    assert found["fd_infinity_low"] < found["fd_infinity"] < found["fd_infinity_high"]
    said = capsys.readouterr().out
    assert "11 of 11 lines of FD-infinity\n" in said
    assert "(95% interval " in said


def test_a_network_is_made_as_the_task_of_a_study_makes_it(
    classifier: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, before = list[int](), torch.get_num_threads()

    def noted(config: Any) -> Extractor:
        threads.append(torch.get_num_threads())
        return classifier

    monkeypatch.setattr(score, "make_extractor", noted)
    torch.set_num_threads(2)
    try:
        scores(npz("x.npz", arr_0=LEVELS), "digits:test", "--metrics", "fd", *OWN)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads == [1]  # another number of threads rounds to other weights, of another hash


def test_numbers_of_images_are_named_unless_they_are_the_usual_ones() -> None:
    for count, label in ((50_000, "FID"), (10_000, "FID@10k"), (123, "FID@123"), (None, "FID")):
        recipe = {"extractor": f"{NAME}:67268", "samples_images": count}
        assert score._label("frechet_distance", recipe) == label


def test_ctrl_c_ends_it_with_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(score, "make_extractor", pressed)
    assert score.main(["digits", "digits:test", *OWN]) == 130
    assert capsys.readouterr().err == "stopped\n"


# ------------------------------------------------------------------------------- what is refused


def test_an_empty_path_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["", "digits"], ["digits", "digits:test", "--out", ""]):
        with pytest.raises(SystemExit) as ended:
            score.main([*words, *OWN])
        assert ended.value.code == 2
        expected = "expected a path, found none; . is the folder where you are\n"
        assert capsys.readouterr().err.endswith(expected)


def test_what_lies_nowhere_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "digitz", "digits")
    assert said.startswith(
        "SAMPLES: expected a folder, an .npz file, or the data of a preset (cifar"
    )
    assert said.endswith("found nothing at digitz")
    said = refusal(capsys, "digits", "cifar10", *OWN)
    assert said.startswith(
        "data.npz.path: expected an .npz file, found no file at data/cifar10.npz"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.npz"], "REFERENCE: expected a set to compare with, or --write FILE, found none"),
        (
            ["x.npz", "y.npz"],
            "REFERENCE: expected 'arr_0' or 'images', 'train' and 'test', or 'mu'",
        ),
        (["x.npz", "no.npz"], "REFERENCE: expected an .npz file as numpy.savez writes it, found "),
        (
            ["x.npz", "digits"],
            "x.npz: expected images of 8x8x1 (grey) as in digits-256-levels/train, found 16x",
        ),
        (
            ["z.npz", "digits"],
            "digits-256-levels/train: expected colour, which inception reads, found grey",
        ),
        (
            ["x.npz", "x.npz", *OWN],
            "--extractor classifier: expected data of a preset, or a prepared",
        ),
        (
            ["x.npz", "x.npz"],
            "extractor.inception.path: expected the weights of Inception-V3, found",
        ),
        (
            ["x.npz", "x.npz", "--weights", "y.npz"],
            "extractor.inception.path: expected the weights",
        ),
        (["x.npz", "x.npz", "--neighbours", "0"], "--neighbours: expected at least 1, found 0"),
        (["x.npz", "x.npz", "--images", "1"], "--images: expected at least 2, found 1"),
        (
            ["digits", "digits", "--images", "9999", *OWN],
            "digits-256-levels/train: expected at least 9,999 ima",
        ),
        (
            ["digits", "mu.npz", *OWN],
            "mu.npz: expected statistics of the features of digits-256-levels-classifier:",
        ),
        (["digits", "mu3.npz", *OWN], "mu3.npz: expected statistics of 64 features, found 3"),
        (["mu.npz", "mu3.npz"], "moments: expected two of the same dimensions, found 2 and 3"),
        (
            ["mu.npz", "--write", "a.npz"],
            "--write: expected images as SAMPLES, found statistics alone in mu.npz",
        ),
        (
            ["mu.npz", "digits", "--images", "10", *OWN],
            "--images: expected images as SAMPLES, found statistics alone in mu.npz",
        ),
    ],
)
@pytest.mark.usefixtures("quick")
def test_what_cannot_be_scored_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    npz("x.npz", arr_0=COLOUR)
    npz("y.npz", other=COLOUR)
    npz("z.npz", arr_0=np.full((4, 8, 8, 1), 17, dtype=np.uint8))
    npz("mu.npz", mu=np.zeros(2), sigma=np.eye(2), extractor=np.array("other:12345678"))
    for d in (3, 64):
        npz(f"mu{'' if d == 2 else d}.npz", mu=np.zeros(d), sigma=np.eye(d))
    Path("no.npz").write_bytes(b"hello")
    assert message in refusal(capsys, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.npz", "digits", "--write", "x.npz"], "--write: expected another file than those that"),
        (["x.npz", "--metrics", "fd", "--out", "./x.npz"], "--out: expected another file than"),
        (["digits", "x.npz:test", "--out", "link"], "are read, found link"),
        (["digits", "x.npz", "--write", "hard.npz"], "are read, found hard.npz"),
        (
            ["digits", "digits:test", "--write", "no/a.npz"],
            "--write: expected a file in a folder that is there, found no/a.npz",
        ),
        (
            ["digits", "digits:test", "--out", "no/a.json"],
            "--out: expected a file in a folder that is there, found no/a.json",
        ),
        (["digits", "digits:test", "--out", "shots"], "in a folder that is there, found shots"),
        (["cifar10", "--write", "data/cifar10.npz"], "are read, found data/cifar10.npz"),
        (["digits", "x.npz", "--weights", "w.pt", "--out", "w.pt"], "are read, found w.pt"),
        (["shots", "digits", "--out", "shots/a/1.png"], "are read, found shots/a/1.png"),
        (
            ["digits", "x.npz", "--write", "a.npz", "--out", "shots/../a.npz"],
            "--out: expected another file than that of --write, found shots/../a.npz",
        ),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    npz("x.npz", arr_0=LEVELS)
    Path("link").symlink_to("x.npz")
    Path("hard.npz").hardlink_to("x.npz")
    for name in ("data/cifar10.npz", "w.pt", "shots/a/1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"as before")
    monkeypatch.setattr(score, "_given", None)  # nothing is read before
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert message in refusal(capsys, *words, *OWN)
    assert before == {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits", "mu64.npz", "--metrics", "fd", "kid"], "kid: expected at least 2 images of mu"),
        (
            ["digits", "digits", "--metrics", "fd_infinity"],
            "fd_infinity: expected at least 10,000 images of digits-256-levels/train, found none",
        ),
        (["digits", "digits", "--metrics", "is"], "is: expected the classes of Inception-V3, "),
        (
            ["digits", "mu64.npz", "--metrics", "sfid"],
            "sfid: expected spatial features of digits-256-levels/",
        ),
        (
            ["digits", "digits", "--images", "3", "--metrics", "precision_recall"],
            "precision_recall: expected at least 4 images of digits-256-levels/train, found none",
        ),
        (["digits", "--metrics", "fd"], "fd: expected a REFERENCE, found none"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_scores_that_cannot_be_are_refused_before_features_are_taken(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    npz("mu64.npz", mu=np.zeros(64), sigma=np.eye(64))
    monkeypatch.setattr(score, "read_side", None)
    assert f"--metrics {message}" in refusal(capsys, *words, *OWN)


@pytest.mark.usefixtures("quick")
def test_numbers_may_lie_beside_the_images_and_be_made_again() -> None:
    for i, image in enumerate(LEVELS[:4]):
        write_image(Path("shots") / f"{i}.png", image[..., 0])
    for _ in range(2):
        asked = ("--metrics", "fd", "--out", "shots/found.json")
        assert score.main(["shots", "digits:test", *asked, *OWN]) == 0


@pytest.mark.usefixtures("quick")
def test_a_network_whose_weights_are_broken_is_refused(
    classifier: Extractor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad():
        parameter = next(classifier.network.parameters())
        before = parameter.clone()
        parameter.fill_(torch.nan)
    try:
        said = refusal(capsys, "digits:test", "digits", *OWN)
    finally:
        with torch.no_grad():
            parameter.copy_(before)
    assert said.startswith(
        "digits-256-levels/test: expected finite features, found others in 297 of 297 images"
    )


def test_a_device_that_is_not_there_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "usual_device", lambda: "cpu")
    said = refusal(capsys, "digits", "digits", "--device", "cuda")
    assert said == "--device: expected a GPU that torch can use, found none; leave it out"
