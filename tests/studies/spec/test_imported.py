"""Sweeps over networks that are read from files: arms, addresses, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iddpm import build, exporting
from iddpm.bounds import ConfigError
from iddpm.config import DiffusionConfig, Digits, Hybrid, TrainConfig, UNetConfig
from iddpm.data import describe
from iddpm.networks import exported_files
from studies.plan.costs import labels
from studies.plan.plan import Plan, absent, expand
from studies.spec.sweep import read_sweep
from tests.witness import official_files as files
from tests.witness.imported_sweep import SWEEP
from tests.witness.tiny_sweep import PRESET

SMALL = UNetConfig(
    model_channels=8,
    channel_mult=(1, 2),
    res_blocks=1,
    attention_resolutions=(),
    heads=1,
    groups=4,
    rescale_timesteps=False,
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return files.write(tmp_path / "ema_0.9999_000007.pt", files.drawn(**files.SMALL))


def planned(folder: Path, checkpoint: Path, text: str = SWEEP, *, outlined: bool = False) -> Plan:
    (folder / "presets").mkdir(exist_ok=True)
    (folder / "presets" / "tiny.yaml").write_text(PRESET)
    sweep = folder / "sweep.yaml"
    sweep.write_text(text.replace("PATH", str(checkpoint)).replace("SAYS", files.SAYS))
    return expand(read_sweep(sweep), outlined=outlined)


def refusal(folder: Path, checkpoint: Path, text: str = SWEEP) -> str:
    with pytest.raises(ConfigError) as caught:
        planned(folder, checkpoint, text)
    return str(caught.value)


def network(plan: Plan) -> str:
    (address,) = {cell.tasks["train"] for cell in plan.cells}
    return address


def test_a_network_from_a_file_is_one_task_of_its_own_kind(
    tmp_path: Path, checkpoint: Path
) -> None:
    plan = planned(tmp_path, checkpoint)
    address = network(plan)
    assert address.startswith("imported-")
    assert labels(plan.cells)[address] == "hybrid cosine T=20, imported, seed 0"
    assert {cell.arm["T"] for cell in plan.cells} == {20}  # the file's, not the preset's 8
    assert "training" not in {task.kind for task in plan.tasks.values()}


def test_its_address_is_the_content_of_the_file_and_what_is_stated(
    tmp_path: Path, checkpoint: Path
) -> None:
    own = network(planned(tmp_path, checkpoint))
    (tmp_path / "elsewhere").mkdir()
    moved = files.write(tmp_path / "elsewhere" / "ema_0.9999_000007.pt", files.drawn(**files.SMALL))
    assert network(planned(tmp_path, moved)) == own
    other = SWEEP.replace("SAYS", files.SAYS.replace("heads: 4", "heads: 2"))
    assert network(planned(tmp_path, moved, other)) != own
    predicting = SWEEP.replace("SAYS", files.SAYS.replace("prediction: eps", "prediction: x_0"))
    assert network(planned(tmp_path, moved, predicting)) != own
    another = files.write(tmp_path / "ema_0.9999_7.pt", files.drawn(seed=1, **files.SMALL))
    assert network(planned(tmp_path, another)) != own


def test_seeds_of_one_file_are_not_counted_as_several_trainings(
    tmp_path: Path, checkpoint: Path
) -> None:
    several = SWEEP.replace("seeds: [0]", "seeds: [0, 1, 2]")
    assert refusal(tmp_path, checkpoint, several).endswith(
        "sweep.yaml:6: train.from: expected one seed in the sweep beside it, as all cells have the "
        "one network of the file, found 3; use one seed: seeds: [0], or --seeds 0"
    )


def test_only_the_data_are_said_beside_a_file(tmp_path: Path, checkpoint: Path) -> None:
    beside = SWEEP.replace("train:\n", "train:\n  objective: simple\n")
    said = refusal(tmp_path, checkpoint, beside)
    assert "sweep.yaml:6: train.objective: expected no such setting beside train.from" in said


def test_the_average_of_a_file_is_the_only_one_there_is(tmp_path: Path, checkpoint: Path) -> None:
    raw = SWEEP.replace("steps: 4, ema_decay: 0.9999", "steps: 4, ema_decay: null")
    assert "samples.ema_decay: expected 0.9999, which the weights of" in refusal(
        tmp_path, checkpoint, raw
    )


def test_a_fixed_variance_is_not_sampled_as_a_learned_one(tmp_path: Path) -> None:
    flags = {**files.SMALL, "out_channels": 1}
    fixed = files.write(tmp_path / "ema_0.9999_000007.pt", files.drawn(**flags))
    text = SWEEP.replace("SAYS", files.SAYS.replace("hybrid", "simple"))
    assert "which a network trained with the objective 'simple' did not learn" in refusal(
        tmp_path, fixed, text
    )


def test_a_damaged_file_is_refused_at_its_line(tmp_path: Path, checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    said = refusal(tmp_path, checkpoint)
    assert "sweep.yaml:6: train.from.path: expected a state dict of openai" in said
    assert "found a file cut short" in said


OPENAI = "{openai: {path: PATH, SAYS}}"


def test_an_exported_network_is_a_task_whose_address_is_its_content(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    config = TrainConfig(data=Digits(), network=SMALL, diffusion=DiffusionConfig(steps=20))
    config = replace(config, objective=Hybrid())
    addresses = []
    for seed, place in ((0, "a"), (0, "b"), (1, "c")):
        torch.manual_seed(seed)
        unet = build.network(config, describe(Digits()))
        path = exporting.write_safetensors(config, unet, tmp_path / place, ema_decay=0.9999)
        plan = planned(tmp_path, path, SWEEP.replace(OPENAI, "{safetensors: PATH}"))
        addresses.append(network(plan))
    assert addresses[0].startswith("imported-")
    assert addresses[0] == addresses[1] != addresses[2]
    assert labels(plan.cells)[addresses[2]] == "hybrid cosine T=20, imported, seed 0"


def test_a_pipeline_is_asked_for_no_learned_variance(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    config = TrainConfig(data=Digits(), network=SMALL, diffusion=DiffusionConfig(steps=20))
    unet = build.network(config, describe(Digits()))
    folder = exporting.write_diffusers(config, unet, tmp_path / "pipeline", ema_decay=0.9999)
    text = SWEEP.replace(OPENAI, "{diffusers: PATH}")
    said = refusal(tmp_path, folder, text)
    assert "which a network trained with the objective 'simple' did not learn" in said
    fixed = text.replace("variance: range", "variance: beta")
    assert labels((plan := planned(tmp_path, folder, fixed)).cells)[network(plan)].startswith(
        "simple"
    )
    (folder / "unet" / "config.json").write_text("{}")
    exported_files.read.cache_clear()
    said = refusal(tmp_path, folder, fixed)
    assert "sweep.yaml:6: train.from.path: expected a network that was exported" in said


def test_a_released_file_that_is_not_there_can_be_planned_and_is_named(tmp_path: Path) -> None:
    text = SWEEP.replace("{openai: {path: PATH, SAYS}}", "{openai: PATH}")
    (tmp_path / "presets").mkdir()
    data = (
        "{npz: {path: no.npz, declared: {size: 32, train_images: 99, test_images: 9, source: x}}}"
    )
    preset = PRESET.replace("data: digits", f"data: {data}").replace("classifier", "random")
    (tmp_path / "presets" / "tiny.yaml").write_text(preset.replace(", steps: 3}}", "}}"))
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(text.replace("PATH", "no/cifar10_uncond_50M_500K.pt"))
    plan = expand(read_sweep(sweep), outlined=True)
    assert any("march-2021/cifar10_uncond_50M_500K.pt" in one for one in absent(plan))
    assert len(absent(plan)) == 2  # the data and the file


def test_an_upsampler_is_refused_in_a_sweep(tmp_path: Path) -> None:
    text = SWEEP.replace("{openai: {path: PATH, SAYS}}", "{openai: no/upsample_cond_500K.pt}")
    assert "one that enlarges smaller images, which no sweep hands it yet" in refusal(
        tmp_path, tmp_path, text
    )


def test_the_second_network_of_an_ensemble_is_read_from_its_own_file(
    tmp_path: Path, checkpoint: Path
) -> None:
    text = SWEEP.replace("ema_decay: 0.9999}\n", "ema_decay: 0.9999, ensemble: ends}\n")
    assert "the file of the second network, as the first one is read from a file" in refusal(
        tmp_path, checkpoint, text
    )
    second = files.write(tmp_path / "ema_0.9999_9.pt", files.drawn(seed=1, **files.SMALL))
    named = f"{{openai: {{path: {second}, {files.SAYS.replace('hybrid', 'vlb')}}}}}"
    ends = text.replace("ensemble: ends", f"ensemble: {{ends: {{share: 0.1, from: {named}}}}}")
    plan = planned(tmp_path, checkpoint, ends)
    both = [task for task in plan.tasks.values() if task.kind == "imported"]
    assert {task.config.objective.kind for task in both} == {"hybrid", "vlb"}  # type: ignore[union-attr]
    other = ends.replace("T: 20", "T: 21")
    assert "expected a network of the same chain, cosine T=20" in refusal(
        tmp_path, checkpoint, other
    )
