"""Table 3: bits/dim beside those of other families of models.

Each network of the study with its mean over seeds and 95% interval. The models of the table stand
beside them where one of them is the paper's own, and nowhere else.
"""

import json

import pandas as pd
from matplotlib.figure import Figure

from studies.analyses.likelihood_comparison.paper import TABLE_3, TABLE_3_DATA, own_number, table_3
from studies.drawing import captions, overlay, style
from studies.published.published import closest_reasons, comparable
from studies.tables.groupings import over_seeds, records
from studies.tables.table_rows import bounds
from studies.tables.tables import Tables

TITLE = "Bits/dim beside other models"
THERE = "Table 3"


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of each network, and the published numbers, the most bits/dim first."""
    rows = _measured(tables)
    columns = ["row", "variance", "T", "steps", "images", "data"]
    if rows.empty:
        return pd.DataFrame(columns=[*columns, "mean", "low", "high", "n", "source", "rank"])
    theirs = (
        {
            **overlay.columns_of(own_number(data)),
            "row": model,
            "data": data,
            "mean": bits,
            "source": THERE,
        }
        for data in _shared(rows)
        for model, bits in table_3(data).items()
    )
    ours = over_seeds(rows, columns).assign(source=overlay.HERE)
    whole = overlay.joined(ours, theirs, ["row", "data"])
    whole = whole.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    return whole.assign(rank=range(len(whole)))


def _measured(tables: Tables) -> pd.DataFrame:
    rows = bounds(tables)
    rows = rows[rows["value"].notna()]
    data = [str(json.loads(recipe)["split"]).partition("/")[0] for recipe in rows["recipe"]]
    return rows.assign(data=pd.Series(data, rows.index, dtype=object))


def _shared(rows: pd.DataFrame) -> list[str]:
    """The data of the table on which one of these networks is the paper's own."""
    return [d for d in TABLE_3_DATA if any(comparable(own_number(d), row) for row in records(rows))]


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One row per model, ours with their intervals and in colour."""
    figure, axes = style.new(1.0 + 0.27 * len(table))
    for _, row in overlay.ours(table).iterrows():
        style.dot(axes, row)
    theirs = overlay.theirs(table)
    if len(theirs):
        overlay.draw(axes, theirs, "mean", "rank")
        overlay.legend(figure)
    axes.set_xlabel("bits/dim (lower is better)")
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_yticks(table["rank"], [style.mathematical(name) for name in table["row"]])
    axes.grid(visible=False, axis="y")
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, over how many images and seeds, and where the published models are."""
    ours = overlay.ours(table)
    return " ".join(
        filter(
            None,
            [
                f"The bound in bits/dim over {captions.counts(ours['images'])} images and "
                f"{captions.bound_steps(ours)}, networks that learned no Σ read with Σ = β "
                "(circles), the others with theirs (triangles).",
                _spread(ours),
                captions.resampling_note(tables),
                _published_note(table, tables),
            ],
        )
    )


def _spread(ours: pd.DataFrame) -> str:
    n = captions.seeds(ours)
    if n == "1":
        return "Points are means over seeds, one seed, no bars."
    return captions.intervals(n, marks="Points", bars="bars")


def _published_note(table: pd.DataFrame, tables: Tables) -> str:
    if len(overlay.theirs(table)):
        return (
            "Black: the models of the paper's Table 3, each with settings of its own, beside "
            "the paper's own network, of which every setting agrees that the paper or its released "
            "code states. Hollow ones rest on what is not stated and is inferred: "
            f"{own_number(TABLE_3_DATA[0]).inferred[0].reading}. The table's DDPM on ImageNet 64 "
            "is the paper's own L_simple network with T = 4,000; its 3.70 on CIFAR-10 is that of "
            "Ho et al. (2020)."
        )
    data = " and ".join(sorted(table["data"].unique()))
    if set(TABLE_3_DATA) & set(table["data"]):
        reasons = closest_reasons(records(_measured(tables)), map(own_number, TABLE_3_DATA))
        return (
            f"The {len(TABLE_3)} models of the paper's Table 3 are not drawn; what differs from "
            f"its own: {', '.join(reasons)}."
        )
    return (
        f"The {len(TABLE_3)} models of the paper's Table 3 are not drawn: their bits/dim are of "
        f"CIFAR-10 and ImageNet 64, these of {data}, and bits/dim of different images are "
        "different quantities."
    )
