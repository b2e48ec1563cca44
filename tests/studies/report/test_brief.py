"""The brief way of a report: summaries that a forge shows, and the same numbers in fewer bytes."""

import gzip
import io
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from studies.analyses.judge import judge
from studies.judging.wording import quantity, telling
from studies.report.__main__ import main
from studies.report.brief import text
from studies.report.build import build
from studies.report.exports import LARGE, packed, packed_names
from studies.store.store import Store, StoreError
from studies.tables.tables import tables
from tests.witness.made_up_store import MadeUp, write_store

LONG, SHORT = "long-digits", "short-digits"
SMALL = MadeUp(study=LONG, figures=(), claims=("learned_sigma_lowers_nll",))
LINK = re.compile(r"\]\(([^)#]+)\)")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
    """A store with two studies, and their brief report, in which one has its page."""
    folder = tmp_path_factory.mktemp("brief")
    figures = ("quality_vs_steps",)
    studies = (MadeUp(study=name, figures=figures) for name in (LONG, SHORT))
    store = Store(write_store(folder / "store", *studies))
    build(store, folder / "out", whole=[LONG])
    return store, folder / "out"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_summary_has_the_verdicts_numbers_intervals_and_seeds(made: tuple[Store, Path]) -> None:
    store, out = made
    summary = (out / SHORT / "summary.md").read_text()
    found = tables(store, SHORT)
    assert f"# {text(found.record['question'])}\n" in summary
    rows = re.findall(r'^\| <a id="(\w+)"></a>(.*) \|$', summary, re.M)
    assert [name for name, _ in rows] == list(found.record["claims"]) != []
    for name, row in rows:
        finding = judge(name, found)
        verdict, says, mean, interval, _, seeds, _ = row.split(" | ")
        assert verdict.removesuffix(" so far") == finding.verdict
        assert says == text(finding.claim.says)
        first, _ = telling(finding)
        if first is None:
            assert (mean, interval, seeds) == ("", "", "")
            continue
        low, high = (quantity(end, first) for end in (first.interval.low, first.interval.high))
        assert mean.startswith(quantity(first.interval.mean, first))
        assert interval == (f"{low} to {high}" if first.interval.n > 1 else "exact")
        assert seeds == str(first.interval.n or "–")


def test_a_summary_shows_every_figure_and_its_links_lead_to_files(made: tuple[Store, Path]) -> None:
    store, out = made
    for study in (LONG, SHORT):
        summary = (out / study / "summary.md").read_text()
        linked = LINK.findall(summary)
        assert set(linked) <= names(out / study)
        drawn = [name for name in linked if name.endswith(".svg")]
        assert drawn == ["answer.svg", *(f"{one}.svg" for one in store.study(study)["figures"])]
    kinds = {Path(name).suffix for name in names(out / SHORT)}
    assert kinds == {".md", ".svg", ".csv", ".gz"}
    assert names(out / SHORT) == {*LINK.findall((out / SHORT / "summary.md").read_text()),
                                  "summary.md"}  # fmt: skip


def test_index_and_scorecard_lead_to_what_is_there(made: tuple[Store, Path]) -> None:
    _, out = made
    index, card = ((out / name).read_text() for name in ("index.html", "scorecard.md"))
    pages = {link.partition("#")[0] for link in re.findall(r'href="([\w-]+/[^"]+)"', index)}
    assert pages == {f"{LONG}/index.html", f"{SHORT}/summary.md"}
    assert set(LINK.findall(card.replace("#", ")#"))) == {
        f"{LONG}/summary.md",
        f"{SHORT}/summary.md",
    }
    for link in re.findall(r'href="([\w-]+/[^"]+#[^"]+)"', index):
        file, _, claim = link.partition("#")
        assert f'id="{claim}"' in (out / file).read_text()


