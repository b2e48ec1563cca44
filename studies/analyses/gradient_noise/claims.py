"""What the paper says of the noise of the gradient that a network is trained with."""

import math
from collections.abc import Iterator

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement, Untold
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.rows import asked, mean, named
from studies.tables.tables import Tables

RATIO = "log of the noise scale of L_vlb over that of L_hybrid,"


def _vlb_is_noisier(tables: Tables) -> Measured:
    rows = asked(tables, "log_noise_scale")
    measurements: list[Measurement] = []
    missing: list[str] = []
    for name, arms in named(rows, arm_columns(rows, without=("objective", "train.steps"))):
        if {"vlb", "hybrid"} <= set(arms["objective"]):
            found = [_at(step, name, same) for step, same in _checkpoints(arms)]
            last, between = found[-1], _over_checkpoints(name, arms)
            measurements += [m for m in (between, *found) if m]
            where = f"at step {arms['training_steps'].max():,}{name}"
            why = _why(arms)
            missing += (
                [] if last else [Untold(f"{RATIO} {where}{why}") if why else f"{RATIO} {where}"]
            )
    if not measurements and not missing:
        missing = [f"{RATIO} of networks trained alike"]
    return Measured(measurements, missing)


def _checkpoints(arms: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """The rows of each training step, the last step's said to be so."""
    last = int(arms["training_steps"].max())
    for step, same in arms.groupby("training_steps"):
        yield int(str(step)), same.assign(last=int(str(step)) == last)


def _at(step: int, name: str, arms: pd.DataFrame) -> Measurement | None:
    vlb, hybrid = _of(arms, "vlb"), _of(arms, "hybrid")
    ratios = paired_differences(vlb, hybrid)
    if not ratios:
        return None
    return Measurement(
        what=f"{RATIO} at step {step:,}{name}",
        interval=t_interval(list(ratios.values())),
        unit="log ratio",
        low=0.0,
        decides=bool(arms["last"].all()),
        detail=f"{math.exp(mean(vlb)):.3g} images against {math.exp(mean(hybrid)):.3g}"
        f"{_undetermined(arms)}",
    )


def _over_checkpoints(name: str, arms: pd.DataFrame) -> Measurement | None:
    """The mean of the log ratio over the training steps at which a seed has both scales."""
    ratios: dict[int, list[float]] = {}
    for _, same in _checkpoints(arms):
        for seed, ratio in paired_differences(_of(same, "vlb"), _of(same, "hybrid")).items():
            ratios.setdefault(seed, []).append(ratio)
    if not ratios:
        return None
    means = [math.fsum(values) / len(values) for values in ratios.values()]
    return Measurement(
        what=f"{RATIO} mean over all checkpoints{name}",
        interval=t_interval(means),
        unit="log ratio",
        low=0.0,
        detail=f"×{math.exp(math.fsum(means) / len(means)):.3g}",
    )


def _of(arms: pd.DataFrame, objective: str) -> dict[int, float]:
    return by_seed(arms[arms["objective"] == objective])


def _undetermined(arms: pd.DataFrame) -> str:
    count = int((arms["value"].isna() & (arms["state"] == "done")).sum())
    return f"; {count} of {len(arms)} scales not determined" if count else ""


def _why(arms: pd.DataFrame) -> str:
    said = _undetermined(arms[arms["training_steps"] == arms["training_steps"].max()])
    return said.replace("; ", " (") + ")" if said else ""


CLAIMS: dict[str, Claim] = {
    "vlb_gradient_is_noisier": Claim(
        says="The gradient of L_vlb is much noisier than that of L_hybrid, which makes L_vlb hard "
        "to optimise directly.",
        source="Section 3.3 and Fig. 7",
        method="The natural log of the gradient noise scale of L_vlb minus that of L_hybrid, each "
        "of the network trained with it, steps drawn uniformly, per seed: 2.3 is a scale ten times "
        "as large. Supported if the intervals of the mean over all checkpoints and of the last "
        "checkpoint both lie above zero; the other checkpoints are given and decide nothing. A "
        "scale whose |G|² lies within two standard errors of zero is not determined and left out, "
        "though it is likely a large one.",
        measure=_vlb_is_noisier,
    ),
}
