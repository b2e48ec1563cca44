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
    "objective_table",
    "sample_count",
    "learning_curves",
)

CLAIMS = (
    "beta_tilde_close_to_beta",
    "first_steps_carry_the_bound",
    "sigma_choice_is_minor_at_many_steps",
    "learned_sigma_lowers_nll",
    "learned_sigma_keeps_quality_at_few_steps",
    "longer_chain_lowers_nll",
    "cosine_lowers_nll",
    "vlb_gives_lowest_nll",
    "vlb_worsens_samples",
    "hybrid_keeps_quality",
    "more_samples_lower_distance",
    "hybrid_beats_vlb_in_training",
    "importance_sampling_steadies_vlb",
    "importance_sampling_lowers_vlb",
    "importance_sampling_does_not_help_hybrid",
)
