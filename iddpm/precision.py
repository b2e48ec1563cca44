"""The arithmetic that a network runs in: part of what a task is, since it moves its numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from iddpm.config import Precision


@contextmanager
def arithmetic(precision: Precision, device: torch.device | str) -> Iterator[None]:
    """Runs what is inside in the given precision; weights and everything outside stay float32.

    Args:
        precision: `float32`; `tf32` rounds the factors of matrix products on a GPU and changes
            nothing on a CPU; `bf16` runs matrix products and convolutions under autocast.
        device: Where the network runs.
    """
    kind = torch.device(device).type
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
