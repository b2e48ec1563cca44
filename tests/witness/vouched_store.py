"""A made-up store whose records have checksums and whose scores have features, as a run leaves."""

import json
from pathlib import Path

import numpy as np

from studies.store.checksums import record_bytes, write_record
from studies.store.integrity import vouched
from tests.witness.made_up_store import PROVENANCE, MadeUp, write_store

DIMENSIONS, VECTORS = 4, 24


def write_vouched(root: Path, *studies: MadeUp) -> Path:
    """A store with these studies at `root`; its features are drawn by the address of their task."""
    write_store(root, *studies)
    for path in [root / "store.json", *(root / "studies").glob("*.json")]:
        write_record(path, json.loads(path.read_text()))
    for folder in sorted((root / "tasks").iterdir()):
        write_record(folder / "task.json", json.loads((folder / "task.json").read_text()))
        if (folder / "result.json").exists():
            _finish(folder)
    return root


def write_half_trained(root: Path, whole: MadeUp, half: MadeUp) -> Path:
    """A store with one study, whose networks are those of another after half of their training."""
    write_vouched(root, whole, half)
    paths = [root / "studies" / f"{one.study}.json" for one in (whole, half)]
    record, other = (json.loads(path.read_text()) for path in paths)
    for cell, before in zip(record["cells"], other["cells"], strict=True):
        cell["half_trained"] = before["tasks"]
    record["tasks"] = list(dict.fromkeys([*record["tasks"], *other["tasks"]]))
    del record["checksum"]
    write_record(paths[0], record)
    paths[1].unlink()
    return root


def _finish(folder: Path) -> None:
    if folder.name.startswith("features-"):
        draws = np.random.default_rng(int(folder.name.rpartition("-")[2], 16))
        features = draws.normal(draws.normal(), 1 + draws.random(), (VECTORS, DIMENSIONS))
        moments = {"mean": features.mean(axis=0), "covariance": np.cov(features, rowvar=False)}
        np.savez(folder / "features.npz", features=features.astype(np.float32), **moments)
    result = record_bytes(json.loads((folder / "result.json").read_text()))
    (folder / "result.json").write_bytes(result)
    write_record(folder / "provenance.json", PROVENANCE | vouched(folder, result))
