"""Figs. 1, 3 and 5: the noise schedules, and the images that they leave."""

from studies.analyses.analysis import Analysis, Need

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
)
