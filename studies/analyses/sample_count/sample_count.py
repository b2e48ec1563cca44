"""How many samples a score needs: the Fréchet distance of one arm against their number.

The images of a smaller count are the first of a larger one. The distance is biased upwards by
about one over their number, so scores over different numbers are not to be compared.
"""

import json

import pandas as pd
from matplotlib.figure import Figure

from studies.drawing import captions, style
from studies.tables.groupings import arm_columns, over_seeds
from studies.tables.labels import distance_name, labelled
from studies.tables.tables import Tables

TITLE = "Fréchet distance against the number of samples it is over"


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of the distance by arm and images; arms of one count are left out."""
    scores = tables.results[tables.results["metric"] == "frechet_distance"]
    scores = scores[scores["value"].notna()]
    columns = arm_columns(scores, without=("images",))
    counts = scores.groupby(columns, dropna=False)["images"].transform("nunique")
    scores = labelled(scores[counts > 1], columns)
    recipes = [json.loads(recipe) for recipe in scores["recipe"]]
    alike = [json.dumps({**recipe, "images": None}) for recipe in recipes]
    names = [distance_name({**recipe, "images": 50_000}) for recipe in recipes]
    arms = ["rank", "arm", "objective", "variance", "sampler", "steps", "distance"]
    scores = scores.assign(
        distance=pd.Series(names, scores.index, dtype=object),
        alike=pd.Series(alike, scores.index, dtype=object),
    )
    found = over_seeds(scores, [*arms, "alike", "images"])
    return found.drop(columns="alike").sort_values(["rank", "images"], ignore_index=True)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """A line per arm over log-spaced counts."""
    figure, axes = style.new(3.2)
    axes.set(
        xscale="log",
        xlabel="samples scored",
        ylabel=f"{' / '.join(table['distance'].unique())}\n(lower is better)",
    )
    looks = style.looks(table)
    for (_, arm), curve in table.groupby(["rank", "arm"]):
        look = looks[str(arm)]
        axes.plot(curve["images"], curve["mean"], label=style.mathematical(arm), **look)
        style.band(axes, curve, "images", look["color"])
    counts = sorted(table["images"].unique())
    axes.set_xticks(counts, [f"{int(count):,}" for count in counts])
    axes.set_xticks([], minor=True)
    style.legend(axes)
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, why it falls, and what the paper does about it."""
    return (
        f"The same network sampled in {captions.counts(table['steps'])} steps and scored over more "
        "and more images against the same reference, the samples of a smaller number being the "
        f"first of a larger; the horizontal axis is logarithmic. {captions.spread(table)} The "
        "distance overestimates by about one over the number of samples, so distances over "
        "different numbers are never compared on other figures. The paper scores unconditional "
        "ImageNet 64 over 10,000 samples and all else over 50,000."
    )
