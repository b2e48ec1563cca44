"""The index: the paper's order, every claim once, and pictures that are the tables'."""

import math
import re
from html import unescape
from pathlib import Path

import pytest

from studies.analyses.index import PLACES
from studies.report.answer import answer_of
from studies.report.build import build
from studies.store.store import Store
from studies.tables.paired import paired
from studies.tables.tables import tables
from tests.witness.made_up_store import ARMS, variant, write_store

ROOT = Path(__file__).parents[3]
FIRST = variant(steps=(10, 50), figures=(), claims=("learned_sigma_lowers_nll",))
OTHER_PRESET = variant(
    study="sigma_ablation-photos",
    preset="photos",
    steps=(10,),
    figures=(),
    claims=("learned_sigma_lowers_nll", "beta_tilde_close_to_beta"),
)
LATER = variant(
    study="objective_ablation-digits",
    question="Which row of the tables?",
    steps=(10,),
    arms=ARMS[:2],
    figures=(),
    claims=("learned_sigma_lowers_nll",),
)
OWN = variant(
    study="a_first_one-digits", question="Mine?", steps=(10,), likelihood=False, claims=()
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("index")
    build(Store(write_store(folder / "store", OWN, LATER, OTHER_PRESET, FIRST)), folder / "out")
    return (folder / "out" / "index.html").read_text()


def rows(index: str, section: str) -> list[str]:
    table = index[index.index(f'<section id="{section}">') :].split("</section>")[0]
    return re.findall(r"<tr data-.*?</tr>", table, re.DOTALL)


def test_studies_stand_in_the_papers_order_and_those_of_ones_own_last(index: str) -> None:
    links = [re.search(r'<a href="([^"/]+)/index.html">', row) for row in rows(index, "studies")]
    assert [link and link[1] for link in links] == [
        "sigma_ablation-digits",
        "sigma_ablation-photos",
        "objective_ablation-digits",
        "a_first_one-digits",
    ]


def test_places_are_of_sweeps_that_there_are_in_the_papers_order() -> None:
    assert set(PLACES) <= {path.stem for path in (ROOT / "sweeps").glob("*.yaml")}
    assert len(set(PLACES.values())) == len(PLACES)
    firsts = {place: re.search(r"\d+|$", place.shown) for place in PLACES.values()}
    assert all(first and first[0] in ("", str(one.number)) for one, first in firsts.items())
    order = sorted(PLACES, key=lambda name: PLACES[name])
    assert order[:2] == ["sigma_ablation", "noise_schedules"]
    assert order[-1] == "sample_gallery"


def test_a_claim_of_several_studies_is_one_row_with_a_column_for_each_preset(index: str) -> None:
    found = rows(index, "claims")
    assert len(found) == 2
    shared = next(row for row in found if "objective_ablation-digits" in row)
    cells = re.findall(r'<td data-label="(\w+)">(.*?)</td>', shared, re.DOTALL)
    assert [(preset, re.findall(r'href="([^"]+)/index', cell)) for preset, cell in cells] == [
        ("digits", ["sigma_ablation-digits", "objective_ablation-digits"]),
        ("photos", ["sigma_ablation-photos"]),
    ]
    assert 'data-preset="digits|photos"' in shared
    assert 'data-section="Section 3.1|Section 3.4"' in shared


def test_a_pasted_link_says_what_was_found(index: str) -> None:
    told = re.search(r'<meta property="og:description" content="([^"]+)">', index)
    assert told is not None
    words = unescape(told[1])
    assert words.startswith(
        "4 verdicts: 3 supported, 1 not run. sigma_ablation-digits: At 10 sampling steps, "
    )
    assert re.search(r"times the Fréchet distance of L_simple, Σ = β \(0\.\d+ to 0\.\d+\)\.", words)


def test_a_thumbnail_has_a_point_for_each_interval_where_its_ratio_is(
    index: str, tmp_path: Path
) -> None:
    study = tables(Store(write_store(tmp_path / "store", FIRST)), FIRST.study)
    answer = answer_of(study)
    assert answer is not None
    table = paired(study, answer)
    drawn = rows(index, "studies")[0]
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    line = re.search(r'class="line" .*y1="([\d.]+)"', drawn)
    assert line is not None
    assert len(heights) == len(table) == 6
    logs = [math.log(value) for value in table["estimate"]]
    above = [(float(line[1]) - height) / log for height, log in zip(heights, logs, strict=True)]
    assert above == pytest.approx([above[0]] * 6, rel=0.05)  # heights are written to a tenth
    assert re.findall(r"<circle( class=\"hollow\")?", drawn).count("") == sum(
        (table["low"] > 1) | (table["high"] < 1)
    )


def test_the_index_reads_without_its_script(index: str) -> None:
    before, _, script = index.partition("<script>")
    assert "hidden" not in re.sub(
        r'<form id="filters" hidden>|aria-hidden|<style>.*?</style>', "", before, flags=re.S
    )
    assert re.search(r"https?:|src=|import|fetch", script) is None
