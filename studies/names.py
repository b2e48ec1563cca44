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
    "model_size",
    "overfitting",
    "early_stopping",
    "architecture",
)

CLAIMS = (
    "beta_tilde_close_to_beta",
    "first_steps_carry_the_bound",
    "sigma_choice_is_minor_at_many_steps",
    "learned_sigma_lowers_nll",
    "learned_sigma_keeps_quality_at_few_steps",
    "quality_follows_a_power_law_of_compute",
    "larger_networks_are_better",
    "networks_overfit",
    "cosine_reaches_its_best_sooner",
    "schedules_reach_similar_quality",
    "small_dropout_improves_the_best_quality",
    "small_dropout_takes_longer",
    "best_dropout_depends_on_the_schedule",
    "architecture_improves_quality",
)
