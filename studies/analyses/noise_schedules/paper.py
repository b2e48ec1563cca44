"""Figs. 1, 3 and 5: the noise schedules, and the images that they leave."""

from studies.analyses.analysis import Analysis, Need, Place

RATIO_LENGTHS = (100, 1000, 4000, 10_000)
"""T of the processes whose β̃/β is looked at, as in Fig. 1."""
RATIO_AT_LEAST = 0.9
"""Smallest β̃/β at which β̃ is almost β. This threshold and those below were fixed beforehand; the
paper gives no numbers."""
RATIO_FROM_INDEX = round(2 * RATIO_AT_LEAST / (1 - RATIO_AT_LEAST))
"""Step index, from 0, from which on β̃ is to be almost β: 18. Where β grows in a line from nothing,
as that of the linear schedule nearly does, 1 - ᾱ of the first steps is the sum of the β, which is
as (t + 1)(t + 2) at index t. So β̃/β is t / (t + 2), whatever T, and reaches r at 2 r / (1 - r)."""
LENGTHS = (1000, 4000)
"""T of the paper's networks."""
ALMOST_NOTHING = 0.01
"""An image of which less than this share of the variance is left is almost pure noise."""
LAST_PART = 0.25
"""Share of the steps that must be almost pure noise under the linear schedule."""
HALFWAY_AT_MOST = 0.5
"""Largest ratio of the linear ᾱ to the cosine one, at T/2, at which little is left."""
EDGE = 0.05
"""Share of the steps that are near either end of the process."""
EDGE_LOSS = 0.01
"""Largest loss of ᾱ over an edge: a fifth of what an even fall from 1 to 0 would lose there."""
BEND = 0.05
"""Largest distance of ᾱ from a straight line that it falls almost along."""
PIXEL_BIN = 1 / 127.5
"""Width of the bin of a pixel, of images in [-1, 1]."""
NOISE_AT_LEAST = 1 / 6
"""Smallest share of its data's bin that the first noise of a chain has whose first steps have
something to tell: below it three deviations lie within half a bin, and rounding gives the image
back. The paper's chains have 0.4 of a bin and more."""
BIN_SHARE = 0.5
"""Smallest share of the bin that is only slightly smaller than the bin."""

ANALYSIS = Analysis(
    figures={
        "alpha_bar": Need(),
        "beta_ratio": Need(),
        "latents": Need(("latents",)),
    },
    claims={
        "beta_tilde_close_to_beta": Need(),
        "linear_destroys_information_early": Need(),
        "cosine_falls_evenly_between_its_ends": Need(),
        "first_cosine_noise_is_below_a_pixel_bin": Need(),
    },
    sentences=("noise_schedules",),
    places={"noise_schedules": Place("3.2", 1, "Figs. 1, 3 and 5")},
)
