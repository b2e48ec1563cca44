"""What the paper says of schedule, T and objective: Section 3.4, Tables 1 and 2."""

import math
from dataclasses import replace

from studies.analyses.objective_ablation.paper import DRAWS_OF_THE_PAPER, KEPT
from studies.judging.comparison import ABOVE_ZERO, Comparison, Region, compared
from studies.judging.importance import drew_uniformly, lack_of_importance, remarks
from studies.judging.pairs import (
    READ,
    SCORED,
    Pair,
    fewer_bits,
    network_pairs,
    networks_pair,
)
from studies.judging.shared import TWO_CHAINS
from studies.judging.verdicts import Claim, Measured
from studies.tables.intervals import log_ratios_of_means, mean
from studies.tables.labels import TIMESTEPS, is_resampled
from studies.tables.rows import judged, named, tied_to_schedule
from studies.tables.table_rows import bounds, distances
from studies.tables.tables import Tables

# ------------------------------------------------------------------------------------- bits/dim


def _longer_chain(tables: Tables) -> Measured:
    rows = bounds(tables)
    found = list(network_pairs(rows, "T", sorted(rows["T"].unique())))
    measured = compared(
        [replace(fewer_bits(pair), untold=_one_drew_uniformly(pair)) for pair in found],
        "one network with two lengths T",
    )
    return replace(measured, reasons=list(dict.fromkeys(filter(None, map(_draws, found)))))


def _draws(pair: Pair) -> str:
    """How often each step was met in training; empty where the tables do not say."""
    longer, shorter = (float(n["images_seen"].iloc[0]) / n["T"].iloc[0] for n in pair.arms)
    if math.isnan(longer) or longer >= DRAWS_OF_THE_PAPER:
        return ""
    return (
        f"Training met each t {longer:,.0f} times at T = {pair.first['T'].iloc[0]:,} and "
        f"{shorter:,.0f} times at T = {pair.second['T'].iloc[0]:,}, in the paper "
        f"{DRAWS_OF_THE_PAPER:,} times and more."
    )


def _one_drew_uniformly(pair: Pair) -> str:
    """A sentence that importance sampling began for the shorter chain alone; else empty."""
    lack = lack_of_importance(pair.first, pair.names[0])
    if not lack or drew_uniformly(pair.second):
        return ""
    return f"{lack}, while {pair.names[1]} drew some t by importance"


def _cosine(tables: Tables) -> Measured:
    rows = bounds(tables)
    found = network_pairs(rows, "schedule", ["linear", "cosine"], also=tied_to_schedule(rows))
    return compared(map(fewer_bits, found), "one objective and T with both schedules")


def _vlb_lowest(tables: Tables) -> Measured:
    """L_vlb as the paper trains it, resampled where the study has it so, against all others.

    One that never drew t by importance is not trained so, and tells nothing.
    """
    found: list[Comparison] = []
    drawn: dict[str, None] = {}
    for _, group in named(bounds(tables), [*SCORED, "training_steps"]):
        networks = [network for _, network in group.groupby("row", sort=False)]
        vlb = [network for network in networks if network["objective"].iloc[0] == "vlb"]
        resampled = [network for network in vlb if is_resampled(network.iloc[0])]
        others = [network for network in networks if network["objective"].iloc[0] != "vlb"]
        for pair in (networks_pair(one, other) for one in resampled or vlb for other in others):
            lack = lack_of_importance(pair.first, pair.names[0])
            found.append(replace(fewer_bits(pair), untold=lack))
            drawn |= dict.fromkeys([] if lack else remarks(pair.first, pair.names[0]))
    measured = compared(found, "a network of L_vlb and one of another objective")
    return replace(measured, remarks=list(drawn))


# --------------------------------------------------------------------------------------- samples


def _worse_samples(tables: Tables) -> Measured:
    rows = distances(judged(tables, "frechet_distance"))
    found = list(network_pairs(rows, "objective", ["hybrid", "vlb"], also=(TIMESTEPS,)))
    comparisons = [
        replace(_larger_distance(pair), untold=lack_of_importance(pair.first, pair.names[0]))
        for pair in found
    ]
    measured = compared(comparisons, "L_vlb and L_hybrid, sampled alike")
    begun = [pair for pair, one in zip(found, comparisons, strict=True) if not one.untold]
    said = dict.fromkeys(one for p in begun for one in remarks(p.first, p.names[0]))
    return replace(measured, remarks=list(said))


