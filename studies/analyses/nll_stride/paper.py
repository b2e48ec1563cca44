"""Bits/dim over fewer steps, as others measured them on the paper's released network.

The paper's Fig. 15 shows such curves; its values are not on record here.
"""

from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import (
    BOUND_STEPS,
    BOUND_STRIDE,
    FEW_STEPS,
    HYBRID,
    LIKELIHOOD,
    OBJECTIVE,
    SIMPLE,
    SIMPLE_AND_HYBRID,
    T,
    alike,
    has,
    is_bound,
    is_few,
    is_whole,
    several,
    together,
)
from studies.tables.answer import ANY, Answer

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


PLUS = "even_plus_first"
"""The stride that adds every t up to T/K to the K even steps."""
GREATLY_WORSE = 0.10
"""Smallest relative growth of bits/dim that is great. Fixed beforehand; the paper's word is
"drastically"."""
MOST_OF_A_LOSS = 0.5
"""Smallest share of a loss of bits/dim that is most of it."""

_BOTH_STRIDES = Need(
    LIKELIHOOD,
    f"the likelihood of one network over at most {FEW_STEPS} steps with both strides even and "
    f"{PLUS}, and over all T ({BOUND_STEPS}, {BOUND_STRIDE})",
    (BOUND_STEPS, BOUND_STRIDE, T),
    lambda arms: any(
        together(
            is_few(BOUND_STEPS),
            (BOUND_STRIDE,),
            has(BOUND_STRIDE, "even"),
            has(BOUND_STRIDE, PLUS),
        )(group)
        and any(map(is_whole, group))
        for group in alike([arm for arm in arms if is_bound(arm)], (BOUND_STEPS, BOUND_STRIDE))
    ),
)

ANALYSIS = Analysis(
    figures={
        "nll_vs_steps": Need(
            LIKELIHOOD,
            f"the likelihood of one network over several numbers of steps ({BOUND_STEPS})",
            (BOUND_STEPS,),
            several(is_bound, BOUND_STEPS, beside=(BOUND_STRIDE,)),
        ),
    },
    claims={
        "even_stride_costs_likelihood": _BOTH_STRIDES,
        "first_steps_win_back_likelihood": _BOTH_STRIDES,
        "learned_sigma_has_the_best_short_bound": Need(
            LIKELIHOOD,
            f"the likelihood of {SIMPLE_AND_HYBRID}, with the stride {PLUS} or over all T "
            f"({BOUND_STRIDE})",
            (OBJECTIVE, BOUND_STRIDE),
            together(
                lambda arm: is_bound(arm) and (arm[BOUND_STRIDE] == PLUS or is_whole(arm)),
                (OBJECTIVE, BOUND_STEPS, BOUND_STRIDE),
                SIMPLE,
                HYBRID,
                at=BOUND_STEPS,
            ),
        ),
    },
    answers={
        "nll_stride": Answer(
            metric="bits_per_dim",
            baseline={"stride": "even"},
            against=({"stride": "even_plus_first"},),
            among=(
                {"objective": "simple", "variance": "beta"},
                {"objective": ANY, "variance": "range"},
            ),
            along="steps",
        ),
    },
    places={"nll_stride": Place("E", 15, "Fig. 15")},
)
