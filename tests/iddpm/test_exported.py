"""Networks come back from files for other programs in place of trainings, or are refused."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iddpm import build, exporting, importing, released
from iddpm.bounds import ConfigError
from iddpm.config import (
    Diffusers,
    DiffusionConfig,
    Digits,
    Hybrid,
    Safetensors,
    Simple,
    Source,
    TrainConfig,
    UNetConfig,
    Vlb,
)
from iddpm.data import describe
from iddpm.networks import exported_files, official
from iddpm.networks.exported_files import MODEL, OF_DIFFUSERS, SCHEDULER
from iddpm.networks.unet import UNet

pytest.importorskip("safetensors")
DIGITS = describe(Digits())
CONFIG = TrainConfig(
    data=Digits(),
    network=UNetConfig(
        model_channels=8,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_resolutions=(4,),
        heads=2,
        groups=4,
        rescale_timesteps=False,
        class_conditional=True,
    ),
    diffusion=DiffusionConfig(schedule="linear", steps=40),
    objective=Hybrid(vlb_weight=0.02, variance="learned"),
    ema_decays=(0.9,),
    steps=7,
)
ASKED = TrainConfig(data=Digits())
"""A training of which the data alone are said."""


@pytest.fixture(scope="module")
def network() -> UNet:
    torch.manual_seed(0)
    unet = build.network(CONFIG, DIGITS)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return unet.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def whole(network: UNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network in both forms."""
    folder = tmp_path_factory.mktemp("whole")
    exporting.write_safetensors(CONFIG, network, folder, ema_decay=0.9)
    exporting.write_diffusers(CONFIG, network, folder / "pipeline", ema_decay=0.9)
    return folder


@pytest.fixture
def files(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(whole, tmp_path / "files"))


def ours(files: Path, **stated: Any) -> Safetensors:
    return Safetensors(path=str(files / "network.safetensors"), **stated)


def pipeline(files: Path, **stated: Any) -> Diffusers:
    return Diffusers(path=str(files / "pipeline"), **stated)


def resolved(source: Source) -> TrainConfig:
    return released.resolved(replace(ASKED, source=source))


def test_a_file_of_safetensors_says_how_its_network_was_trained(files: Path) -> None:
    found = resolved(ours(files))
    said = {"objective": "hybrid", "weights": 0.9, "steps": 7}
    assert found == replace(CONFIG, source=ours(files, **said))
    released.check(found, DIGITS)
    assert released.told(found) == (
        "network.safetensors (its weights the average of decay 0.9, of 7 training steps)"
    )


def test_a_pipeline_is_a_network_without_a_learned_variance(files: Path) -> None:
    found = resolved(pipeline(files))
    expected = replace(CONFIG, objective=Simple(), source=pipeline(files, weights=0.9, steps=7))
    assert found == expected
    released.check(found, DIGITS)
    assert "of 7 training steps, without a learned variance" in released.told(found)


@pytest.mark.parametrize("make", [ours, pipeline])
def test_the_weights_are_kept_as_they_were(
    files: Path, tmp_path: Path, network: UNet, make: Callable[[Path], Source]
) -> None:
    config = resolved(make(files))
    (folder := tmp_path / "task").mkdir()
    digest = released.digest(make(files))
    result = importing.keep(config, folder, digest=digest, held=nullcontext)
    kept = torch.load(folder / "state.pt", weights_only=True)["weights"]["0.9"]
    for name, weights in network.state_dict().items():
        is_last = name.startswith("out.2.") and make is pipeline
        assert torch.equal(kept[name], weights[:1] if is_last else weights)
    assert (result["steps"], list(result["weights"])) == (7, ["0.9"])


def test_the_digest_of_a_pipeline_is_that_of_all_that_it_computes_with(files: Path) -> None:
    found = set()
    for part in (None, OF_DIFFUSERS, MODEL, SCHEDULER):
        if part is not None:
            file = files / "pipeline" / part
            file.write_bytes(file.read_bytes() + b" ")
        official.digest.cache_clear()
        found.add(released.digest(pipeline(files)))
    (files / "pipeline" / "README.md").unlink()
    official.digest.cache_clear()
    found.add(released.digest(pipeline(files)))
    assert len(found) == 4


