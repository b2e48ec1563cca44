"""What the paper says of the best that a training reaches, and of what comes after it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, product

import pandas as pd

from studies.analyses.best_of_training.paper import BEST_DROPOUT, SIMILAR
from studies.analyses.needs import LENGTH, SPLIT
from studies.judging.comparison import (
    ABOVE_ZERO,
    BELOW_ZERO,
    QUANTITIES,
    Comparison,
    Region,
    Values,
    compared,
    within,
)
from studies.judging.shared import TWO_CHAINS
from studies.judging.verdicts import Claim, Measured, Untold
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import (
    Made,
    log_ratios_of_means,
    mean,
    paired_differences,
    paired_log_ratios,
)
from studies.tables.labels import labelled
from studies.tables.rows import (
    DROPOUT,
    alike,
    asked,
    judged,
    of_any_weights,
    of_first_average,
    parted,
    with_own_variance,
)
from studies.tables.tables import Tables


def along(tables: Tables, metric: str) -> pd.DataFrame:
    """The rows of one metric, those of a bound of the test images only."""
    rows = with_own_variance(judged(tables, metric))
    return rows[rows[SPLIT] != "train"] if SPLIT in rows else rows


def _by_length(arms: pd.DataFrame) -> dict[int, Made]:
    """Value by seed at each milestone, for the seeds that have all of them."""
    found = {
        int(str(steps)): by_seed(rows) for steps, rows in arms.groupby("training_steps", sort=True)
    }
    seeds = set.intersection(*map(set, found.values())) if found else set()
    return {steps: values.only(sorted(seeds)) for steps, values in found.items()}


def best(arms: pd.DataFrame) -> dict[int, tuple[int, float]]:
    """By seed: the milestone of the least value, and that value."""
    curves = _by_length(arms)
    return {
        seed: min(((steps, values[seed]) for steps, values in curves.items()), key=lambda b: b[1])
        for seed in next(iter(curves.values()), {})
    }


# ------------------------------------------------------------------------------------ overfitting


def _overfit(tables: Tables) -> Measured:
    bounds = with_own_variance(asked(tables, "bits_per_dim"))
    if SPLIT not in bounds:
        return Measured([], ["bits/dim of training and of test images along one training"])
    found: list[Comparison | str] = []
    columns = arm_columns(bounds, without=(LENGTH, SPLIT, "images"))
    for (_, name), arms in labelled(bounds, columns).groupby(["rank", "arm"]):  # of any recipe
        found += _after_the_best(str(name), arms) or [f"bits/dim of both along training, {name}"]
    return compared(found)


def _after_the_best(name: str, arms: pd.DataFrame) -> list[Comparison]:
    """How both bounds change from the milestone of the best test bound before the last, to that."""
    test, train = map(_by_length, parted(arms, SPLIT, "test", "train"))
    if len(test) < 2 or test.keys() != train.keys():
        return []
    last = max(test)
    if not paired_differences(test[last], train[last]):
        return []
    turn = min((steps for steps in test if steps != last), key=lambda steps: mean(test[steps]))
    falls = mean(test[last]) < mean(test[turn])
    lack = f"the fewest bits/dim of test images are those after the last {last:,} steps, {name}"
    return [
        Comparison(
            what=f"bits/dim of {images} images after {last:,} steps minus after {turn:,}, {name}",
            values=paired_differences(curve[last], curve[turn]),
            unit="bits/dim",
            region=region,
            detail=f"{mean(curve[turn]):.4g} to {mean(curve[last]):.4g}",
            untold=f"{lack}: it was not trained for long enough to tell" if falls else "",
        )
        for images, curve, region in (("test", test, ABOVE_ZERO), ("training", train, BELOW_ZERO))
    ]


# ----------------------------------------------------------------------- two arms at their best


Compare = Callable[[str, pd.DataFrame, pd.DataFrame, Region], Comparison | str]
"""From a name, the rows of two trainings and a region to how they differ, or what is missing."""


def _curves(rows: pd.DataFrame, *apart: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Arms that differ in the length of the training and in the columns of `apart`."""
    for name, arms in alike(rows, LENGTH, *apart):
        if arms["training_steps"].nunique() > 1:
            yield name, arms


def _compared(
    tables: Tables,
    metric: str,
    column: str,
    settings: tuple[object, object],
    what: str,
    compare: Compare,
    region: Region,
) -> Measured:
    """The trainings of two settings of a column, where both are looked at along the way."""
    rows = of_first_average(along(tables, metric), tables)
    found: list[Comparison | str] = []
    for name, arms in _curves(rows, column) if column in rows else ():
        one, two = parted(arms, column, *settings)
        if len(one) and len(two):
            found.append(compare(f"{what}, {name}", one, two, region))
    return compared(found, what)


