"""A small sweep and its preset, written to a folder with some of their text replaced."""

from pathlib import Path

PRESET = """\
description: small networks on digits
data: digits
train:
  network: {model_channels: 8, channel_mult: [1, 2], attention_resolutions: [4], groups: 4}
  diffusion: {steps: 100}
  ema_decays: [0.9]
  batch_size: 16
  steps: 50
evaluate:
  likelihood: {images: 20, ema_decay: 0.9}
  samples: {images: 96, block_size: 16, shard_blocks: 4, ema_decay: 0.9, extractor: classifier}
"""

SWEEP = """\
study: small
question: Is it small?
preset: tiny
grid:
  train.objective: [simple, hybrid]
seeds: [0, 1]
evaluate:
  - likelihood: {}
  - samples:
      grid:
        steps: [10, 100]
"""


def write_sweep(folder: Path, sweep: str = SWEEP, preset: str = PRESET) -> Path:
    """The path of the sweep; its preset, `tiny`, lies in `presets` beside it."""
    (folder / "presets").mkdir(exist_ok=True)
    (folder / "presets" / "tiny.yaml").write_text(preset)
    path = folder / "sweep.yaml"
    path.write_text(sweep)
    return path
