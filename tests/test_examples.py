"""What is committed to look at: the notebooks of examples/, and the pages of reports/examples/.

Notebooks are committed without outputs, and every code cell runs. Pages are small: those of the
Σ-ablation whole, of every other study a summary with figures and numbers.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(notebook: Path) -> None:
    cells = code_cells(notebook)
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


EXAMPLES = ROOT / "reports" / "examples"
WHOLE = ("sigma_ablation-digits", "sigma_ablation-photos")
MOST_BYTES = 5_000_000


def test_the_committed_pages_are_small() -> None:
    sizes = {path: path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= MOST_BYTES, sorted(sizes, key=sizes.__getitem__)[-10:]


def test_the_studies_of_sigma_are_committed_whole_and_the_others_as_summaries() -> None:
    studies = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
    sweeps = {path.stem for path in (ROOT / "sweeps").glob("*.yaml")}
    assert set(studies) == {
        *WHOLE,
        *(f"{sweep}-digits" for sweep in sweeps - {"lottery", "released_checkpoints"}),
    }
    for study in studies:
        names = {path.name for path in (EXAMPLES / study).iterdir()}
        assert {"summary.md", "answer.svg"} - names in (set(), {"answer.svg"}), study
        assert ("index.html" in names) == (study in WHOLE), study


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    """One after the other, in one process and a folder of its own."""
    script = "import matplotlib; matplotlib.use('agg')\n" + "\n".join(
        "".join(cell["source"]) for cell in code_cells(notebook)
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "store" / "studies").is_dir()
