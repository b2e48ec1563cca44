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
    "gradient_noise",
)

CLAIMS = (
    "beta_tilde_close_to_beta",
    "first_steps_carry_the_bound",
    "sigma_choice_is_minor_at_many_steps",
    "learned_sigma_lowers_nll",
    "learned_sigma_keeps_quality_at_few_steps",
    "vlb_gradient_is_noisier",
)
