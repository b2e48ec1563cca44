"""The names by which a sweep file asks for figures and claims.

They stand apart from the code that draws and judges, so that a sweep is read without pandas or
matplotlib; `studies.figures.FIGURES` and `studies.claims.CLAIMS` each cover their tuple exactly.
"""

FIGURES = (
    "beta_ratio",
    "vlb_terms",
    "quality_vs_steps",
    "sample_grid",
    "quality_by_batch",
    "alpha_bar",
    "latents",
    "model_size",
    "class_grid",
    "nll_vs_steps",
    "skip_prefix",
)

CLAIMS = (
    "beta_tilde_close_to_beta",
    "first_steps_carry_the_bound",
    "sigma_choice_is_minor_at_many_steps",
    "learned_sigma_lowers_nll",
    "learned_sigma_keeps_quality_at_few_steps",
    "learned_v_stays_in_range",
    "hundred_steps_are_nearly_enough",
    "even_stride_hurts_ddim",
    "even_stride_helps_ancestral_sampling",
    "ddim_wins_below_fifty_steps",
    "large_batches_help_hybrid_not_ddim",
    "linear_destroys_information_early",
    "cosine_falls_evenly_between_its_ends",
    "first_cosine_noise_is_below_a_pixel_bin",
    "quality_follows_a_power_law_of_compute",
    "larger_networks_are_better",
    "even_stride_costs_likelihood",
    "first_steps_win_back_likelihood",
    "learned_sigma_has_the_best_short_bound",
    "linear_spares_a_skipped_fifth",
    "cosine_suffers_from_any_skip",
)
