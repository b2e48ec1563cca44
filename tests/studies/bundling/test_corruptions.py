"""Whatever is changed in a bundle, with its hashes made to fit, its verifier finds."""

import io
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studies.analyses.noise_schedules.claims import CLAIMS as OF_SCHEDULES
from studies.bundling import verifier
from studies.bundling.archive import bundle
from studies.store.store import Store
from tests.witness.corruptions import (
    PAGE,
    Files,
    bundled,
    corrupted,
    derived,
    files_of,
    said_of,
    told_alike,
)
from tests.witness.made_up_store import ARMS, MadeUp, bound, variant
from tests.witness.vouched_store import write_half_trained

WHOLE = variant(
    steps=(10, 200),
    arms=(ARMS[0], ARMS[1], ARMS[5]),
    figures=(),
    claims=tuple(dict.fromkeys([*MadeUp().claims, *OF_SCHEDULES])),
)
FEWER_BY = {"beta": 0.08, "beta_tilde": 0.16, "range": 0.1}
"""Bits/dim by which the second half of the training lowered the bounds."""


def half_bound(objective: str, variance: str, seed: int) -> float:
    """By that half the learned Σ has gained against β, and lost three times as much against β̃."""
    return bound(objective, variance, seed) + FEWER_BY[variance]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    root = tmp_path_factory.mktemp("corrupted") / "store"
    half = replace(WHOLE, study="half-digits", training_steps=750, bound=half_bound)
    return files_of(bundle(Store(write_half_trained(root, WHOLE, half)), WHOLE.study))


def test_any_of_them_is_found(files: Files) -> None:
    assert said_of(files) == ""
    assert [n for n in range(24) if not said_of(corrupted(files, n)).startswith("DIFFERS: ")] == []


@pytest.mark.slow
def test_a_thousand_are_found(files: Files) -> None:
    found = (said_of(corrupted(files, n)) for n in range(24, 1024))
    assert [n for n, said in enumerate(found, 24) if not said.startswith("DIFFERS: ")] == []


@pytest.mark.parametrize(
    ("begins", "known", "unknown"),
    [
        ("At 10 sampling steps", 9, 0),
        ("Seeds 0, 1, 2, the", 3, 0),
        ("24 of 24 cells done", 2, 0),
        ("python -m studies.run sweeps/sigma_ablation.yaml", 3, 0),
        ("ᾱ lost over the first 5% of the steps, cosine, T = 1,000", 3, 2),
        ("Lhybrid, Σ learned minus Lsimple, Σ = β 2.462", 18, 2),
    ],
)
def test_numbers_that_page_and_derivations_tell_alike_are_worked_out(
    files: Files, begins: str, known: int, unknown: int
) -> None:
    """The answer, what there is, exact facts, and what networks showed half trained."""
    texts = json.loads(files["derivations.json"])["printed"][PAGE]
    said, names = next(one for one in texts if one[0].startswith(begins))
    assert (sum(bool(name) for name in names), names.count(None)) == (known, unknown)
    each_is_worked_out(files, said, names)


def each_is_worked_out(files: Files, said: str, names: Sequence[str | None]) -> None:
    """The numbers of a text that have a name are told by it where they are changed."""
    for number, name in enumerate(names):
        if name:
            changed = told_alike(files, said, number, random.Random(number))
            assert said_of(changed).startswith(f"DIFFERS: {name}\n"), (said, number)


@pytest.mark.parametrize(("beta", "decides"), [(0.08, True), (0.12, False), (0.16, False)])
def test_what_a_doubling_turns_or_three_turn_by_the_mean_does_not_decide(
    tmp_path: Path, beta: float, decides: bool
) -> None:
    """From −0.051 to −0.071 with one and −0.111 with three; −0.031 and 0.009; 0.009 and 0.129."""
    few = replace(WHOLE, claims=("learned_sigma_lowers_nll",), steps=(10,))
    fewer_by = {"beta": beta, "beta_tilde": 0.08, "range": 0.1}
    half = replace(
        few,
        study="half-digits",
        training_steps=750,
        bound=lambda o, variance, seed: bound(o, variance, seed) + fewer_by[variance],
    )
    content = bundle(Store(write_half_trained(tmp_path / "store", few, half)), few.study)
    (claim,) = verifier.verified(io.BytesIO(content)).how["claims"]
    assert [q["decides"] for q in claim["quantities"] if q["asked"]] == [decides, True]
    assert claim["verdict"] == ("supported" if decides else "inconclusive")