def test_nothing_is_lost_in_a_large_file_that_is_compressed(
    made: tuple[Store, Path], tmp_path: Path
) -> None:
    store, out = made
    build(store, tmp_path, [LONG])
    large = {path.name for path in (tmp_path / LONG).glob("*.csv")
             if path.stat().st_size >= LARGE}  # fmt: skip
    assert large
    assert large == {name.removesuffix(".gz") for name in names(out / LONG) if ".gz" in name}
    page = (out / LONG / "index.html").read_text()
    for name in large:
        whole = (tmp_path / LONG / name).read_bytes()
        short = (out / LONG / f"{name}.gz").read_bytes()
        assert gzip.decompress(short) == whole
        assert len(short) < len(whole) / 2
        pd.testing.assert_frame_equal(
            pd.read_csv(out / LONG / f"{name}.gz"), pd.read_csv(io.BytesIO(whole))
        )
        assert f'href="{name}.gz"' in page
        assert f'href="{name}"' not in page


def test_the_same_files_are_compressed_to_the_same_bytes() -> None:
    files: dict[str, str | bytes] = {"a.csv": "1,2\n" * LARGE, "b.csv": "1\n", "c.svg": "x" * LARGE}
    chosen = packed_names(files)
    assert chosen == {"a.csv": "a.csv.gz"}
    first, second = packed(files, chosen), packed(files, chosen)
    assert first == second
    assert first["a.csv.gz"][4:8] == b"\0\0\0\0"  # no time
    assert {name: first[name] for name in ("b.csv", "c.svg")} == {
        name: files[name] for name in ("b.csv", "c.svg")
    }


def test_the_size_of_a_file_is_that_of_its_bytes() -> None:
    """In UTF-8 a β takes two of them, in a `str` one."""
    rows = "β\n" * (LARGE // 3 + 1)
    assert len(rows) < LARGE <= len(rows.encode())
    assert packed_names({"a.csv": rows}) == {"a.csv": "a.csv.gz"}
    assert packed_names({"a.csv": rows[:-2]}) == {}


def test_reports_of_both_ways_leave_nothing_of_one_another(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "store", SMALL))
    for way, whole in (("usual", None), ("brief", ())):
        build(store, tmp_path / way, whole=whole)
    for first, then, whole in (("usual", "brief", ()), ("brief", "usual", None)):
        out = Path(shutil.copytree(tmp_path / first, tmp_path / f"{first} first"))
        build(store, out, whole=whole)
        alike, there = out / LONG, tmp_path / then / LONG
        assert {p.name: p.read_bytes() for p in alike.iterdir()} == {
            p.name: p.read_bytes() for p in there.iterdir()
        }


def test_a_summary_of_somebodys_own_stays(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "store", SMALL))
    (tmp_path / "out" / LONG).mkdir(parents=True)
    own = tmp_path / "out" / LONG / "summary.md"
    own.write_text("mine")
    build(store, tmp_path / "out")
    assert own.read_text() == "mine"
    assert "summary.md" not in (tmp_path / "out" / "scorecard.md").read_text()


def test_an_index_drawn_later_knows_what_was_brief(made: tuple[Store, Path]) -> None:
    store, out = made
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    build(store, out, [LONG], whole=[LONG])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_what_people_write_is_no_markdown() -> None:
    assert text("a | b\n*c* <b> [d](e) `f` L_vlb") == (r"a \| b \*c\* \<b> \[d\](e) \`f\` L_vlb")


def test_wrong_use_is_told(made: tuple[Store, Path], tmp_path: Path) -> None:
    store, _ = made
    with pytest.raises(StoreError, match="lang-digits"):
        build(store, tmp_path, whole=["lang-digits"])
    assert list(tmp_path.iterdir()) == []


def test_the_door_makes_it(
    made: tuple[Store, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = made
    words = ["--store", str(store.root), "--out", str(tmp_path)]
    assert main([*words, "--brief", "--whole", LONG]) == 0
    assert {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.*")} == {
        p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")
    }
    shown = capsys.readouterr().out.splitlines()
    assert shown == [str(tmp_path / name) for name in
                     ("index.html", f"{LONG}/index.html", f"{SHORT}/summary.md")]  # fmt: skip
    with pytest.raises(SystemExit):
        main([*words, "--whole", LONG])
    assert "--whole: without --brief every study has its page; add --brief" in (
        capsys.readouterr().err
    )