def _best_values(what: str, one: pd.DataFrame, two: pd.DataFrame, region: Region) -> Comparison:
    """The best value of one training over that of another."""
    first, second = (
        Made({seed: value for seed, (_, value) in best(arm).items()}).by(
            "least", *_by_length(arm).values()
        )
        for arm in (one, two)
    )
    detail = f"{mean(first):.4g} against {mean(second):.4g}"
    found = _ratio(what, log_ratios_of_means(first, second), region, detail)
    return replace(found, networks=tuple(map(_not_past_their_best, (one, two))))


def _not_past_their_best(arms: pd.DataFrame) -> pd.DataFrame:
    """The rows of a training's last milestone, if it is at its best there: it may get better."""
    curves = _by_length(arms)
    best_at, last = min(curves, key=lambda steps: mean(curves[steps])), max(curves)
    return arms[arms["training_steps"].eq(last) & (best_at == last)]


def _steps_to_best(
    what: str, one: pd.DataFrame, two: pd.DataFrame, region: Region
) -> Comparison | str:
    """The steps to the best of one training over those of another."""
    first, second = (
        Made({seed: float(steps) for seed, (steps, _) in best(arm).items()}).by(
            "place_of_least", *chain.from_iterable(_by_length(arm).items())
        )
        for arm in (one, two)
    )
    last = max(one["training_steps"].max(), two["training_steps"].max())
    if {*first.values(), *second.values()} == {last}:
        return Untold(f"{what} (every training is at its best at the end, after {last:,} steps)")
    detail = f"after {mean(first):,.0f} against {mean(second):,.0f} steps"
    found = _ratio(what, paired_log_ratios(first, second), region, detail)
    return replace(found, matters=0.0)  # milestones are too few to show that there is none


def _ratio(what: str, values: Values, region: Region, detail: str) -> Comparison:
    return Comparison(what=what, values=values, unit="log ratio", region=region, detail=detail)


SCHEDULES = ("cosine", "linear")


def _cosine_sooner(tables: Tables) -> Measured:
    found = Measured([], [])
    for metric, quantity in QUANTITIES.items():
        what = f"steps to the best {quantity.name}, cosine against linear"
        found += _compared(tables, metric, "schedule", SCHEDULES, what, _steps_to_best, BELOW_ZERO)
    return found


def _similar_best(tables: Tables) -> Measured:
    what = "best Fréchet distance, cosine against linear"
    metric = "frechet_distance"
    return _compared(tables, metric, "schedule", SCHEDULES, what, _best_values, within(SIMILAR))


# --------------------------------------------------------------------------------------- dropout


def _small_and_none(tables: Tables, what: str, compare: Compare, region: Region) -> Measured:
    """The least dropout above none, against none, under every schedule."""
    rows = along(tables, "frechet_distance")
    if DROPOUT not in rows or not (rows[DROPOUT] > 0).any():
        return Measured([], [what])
    least = rows[DROPOUT][rows[DROPOUT] > 0].min()
    said = f"{what}, dropout {least:g} against none"
    return _compared(tables, "frechet_distance", DROPOUT, (least, 0.0), said, compare, region)


def _dropout_improves(tables: Tables) -> Measured:
    return _small_and_none(tables, "best Fréchet distance", _best_values, BELOW_ZERO)


def _dropout_takes_longer(tables: Tables) -> Measured:
    what = "steps to the best Fréchet distance"
    return _small_and_none(tables, what, _steps_to_best, ABOVE_ZERO)


def _dropout_by_schedule(tables: Tables) -> Measured:
    found = Measured([], [])
    for schedule, its_own in BEST_DROPOUT.items():
        (other,) = {*BEST_DROPOUT.values()} - {its_own}
        rows = tables.results[tables.results["schedule"] == schedule]
        found += _compared(
            replace(tables, results=rows),
            "frechet_distance",
            DROPOUT,
            (its_own, other),
            f"best Fréchet distance, {schedule} schedule, dropout {its_own:g} against {other:g}",
            _best_values,
            BELOW_ZERO,
        )
    return found


# ------------------------------------------------------------------------ averages of the weights

AVERAGE = "ema_decay"


def _slow_averages(tables: Tables) -> Measured:
    """Each of the two slowest averages of a network against each of its faster ones."""
    rows = along(tables, "frechet_distance")
    rows = rows.assign(recipe=rows["recipe"].map(of_any_weights, na_action="ignore"))
    found: list[Comparison | str] = []
    for name, arms in _curves(rows, AVERAGE):
        decays = sorted(arms[AVERAGE].dropna().unique())
        for slow, fast in product(decays[-2:], decays[:-2]):
            what = f"best Fréchet distance, decay {slow:g} against {fast:g}, {name}"
            slower, faster = parted(arms, AVERAGE, slow, fast)
            found.append(_best_values(what, slower, faster, BELOW_ZERO))
    return compared(found, "one training with averages of three decays")


