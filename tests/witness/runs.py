"""Sweeps that are run in this process, one task after another: store and pages lie beside them."""

from pathlib import Path

import numpy as np

from studies import run
from studies.report import __main__ as report
from studies.store.store import Store
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

EVERY_KIND = (
    SWEEP[: SWEEP.index("figures:")]
    .replace("[simple, hybrid]", "[hybrid]")
    .replace("[0, 1]", "[0]")
    .replace(
        "evaluate:",
        """evaluate:
  - gradient_noise: {draws: 4, blocks: 4, block_size: 2}
  - latents: {count: 3}
  - likelihood: {images: 4, shard_blocks: 1}""",
    )
    + """figures: [latents, sample_grid, vlb_terms]
rivals:
  - gan: {latent: 2, channels: 4, batch_size: 4, ema_decay: 0.5, steps: 3}
  - external: {name: made elsewhere, path: PATH}
"""
)


def running(folder: Path, *options: str) -> int:
    """The exit status of `run` on the sweep of a folder."""
    sweep, store = folder / "sweep.yaml", folder / "store"
    return run.main([str(sweep), "--store", str(store), "--executor", "inline", *options])


def drawing(folder: Path) -> int:
    """The exit status of `report` on all studies of that store."""
    return report.main(["--store", str(folder / "store"), "--out", str(folder / "reports")])


def ran(folder: Path, sweep: str = SWEEP, preset: str = PRESET, *options: str) -> Store:
    """The store of a sweep that is written to the folder and run to its end."""
    write_sweep(folder, sweep, preset)
    assert running(folder, *options) == 0
    return Store(folder / "store")


def ran_every_kind(folder: Path) -> Store:
    """The store of one network and one seed with every kind of task that needs no checkpoint."""
    elsewhere = folder / "elsewhere.npz"
    np.savez(elsewhere, np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8, 1) % 17)
    return ran(folder, EVERY_KIND.replace("PATH", str(elsewhere)))
