"""What a run shows: bars with rate and time left on a terminal, plain lines elsewhere."""

import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from studies.execute.agenda import Event
from studies.execute.console import LINE_EVERY_S, counted, terminal, watching
from studies.execute.forecast import Left
from studies.store.store import Beat, Store
from tests.witness import tiny

TRAINING = "train-0123456789abcdef"


def progress(done: int) -> Event:
    return Event(kind="progress", address=TRAINING, beat=Beat(done=done, total=100, unit="steps"))


def test_a_terminal_shows_bars_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    update = Progress.update

    def drawn(bars: Progress, *words: Any, **changes: Any) -> None:
        update(bars, *words, **changes, refresh=True)

    monkeypatch.setattr(Progress, "update", drawn)
    console = Console(file=io.StringIO(), force_terminal=True, width=120, get_time=lambda: now)
    with watching(2, console) as watch:
        watch(Event(kind="started", address=TRAINING))
        for done in (10, 20, 30):
            now += 1
            watch(progress(done))
        watch(Event(kind="failed", address=TRAINING, text="the loss is not finite"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "all tasks" in shown
    assert "30/100" in shown
    assert re.search(r"10 steps/s.*0:00:03.*0:00:07", shown)  # time gone, time left
    assert f"{TRAINING}: failed: the loss is not finite" in shown


def test_a_narrow_terminal_shows_fewer_columns_and_whole_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label = "hybrid cosine T=1000, ancestral range, 250 steps, EMA 0.995, 192 images, seed 1"
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    with watching(278, console, {TRAINING: label}) as watch:
        watch(Event(kind="started", address=TRAINING))
        watch(Event(kind="progress", address=TRAINING, beat=Beat(done=0, total=0, unit="steps")))
        starting = pane(console)
        watch(progress(30))
        under_way = pane(console)
    assert re.search(r"0/\? +starting$", starting, re.MULTILINE)
    assert "30/100" in under_way
    assert "steps/s" not in under_way
    assert max(map(len, (starting + under_way).splitlines())) <= 80
    for word in label.split():
        assert word in under_way


def pane(console: Console) -> str:
    """What the live lines hold now, without the terminal's codes."""
    (progress,) = console._live_stack
    with console.capture() as captured:
        console.print(progress.get_renderable())
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", captured.get())


def test_elsewhere_a_line_tells_progress_now_and_then_with_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with watching(2, Console(file=io.StringIO())) as watch:
        watch(Event(kind="found", address="extractor-1"))
        watch(Event(kind="started", address=TRAINING))
        for done in (10, 20, 40, 60):
            watch(progress(done))
            now += LINE_EVERY_S / 2
        watch(Event(kind="done", address=TRAINING))
    assert capsys.readouterr().out.splitlines() == [
        f"[1/2] {TRAINING}: started",
        f"[1/2] {TRAINING}: 40 of 100 steps",
        f"[2/2] {TRAINING}: done",
    ]


def test_a_line_after_the_first_knows_the_pace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with watching(1, Console(file=io.StringIO())) as watch:
        for done in (0, 20, 40):
            watch(progress(done))
            now += 2 * LINE_EVERY_S
    assert capsys.readouterr().out.splitlines() == [
        f"[0/1] {TRAINING}: 20 of 100 steps",
        f"[0/1] {TRAINING}: 40 of 100 steps, 0.333 steps/s, 180 s left",
    ]


def test_the_run_s_time_left_is_told_by_its_tasks_and_never_by_finished_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tasks = [tiny.training(seed=seed, steps=100) for seed in (0, 1, 2)]
    store = Store(tmp_path)
    for task in tasks:
        store.create(task)
    for task in tasks[:2]:
        claim = store.claim(task.address)
        assert claim is not None
        store.publish(claim, {}, {"seconds": 230.0, "attempt": 1})
    events = [
        *(Event(kind="found", address=task.address) for task in tasks[:2]),
        Event(kind="started", address=tasks[2].address),
    ]
    with watching(3, Console(file=io.StringIO()), left=Left(store, tasks, 2)) as watch:
        for event in events:
            watch(event)
    assert capsys.readouterr().out == f"[2/3, about 4 min left] {tasks[2].address}: started\n"
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with watching(3, console, left=Left(store, tasks, 2)) as watch:
        for event in events:
            watch(event)
        watch(Event(kind="lost", address=tasks[2].address, text="killed"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "tasks/s" not in shown


def test_a_task_goes_by_its_arm_and_seed_where_that_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = {TRAINING: "hybrid cosine T=1000, training, seed 1"}
    with watching(2, Console(file=io.StringIO()), named) as watch:
        watch(Event(kind="started", address=TRAINING))
        watch(Event(kind="failed", address=TRAINING, text="the loss is not finite"))
        watch(Event(kind="started", address="extractor-1"))
    assert capsys.readouterr().out.splitlines() == [
        f"[0/2] {TRAINING}: started ({named[TRAINING]})",
        f"[1/2] {TRAINING}: failed: the loss is not finite ({named[TRAINING]})",
        "[1/2] extractor-1: started",
    ]
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with watching(2, console, named) as watch:
        watch(Event(kind="started", address=TRAINING))
    assert named[TRAINING] in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_stop_is_answered_and_those_that_wait_for_a_failure_are_not_named(
    capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=120)
    with watching(3, console) as watch:
        watch(Event(kind="failed", address=TRAINING, text="the loss is not finite"))
        watch(Event(kind="waiting", address="sample-1", text=TRAINING))
        watch(Event(kind="stopping", address=""))
        watch(Event(kind="done", address="extractor-1"))
    said = console.file.getvalue() + capsys.readouterr().out  # type: ignore[attr-defined]
    assert said.count("the loss is not finite") == 1
    assert "sample-1" not in said
    assert "saving (Ctrl-C again: stop at once)" in said
    if not is_terminal:
        assert said.splitlines()[-1] == "[3/3] extractor-1: done"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_what_people_wrote_is_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "100")
    text = "[bold]x[/bold] [/] :smile: [link=http://a]b"
    table = Table(title=f"of {text}")
    table.add_column(text)
    table.add_row(text)
    console = terminal()
    assert console.is_terminal == is_terminal
    console.print(table)
    said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert said.count(text) == 3


def test_a_failure_on_a_terminal_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, markup=False, emoji=False)
    with watching(2, console) as watch:
        watch(Event(kind="failed", address=TRAINING, text="[/red] :smile: of /a[b]"))
    assert "failed: [/red] :smile: of /a[b]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_that_cannot_draw_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    with watching(1, dumb) as watch:
        watch(Event(kind="started", address=TRAINING))
    assert capsys.readouterr().out == f"[0/1] {TRAINING}: started\n"


def test_counts_of_states_are_said_in_words() -> None:
    assert counted({"done": 3, "failed": 1, "running": 0}) == "3 done, 1 failed"
    assert counted({}) == "none"
