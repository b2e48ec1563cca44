"""Bits/dim over fewer steps, as others measured them on the paper's released network.

The paper's Fig. 15 shows such curves; its values are not on record here.
"""

SHORT_BOUND_STEPS = (25, 50, 100, 200, 400, 1000, 4000)

SHORT_BOUNDS: dict[str, tuple[float, ...]] = {
    "beta": (5.81, 5.20, 4.70, 4.31, 4.04, 3.81, 3.65),
    "beta_tilde": (105.87, 46.25, 22.02, 12.10, 7.59, 5.04, 3.89),
    "range": (18.91, 8.46, 5.27, 4.24, 3.86, 3.68, 3.57),
}
"""Bits/dim by Σ at each of SHORT_BOUND_STEPS: the released L_hybrid network on ImageNet 64, T =
4000, even stride without the first steps. Bao et al. (2022, arXiv:2201.06503): Table 1 for the
fixed Σ, Table 8 for the learned one. They are not the paper's own, and over how many images is not
stated, so no result of ours can be known to be comparable with them."""