def test_arms_that_cannot_be_told_from_the_baseline_are_counted(tmp_path: Path) -> None:
    apart = {"beta": (9.0, 9.3, 9.1), "beta_tilde": (9.2, 9.0, 9.3), "range": (4.0, 4.1, 4.0)}
    some = replace(
        WHOLE, claims=(), steps=(10,), distance=lambda _, mode, __, seed: apart[mode][seed]
    )
    files = bundled(tmp_path / "store", some)
    said, names = json.loads(files["derivations.json"])["printed"][PAGE][0]
    assert "Of the arms, 1 other cannot be told from Lsimple, Σ = β." in said
    assert all(names)
    assert said_of(files) == ""
    each_is_worked_out(files, said, names)


def test_halves_of_intervals_far_smaller_than_their_means_are_held_as_they_are_rounded(
    tmp_path: Path,
) -> None:
    """Page and verifier sum in another order, which moves the last digits of the mean alone."""
    some = replace(
        WHOLE,
        claims=(),
        steps=(10,),
        distance=lambda objective, _, __, seed: 1e-7 * (1 + seed) * (1 + (objective == "simple")),
    )
    files = bundled(tmp_path / "store", some)
    assert said_of(files) == ""
    assert verifier.is_printed(2.4841376277e-08, "2.4841376178e-08", mean=1.0)
    assert not verifier.is_printed(2.4841376277e-08, "2.4841396277e-08", mean=1.0)


@pytest.mark.parametrize(
    ("where", "begins", "said"),
    [
        (PAGE, "arm 10 1,200", ">1,200<"),
        (PAGE, "arm & 10 & 1,200", "10 &amp; 1,200"),
        ("page/table-recall.tex", "arm & 10 & 1,200", "10 & 1,200"),
        ("page/table-recall.csv", "arm 10: mean", "1,200: "),
    ],
)
def test_headings_are_held_against_the_settings_of_the_arms_below_them(
    long_chains: Files, where: str, begins: str, said: str
) -> None:
    """In the file alone, and in the file and where derivations.json says what it prints."""
    page = long_chains[where].decode().replace(said, said.replace("1,2", "1,7"))
    changed = {**long_chains, where: page.encode()}
    assert changed != long_chains
    assert said_of(changed).startswith("DIFFERS: a text")

    def change(how: Any) -> None:
        for text in how["printed"][where]:
            if text[0].startswith(begins):
                text[0] = text[0].replace("1,2", "1,7")

    assert "/row/steps\n" in said_of(derived(changed, change)).partition(where)[0]


@pytest.fixture(scope="module")
def long_chains(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Of a study with and without a comma in its numbers of steps."""
    long = replace(WHOLE, claims=(), T=1200, steps=(10, 1200))
    files = bundled(tmp_path_factory.mktemp("long") / "store", long)
    assert said_of(files) == ""
    return files


def test_settings_of_trainings_are_held_against_their_tasks(files: Files) -> None:
    name = "page/trainings.csv"
    table = files[name].decode()
    for old, new in [(",1500,", ",1700,"), (",200,", ",210,"), ("simple", "hybrid")]:
        changed = table.replace(old, new, 1)
        assert said_of({**files, name: changed.encode()}).startswith("DIFFERS: "), old
    fewer = "".join(table.splitlines(keepends=True)[:-1])
    assert said_of({**files, name: fewer.encode()}).startswith("DIFFERS: number of rows")


def test_cells_of_an_answer_so_far_are_counted(tmp_path: Path) -> None:
    some = replace(WHOLE, claims=(), planned_bounds=(("hybrid", 2),))
    files = bundled(tmp_path / "store", some)
    assert said_of(files) == ""
    said, names = json.loads(files["derivations.json"])["printed"][PAGE][0]
    assert said.startswith("So far, with 2")
    assert all(names)
    each_is_worked_out(files, said, names)
