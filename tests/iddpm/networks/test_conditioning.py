import pytest
import torch

from iddpm.networks.conditioning import Conditioning


def test_labels_that_are_not_whole_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"conditioning.labels: expected int64 of shape \(B,\)"):
        Conditioning(labels=torch.zeros(3))


def test_low_resolution_images_without_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"low_resolution: expected floats .* shape \(3, 4, 4\)"):
        Conditioning(low_resolution=torch.zeros(3, 4, 4))


def test_labels_and_images_of_different_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"as many labels as low-resolution images \(2\), found 3"):
        Conditioning(
            labels=torch.zeros(3, dtype=torch.int64), low_resolution=torch.zeros(2, 3, 4, 4)
        )