AT_ITS_BEST = (
    "The best of a training is its least value over the milestones, per seed: the least of several "
    "noisy values, and so a little too low, in all arms alike. When it is reached is known no "
    "better than the milestones are dense."
)

OF_ONE_AVERAGE = (
    "Where several averages of the weights are looked at, all is of that of the study's first arm. "
    f"{AT_ITS_BEST}"
)

CLAIMS: dict[str, Claim] = {
    "networks_overfit": Claim(
        says="Trained for long on few images, networks overfit under either schedule: bits/dim of "
        "the validation set rise again after their least, while those of the training set go on "
        "falling.",
        source="Appendix F and Fig. 16",
        method="Of every training: the change, per seed, from the milestone before the last at "
        "which test images have the fewest bits/dim (in the mean over seeds) to the last one. "
        "Supported if the intervals of the test images lie above zero and those of the training "
        "images below. A training whose fewest bits/dim of test images come last was not long "
        "enough to reach its optimum: its values are given and decide nothing.",
        measure=_overfit,
    ),
    "cosine_reaches_its_best_sooner": Claim(
        says="The cosine schedule reaches its optimum, and begins to overfit, sooner than the "
        "linear one.",
        source="Appendix F and Fig. 16",
        method="The log of the number of steps to the best Fréchet distance, and to the fewest "
        "bits/dim of test images: that of cosine minus that of linear, per seed. Supported if both "
        "intervals lie below zero. Where every training of both is at its best at the last "
        f"milestone, neither optimum was reached, and nothing is measured. {OF_ONE_AVERAGE}",
        measure=_cosine_sooner,
        shared=TWO_CHAINS,
    ),
    "schedules_reach_similar_quality": Claim(
        says="Linear and cosine reach a similar best FID.",
        source="Appendix F and Fig. 16",
        method="The log of the mean best Fréchet distance of cosine over that of linear, paired by "
        "seed. "
        f"Similar means within a factor of {1 + SIMILAR:g}, fixed beforehand: supported if the "
        f"whole interval lies inside. {OF_ONE_AVERAGE}",
        measure=_similar_best,
        shared=TWO_CHAINS,
        of_trained=True,
    ),
    "small_dropout_improves_the_best_quality": Claim(
        says="A small dropout improves the best FID.",
        source="Appendix G and Fig. 17",
        method="For each schedule: the log of the mean best Fréchet distance with the least "
        "dropout above none, over that without dropout, paired by seed. Supported if every "
        f"interval lies below zero. {OF_ONE_AVERAGE}",
        measure=_dropout_improves,
        of_trained=True,
    ),
    "small_dropout_takes_longer": Claim(
        says="With a small dropout the best FID is reached later.",
        source="Appendix G and Fig. 17",
        method="For each schedule: the log of the number of steps to the best Fréchet distance "
        "with the least dropout above none, minus that without, per seed. Supported if every "
        "interval lies above zero. Where every training of both is at its best at the last "
        f"milestone, nothing is measured. {OF_ONE_AVERAGE}",
        measure=_dropout_takes_longer,
    ),
    "slow_averages_are_best": Claim(
        says="Of the averages of the weights, the slow ones with decays of 0.9999 and 0.99995 give "
        "the best FID.",
        source="Appendix G and Fig. 17",
        method="Of every training whose weights are averaged with three decays or more: the log of "
        "the mean best Fréchet distance with each of the two slowest over that with each of the "
        "faster, paired by seed. Supported if every interval lies below zero. Where the decays are "
        "not the paper's, because a training is shorter, its two slowest stand for the paper's "
        f"two, fixed beforehand; which others the paper tried is not on record here. {AT_ITS_BEST}",
        measure=_slow_averages,
    ),
    "best_dropout_depends_on_the_schedule": Claim(
        says=f"Dropout {BEST_DROPOUT['linear']:g} is best for the linear schedule, "
        f"{BEST_DROPOUT['cosine']:g} for cosine.",
        source="Appendix A (CIFAR-10)",
        method="The log of the mean best Fréchet distance with the dropout that the paper found "
        "best over that with the other of the two, paired by seed. Supported if the intervals of "
        f"both schedules lie below zero. {OF_ONE_AVERAGE}",
        measure=_dropout_by_schedule,
        of_trained=True,
    ),
}
