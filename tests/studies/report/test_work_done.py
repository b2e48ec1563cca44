"""Forecast against actual: sums done by hand."""

from typing import Any

from studies.report.work_done import work_done
from studies.store.forecasts import Foreseen


def made(seconds: float, attempt: int = 1) -> dict[str, Any]:
    return {
        **dict.fromkeys(("host", "executor", "device", "cpu", "threads", "commit"), "x"),
        "started": "2026-01-01",
        "ended": "2026-01-02",
        "peak_memory_mb": 1,
        "dirty": False,
        "seconds": seconds,
        "attempt": attempt,
        "versions": {},
    }


def test_what_was_foreseen_is_held_against_what_it_took_kind_by_kind() -> None:
    """One that needed two attempts, and one that nothing was foreseen of, are left out."""
    records = {
        "train-1": made(60.0),
        "train-2": made(66.0),
        "train-3": made(5.0, attempt=2),
        "score-1": made(1.0),
        "score-2": made(9.0),
    }
    foreseen = {
        **{name: Foreseen(50.0, is_guess=False) for name in ("train-1", "train-2", "train-3")},
        "score-1": Foreseen(2.0, is_guess=True),
        "sample-1": Foreseen(1000.0, is_guess=False),
    }
    rows = work_done(records, foreseen)["forecasts"]
    found = [(r["kind"], r["tasks"], r["foreseen"], r["taken"], r["is_guess"]) for r in rows]
    assert found == [
        ("score", 1, 2.0, 1.0, True),
        ("train", 2, 100.0, 126.0, False),
        ("all", 3, 102.0, 127.0, True),
    ]


def test_where_nothing_was_foreseen_nothing_is_compared() -> None:
    assert work_done({"train-1": made(60.0)})["forecasts"] == []
    assert work_done({}) == {}
