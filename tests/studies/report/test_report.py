"""The page: every number and link against the tables, its bytes, its gaps, its escaping."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from iddpm.config import Npz, TrainConfig, UNetConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.judging.wording import quantity
from studies.report import page as page_room
from studies.report.answer import answer_of, sentence
from studies.report.build import build
from studies.report.page import study_page
from studies.report.tabulation import tabulated
from studies.store.store import Store
from studies.tables.groupings import is_done
from studies.tables.labels import BETA_TILDE
from studies.tables.paired import paired
from studies.tables.tables import tables
from tests.witness.made_up_store import PROVENANCE, MadeUp, variant, write_store
from tests.witness.pages import SMALL, Page, page_of

HOSTILE = "<script>alert('x')</script> & \"co\""
STUDY = variant(
    question=f"Is Σ = β̃ minor? {HOSTILE}",
    failed={("simple", "ddim", 50, s): f"loss is not finite {HOSTILE}" for s in (0, 1, 2)}
    | {("hybrid", "beta", 10, 1): "out of memory"},
    planned_bounds=(("hybrid", 2),),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(write_store(tmp_path_factory.mktemp("report") / "store", STUDY))


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reports")
    build(store, out)
    return out


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / STUDY.study / "index.html").read_text())


def numbers_of(store: Store) -> list[float]:
    """Every number that the page may show, by SciPy and pandas from the results themselves."""
    study = tables(store, STUDY.study)
    rows = study.results.dropna(subset=["value"])
    keys = ["metric", "objective", "variance", "sampler", "steps"]
    groups = rows.groupby(keys, dropna=False)["value"]
    half = groups.sem() * stats.t.ppf(0.975, groups.count() - 1)
    found = [*rows["value"], *groups.mean(), *half.dropna()]
    for claim in STUDY.claims:
        for m in judge(claim, study).measurements:
            ends = np.array([m.interval.mean, m.interval.low, m.interval.high])
            found += [*(1 / (1 + np.exp(-ends)) if m.unit == "log odds" else ends)]
    return found


def test_every_number_on_the_page_is_one_of_the_tables(store: Store, page: Page) -> None:
    known = np.sort(numbers_of(store))
    assert len(page.values) > 300
    for value, _ in page.values:
        assert np.isclose(known, value, rtol=1e-9, atol=1e-12).any()


def test_every_number_shown_is_its_value_rounded(page: Page) -> None:
    for value, shown in page.values:
        printed = float(shown.replace("−", "-"))
        decimals = len(shown.partition(".")[2])
        percent = abs(printed - 100 * value) < abs(printed - value)
        assert printed == pytest.approx((100 if percent else 1) * value, abs=0.51 * 10**-decimals)


def test_every_value_of_the_tables_is_on_the_page(store: Store, page: Page) -> None:
    shown = np.array([value for value, _ in page.values])
    for value in tables(store, STUDY.study).results["value"].dropna():
        assert np.isclose(shown, value, rtol=1e-12, atol=0).any()


def test_every_link_leads_somewhere(out: Path, page: Page) -> None:
    folder = out / STUDY.study
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif link != "https://arxiv.org/abs/2102.09672":
            assert (folder / link).is_file()
    index = Page((out / "index.html").read_text())
    for link in index.links:
        path, _, anchor = link.partition("#")
        if link.startswith(("#", "https://arxiv.org/abs/2102.09672")):
            assert not path or path.startswith("https:")
            assert not anchor or anchor in index.ids
            continue
        assert (out / path).is_file()
        assert not anchor or anchor in page.ids


def test_the_page_needs_nothing_beside_itself(out: Path, page: Page) -> None:
    assert not {"link", "iframe", "object", "img"} & set(page.tags)
    loaded = [value for name, value in page.attributes if name in ("src", "xlink:href", "href")]
    assert [v for v in loaded if v and v.startswith("http")] == ["https://arxiv.org/abs/2102.09672"]
    css = (out / STUDY.study / "index.html").read_text().partition("</style>")[0]
    assert "@import" not in css
    assert "url(" not in css


def test_a_large_drawing_stands_in_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = replace(SMALL, figures=("beta_ratio",))
    store = Store(write_store(tmp_path / "store", study))
    drawn = study_page(store, tables(store, study.study)).files
    assert str(drawn["index.html"]).count('<svg role="img"') == 2
    monkeypatch.setattr(page_room, "MOST_INLINE", 0)
    linked = study_page(store, tables(store, study.study)).files
    html = str(linked["index.html"])
    assert '<svg role="img"' not in html
    for name, title in (("answer", "The answer"), ("beta_ratio", FIGURES["beta_ratio"].title)):
        assert f'<img class="drawing" src="{name}.svg" alt="{title}">' in html
        assert linked[f"{name}.svg"] == drawn[f"{name}.svg"]


def test_ids_are_unique_so_that_figures_do_not_borrow_each_others_shapes(page: Page) -> None:
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []


def looks(svg: str) -> list[str]:
    """How each thing in an SVG is drawn, in order, but for where it is cut off."""
    rules = dict(re.findall(r"\.(k\d+-\d+){([^}]*)}", svg))
    return [
        re.sub(r"; clip-path: .*", "", rules[one] if one else look)
        for look, one in re.findall(r' style="([^"]*)"| class="([^"]*)"', svg)
    ]


def test_a_figure_on_the_page_looks_as_in_its_file(out: Path) -> None:
    html = (out / STUDY.study / "index.html").read_text()
    every = re.findall(r'<svg role="img".*?</svg>', html, re.DOTALL)
    alone = 0
    for place, name in enumerate(["answer", *STUDY.figures]):
        svg, inline = (out / STUDY.study / f"{name}.svg").read_text(), every[place]
        assert looks(inline) == looks(svg)
        alone += len(svg)
    assert sum(map(len, every)) < 0.95 * alone  # a page shares the shapes of characters


def test_whatever_people_wrote_is_escaped(page: Page) -> None:
    assert page.tags["script"] == 1  # the page's own
    assert page.text.count(HOSTILE) >= 3  # question, sweep text, reason of a failure
    assert "# <b>as written</b>" in page.text


@pytest.mark.slow
def test_the_same_store_gives_the_same_bytes(store: Store, out: Path, tmp_path: Path) -> None:
    build(store, tmp_path)
    files = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    tabled = len(tabulated(tables(store, STUDY.study).results))
    assert len(files) == 2 + 3 + 2 * (len(["answer", *STUDY.figures]) + tabled)
    for file in files:
        assert (tmp_path / file).read_bytes() == (out / file).read_bytes()


def test_each_figure_stands_with_its_svg_its_csv_and_words_for_it(out: Path, page: Page) -> None:
    labels = [value or "" for name, value in page.attributes if name == "aria-label"]
    for name in STUDY.figures:
        drawing = FIGURES[name]
        assert drawing.title in labels
        assert (out / STUDY.study / f"{name}.svg").read_text().startswith("<svg ")
        assert (out / STUDY.study / f"{name}.csv").exists()


@pytest.mark.parametrize("name", STUDY.figures)
def test_a_figures_csv_is_its_table_to_eight_digits(store: Store, out: Path, name: str) -> None:
    drawn = FIGURES[name].table(tables(store, STUDY.study)).drop(columns="rank", errors="ignore")
    written = pd.read_csv(out / STUDY.study / f"{name}.csv")
    pd.testing.assert_frame_equal(written, drawn, check_dtype=False, rtol=1e-7, atol=0)
    text = (out / STUDY.study / f"{name}.csv").read_text()
    digits = re.findall(r"(?<![\w.])-?0?\.?0*([1-9][\d.]*)(?:e[+-]\d+)?(?=[,\n])", text)
    assert max((len(found.replace(".", "")) for found in digits), default=0) <= 8


def test_figures_are_written_in_other_formats_where_asked_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    store = Store(write_store(tmp_path / "store", replace(SMALL, figures=("beta_ratio",))))
    for folder in ("one", "two"):
        build(store, tmp_path / folder, formats=("png", "pdf"))
    html = (tmp_path / "one" / SMALL.study / "index.html").read_text()
    for name, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        for figure in ("answer", "beta_ratio"):
            file = f"{SMALL.study}/{figure}.{name}"
            content = (tmp_path / "one" / file).read_bytes()
            assert content.startswith(magic)
            assert content == (tmp_path / "two" / file).read_bytes()
            assert f'href="{figure}.{name}"' in html


def test_the_page_says_how_to_make_it_again(out: Path) -> None:
    again = (out / STUDY.study / "index.html").read_text().partition('<h3 id="again">')[2]
    lines = re.search(r'<pre class="copy">(.*?)</pre>', again, re.DOTALL)
    assert lines is not None
    assert lines[1].splitlines() == [
        f"git checkout {PROVENANCE['commit']}",
        "python -m studies.run sweeps/sigma_ablation.yaml --preset digits --seeds 0 1 2",
        f"python -m studies.report {STUDY.study}",
    ]


def test_tables_are_there_for_elsewhere(store: Store, out: Path) -> None:
    folder = out / STUDY.study
    for table in tabulated(tables(store, STUDY.study).results):
        written = pd.read_csv(folder / f"{table.name}.csv")
        means = [cell.mean if cell else None for row in table.rows for cell in row.cells]
        columns = [name for name in written if str(name).endswith("mean")]
        np.testing.assert_array_equal(
            written[columns].to_numpy(float).ravel(), np.array(means, dtype=float)
        )
        latex = (folder / f"{table.name}.tex").read_text()
        body = latex.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
        assert len(body) == len(table.rows)
        cells = {row.count("&") + 1 for row in body}
        assert cells == {len(table.heads) + len(table.columns)}
        assert not set(latex) & set("βΣη±−")  # no usual font of LaTeX has them


def test_results_csv_is_the_whole_table(store: Store, out: Path) -> None:
    written = pd.read_csv(out / STUDY.study / "results.csv")
    table = tables(store, STUDY.study).results
    assert len(written) == len(table)
    np.testing.assert_array_equal(written["value"], table["value"])


def test_failed_and_missing_cells_are_shown_with_their_reason(page: Page) -> None:
    assert "49 of 60 cells done" not in page.text
    assert "55 of 60 cells done, 4 failed, 1 planned" in page.text
    assert page.text.count("exception: loss is not finite") == 3
    assert "exception: out of memory" in page.text
    assert "3 of 3 failed" in page.text
    assert "1 of 3 failed" in page.text
    assert "1 of 3 planned" in page.text


def test_verdicts_and_their_reasons_are_those_of_the_claims(store: Store, page: Page) -> None:
    study = tables(store, STUDY.study)
    text = " ".join(page.text.split())
    for name in STUDY.claims:
        finding = judge(name, study)
        assert name in page.ids
        assert finding.claim.source in text
        assert finding.verdict in text


def test_the_page_begins_with_its_answer_and_the_measured_verdicts(store: Store, out: Path) -> None:
    study = tables(store, STUDY.study)
    answer = answer_of(study)
    assert answer is not None
    html = (out / STUDY.study / "index.html").read_text()
    first, _, rest = html.partition('<section id="figures">')
    text = " ".join(Page(first).text.split())
    words = sentence(paired(study, answer), answer).replace("L_", "L").replace(BETA_TILDE, "β~")
    assert words in text
    assert 'id="claims"' in rest
    for name in STUDY.claims:
        measured = [m for m in judge(name, study).measurements if m.decides]
        assert any(f"{quantity(m.interval.mean, m)}" in text for m in measured)


def test_a_verdict_of_an_unfinished_study_is_so_far_but_for_exact_ones(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", replace(SMALL, seeds=(0, 1, 2)))
    next((root / "tasks").glob("score-*/result.json")).unlink()
    build(Store(root), tmp_path / "out")
    study = tables(Store(root), SMALL.study)
    assert not is_done(study)
    html = (tmp_path / "out" / SMALL.study / "index.html").read_text()
    index = (tmp_path / "out" / "index.html").read_text()
    findings = [judge(name, study) for name in study.record["claims"]]
    open_ones = [any(m.interval.n for m in found.measurements) for found in findings]
    expected = [
        f"{found.verdict} so far" if is_open else found.verdict
        for found, is_open in zip(findings, open_ones, strict=True)
    ]
    assert re.findall(r'<td><span class="tag [^"]+">([a-z ]+)</span>', html) == expected
    assert re.findall(r'<span class="unseen">([a-z ]+)(?=:)', index) == expected
    assert "so far" in " ".join(expected)
    assert "So far, with " in Page(html).text


def test_recipe_provenance_sweep_and_preset_are_on_the_page(page: Page) -> None:
    for fact in (
        "digits-classifier:ab12cd34",
        "digits/train",
        "digits/test",
        "ema 0.99",
        PROVENANCE["commit"],
        PROVENANCE["cpu"],
        PROVENANCE["started"],
        PROVENANCE["ended"],
        "2.13.0",
        "study: sigma_ablation",
        "steps: 1500",
        "Seeds 0, 1, 2",
    ):
        assert fact in page.text


def test_tables_have_headers_for_those_who_do_not_see_them(page: Page) -> None:
    scopes = Counter(value for name, value in page.attributes if name == "scope")
    assert page.tags["table"] >= 8
    assert scopes["col"] >= page.tags["table"]
    assert scopes["row"] > 50


def test_no_number_of_the_paper_stands_beside_digits_and_the_page_says_why(page: Page) -> None:
    assert "paper:" not in page.text
    assert "No number of the paper stands beside" in page.text
    differs = page.text.partition("The paper shows no spread over seeds.")[2]
    assert "imagesdigitsImageNet 64 or CIFAR-10\ntraining steps1,500200,000 to 1,500,000" in differs
    assert "samples that are scored1610,000 or 50,000" in differs
    assert re.search("training setdigits(cifar10|imagenet64)", differs)


def test_a_number_of_the_paper_stands_beside_a_result_made_the_papers_way(tmp_path: Path) -> None:
    same = variant(
        T=4000,
        steps=(50, 4000),
        seeds=(0, 1),
        training_steps=500_000,
        extractor="inception-2015-12-05:6726825d",
        reference="cifar10/train",
        reference_images=50_000,
        training=TrainConfig(
            data=Npz(path="nowhere.npz", name="cifar10"), network=UNetConfig(dropout=0.3)
        ),
        images=50_000,
        likelihood=False,
        figures=(),
    )
    text = Page(page_of(tmp_path, same)).text
    assert "paper: 5.6 (Fig. 8, digitised)" in text
    assert "paper: 3.19 (Table 2, exact; inferred: sampling steps)" in text
    assert "No number of the paper" not in text


def test_one_seed_is_said_at_the_top(tmp_path: Path) -> None:
    text = Page(page_of(tmp_path, replace(SMALL, seeds=(4,)))).text
    assert "One seed 4" in text
    assert "With one seed there is no spread over seeds" in text
    assert "−∞ to ∞" in text


def test_a_study_without_any_result_has_a_page_that_says_so(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", variant(steps=(10,), seeds=(0, 1)))
    for path in (root / "tasks").rglob("result.json"):
        path.unlink()
    build(Store(root), tmp_path / "out")
    text = Page((tmp_path / "out" / MadeUp().study / "index.html").read_text()).text
    assert "0 of 16 cells done, 16 planned" in text
    assert "Nothing to draw yet" in text
    assert "No task has finished yet." in text
    assert text.count("not run") >= 4