def with_metadata(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write a file again, its own words about the network changed."""
    import safetensors.torch

    with safetensors.safe_open(file, framework="pt") as opened:
        said = json.loads(opened.metadata()["iddpm"])
    change(said)
    weights = safetensors.torch.load_file(file)
    safetensors.torch.save_file(weights, file, metadata={"iddpm": json.dumps(said)})


def test_what_an_older_file_does_not_say_is_stated(files: Path) -> None:
    with_metadata(files / "network.safetensors", lambda said: said.pop("training"))
    with pytest.raises(ConfigError) as caught:
        resolved(ours(files))
    assert str(caught.value) == (
        "from.safetensors.path: expected objective, weights, steps to be stated, as the file does "
        "not say it, found nothing of it; write from: {safetensors: {path: ..., objective: ...}}"
    )
    found = resolved(ours(files, objective="vlb", weights="raw", steps=9))
    assert (found.objective, found.ema_decays, found.steps) == (Vlb(variance="learned"), (), 9)


def test_a_chain_is_known_by_its_betas_or_by_how_they_rise(files: Path) -> None:
    file = files / "pipeline" / SCHEDULER
    said = json.loads(file.read_text())
    rounded = np.float32(said["trained_betas"]).tolist()
    for told in (
        {"trained_betas": rounded},
        {"trained_betas": None, "beta_start": 0.1 / 40, "beta_end": 0.5, "beta_schedule": "linear"},
    ):
        file.write_text(json.dumps({**said, **told}))
        exported_files.read.cache_clear()
        assert resolved(pipeline(files)).diffusion == CONFIG.diffusion


def other_json(part: Path, **changes: Any) -> Callable[[Path], None]:
    def spoil(files: Path) -> None:
        file = files / "pipeline" / part
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return spoil


def cut_short(files: Path) -> None:
    file = files / "network.safetensors"
    file.write_bytes(file.read_bytes()[:-4])


def of_zeros(files: Path) -> None:
    (files / "network.safetensors").write_bytes(b"\xff" * 64)


def in_half_precision(files: Path) -> None:
    import safetensors.torch

    safetensors.torch.save_file({"x": torch.zeros(2).half()}, files / "network.safetensors")


def saying(**changes: Any) -> Callable[[Path], None]:
    def spoil(files: Path) -> None:
        with_metadata(files / "network.safetensors", lambda said: said.update(changes))

    return spoil


REFUSED: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Source]]] = {
    "found a file cut short or damaged in ": (cut_short, ours),
    "found no header of safetensors in ": (of_zeros, ours),
    "expected float32 weights, found numbers of the type F16 in ": (in_half_precision, ours),
    "expected the betas of a schedule (linear, cosine) at T = 3, found others": (
        saying(betas=[0.1, 0.2, 0.3]),
        ours,
    ),
    "found none of their words (KeyError: 'network') in ": (
        lambda files: with_metadata(files / "network.safetensors", dict.clear),
        ours,
    ),
    "expected UNet2DModel.act_fn of 'silu', as our network has, found 'gelu' in ": (
        other_json(MODEL, act_fn="gelu"),
        pipeline,
    ),
    "expected UNet2DModel.out_channels of 1, as images have, found 2 in ": (
        other_json(MODEL, out_channels=2),
        pipeline,
    ),
    "the beta_schedule 'linear', found the beta_schedule 'scaled_linear' in ": (
        other_json(SCHEDULER, trained_betas=None, beta_schedule="scaled_linear"),
        pipeline,
    ),
    "expected a network for images of 8x8, found 16x16 in ": (
        other_json(MODEL, sample_size=16),
        pipeline,
    ),
    "safetensors: No such file or directory": (
        lambda files: (files / "pipeline" / OF_DIFFUSERS).unlink(),
        pipeline,
    ),
    "from.safetensors.path: expected a file of safetensors, found the folder of a DDIMPipeline, ": (
        lambda files: None,
        lambda files: Safetensors(path=str(files / "pipeline")),
    ),
    "from.diffusers.path: expected the folder of a DDIMPipeline, found a file of safetensors, ": (
        lambda files: None,
        lambda files: Diffusers(path=str(files / "network.safetensors")),
    ),
    "from.safetensors.steps: expected 7, which the file says, or nothing, found 8": (
        lambda files: None,
        lambda files: ours(files, steps=8),
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_no_network_of_ours_is_refused(said: str, files: Path) -> None:
    spoil, make = REFUSED[said]
    spoil(files)
    with pytest.raises(ConfigError) as caught:
        resolved(make(files))
    assert said in str(caught.value)


def test_a_network_without_a_variance_is_none_of_l_hybrid(files: Path) -> None:
    def older(said: dict[str, Any]) -> None:
        del said["training"]
        said["learned_variance"] = None

    with_metadata(files / "network.safetensors", older)
    with pytest.raises(ConfigError, match="objective: expected simple for one without a learned"):
        resolved(ours(files, objective="hybrid", weights="raw", steps=1))


def test_a_file_of_other_tensors_is_refused(files: Path) -> None:
    config = resolved(ours(files))
    file = files / "network.safetensors"
    other = replace(CONFIG, objective=Simple())
    torch.manual_seed(0)
    exporting.write_safetensors(other, build.network(other, DIGITS), files, ema_decay=0.9)
    exported_files.read.cache_clear()
    with pytest.raises(ConfigError, match=f"a network of 2 output channels.* 1 in {file}"):
        released.check(config, DIGITS)
