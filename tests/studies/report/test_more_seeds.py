"""What more seeds take: the command of a made-up study, and times added up by hand."""

import html
import math
from pathlib import Path
from typing import Any

import pytest

from studies.judging.verdicts import Finding
from studies.plan.plan import record
from studies.report.more_seeds import command, duration, more_seeds, seconds_for_a_seed
from studies.report.summary import verdicts
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness.made_up_findings import finding, quantity
from tests.witness.made_up_store import variant, write_store
from tests.witness.made_up_tables import planned
from tests.witness.pages import page_of

RECORD: dict[str, Any] = {
    "sweep_path": "my sweeps/x.yaml",
    "preset": "digits",
    "overrides": [["train.steps", "50"]],
    "seeds": [0, 2],
    "cells": [
        {"seed": seed, "tasks": {"train": f"train-{seed}", "features": f"features-{seed}"}}
        for seed in (0, 2)
    ],
    "tasks": [
        *("train-0", "train-2", "sample-a", "sample-b", "sample-c", "sample-d"),
        *("features-0", "features-2", "features-real", "extractor-1", "radii-1"),
    ],
}
SECONDS = {
    "train-0": 100.0,
    "train-2": 120.0,
    "features-0": 3.0,
    "features-2": 5.0,
    **{f"sample-{one}": 10.0 for one in "abcd"},
    "features-real": 1000.0,
    "extractor-1": 2000.0,
    "radii-1": 4000.0,
}
MADE = {address: {"seconds": seconds} for address, seconds in SECONDS.items()}
FURTHER = (
    "python -m studies.run 'my sweeps/x.yaml' --preset digits --set train.steps=50 --seeds 0 2"
)


def waiting(values: list[float], **changes: Any) -> Finding:
    """What leaves a claim of a quantity below zero open."""
    found = finding(quantity(values), **changes)
    assert found.verdict == "inconclusive"
    return found


def test_the_command_keeps_the_study_and_its_seeds_and_adds_the_next() -> None:
    assert command(RECORD, 5) == f"{FURTHER} 3 4 5"


def test_a_seed_takes_what_is_its_own_and_nothing_that_all_share() -> None:
    assert seconds_for_a_seed(RECORD, MADE) == (220 + 8 + 40) / 2


def test_missing_tasks_count_as_their_kind_and_an_unknown_kind_makes_it_unknown() -> None:
    some = {
        address: made for address, made in MADE.items() if address not in ("train-2", "sample-a")
    }
    assert seconds_for_a_seed(RECORD, some) == (200 + 8 + 40) / 2
    none = {name: made for name, made in MADE.items() if not name.startswith("sample")}
    assert math.isnan(seconds_for_a_seed(RECORD, none))


def test_an_open_claim_has_its_seeds_command_and_time() -> None:
    more = more_seeds(waiting([-1.0, -0.2, -1.4, 0.1, -1.5]), RECORD, MADE)
    assert more.said == "about 9 seeds would decide it at the effect measured"
    assert more.command == f"{FURTHER} 3 4 5 6 7 8 9"
    assert more.time == "about 16 minutes of computing"


def test_one_seed_is_told_to_take_three() -> None:
    more = more_seeds(waiting([-1.0]), RECORD | {"seeds": [0]}, {})
    assert more.said == "3 seeds would show the spread"
    assert (more.command.rpartition("--seeds")[2], more.time) == (" 0 1 2", "")


def test_more_seeds_are_not_advised_where_they_would_be_refused() -> None:
    more = more_seeds(waiting([-1.0]), record(planned("lottery")), {})
    assert (more.said, more.command) == ("", "")
    assert "one_seed" not in record(planned("noise_schedules"))


@pytest.mark.parametrize(
    ("open_claim", "said"),
    [
        (
            waiting([-1.0, 1.0, 0.1]),
            "more than 100 seeds would decide it at the effect measured",
        ),
        (waiting([-1.0, -2.0], is_untold=True), "more seeds alone would not decide it"),
    ],
)
def test_where_no_number_of_seeds_helps_there_is_no_command(open_claim: Finding, said: str) -> None:
    more = more_seeds(open_claim, RECORD, MADE)
    assert (more.said, more.command, more.time) == (said, "", "")


def test_seeds_that_are_asked_for_already_are_not_asked_for_again() -> None:
    more = more_seeds(waiting([-1.0]), RECORD | {"seeds": [0, 1, 2]}, MADE)
    assert (more.said, more.command) == ("3 seeds would show the spread", "")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (4.0, "about 4 seconds of computing"),
        (200.0, "about 3.3 minutes of computing"),
        (2400.0, "about 40 minutes of computing"),
        (36_000.0, "about 10 hours of computing"),
        (math.nan, ""),
    ],
)
def test_a_time_is_said_in_the_unit_that_suits(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_page_and_terminal_say_what_would_decide_an_open_claim(tmp_path: Path) -> None:
    study = variant(figures=())
    page = html.unescape(page_of(tmp_path, study))
    store = Store(tmp_path)
    (more,) = (more for *_, more in verdicts(store, tables(store, study.study)) if more.said)
    assert more.said == "about 19 seeds would decide it at the effect measured"
    seeds = " ".join(map(str, range(19)))
    sweep = "python -m studies.run sweeps/sigma_ablation.yaml --preset digits"
    assert more.command == f"{sweep} --seeds {seeds}"
    minutes = (
        16 * (2 * 65 + 6 * (26 + 3 * 1.5)) / 60
    )  # networks with bounds; six arms, three scores
    assert more.time == f"about {minutes:.0f} minutes of computing"
    assert f'<span class="measured">{more.said}, {more.time}</span>' in page
    assert f"<pre>{more.command}</pre>" in page
    assert f"{more.said.capitalize()}, with 80% power; the further ones take {more.time}." in page
    told = "told with 80% power: below −0.015 or above 0.015"
    assert f'<span class="measured">{told}</span>' in page


def test_a_damaged_record_of_times_takes_no_verdict_away(tmp_path: Path) -> None:
    study = variant()
    store = Store(write_store(tmp_path, study))
    usual = verdicts(store, tables(store, study.study))
    next(tmp_path.glob("tasks/score-*/provenance.json")).write_text("{}")
    found = verdicts(store, tables(store, study.study))
    assert [line[:2] for line in found] == [line[:2] for line in usual]
    assert [more.command for *_, more in found] == [more.command for *_, more in usual]
    assert {more.time for *_, more in found} == {""}
