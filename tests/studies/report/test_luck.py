"""What the lottery of seeds measured is quoted on the other pages of its preset alone."""

from pathlib import Path

import pytest

from studies.plan.plan import record
from studies.report import luck
from studies.report.build import build
from studies.store.store import Store
from studies.tables.tables import Tables
from tests.studies.analyses.test_lottery import value
from tests.witness.made_up_store import ARMS, variant, write_store
from tests.witness.made_up_tables import made_up, planned

STUDY = variant(steps=(10,), seeds=(0, 1), arms=ARMS[:2], figures=())
SAID = "So the study of the lottery of seeds measured it under this preset."


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(write_store(tmp_path / "store", STUDY))
    store.record_study(f"lottery-{STUDY.preset}", dict(record(planned("lottery"))))
    return store


def page(store: Store) -> str:
    folder = store.root.parent / "out"
    build(store, folder, [STUDY.study])
    return (folder / STUDY.study / "index.html").read_text()


def test_a_finished_lottery_is_quoted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SAID not in page(store)  # it has not begun

    def finished(store: Store, study: str) -> Tables:
        return made_up(planned("lottery"), value)

    monkeypatch.setattr(luck, "tables", finished)
    quoting = page(store)
    assert SAID in quoting
    assert "one pair of arms in twenty lies apart in bits/dim by more than" in quoting
    other = Store(write_store(store.root.parent / "other", STUDY))
    assert luck.of_presets(other) == {}


def test_a_lottery_of_another_preset_is_not_quoted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        luck, "tables", lambda store, study: made_up(planned("lottery", preset="photos"), value)
    )
    assert list(luck.of_presets(store)) == ["photos"]
    assert SAID not in page(store)
