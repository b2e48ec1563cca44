"""The answer of a study in one sentence, made from the numbers of its paired comparison."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from studies.analyses.index import ANSWERS
from studies.drawing.paired import METRICS
from studies.tables.answer import Answer
from studies.tables.groupings import arm_columns, records
from studies.tables.paired import is_told
from studies.tables.tables import Tables

PLACES = {
    "steps": "{:,g} sampling steps",
    "skip": "{:.0%} skipped",
    "train.steps": "{:,g} training steps",
}
"""How a place along each axis is said."""


def answer_of(tables: Tables) -> Answer | None:
    """How the study is answered: as its analysis says, or else by the first arm; None: it has none.

    A sweep that no analysis knows is read along its sampling steps where it varies them.
    """
    return ANSWERS.get(sweep_of(tables)) or _usual(tables.results)


def sweep_of(tables: Tables) -> str:
    """The name of the sweep that a study is of."""
    return tables.study.removesuffix(f"-{tables.record['preset']}")


def _usual(results: pd.DataFrame) -> Answer | None:
    """The first arm as the baseline of those that differ from it in one setting alone."""
    for metric in ("frechet_distance", "bits_per_dim"):
        rows = results[results["metric"] == metric]
        varied = [name for name in arm_columns(rows) if rows[name].nunique(dropna=False) > 1]
        along = next((name for name in ("steps", "train.steps") if name in varied), "")
        if apart := [name for name in varied if name != along] or varied:
            first, *others = records(rows[apart].astype(object).drop_duplicates())
            return Answer(
                metric=metric,
                baseline=_known(first),
                against=tuple(_known(one) for one in others if _are_near(first, one)),
                along=along if along not in apart else "",
            )
    return None


def _known(arm: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an arm, None where one has no meaning for it."""
    return {name: None if pd.isna(value) else value for name, value in arm.items()}


def _are_near(first: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether one setting tells two arms apart, beside those that have no meaning for one."""
    one, two = _known(first), _known(other)
    apart = [name for name in one if one[name] != two[name]]
    return len([name for name in apart if None not in (one[name], two[name])]) <= 1


def sentence(table: pd.DataFrame, answer: Answer) -> str:
    """What can be told from the baseline, and what cannot.

    Args:
        table: As `studies.tables.paired.paired` gives it; empty: nothing can be said.
        answer: What is compared.
    """
    if table.empty:
        return ""
    judged, told, strongest = _clearest(table, answer)
    first = headline(table, answer)
    if judged.empty:
        return f"{first} {_said(strongest, answer)}."
    if told.empty:
        return f"{first} The largest difference: {_said(strongest, answer, inside=True)}."
    among = f", the clearest of {len(judged)} differences" if len(judged) > 1 else ""
    return f"{first[:-1]}{among}. {_rest(judged, told, strongest, answer)}".strip()


def headline(table: pd.DataFrame, answer: Answer) -> str:
    """The clearest difference with its interval, or that there is none: a line of an index.

    Args:
        table: As `studies.tables.paired.paired` gives it, not empty.
        answer: What is compared.
    """
    judged, told, strongest = _clearest(table, answer)
    if judged.empty:
        return "One seed has no spread, so no difference can be told."
    if told.empty:
        return f"With {_seeds(judged)} no arm can be told from {strongest['baseline']}."
    return f"{_said(strongest, answer)}."


def _clearest(table: pd.DataFrame, answer: Answer) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """The rows that have an interval, those of them that leave the baseline, and the strongest."""
    judged = table[table["n"] > 1]
    told = judged[judged.apply(is_told, axis=1)] if len(judged) else judged
    found = next(rows for rows in (told, judged, table) if len(rows))
    return judged, told, _strongest(found, answer)


def _seeds(table: pd.DataFrame) -> str:
    return f"{int(table['n'].max())} seeds"


def _strongest(table: pd.DataFrame, answer: Answer) -> pd.Series:
    """The row whose interval is farthest from its baseline; where none leaves it, its estimate."""
    told = table.apply(is_told, axis=1)
    nearer = table["low"].where(table["estimate"] > table["middle"], table["high"])
    values = nearer.where(told, table["estimate"]).astype(float)
    distance = values.where(values >= 1, 1 / values) if answer.is_ratio else values.abs()
    return table.loc[[distance.idxmax()]].iloc[0]


def _said(row: pd.Series, answer: Answer, *, inside: bool = False) -> str:
    """One comparison in words, with its interval where it has one."""
    size, spread = _size(row, answer)
    than = f"the {METRICS[answer.metric]} of" if answer.is_ratio else "than"
    words = f"{row['arm']} has {size} {than} {row['baseline']}{spread}"
    if not answer.along:
        return words
    return f"{'at' if inside else 'At'} {_place(row['at'], answer)}, {words}"


def _size(row: pd.Series, answer: Answer) -> tuple[str, str]:
    """`0.53 times` or `0.079 bits/dim fewer`, and ` (0.43 to 0.65)`, empty for one seed."""
    estimate, low, high = (float(row[end]) for end in ("estimate", "low", "high"))
    if answer.is_ratio:
        size, ends = f"{_number(estimate)} times", _between(low, high)
    else:
        size = f"{_number(abs(estimate))} {METRICS[answer.metric]} {_more(estimate)}"
        ends = _directed(low, high)
    return size, f" ({ends})" if row["n"] > 1 else ""


def _more(difference: float) -> str:
    return "more" if difference > 0 else "fewer"


def _directed(low: float, high: float) -> str:
    """The ends of an interval of differences, each with its direction where these are two."""
    if low * high > 0:
        return _between(*sorted((abs(low), abs(high))))
    return f"{_number(abs(low))} fewer to {_number(abs(high))} more"


def _between(low: float, high: float) -> str:
    """The ends of an interval, with as many digits as tell them apart."""
    more = next((n for n in range(4) if _number(low, n) != _number(high, n)), 0)
    return f"{_number(low, more)} to {_number(high, more)}"


def _rest(table: pd.DataFrame, told: pd.DataFrame, strongest: pd.Series, answer: Answer) -> str:
    """What else can be told, or cannot."""
    baseline = strongest["baseline"]
    if table["at"].nunique() == 1:
        others = len(table) - len(told)
        if not others:
            return ""
        are = "others cannot" if others > 1 else "other cannot"
        return f"Of the arms, {others} {are} be told from {baseline}."
    places, where = sorted(table["at"].unique()), set(told["at"])
    from_on = next((i for i in range(len(places)) if not where & set(places[i:])), None)
    if from_on:
        first = _place(places[from_on], answer)
        if from_on == len(places) - 1:
            return f"At {first} no arm can be told from {baseline}."
        return f"From {first} on no arm can be told from {baseline}."
    end = places[-1] if strongest["at"] != places[-1] else places[0]
    there = told[told["at"] == end]
    if there.empty:
        return f"At {_place(end, answer)} no arm can be told from {baseline}."
    most = _strongest(there, answer)
    size = "".join(_size(most, answer))
    return f"The largest difference at {_place(end, answer)}: {most['arm']}, {size}."


def _place(at: float, answer: Answer) -> str:
    if answer.along == "steps" and answer.metric == "bits_per_dim":
        return f"{at:,g} steps"
    return PLACES.get(answer.along, "{}").format(at)


def _number(value: float, more: int = 0) -> str:
    """Two or three digits, or more, without an exponent where people would not write one."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.{more}f}"
    return f"{value:.{2 + more}f}" if size >= 0.095 else f"{value:.{2 + more}g}"
