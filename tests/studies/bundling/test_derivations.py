"""How numbers are said to be made of rows, for a verifier that knows no more of them."""

import pandas as pd

from studies.bundling.derivations import _Rows
from studies.tables.tables import Tables


def test_images_from_elsewhere_stand_for_every_seed() -> None:
    rows = [("score-a", 0, 0.7), ("score-b", 1, 0.5), ("score-b", 2, 0.6)]
    results = pd.DataFrame(rows, columns=["address", "seed", "value"])
    results = results.assign(metric="recall", variance=None)
    none = pd.DataFrame()
    known = _Rows(Tables(study="x", record={}, results=results, steps=none, samples=none))
    theirs, *ours = ((seed, (address, "recall", None, value)) for address, seed, value in rows)
    made = ("difference", ("one_for_all", ("rows", (theirs,)), ("rows", tuple(ours))), 1)
    assert known.resolved(made) == ["difference", ["rows", [["1", 0], ["2", 0]]], 1]


def test_a_log_of_a_ratio_is_told_as_such() -> None:
    none = pd.DataFrame(columns=["address", "seed"])
    known = _Rows(Tables(study="x", record={}, results=none, steps=none, samples=none))
    assert known.resolved(("log_ratio", 2.0, 3.0)) == ["log", ["ratio", 2.0, 3.0]]
