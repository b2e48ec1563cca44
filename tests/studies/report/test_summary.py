"""What a run prints when it ends: a table that fits, and the verdicts with their numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from studies.analyses import judge as judging
from studies.judging.verdicts import Measured, Measurement, Untold
from studies.judging.wording import measured, unmeasured
from studies.report.build import build
from studies.report.more_seeds import More
from studies.report.summary import fitting, verdicts
from studies.store.store import Store
from studies.tables.intervals import exact
from studies.tables.tables import tables
from tests.witness.made_up_store import ARMS, variant, write_store

STUDY = variant(steps=(10,), seeds=(0, 1, 2), arms=ARMS[:2], figures=(), likelihood=False)
COLUMNS = ["arm", *(f"FD at {count}" for count in (10, 25, 50, 100, 250))]
ROWS = [["L_simple, Σ = β", *["123.4 ± 5.6"] * 5], ["L_hybrid, Σ learned", *["1.2 ± 0.1"] * 5]]


@pytest.mark.parametrize(
    ("width", "kept"),
    [(200, [0, 1, 2, 3, 4, 5]), (80, [0, 1, 2, 4, 5]), (54, [0, 1, 5]), (10, [0, 5])],
)
def test_columns_are_left_out_from_the_middle_until_the_rest_fits(
    width: int, kept: list[int]
) -> None:
    assert fitting(COLUMNS, ROWS, width) == kept


@pytest.mark.parametrize("width", range(50, 130))
def test_what_is_kept_fits(width: int) -> None:
    kept = fitting(COLUMNS, ROWS, width)
    lines = [sum(len(cells[i]) + 3 for i in kept) + 1 for cells in (COLUMNS, *ROWS)]
    assert max(lines) <= width or kept == [0, 5]


def test_each_claim_has_its_verdict_and_its_number(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path, STUDY))
    study = tables(store, STUDY.study)
    for (said, what, _), name in zip(
        verdicts(store, tables(store, STUDY.study)), study.record["claims"], strict=True
    ):
        finding = judging.judge(name, study)
        assert said == f"{finding.verdict}: {name}"
        deciding = [m for m in finding.measurements if m.decides]
        expected = [measured(m) for m in deciding] or [unmeasured(finding)]
        assert what.partition(";")[0] in expected


def measurement(mean: float) -> Measurement:
    """Claimed to be below zero."""
    return Measurement(what="it", interval=exact(mean), unit="ratio", high=0.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Measured([], [Untold("it")]), "the numbers do not tell"),
        (Measured([], ["it"]), "nothing is measured yet"),
        (Measured([measurement(-1.0)], []), "−1.000 ratio, claimed below 0.000, exact"),
        (
            Measured([measurement(-1.0), measurement(2.0), measurement(-3.0)], []),
            "2.000 ratio, claimed below 0.000, exact; one of 3 that decide",
        ),
    ],
)
def test_terminal_page_and_scorecard_say_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Measured, said: str
) -> None:
    name = STUDY.claims[0]
    claim = replace(judging.CLAIMS[name], measure=lambda tables: found)
    monkeypatch.setitem(judging.CLAIMS, name, claim)
    store = Store(write_store(tmp_path / "store", replace(STUDY, claims=(name,))))
    build(store, tmp_path / "out")
    assert [what for _, what, _ in verdicts(store, tables(store, STUDY.study))] == [said]
    page = (tmp_path / "out" / STUDY.study / "index.html").read_text()
    assert f'<span class="measured">{said}</span>' in page
    number = said.partition(";")[0]
    assert f"| {number} |" in (tmp_path / "out" / "scorecard.md").read_text()


def test_a_claim_of_a_newer_version_is_told_as_one(tmp_path: Path) -> None:
    newer = replace(STUDY, claims=(*STUDY.claims, "a_claim_to_come"))
    store = Store(write_store(tmp_path, newer))
    assert verdicts(store, tables(store, newer.study))[-1] == (
        "not judged: a_claim_to_come",
        "expected a claim that there is, found 'a_claim_to_come'; a newer version of this program "
        "asked for it: update, or run its sweep again",
        More(said=""),
    )


def test_a_claim_that_cannot_be_judged_is_named_and_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(write_store(tmp_path, STUDY))
    usual = verdicts(store, tables(store, STUDY.study))
    name = usual[0][0].partition(": ")[2]

    def broken(tables: object) -> Measured:
        raise ZeroDivisionError("nothing")

    monkeypatch.setitem(judging.CLAIMS, name, replace(judging.CLAIMS[name], measure=broken))
    first, *others = verdicts(store, tables(store, STUDY.study))
    assert first[0] == f"not judged: {name}"
    assert "ZeroDivisionError: nothing" in first[1]
    assert others == usual[1:]
