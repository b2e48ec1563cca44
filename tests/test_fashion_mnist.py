"""A real data set of ordinary size goes from its files to a page: 60,000 images of Fashion-MNIST.

Debian's package `dataset-fashion-mnist` has it in idx format (LeCun's: a magic number whose last
byte is the number of dimensions, the sizes as big-endian integers, then the bytes).
"""

import gzip
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from studies import data as data_door
from studies import run
from studies.report import __main__ as report
from studies.store.store import Store

FILES = Path("/usr/share/datasets/fashion-mnist")
PRESETS = Path(__file__).parents[1] / "sweeps" / "presets"
IMAGES = 60_000
MOST_MB = 1200
"""Of any process, torch and its libraries (some 350) among them."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILES.is_dir(), reason="needs Debian's package dataset-fashion-mnist"),
]

SWEEP = """
study: real_images
question: Does a study of ordinary size end with its page?
preset: fashion
seeds: [0]
evaluate:
  - likelihood: {}
  - samples:
      grid:
        sampler: [{ancestral: {variance: beta}}, {ddim: {eta: 0}}]
        steps: [2]
figures: [quality_vs_steps, sample_grid]
"""


def idx(name: str) -> NDArray[np.uint8]:
    """The array of an idx file of bytes."""
    content = gzip.decompress((FILES / f"{name}.gz").read_bytes())
    assert content[:3] == b"\0\0\x08"  # unsigned bytes
    sizes = np.frombuffer(content, ">i4", count=content[3], offset=4)
    found = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    return found.reshape(sizes)


def check_prepared(path: Path) -> None:
    """Every image in its border, where the fixed permutation puts it, with its label."""
    with np.load(path) as arrays:
        for split, stem in (("train", "train"), ("test", "t10k")):
            images = idx(f"{stem}-images-idx3-ubyte")
            order = np.random.RandomState(0).permutation(len(images))
            wide = np.pad(images[order], ((0, 0), (2, 2), (2, 2)))
            assert np.array_equal(arrays[split], wide[..., None])
            labels = idx(f"{stem}-labels-idx1-ubyte")[order]
            assert np.array_equal(arrays[f"{split}_labels"], labels)


def write_preset(path: Path, data: Path) -> None:
    """A copy of the preset for this file, with budgets of seconds."""
    preset = yaml.safe_load((PRESETS / "fashion.yaml").read_text())
    preset["data"]["npz"]["path"] = str(data)
    preset["train"] |= {"diffusion": {"steps": 20}, "steps": 5, "batch_size": 16}
    preset["train"]["network"] |= {"model_channels": 8, "channel_mult": [1, 1]}
    preset["train"]["network"]["attention_resolutions"] = [16]
    preset["evaluate"]["likelihood"]["images"] = 4
    preset["evaluate"]["samples"] |= {"images": 64, "block_size": 64}
    preset["evaluate"]["samples"]["extractor"] = {"classifier": {"steps": 100, "channels": 8}}
    preset["evaluate"]["samples"]["reference"] = {"split": "train"}
    del preset["evaluate"]["samples"]["exclude"], preset["sweeps"]
    path.write_text(yaml.safe_dump(preset))


def test_sixty_thousand_images_go_from_their_files_to_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, sweep = tmp_path / "fashion.npz", tmp_path / "sweep.yaml"
    prepare = ["prepare", "fashion", str(FILES), "--out", str(data)]
    assert data_door.main(prepare) == 0
    assert ", 10 classes" in capsys.readouterr().out
    check_prepared(data)
    (tmp_path / "presets").mkdir()
    write_preset(tmp_path / "presets" / "fashion.yaml", data)
    sweep.write_text(SWEEP)
    at = ["--store", str(tmp_path / "store")]
    assert run.main([str(sweep), *at, "--executor", "local", "--workers", "2"]) == 0
    assert report.main(["real_images-fashion", *at, "--out", str(tmp_path / "page")]) == 0
    store = Store(tmp_path / "store")
    made = {address: store.provenance(address) for address in store.addresses()}
    assert all(record is not None for record in made.values())
    peaks = {address: record["peak_memory_mb"] for address, record in made.items() if record}
    assert max(peaks.values()) < MOST_MB, peaks
    scores = [store.result(address) for address in made if address.startswith("score-")]
    assert len(scores) == 2
    assert all(score and score["reference"] == IMAGES for score in scores)
    assert len([address for address in made if address.startswith("radii-")]) == 1
    page = tmp_path / "page" / "real_images-fashion" / "index.html"
    assert "fashion/train" in page.read_text()
