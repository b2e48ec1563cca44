"""Copies to a device that wait for nothing, so that the processor runs ahead of the device."""

import torch
from torch import Tensor


def ahead(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor of the CPU on a device.

    A copy from ordinary memory to a GPU waits until the GPU has done all that it was told. From
    pinned memory it is one more thing that the GPU is told.
    """
    there = torch.device(device)
    if there.type != "cuda":
        return tensor.to(there)
    return tensor.pin_memory().to(there, non_blocking=True)
