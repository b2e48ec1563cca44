"""A sweep over a network that is read from a file, for the preset of `tiny_sweep`."""

SWEEP = """
study: imported
question: What does the file say?
preset: tiny
train:
  from: {openai: {path: PATH, SAYS}}
seeds: [0]
evaluate:
  - likelihood: {images: 3, block_size: 2, ema_decay: 0.9999}
  - samples: {sampler: {ancestral: {variance: range}}, steps: 4, ema_decay: 0.9999}
figures: [quality_vs_steps]
"""
