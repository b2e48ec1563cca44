"""The names by which a sweep file asks for figures and claims, and what feeds each of them.

They stand apart from the code that draws and judges, so that a sweep is read without pandas or
matplotlib. A figure's name is that of its room in `studies.figures`; `studies.claims.CLAIMS` holds
exactly the claims that are named here.

What feeds them are parts of a sweep: an evaluation, `rivals`, or `train`, the trainings themselves.
A figure draws what there is, so one of its parts is enough; a claim cannot be decided unless a
sweep has all of its own. Figures and claims of the schedules alone need none. What they need of the
arms beyond that, such as two values of a setting, is told by `studies.needs`.
"""

from collections.abc import Collection

LIKELIHOOD, SAMPLES = ("likelihood",), ("samples",)
BOTH = ("likelihood", "samples")
TRAIN = "train"
RIVALS = "rivals"

FIGURES: dict[str, tuple[str, ...]] = {
    "beta_ratio": (),
    "vlb_terms": LIKELIHOOD,
    "quality_vs_steps": SAMPLES,
    "sample_grid": SAMPLES,
    "quality_by_batch": SAMPLES,
    "alpha_bar": (),
    "latents": ("latents",),
    "model_size": BOTH,
    "class_grid": SAMPLES,
    "objective_table": BOTH,
    "sample_count": SAMPLES,
    "nll_vs_steps": LIKELIHOOD,
    "overfitting": BOTH,
    "early_stopping": SAMPLES,
    "architecture": BOTH,
    "gradient_noise": ("gradient_noise",),
    "term_ratio": LIKELIHOOD,
    "model_comparison": (*SAMPLES, RIVALS),
    "skip_prefix": SAMPLES,
    "learning_curves": (TRAIN,),
    "likelihood_comparison": LIKELIHOOD,
}

CLAIMS: dict[str, tuple[str, ...]] = {
    "beta_tilde_close_to_beta": (),
    "first_steps_carry_the_bound": LIKELIHOOD,
    "sigma_choice_is_minor_at_many_steps": SAMPLES,
    "learned_sigma_lowers_nll": LIKELIHOOD,
    "learned_sigma_keeps_quality_at_few_steps": SAMPLES,
    "learned_v_stays_in_range": LIKELIHOOD,
    "hundred_steps_are_nearly_enough": SAMPLES,
    "even_stride_hurts_ddim": SAMPLES,
    "even_stride_helps_ancestral_sampling": SAMPLES,
    "ddim_wins_below_fifty_steps": SAMPLES,
    "large_batches_help_hybrid_not_ddim": SAMPLES,
    "linear_destroys_information_early": (),
    "cosine_falls_evenly_between_its_ends": (),
    "first_cosine_noise_is_below_a_pixel_bin": (),
    "quality_follows_a_power_law_of_compute": BOTH,
    "larger_networks_are_better": BOTH,
    "longer_chain_lowers_nll": LIKELIHOOD,
    "cosine_lowers_nll": LIKELIHOOD,
    "vlb_gives_lowest_nll": LIKELIHOOD,
    "vlb_worsens_samples": SAMPLES,
    "hybrid_keeps_quality": SAMPLES,
    "more_samples_lower_distance": SAMPLES,
    "even_stride_costs_likelihood": LIKELIHOOD,
    "first_steps_win_back_likelihood": LIKELIHOOD,
    "learned_sigma_has_the_best_short_bound": LIKELIHOOD,
    "networks_overfit": LIKELIHOOD,
    "cosine_reaches_its_best_sooner": BOTH,
    "schedules_reach_similar_quality": SAMPLES,
    "small_dropout_improves_the_best_quality": SAMPLES,
    "small_dropout_takes_longer": SAMPLES,
    "slow_averages_are_best": SAMPLES,
    "best_dropout_depends_on_the_schedule": SAMPLES,
    "architecture_improves_quality": SAMPLES,
    "vlb_gradient_is_noisier": ("gradient_noise",),
    "hybrid_is_better_between_the_ends": LIKELIHOOD,
    "ensemble_lowers_nll": LIKELIHOOD,
    "ensemble_keeps_hybrid_quality": SAMPLES,
    "diffusion_covers_more_than_gan": (*SAMPLES, RIVALS),
    "gan_is_more_precise": (*SAMPLES, RIVALS),
    "only_large_diffusion_beats_gan": (*SAMPLES, RIVALS),
    "linear_spares_a_skipped_fifth": SAMPLES,
    "cosine_suffers_from_any_skip": SAMPLES,
    "hybrid_beats_vlb_in_training": (TRAIN,),
    "importance_sampling_steadies_vlb": (TRAIN,),
    "importance_sampling_lowers_vlb": (TRAIN,),
    "importance_sampling_does_not_help_hybrid": (TRAIN,),
}


def lacking_of_figure(name: str, parts: Collection[str]) -> str:
    """What a sweep of these parts lacks for a figure, in words; empty: nothing."""
    needed = FIGURES[name]
    return " or ".join(needed) if needed and not set(needed) & set(parts) else ""


def lacking_of_claim(name: str, parts: Collection[str]) -> str:
    """What a sweep of these parts lacks for a claim, in words; empty: nothing."""
    return " and ".join(part for part in CLAIMS[name] if part not in parts)
