"""Checkpoints of the official code are known by their shapes, and nothing in them is run."""

import io
import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm.networks.official import ForeignError, architecture
from tests.witness import official_files as files

GUIDED = {
    "time_embed.0.weight": (128, 32),
    "input_blocks.0.0.weight": (32, 3, 3, 3),
    "input_blocks.1.0.out_layers.3.weight": (32, 32, 3, 3),
    "input_blocks.2.0.out_layers.3.weight": (32, 32, 3, 3),  # halves the side
    "input_blocks.3.0.out_layers.3.weight": (64, 64, 3, 3),
    "out.2.weight": (6, 32, 3, 3),
}
"""The tensors by which one of guided-diffusion is told, with its `resblock_updown`."""


@pytest.mark.parametrize("name", files.FLAGS)
def test_every_released_network_is_known_by_its_shapes(name: str, tmp_path: Path) -> None:
    flags = files.FLAGS[name]
    found = architecture(files.write(tmp_path / "x.pt", files.hollow(**flags)))
    sides = [flags["image_size"] // 2**level for level in found.attends]
    assert sides == list(flags["attention_resolutions"])
    assert found.in_channels == (6 if name.startswith("upsample") else 3)
    assert found.out_channels == 6
    assert found.model_channels == flags["model_channels"]
    assert found.channel_mult == flags["channel_mult"]
    assert found.res_blocks == flags["res_blocks"]
    assert found.scale_shift == flags.get("scale_shift", True)
    assert found.classes == flags.get("classes")


def test_an_older_torch_wrote_the_same_list_otherwise(tmp_path: Path) -> None:
    weights = files.drawn(**files.SMALL)
    newer = architecture(files.write(tmp_path / "newer.pt", weights))
    assert architecture(files.write(tmp_path / "older.pt", weights, older=True)) == newer
    assert newer.parameters == sum(tensor.numel() for tensor in weights.values())


def refusal(path: Path) -> str:
    with pytest.raises(ForeignError) as caught:
        architecture(path)
    return str(caught.value)


def test_a_checkpoint_of_guided_diffusion_is_named(tmp_path: Path) -> None:
    weights = {name: torch.zeros(1).expand(shape) for name, shape in GUIDED.items()}
    assert "openai/guided-diffusion" in refusal(files.write(tmp_path / "x.pt", weights))


def with_code(path: Path, *, older: bool) -> None:
    """A checkpoint whose list of tensors would make a file beside it when it is loaded."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(path.with_name("run")),)

    listing = pickle.dumps({"out.2.weight": Evil()}, protocol=2)
    if older:
        path.write_bytes(b"".join(pickle.dumps(i, protocol=2) for i in range(3)) + listing)
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", listing)


@pytest.mark.parametrize("older", [False, True])
def test_code_in_a_pickle_is_refused_and_never_run(older: bool, tmp_path: Path) -> None:
    with_code(tmp_path / "x.pt", older=older)
    assert re.search(r"refused: it asks for \w+\.mkdir", refusal(tmp_path / "x.pt"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("older", [False, True])
def test_a_file_cut_short_is_told(share: float, older: bool, tmp_path: Path) -> None:
    path = files.write(tmp_path / "x.pt", files.drawn(**files.SMALL), older=older)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cut short" in refusal(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"out.2.weight": torch.zeros(2, 32, 3, 3).half()}, "float32 weights, found numbers of"),
        ({"time_embed.0.weight": torch.zeros(32, 32)}, "first at time_embed.0.weight"),
        ({"input_blocks.3.0.out_layers.3.weight": torch.zeros(65, 64, 3, 3)}, "a level of width"),
        ({"optimizer": {"step": 3}}, "'optimizer' of it is no tensor"),
    ],
)
def test_what_is_no_such_network_is_told(change: Any, said: str, tmp_path: Path) -> None:
    weights: Any = {**files.drawn(**files.SMALL), **change}
    assert said in refusal(files.write(tmp_path / "x.pt", weights))


def test_a_network_of_other_tensors_is_told_by_their_names(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x.pt", {"conv1.weight": torch.zeros(3)})
    assert "found tensors named conv1.weight" in refusal(path)
    path = tmp_path / "y.pt"
    torch.save([1, 2], path)
    assert "a list, where a state dict is expected" in refusal(path)
    path.with_name("z.pt").write_bytes(io.BytesIO(b"\x89PNG").read())
    assert "refused" in refusal(path.with_name("z.pt"))
