"""What the paper says of the noise of the gradient that a network is trained with."""

import math
from collections.abc import Iterator
from itertools import chain

import pandas as pd

from studies.analyses.gradient_noise.paper import MOST_UNDETERMINED, MUCH_NOISIER
from studies.analyses.needs import LENGTH
from studies.judging.comparison import Comparison, Region, Values, compared
from studies.judging.verdicts import Claim, Measured, Untold
from studies.tables.groupings import by_seed
from studies.tables.intervals import Made, mean, paired_differences
from studies.tables.rows import alike, asked, parted
from studies.tables.tables import Tables

MUCH = Region(low=math.log(MUCH_NOISIER))
RATIO = "log of the noise scale of L_vlb over that of L_hybrid,"


def _vlb_is_noisier(tables: Tables) -> Measured:
    groups = alike(asked(tables, "log_noise_scale"), "objective", LENGTH)
    found = [
        comparison
        for name, arms in groups
        if {"vlb", "hybrid"} <= set(arms["objective"])
        for comparison in _along_training(name, arms)
    ]
    return compared(found, f"{RATIO} of networks trained alike")


def _along_training(name: str, arms: pd.DataFrame) -> Iterator[Comparison]:
    """Over all checkpoints, then at each; of those the last alone decides."""
    by_step = {int(str(step)): same for step, same in arms.groupby("training_steps")}
    if values := _over_checkpoints(list(by_step.values())):
        too_many = _undetermined(arms) if _share(arms) > MOST_UNDETERMINED else ""
        yield Comparison(
            what=f"{RATIO} mean over all checkpoints{name}",
            values=values,
            unit="log ratio",
            region=MUCH,
            detail=f"×{math.exp(mean(values)):.3g}",
            untold=f"the noise scales{name}: {too_many}" if too_many else "",
        )
    for step, same in by_step.items():
        yield _at_checkpoint(f"{RATIO} at step {step:,}{name}", same, is_last=step == max(by_step))


def _at_checkpoint(what: str, arms: pd.DataFrame, *, is_last: bool) -> Comparison:
    vlb, hybrid = _log_scales(arms)
    why = _undetermined(arms)
    return Comparison(
        what=what,
        values=paired_differences(vlb, hybrid),
        unit="log ratio",
        region=MUCH,
        decides=is_last,
        untold=f"{what} ({why})" if is_last and _share(arms) > MOST_UNDETERMINED else "",
        detail="; ".join(
            [
                f"{math.exp(mean(vlb)):.3g} images against {math.exp(mean(hybrid)):.3g}",
                *([why] if why else []),
            ]
        ),
        missing=Untold(f"{what} ({why})") if why else what,
    )


def _over_checkpoints(checkpoints: list[pd.DataFrame]) -> Values:
    """The mean of the log ratio over the training steps at which a seed has both scales."""
    ratios: dict[int, list[float]] = {}
    differences = [paired_differences(*_log_scales(arms)) for arms in checkpoints]
    for seed, ratio in chain.from_iterable(found.items() for found in differences):
        ratios.setdefault(seed, []).append(ratio)
    means = {seed: math.fsum(values) / len(values) for seed, values in ratios.items()}
    return Made(means).by("mean_of_known", *differences)


def _log_scales(arms: pd.DataFrame) -> tuple[Values, Values]:
    """Of L_vlb and of L_hybrid."""
    vlb, hybrid = parted(arms, "objective", "vlb", "hybrid")
    return by_seed(vlb), by_seed(hybrid)


def _is_undetermined(arms: pd.DataFrame) -> "pd.Series[bool]":
    return arms["value"].isna() & (arms["state"] == "done")


def _share(arms: pd.DataFrame) -> float:
    """Share of the scales that are not determined."""
    return float(_is_undetermined(arms).mean())


def _undetermined(arms: pd.DataFrame) -> str:
    """How many scales that are done are not determined; empty if all are."""
    count = int(_is_undetermined(arms).sum())
    return f"{count} of {len(arms)} scales not determined" if count else ""


CLAIMS: dict[str, Claim] = {
    "vlb_gradient_is_noisier": Claim(
        says="The gradient of L_vlb is much noisier than that of L_hybrid, which makes L_vlb hard "
        "to optimise directly.",
        source="Section 3.3 and Fig. 7",
        method="The natural log of the gradient noise scale of L_vlb minus that of L_hybrid, each "
        "of the network trained with it, steps drawn uniformly, per seed: 2.3 is a scale ten times "
        "as large. Supported if the intervals of the mean over all checkpoints and of the last "
        f"checkpoint both lie above that, the log of {MUCH_NOISIER:g}, fixed beforehand; the other "
        "checkpoints are given and decide nothing. A scale whose |G|² lies within two standard "
        "errors of zero is not determined and left out, though it is likely a large one: where "
        f"more than {MOST_UNDETERMINED:.0%} are, the rest is given and decides nothing.",
        measure=_vlb_is_noisier,
    ),
}
