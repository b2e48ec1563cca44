"""The answer of a study in one sentence, made from the numbers of its paired comparison."""

import pandas as pd

from studies.analyses.index import ANSWERS
from studies.drawing.paired import METRICS
from studies.tables.answer import FIRST, Answer
from studies.tables.groupings import arm_columns
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
    name = tables.study.removesuffix(f"-{tables.record['preset']}")
    return ANSWERS.get(name) or _usual(tables.results)


def _usual(results: pd.DataFrame) -> Answer | None:
    for metric in ("frechet_distance", "bits_per_dim"):
        rows = results[results["metric"] == metric]
        varied = [name for name in arm_columns(rows) if rows[name].nunique(dropna=False) > 1]
        along = "steps" if "steps" in varied else ""
        if apart := [name for name in varied if name != along]:
            return Answer(metric=metric, baseline=dict.fromkeys(apart, FIRST), along=along)
    return None


def sentence(table: pd.DataFrame, answer: Answer) -> str:
    """What can be told from the baseline, and what cannot.

    Args:
        table: As `studies.tables.paired.paired` gives it; empty: nothing can be said.
        answer: What is compared.
    """
    if table.empty:
        return ""
    told = table[table.apply(is_told, axis=1)]
    strongest = _strongest(told if len(told) else table, answer)
    seeds = int(table["n"].max())
    if seeds == 1:
        return f"One seed has no spread, so no difference can be told. {_said(strongest, answer)}."
    if told.empty:
        return (
            f"With {seeds} seeds no arm can be told from {strongest['baseline']}. The largest "
            f"difference: {_said(strongest, answer, inside=True)}."
        )
    return f"{_said(strongest, answer)}. {_rest(table, told, strongest, answer)}".strip()


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
        size, ends = f"{_number(estimate)} times", f"{_number(low)} to {_number(high)}"
    else:
        size = f"{_number(abs(estimate))} {METRICS[answer.metric]} {_more(estimate)}"
        ends = _between(low, high)
    return size, f" ({ends})" if row["n"] > 1 else ""


def _more(difference: float) -> str:
    return "more" if difference > 0 else "fewer"


def _between(low: float, high: float) -> str:
    """The ends of an interval of differences, each with its direction where these are two."""
    if low * high > 0:
        least, most = sorted((abs(low), abs(high)))
        return f"{_number(least)} to {_number(most)}"
    return f"{_number(abs(low))} fewer to {_number(abs(high))} more"


def _rest(table: pd.DataFrame, told: pd.DataFrame, strongest: pd.Series, answer: Answer) -> str:
    """What else can be told, or cannot."""
    baseline = strongest["baseline"]
    if not answer.along:
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


def _number(value: float) -> str:
    """Two or three digits, without an exponent where people would not write one."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if size >= 0.095 else f"{value:.2g}"
