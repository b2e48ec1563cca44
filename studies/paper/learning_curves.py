"""Fig. 6: the bound on ImageNet 64 while training."""

FIG_6_RESAMPLED: dict[int, float] = {
    6_000: 3.93,
    50_000: 3.64,
    100_000: 3.595,
    150_000: 3.57,
    200_000: 3.555,
    250_000: 3.545,
}
"""Bits/dim by training step of L_vlb (resampled), digitised: a curve without visible noise."""

FIG_6_NOISY: dict[str, tuple[float, float]] = {"vlb": (3.85, 4.2), "hybrid": (3.53, 3.85)}
"""Between which bits/dim the other two curves jump in the end, digitised: L_vlb from step 150,000
to 250,000, L_hybrid over the greater part of the figure."""

FIG_6_ERROR = 0.02
"""Of both, one side: the vertices of a drawn polyline, told to a hundredth of the axis, which spans
2 bits/dim. The figure does not say which schedule it is of, so no result of ours can be known to be
comparable with it."""
