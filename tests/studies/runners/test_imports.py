"""A study of a network that is read from a file, from its sweep to its page."""

from pathlib import Path

import pytest
import torch

from iddpm.running import checkpoints
from studies.report.build import build
from studies.store.store import Store
from tests.witness import official_files as files
from tests.witness.imported_sweep import SWEEP
from tests.witness.runs import ran


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("imported")
    path = files.write(folder / "ema_0.9999_000007.pt", files.drawn(**files.SMALL))
    text = SWEEP.replace("PATH", str(path)).replace("SAYS", files.SAYS)
    store = ran(folder, text)
    path.unlink()  # what was imported is in the store
    return store


def test_the_numbers_are_those_of_the_weights_in_the_file(store: Store) -> None:
    (address,) = [a for a in store.study("imported-tiny")["tasks"] if a.startswith("imported-")]
    result = store.result(address)
    assert result
    weights = files.drawn(**files.SMALL)
    assert result["weights"] == {"0.9999": checkpoints.digest(weights)}
    kept = torch.load(store.folder(address) / "state.pt", weights_only=True)
    assert all(torch.equal(kept["weights"]["0.9999"][name], weights[name]) for name in weights)


def test_its_page_says_imported_and_names_the_average(store: Store, tmp_path: Path) -> None:
    build(store, tmp_path)
    page = (tmp_path / "imported-tiny" / "index.html").read_text()
    assert (
        "Imported, not trained here: ema_0.9999_000007.pt "
        "(its weights the average of decay 0.9999, of 7 training steps)." in page
    )
    assert "ema 0.9999" in page
