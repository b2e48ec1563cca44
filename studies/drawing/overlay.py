"""The paper's values beside ours: black, and hollow where a setting of theirs was inferred.

Which of them may stand there is for `studies.published.published.comparable` to say. A table holds
both: `source` says whose a row is, and what else is told of the paper's is in `COLUMNS`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.published.published import Published, closest_reasons, comparable
from studies.tables.groupings import over_seeds, records

HERE = "this study"
"""The source of what was measured here; any other is a table or figure of the paper."""
CROSS = "X"
COLUMNS = ["mean", "source", "n", "tag", "error", "inferred", "reading"]


def compared(rows: pd.DataFrame, by: list[str], numbers: Iterable[Published]) -> pd.DataFrame:
    """Means over seeds of each group of rows, and the paper's numbers that may stand beside them.

    Args:
        rows: Of a results table, each with a value.
        by: The columns that make a group.
        numbers: Of one table or figure of the paper.
    """
    theirs = beside(rows.drop_duplicates(by), numbers)
    return joined(over_seeds(rows, by).assign(source=HERE), theirs, by)


def joined(ours: pd.DataFrame, theirs: Iterable[dict[str, Any]], by: list[str]) -> pd.DataFrame:
    """Our rows, and below them those of the paper where there are any.

    Args:
        ours: With any columns.
        theirs: Each with the columns of `columns_of` and some of `by`.
        by: The columns of ours that the paper's have too.
    """
    found = pd.DataFrame(theirs, columns=[*by, *COLUMNS])
    return pd.concat([ours, found], ignore_index=True) if len(found) else ours


def ours(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table that were measured here."""
    return table[table["source"] == HERE]


def theirs(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table that are the paper's."""
    return table[table["source"] != HERE]


def beside(rows: pd.DataFrame, numbers: Iterable[Published]) -> Iterator[dict[str, Any]]:
    """The numbers that may stand beside one of these results, each with the columns of that.

    Args:
        rows: Of a results table, one for each place where a number could stand.
        numbers: Of one table or figure of the paper.
    """
    candidates = tuple(numbers)
    for row in records(rows):
        for number in candidates:
            if comparable(number, row):
                yield {**row, **columns_of(number)}


def columns_of(number: Published) -> dict[str, Any]:
    """What is told of a number of the paper, by the names of `COLUMNS`."""
    return {
        "mean": number.value,
        "source": number.source,
        "n": 1,
        "tag": number.tag,
        "error": number.error,
        "inferred": ", ".join(name for one in number.inferred for name in one.settings),
        "reading": "; ".join(one.reading for one in number.inferred),
    }


def draw(
    axes: Axes,
    values: pd.DataFrame,
    x: str,
    y: str = "mean",
    *,
    marker: str = CROSS,
    linestyle: Any = "none",
) -> None:
    """The paper's values with the error of their digitisation.

    Args:
        axes: Where to draw.
        values: Rows of the paper's, those of one curve where a line joins them.
        x: The column of the horizontal axis.
        y: That of the other; of digitised values "mean".
        marker: Their marker, where it tells curves apart.
        linestyle: Of the line that joins them.
    """
    for (source, tag, inferred), some in values.groupby(["source", "tag", "inferred"], sort=False):
        name = label(str(source), str(tag), str(inferred))
        is_named = name in axes.get_legend_handles_labels()[1]
        axes.plot(
            some[x],
            some[y],
            linewidth=0.8,
            linestyle=linestyle,
            label="" if is_named else name,
            **look(str(inferred), marker),
        )
        if tag == "digitised":
            error = some["error"].astype(float)
            axes.errorbar(some[x], some[y], error, fmt="none", ecolor="black", elinewidth=0.7)


def look(inferred: str, marker: str = CROSS) -> dict[str, Any]:
    """How a value looks by the names of its inferred settings: filled where there are none."""
    return {
        "marker": marker,
        "color": "black",
        "markerfacecolor": "white" if inferred else "black",
        "markeredgecolor": "black",
        "markeredgewidth": 0.7,
    }


def label(source: str, tag: str, inferred: str) -> str:
    """What a legend calls values of the paper."""
    whole = f"paper, {source}" + (" (digitised)" if tag == "digitised" else "")
    return f"{whole};\ninferred: {inferred}" if inferred else whole


def legend(figure: Figure) -> None:
    """The names of the paper's values in any panel, below all of them; nothing where none are."""
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    named = {
        name: handle
        for handles, names in found
        for handle, name in zip(handles, names, strict=True)
    }
    theirs = {name: handle for name, handle in named.items() if name.startswith("paper, ")}
    if theirs:
        figure.legend(theirs.values(), theirs.keys(), loc="outside lower center", ncols=2)


def note(theirs: pd.DataFrame) -> str:
    """What a caption says of the paper's values: whence, why they stand there, what is inferred."""
    sources = " and ".join(dict.fromkeys(theirs["source"]))
    is_digitised = theirs["tag"].eq("digitised").any()
    readings = dict.fromkeys("; ".join(r for r in theirs["reading"] if r).split("; "))
    said = (
        f"Black: the paper's values, {'digitised from its' if is_digitised else 'of its'} "
        f"{sources}, where every setting agrees that the paper or its released code states."
    )
    if is_digitised:
        said += " Their bars are the error of the digitisation."
    if any(readings):
        said += (
            " Hollow ones rest on what the paper leaves open and is inferred: "
            f"{'; '.join(readings)}."
        )
    return said


def note_or_reasons(
    theirs: pd.DataFrame,
    rows: pd.DataFrame,
    numbers: Iterable[Published],
    *,
    lacking: str,
    more: str = "",
) -> str:
    """What a caption says of the paper's values; where there are none, what keeps them away.

    Args:
        theirs: The paper's rows of the table, or none.
        rows: Of a results table, which the numbers could stand beside.
        numbers: Those of the paper.
        lacking: That they are not drawn, as a sentence about `The paper's` goes on.
        more: A sentence on how they are drawn.
    """
    if len(theirs):
        return f"{note(theirs)} {more}".strip()
    reasons = closest_reasons(records(rows), numbers)
    return f"The paper's {lacking}; what differs: {', '.join(reasons)}."
