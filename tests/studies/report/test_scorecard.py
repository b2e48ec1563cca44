"""The scorecard in Markdown says what the pages say."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import studies
from studies.analyses.judge import judge
from studies.judging.wording import measured, telling, unmeasured
from studies.report.build import build
from studies.report.entries import entry
from studies.report.overview import index_page
from studies.report.scorecard import scorecard
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness.made_up_store import LEVEL, MadeUp, write_store
from tests.witness.pages import SMALL, page_of

OF_BOUNDS = MadeUp(figures=(), claims=("learned_sigma_lowers_nll",), steps=(10,))


def test_every_claim_has_a_row_with_its_verdict_number_and_link(tmp_path: Path) -> None:
    study, out = MadeUp(figures=()), tmp_path / "out"
    store = Store(write_store(tmp_path / "store", study))
    build(store, out)
    found = tables(store, study.study)
    text = (out / "scorecard.md").read_text()
    row = r"^\| \[(\S+)\]\((\S+)#(\w+)\) \| ([a-z ]+) \| (.+) \| (.+) \| (.*) \|$"
    rows = re.findall(row, text, re.M)
    assert [name for _, _, name, *_ in rows] == list(found.record["claims"])
    for shown, path, name, verdict, says, what, alike in rows:
        assert alike == ""
        finding = judge(name, found)
        first, _ = telling(finding)
        assert shown == study.study
        assert f'id="{name}"' in (out / path).read_text()
        assert verdict.removesuffix(" so far") == finding.verdict
        assert says == finding.claim.says
        assert what == (unmeasured(finding) if first is None else measured(first))
    told = re.search(r"(\d+) verdicts: (.*)\. 95%", text)
    assert told is not None
    assert int(told[1]) == len(rows)
    for count, verdict in re.findall(r"(\d+) ([a-z ]+)", told[2]):
        assert int(count) == sum(row[3].removesuffix(" so far") == verdict for row in rows)


def test_a_readme_of_somebodys_own_stays_as_it_is(tmp_path: Path) -> None:
    store, out = Store(write_store(tmp_path / "store", SMALL)), tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    build(store, out)
    assert (out / "README.md").read_text() == "mine"


def test_a_verdict_that_stands_alone_is_marked_everywhere(tmp_path: Path) -> None:
    def spread(objective: str, variance: str, seed: int) -> float:
        return LEVEL[variance] + 0.003 * ((5 * seed + len(objective) + 2 * len(variance)) % 4)

    study, out = MadeUp(bound=spread, figures=()), tmp_path / "out"
    store = Store(write_store(tmp_path / "store", study))
    build(store, out)
    found = studies.open(tmp_path / "store")[study.study].verdicts().groupby("claim").first()
    alone = found.loc["learned_sigma_lowers_nll"]
    assert (alone["verdict"], bool(alone["stands"])) == ("supported", False)
    assert alone["p_among"] == pytest.approx(2 * alone["p"])  # two others of four are surer
    others = found.drop("learned_sigma_lowers_nll")
    assert others["stands"].tolist() == (others["verdict"] == "supported").tolist()
    assert found["p"].isna().tolist() == (found["seeds"] == 0).tolist()
    said = "p = 0.032, 0.063 among all"
    page = (out / study.study / "index.html").read_text()
    assert page.count(f"stands alone, not among all claims of this study: {said}") == 1
    assert f"{said} measured claims of this study, so it stands alone and not among them" in page
    assert page.count("By Holm’s correction") == 4
    card = (out / "scorecard.md").read_text()
    assert "Of the verdicts 1 stand alone and not among the 4 that are measured (Holm" in card
    assert re.findall(r"#(\w+)\) \| supported, alone \|", card) == ["learned_sigma_lowers_nll"]


def test_the_scorecard_is_a_family_of_all_studies(tmp_path: Path) -> None:
    """Beside a second study like it, what stood among four claims does not among eight."""
    study = MadeUp()
    store = Store(write_store(tmp_path, study))
    told = entry(store, tables(store, study.study))
    alone = [scorecard(entries).count("alone |") for entries in ([told], [told, told])]
    assert alone == [0, 2]


def test_verdicts_on_the_same_numbers_are_counted_once_and_name_each_other(tmp_path: Path) -> None:
    """Two studies of one store with the same results: the second adds verdicts, no statement."""
    names = ("first-digits", "second-digits")
    for name in names:
        write_store(tmp_path, replace(OF_BOUNDS, study=name))
    store = Store(tmp_path)
    entries = [entry(store, tables(store, name)) for name in names]
    card = scorecard(entries)
    assert (
        "As some rest on the same numbers, they make 1 statements. Were nothing true, 1 that "
        "intervals may decide would give at most 0.025 false supports and 0.05 false "  # of two
    ) in card
    assert [line.rpartition(" | ")[2] for line in card.splitlines()[-2:]] == [
        "second-digits |",
        "first-digits |",
    ]
    assert index_page(entries).count("; shares numbers with ") == 2


def test_a_seed_that_stands_apart_is_named_on_the_page(tmp_path: Path) -> None:
    def wild(objective: str, variance: str, seed: int) -> float:
        is_wild = objective == "hybrid" and seed == 1
        return LEVEL[variance] + 0.0001 * seed + (0.3 if is_wild else 0.0)

    study = replace(OF_BOUNDS, bound=wild)
    page = page_of(tmp_path / "store", study)
    assert "Seed 1 stands apart from the others and the interval rests on it; without it" in page
    found = studies.open(tmp_path / "store")[study.study].verdicts()
    named = found[found["outlying_seed"].notna()]
    assert len(named) == len(found) == 2
    assert set(named["outlying_seed"]) == {1.0}


def test_a_study_of_five_seeds_says_what_holds_if_some_were_added_after_a_look(
    tmp_path: Path,
) -> None:
    study = replace(OF_BOUNDS, seeds=(0, 1, 2, 3, 4))
    page = page_of(tmp_path / "store", study)
    said = "hold at every look at 3, 5, 8, 13, 21 seeds decide: supported by the look at 5."
    assert said in page
    found = studies.open(tmp_path / "store")[study.study].verdicts()
    assert set(zip(found["verdict"], found["looked"], found["look"], strict=True)) == {
        ("supported", "supported", 5)
    }
