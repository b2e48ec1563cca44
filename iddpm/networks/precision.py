"""The arithmetic that a network runs in: part of what a task is, since it moves its numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from iddpm.config import Precision


@contextmanager
def arithmetic(precision: Precision, device: torch.device | str) -> Iterator[None]:
    """Runs a network, forwards, in the given precision; its weights stay float32.

    A backward pass belongs outside, within `tf32` alone.

    Args:
        precision: `float32`; `tf32` rounds the factors of matrix products on a GPU and changes
            nothing on a CPU; `bf16` runs matrix products and convolutions under autocast.
        device: Where the network runs.
    """
    kind = torch.device(device).type
    autocast = torch.autocast(kind, dtype=torch.bfloat16, enabled=precision == "bf16")
    with tf32(precision), autocast:
        yield


@contextmanager
def tf32(precision: Precision) -> Iterator[None]:
    """Whether products on a GPU are rounded as `tf32` says; torch's settings return afterwards."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
