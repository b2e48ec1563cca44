"""What a network may be told beside x_t and t: class labels, and a smaller version of the image."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioning:
    """Side information for a batch of B images; None where there is none.

    Args:
        labels: Class of each image, shape (B,), int64.
        low_resolution: The images at a lower resolution, in [-1, 1], shape (B, C, h, w).

    Raises:
        ValueError: If a tensor has another shape or type than said, or the two disagree on B.
    """

    labels: Tensor | None = None
    low_resolution: Tensor | None = None

    def __post_init__(self) -> None:
        labels, low = self.labels, self.low_resolution
        if labels is not None and (labels.dim() != 1 or labels.dtype != torch.int64):
            raise ValueError(
                "conditioning.labels: expected int64 of shape (B,), "
                f"found {labels.dtype} of shape {tuple(labels.shape)}"
            )
        if low is not None and (low.dim() != 4 or not low.is_floating_point()):
            raise ValueError(
                "conditioning.low_resolution: expected floats of shape (B, C, h, w), "
                f"found {low.dtype} of shape {tuple(low.shape)}"
            )
        if labels is not None and low is not None and len(labels) != len(low):
            raise ValueError(
                f"conditioning: expected as many labels as low-resolution images ({len(low)}), "
                f"found {len(labels)}"
            )

    def part(self, images: slice) -> "Conditioning":
        """The same for some of the images."""
        labels, low = self.labels, self.low_resolution
        return Conditioning(
            labels=None if labels is None else labels[images],
            low_resolution=None if low is None else low[images],
        )

    def repeated(self, times: int) -> "Conditioning":
        """The same for the batch written so many times one after the other."""
        labels, low = self.labels, self.low_resolution
        return Conditioning(
            labels=None if labels is None else labels.repeat(times),
            low_resolution=None if low is None else low.repeat(times, 1, 1, 1),
        )
