"""What `status` leaves on a terminal of 80x24: a study with a running, a failed and waiting tasks.

Addresses, host and process are replaced by others of one length before lines are wrapped: what is
checked is what a person sees, to the letter.
"""

import os
import re
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from iddpm.running.files import write_json
from studies import status
from studies.analyses.index import checked
from studies.execute import standing
from studies.plan.plan import chained, expand, record
from studies.spec.sweep import read_sweep
from studies.store.store import Beat, Failure, Store
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

COLUMNS, ROWS = 80, 24
BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIVERGED = Failure(
    error="diverged",
    message="the loss stopped being finite at step 2",
    log=("step 1: 0.98", "step 2: nan"),
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Both trainings of a tiny sweep under way: one failed, one has done 2 of 3 steps in 4 s."""
    spec = read_sweep(write_sweep(tmp_path, SWEEP, PRESET), seeds=[0])
    plan = expand(checked(spec))
    store = Store(tmp_path / "store")
    store.record_study(plan.study, record(plan))
    tasks = chained(plan.tasks.values())
    for task in tasks.values():
        store.create(task)
    simple, hybrid = (address for address in tasks if address.startswith("train-"))
    failed, running = store.claim(simple), store.claim(hybrid)
    assert failed is not None
    assert running is not None
    store.fail(failed, DIVERGED)
    early = replace(running, claimed_at=BEGUN.isoformat())
    write_json(store.folder(hybrid) / "claim.json", asdict(early))
    store.beat(early, Beat(done=2, total=3, unit="steps"), 1.0)
    now = BEGUN + timedelta(seconds=4)
    monkeypatch.setattr(standing, "time", SimpleNamespace(time=now.timestamp, sleep=time.sleep))
    return store


def pane(printed: str) -> list[str]:
    """The last rows of the terminal, the cursor below them."""
    told = re.sub(r"-[0-9a-f]{16}\b", "-0123456789abcdef", printed)
    told = re.sub(r", ~\d+ s left", ", ~9 s left", told)  # a guess, by this machine
    told = re.sub(r"on \S+, process \d+", "on node1, process 4242", told)
    rows = [
        line[start : start + COLUMNS]
        for line in told.splitlines()
        for start in range(0, max(len(line), 1), COLUMNS)
    ]
    return rows[1 - ROWS :]


def shown(store: Store, *words: str) -> int:
    return status.main([*words, "--store", str(store.root)])


def test_all_studies_are_a_line_each(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.record_study("other-tiny", {"tasks": []})
    assert shown(store) == 0
    assert pane(capsys.readouterr().out) == [
        "other-tiny: 0 tasks: none",
        "tiny-tiny: 15 tasks: 1 failed, 5 waiting, 8 planned, 1 running, ~9 s left",
    ]


def test_a_study_has_a_line_for_each_task(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(store, "tiny-tiny") == 0
    assert pane(capsys.readouterr().out) == [
        "likelihood-0123456789abcdef  waiting  for train-0123456789abcdef, which failed  ",
        "(simple cosine T=8, likelihood, 8 steps, EMA 0.9, 3 images, seed 0)",
        "sample-0123456789abcdef  waiting  for train-0123456789abcdef, which failed  (sim",
        "ple cosine T=8, ancestral beta, 4 steps, EMA 0.9, 6 images, seed 0)",
        "sample-0123456789abcdef  waiting  for train-0123456789abcdef, which failed",
        "extractor-0123456789abcdef  planned",
        "features-0123456789abcdef  planned",
        "radii-0123456789abcdef  planned",
        "features-0123456789abcdef  waiting  for train-0123456789abcdef, which failed  (s",
        "imple cosine T=8, ancestral beta, 4 steps, EMA 0.9, 6 images, seed 0)",
        "score-0123456789abcdef  waiting  for train-0123456789abcdef, which failed  (simp",
        "le cosine T=8, ancestral beta, 4 steps, EMA 0.9, 6 images, seed 0)",
        "train-0123456789abcdef  running  on node1, process 4242, 2 of 3 steps, 0.5 steps",
        "/s, about 2 s left  (hybrid cosine T=8, training, seed 0)",
        "likelihood-0123456789abcdef  planned  (hybrid cosine T=8, likelihood, 8 steps, E",
        "MA 0.9, 3 images, seed 0)",
        "sample-0123456789abcdef  planned  (hybrid cosine T=8, ancestral beta, 4 steps, E",
        "MA 0.9, 6 images, seed 0)",
        "sample-0123456789abcdef  planned",
        "features-0123456789abcdef  planned  (hybrid cosine T=8, ancestral beta, 4 steps,",
        " EMA 0.9, 6 images, seed 0)",
        "score-0123456789abcdef  planned  (hybrid cosine T=8, ancestral beta, 4 steps, EM",
        "A 0.9, 6 images, seed 0)",
    ]


def test_who_watches_sees_what_failed_and_what_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(status, "terminal_size", lambda: os.terminal_size((COLUMNS, ROWS)))

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "time", SimpleNamespace(sleep=interrupted, time=time.time))
    assert shown(store, "tiny-tiny", "--watch") == 0
    _, screen = capsys.readouterr().out.split(status.CLEAR)
    assert pane(screen) == [
        "tiny-tiny: 15 tasks: 1 failed, 5 waiting, 8 planned, 1 running, ~9 s left",
        "train-0123456789abcdef  failed  diverged: the loss stopped being finite at step ",
        "2  (simple cosine T=8, training, seed 0)",
        "    step 1: 0.98",
        "    step 2: nan",
        "train-0123456789abcdef  running  on node1, process 4242, 2 of 3 steps, 0.5 steps",
        "/s, about 2 s left  (hybrid cosine T=8, training, seed 0)",
        "no longer watching; what runs goes on",
    ]
