"""What a browser makes of page and index: first screen, widths, ids, links, contrast, keyboard.

A headless Chromium lays the pages out; where none is installed these tests are left out. CI has it.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import axe_core_python
import pytest

from studies.report.build import build
from studies.store.store import Store
from tests.witness.made_up_store import MadeUp, variant, write_store

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]
AXE = Path(axe_core_python.__file__).with_name("axe.min.js").as_uri()
DARK = "--blink-settings=preferredColorScheme=0"
LOOK = """
<script src="AXE"></script>
<script>
window.addEventListener("load", async () => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = channels(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *:not(svg *):not(script):not(math *)")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility({opacityProperty: true})) continue;
    const pair = [channels(getComputedStyle(element).color), behind(element)].map(light);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) faint.push([element.outerHTML.slice(0, 80), ratio]);
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const bottom = (name) => document.querySelector(name)?.getBoundingClientRect().bottom ?? null;
  const first = {
    answer: bottom(".answer"), figure: bottom("#answer svg"), verdict: bottom("#answer .tag"),
  };
  const stops = [...document.querySelectorAll("a[href], summary, button, input, [tabindex]")]
    .filter((one) => one.checkVisibility({visibilityProperty: true}));
  const unseen = stops.filter((one) => {
    one.focus();
    const shown = getComputedStyle(one).outlineStyle !== "none" || one.matches(".skip");
    return document.activeElement !== one || !shown;
  });
  let checked = null;
  if (location.hash) {
    for (const one of document.querySelectorAll("details")) one.open = true;
    checked = await axe.run();
  }
  const table = document.querySelector("table.sortable");
  let sorted = null;
  if (table) {
    table.querySelectorAll("thead button")[1].click();
    const value = (row) => Number(row.cells[1].querySelector("data").value);
    sorted = [...table.tBodies[0].rows].map(value);
  }
  let kept = null;
  const chip = document.querySelector('#filters input[value="photos"]');
  if (chip) {
    chip.click();
    kept = [...document.querySelectorAll("#studies tr[data-preset]")]
      .map((row) => [row.dataset.preset, row.hidden]);
  }
  const found = {
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    width: innerWidth, scroll: document.documentElement.scrollWidth, faint,
    twice: ids.filter((id, i) => ids.indexOf(id) !== i),
    dead: [...document.querySelectorAll('a[href^="#"]')].map((a) => a.hash.slice(1))
      .filter((id) => !ids.includes(decodeURIComponent(id))),
    ...first, sorted, kept, stops: stops.length,
    unseen: unseen.map((one) => one.outerHTML.slice(0, 80)),
    passed: checked?.passes.length,
    axe: checked?.violations.map((one) => [one.id, one.help, one.nodes[0].html.slice(0, 80)]),
  };
  document.body.innerHTML = "<pre id='found'></pre>";
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>
"""
"""Looks at the page that it stands in, uses its scripts, and leaves what it found in its place."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    photos = variant(study="sigma_ablation-photos", preset="photos", steps=(10, 200), figures=())
    build(Store(write_store(folder / "store", MadeUp(), photos)), folder / "out")
    for path in (folder / "out").rglob("index.html"):
        path.with_name("looked.html").write_text(
            path.read_text().replace("</body>", f"{LOOK.replace('AXE', AXE)}</body>")
        )
    return folder / "out"


def seen(page: Path, width: int, *options: str, part: str = "") -> dict[str, Any]:
    """What the script found in a page of this width; of any part of it, all that axe found too."""
    assert BROWSER is not None
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    words += [f"--window-size={width},900", "--virtual-time-budget=5000", *options]
    done = subprocess.run(
        [*words, "--dump-dom", page.as_uri() + part], capture_output=True, text=True, check=True
    )
    said = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert said is not None, done.stderr
    found: dict[str, Any] = json.loads(
        said[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    )
    return found


@pytest.mark.parametrize("options", [(), (DARK,)], ids=["light", "dark"])
@pytest.mark.parametrize("name", [".", "sigma_ablation-digits"], ids=["index", "study"])
def test_a_page_reads_at_every_width_in_light_and_dark(
    out: Path, name: str, options: tuple[str, ...]
) -> None:
    for width in (1400, 1100, 500):
        found = seen(out / name / "looked.html", width, *options)
        assert found["width"] == width
        assert found["dark"] == bool(options)
        assert found["scroll"] <= width
        assert found["faint"] == []
        assert found["twice"] == []
        assert found["dead"] == []


@pytest.mark.parametrize("name", [".", "sigma_ablation-digits"], ids=["index", "study"])
def test_a_checker_of_accessibility_finds_no_fault_with_everything_open(
    out: Path, name: str
) -> None:
    for options in ((), (DARK,)):
        found = seen(out / name / "looked.html", 1400, *options, part="#tables")
        assert found["axe"] == []
        assert found["passed"] > 25  # so many of its rules found something to look at


@pytest.mark.parametrize("name", [".", "sigma_ablation-digits"], ids=["index", "study"])
def test_whatever_can_be_used_is_reached_by_keyboard_and_seen_to_be(out: Path, name: str) -> None:
    found = seen(out / name / "looked.html", 1400)
    assert found["stops"] > 10
    assert found["unseen"] == []


def test_the_first_screen_holds_the_answer_its_figure_and_a_verdict(out: Path) -> None:
    found = seen(out / "sigma_ablation-digits" / "looked.html", 1400)
    assert 0 < found["answer"] < found["figure"] < 900
    assert 0 < found["verdict"] < 900


def test_a_table_is_sorted_by_a_click_on_its_column(out: Path) -> None:
    values = seen(out / "sigma_ablation-digits" / "looked.html", 1400)["sorted"]
    assert len(values) > 3
    assert values == sorted(values)


def test_a_chip_of_the_index_leaves_the_studies_that_it_names(out: Path) -> None:
    kept = seen(out / "looked.html", 1400)["kept"]
    assert sorted(kept) == [["digits", True], ["photos", False]]
