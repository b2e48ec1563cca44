"""Section 3.1: the choice of Σ, by quality of samples and by bits/dim."""

from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import (
    BETA,
    BETA_TILDE,
    FEW_STEPS,
    HYBRID,
    LIKELIHOOD,
    OBJECTIVE,
    SAMPLER,
    SAMPLES,
    SIMPLE,
    SIMPLE_AND_HYBRID,
    STEPS,
    VARIANCE,
    both,
    every,
    is_ancestral,
    is_bound,
    is_few,
    is_hybrid_learned,
    together,
)
from studies.tables.answer import Answer

MINOR = 0.10
"""Largest share by which two Fréchet distances differ and which still counts as minor. Fixed
beforehand; the paper gives no number."""
HARDLY_EVER = 0.001
"""Largest share of all v outside [0, 1] that counts as staying inside. Fixed beforehand; the paper
gives no number."""
NONE = HARDLY_EVER / 10
"""Smaller shares than this count as so large: on the scale of log odds, none lies infinitely far
below it, and would hide in its spread that all are hardly ever."""

ANALYSIS = Analysis(
    claims={
        "sigma_choice_is_minor_at_many_steps": Need(
            SAMPLES,
            f"ancestral samples of one network with the variances beta and beta_tilde ({VARIANCE})",
            (SAMPLER, VARIANCE),
            together(is_ancestral, (VARIANCE, STEPS), BETA, BETA_TILDE, at=STEPS),
        ),
        "learned_sigma_lowers_nll": Need(
            LIKELIHOOD,
            f"the likelihood of {SIMPLE_AND_HYBRID}",
            (OBJECTIVE,),
            together(is_bound, (OBJECTIVE,), SIMPLE, HYBRID),
        ),
        "learned_sigma_keeps_quality_at_few_steps": Need(
            SAMPLES,
            "ancestral samples of L_hybrid with its learned variance and of L_simple with beta and "
            f"with beta_tilde, over at most {FEW_STEPS} steps and over more ({OBJECTIVE}, "
            f"{VARIANCE}, {STEPS})",
            (OBJECTIVE, VARIANCE, STEPS),
            both(
                *(
                    together(
                        every(is_ancestral, is_few(STEPS, few=few)),
                        (OBJECTIVE, VARIANCE, STEPS),
                        is_hybrid_learned,
                        every(SIMPLE, variance),
                        at=STEPS,
                    )
                    for few in (True, False)
                    for variance in (BETA, BETA_TILDE)
                )
            ),
        ),
        "learned_v_stays_in_range": Need(
            LIKELIHOOD,
            f"the likelihood of a network that learns Σ in a range ({OBJECTIVE}: hybrid or vlb)",
            (OBJECTIVE,),
            lambda arms: any(arm.learned == "range" for arm in arms if is_bound(arm)),
        ),
    },
    answers={
        "sigma_ablation": Answer(
            metric="frechet_distance",
            baseline={"objective": "simple", "variance": "beta", "sampler": "ancestral"},
            against=(
                {"objective": "simple", "variance": "beta_tilde"},
                {"objective": "simple", "sampler": "ddim"},
                {"objective": "hybrid", "variance": "range"},
            ),
            along="steps",
            beside=("eta", "stride"),
        ),
    },
    places={"sigma_ablation": Place("3.1", 1, "Figs. 1, 2 and 8")},
)