def _larger_distance(pair: Pair) -> Comparison:
    first, second = pair.values
    return Comparison(
        what=f"log FD, {pair.name}",
        values=log_ratios_of_means(first, second),
        unit="log ratio",
        region=ABOVE_ZERO,
        networks=pair.arms,
        detail=f"mean FD {mean(first):.3g} against {mean(second):.3g}",
        missing=pair.name,
    )


def _kept_quality(tables: Tables) -> Measured:
    rows = distances(judged(tables, "frechet_distance"))
    found = network_pairs(rows, "objective", ["simple", "hybrid"])
    return compared(map(_hardly_larger, found), "L_hybrid and L_simple, sampled alike")


def _hardly_larger(pair: Pair) -> Comparison:
    first, second = pair.values
    return Comparison(
        what=f"log FD, {pair.name}",
        values=log_ratios_of_means(first, second),
        unit="log ratio",
        region=Region(high=math.log1p(KEPT)),
        networks=pair.arms,
        detail=f"mean FD {mean(first):.3g} against {mean(second):.3g}",
        missing=pair.name,
    )


CLAIMS: dict[str, Claim] = {
    "longer_chain_lowers_nll": Claim(
        says="More diffusion steps T give fewer bits/dim.",
        source="Section 3, Tables 1 and 2 (ImageNet 64: 3.99 at T = 1000, 3.77 at 4000)",
        method="For networks that differ in T alone: bits/dim at the larger T minus that at the "
        f"next smaller one, per seed. Supported if every interval lies below zero. {READ} Where "
        "importance sampling of t began at the smaller T and never at the larger, T is not all "
        "that differs: the pair is given and decides nothing.",
        measure=_longer_chain,
        shared=TWO_CHAINS,
        of_trained=True,
        of_chains=True,
    ),
    "cosine_lowers_nll": Claim(
        says="The cosine schedule gives fewer bits/dim than the linear one.",
        source="Section 3.4, Tables 1 and 2",
        method="For networks that differ in the schedule alone: bits/dim with cosine minus that "
        f"with linear, per seed. Supported if every interval lies below zero. {READ}",
        measure=_cosine,
        shared=TWO_CHAINS,
        of_trained=True,
        of_chains=True,
    ),
    "vlb_gives_lowest_nll": Claim(
        says="Training on L_vlb gives the fewest bits/dim of all.",
        source="Section 3.4, Tables 1 and 2",
        method="Bits/dim of L_vlb minus that of every network of another objective, per seed; of "
        "several L_vlb networks those with importance sampling, as the paper's was; all of one "
        f"length of training. Supported if every interval lies below zero. {READ} A network of "
        "L_vlb that drew every t uniformly is given and decides nothing.",
        measure=_vlb_lowest,
        of_trained=True,
    ),
    "vlb_worsens_samples": Claim(
        says="L_vlb gives worse samples than L_hybrid.",
        source="Section 3.4, Tables 1 and 2 (FID 56.7 against 28.0, 11.47 against 3.19)",
        method="For networks that differ in the objective alone: natural log of the mean "
        "Fréchet distance of L_vlb over that of L_hybrid, paired by seed, both with learned Σ, "
        "equal steps and equal numbers of samples. Supported if the interval lies above zero. A "
        "network of L_vlb that drew every t uniformly is given and decides nothing.",
        measure=_worse_samples,
        of_trained=True,
    ),
    "hybrid_keeps_quality": Claim(
        says="L_hybrid keeps about the sample quality of L_simple.",
        source="Section 3.4, Tables 1 and 2 (FID higher by 3 to 6%)",
        method="For networks that differ in the objective alone: log of the mean Fréchet distance "
        "of L_hybrid with learned Σ over that of L_simple with β, paired by seed, at equal steps "
        f"and numbers of samples. Kept means at most {KEPT:.0%} more, fixed beforehand: supported "
        "if every interval lies below that, contradicted if one lies above.",
        measure=_kept_quality,
        of_trained=True,
    ),
}
