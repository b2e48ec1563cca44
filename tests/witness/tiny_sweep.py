"""A sweep that uses every kind of task and is done in seconds, with its preset."""

SWEEP = """
study: tiny
question: Does anything matter?
preset: tiny
grid:
  train.objective: [simple, hybrid]
seeds: [0, 1]
evaluate:
  - likelihood: {}
  - samples:
      sampler: {ancestral: {variance: beta}}
      steps: 4
figures: [quality_vs_steps]
claims: [learned_sigma_lowers_nll]
"""
PRESET = """
description: digits, hardly trained
data: digits
train:
  diffusion: {steps: 8}
  network:
    model_channels: 4
    channel_mult: [1]
    res_blocks: 1
    attention_resolutions: []
    heads: 1
    groups: 2
  batch_size: 4
  ema_decays: [0.9]
  steps: 3
evaluate:
  likelihood: {images: 3, block_size: 2, ema_decay: 0.9}
  samples:
    images: 6
    block_size: 4
    shard_blocks: 1
    ema_decay: 0.9
    extractor: {classifier: {channels: 4, features: 4, steps: 3}}
    reference: {images: 16}
"""
