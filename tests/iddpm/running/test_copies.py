"""Copies that wait for nothing hold what they copied."""

import pytest
import torch

from iddpm.running.copies import ahead


def test_a_copy_on_a_cpu_is_the_tensor_itself() -> None:
    tensor = torch.arange(6)
    assert ahead(tensor, "cpu") is tensor


@pytest.mark.gpu
def test_a_copy_to_a_gpu_waits_for_nothing() -> None:
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = [ahead(torch.full((1000,), value), "cuda") for value in range(50)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [tensor.tolist() for tensor in found] == [[value] * 1000 for value in range(50)]
