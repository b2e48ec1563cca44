"""The scorecard in Markdown says what the pages say."""

import re
from pathlib import Path

from studies.analyses.judge import judge
from studies.judging.wording import measured, telling, unmeasured
from studies.report.build import build
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness.made_up_store import MadeUp, write_store


def test_every_claim_has_a_row_with_its_verdict_number_and_link(tmp_path: Path) -> None:
    study, out = MadeUp(), tmp_path / "out"
    store = Store(write_store(tmp_path / "store", study))
    build(store, out)
    found = tables(store, study.study)
    text = (out / "scorecard.md").read_text()
    rows = re.findall(r"^\| \[(\S+)\]\((\S+)#(\w+)\) \| ([a-z ]+) \| (.+) \| (.+) \|$", text, re.M)
    assert [name for _, _, name, *_ in rows] == list(found.record["claims"])
    for shown, path, name, verdict, says, what in rows:
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
    store, out = Store(write_store(tmp_path / "store", MadeUp())), tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    build(store, out)
    assert (out / "README.md").read_text() == "mine"
