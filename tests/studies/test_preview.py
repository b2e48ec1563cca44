"""What a dry run says of a real sweep of tiny networks, against counts done by hand."""

import re
from pathlib import Path

import pytest

from studies import preview, run
from studies.execute.devices import Device
from studies.store.forecasts import Foreseen, foreseen
from studies.store.store import Failure, Store
from studies.tasks.kinds import KINDS
from tests.witness.stores import publish
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

DEVICE = Device(cpu="a core")


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(preview, "here", lambda: DEVICE)
    return write_sweep(tmp_path, SWEEP, PRESET)


def said(sweep: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    asked = [str(sweep), "--store", str(sweep.parent / "store"), "--executor", "inline"]
    assert run.main([*asked, "--dry-run", *options]) == 0
    return capsys.readouterr().out.splitlines()


def finished(sweep: Path, kinds: dict[str, float]) -> Store:
    """A store in which the tasks of these kinds of one seed took so many seconds each."""
    store = Store(sweep.parent / "store")
    options = run._parser().parse_args([str(sweep), "--seeds", "0"])
    plan = run._planned(sweep, options, options.seeds)
    for task in plan.tasks.values():
        store.create(task)
        if task.kind in kinds:
            publish(store, task, kinds[task.kind], cpu="a core")
    return store


TIMES = {"train": 30.0, "likelihood": 8.0} | dict.fromkeys(
    ("extractor", "sample", "features", "radii", "score"), 0.0
)


def test_the_work_is_counted_and_what_was_never_measured_is_a_guess(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two objectives and two seeds: trainings of 3 steps, bounds of 3 images at 8 steps, samples of
    4 steps in two blocks of 4; one extractor, its features of real images and their radii."""
    tasks = 3 + 2 * 2 * (1 + 1 + 2 + 1 + 1)
    name, work, time, total, kinds, disk, guess = said(sweep, capsys)
    assert name == f"tiny-tiny: {tasks} tasks: {tasks} planned"
    assert work == f"4 trainings, 12 steps; {2 * 2 * (3 * 8 + 8 * 4)} network calls"
    assert re.fullmatch(r"Done in ~\S+ s \(\S+ s to \S+ s\) with 1 at once\.", time)
    assert total.startswith("~")
    assert kinds.split()[0] == "train"
    assert disk.startswith("Leaves about ")
    assert guess.startswith(f"~ is a guess: nothing like {tasks} tasks was measured")
    assert not (sweep.parent / "store").exists()


def test_what_was_measured_on_this_device_is_multiplied_out(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second seed: two trainings of 30 s, and after each a bound of 8 s."""
    finished(sweep, TIMES)
    name, _, time, total, kinds, _ = said(sweep, capsys)
    assert name == "tiny-tiny: 27 tasks: 15 done, 12 planned"
    assert time == "Done in 76 s (65 s to 87 s) with 1 at once."  # 15% less, and more
    assert total == "76 s of computing; the longest chain 38 s."
    assert kinds == "  train 60 s, likelihood 16 s, sample 0 s, features 0 s"
    monkeypatch.setattr(preview, "here", lambda: Device(cpu="another"))
    assert said(sweep, capsys)[2].startswith("Done in ~")


def test_of_a_finished_study_nothing_is_left_to_say(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(sweep, TIMES)
    assert said(sweep, capsys, "--seeds", "0")[:1] == ["tiny-tiny: 15 tasks: 15 done"]


def test_what_failed_takes_no_time_until_it_is_to_be_tried_again(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = finished(sweep, {"extractor": 1.0, "features": 1.0})
    failed, _ = (a for a in store.addresses() if a.startswith("train-"))
    claim = store.claim(failed)
    assert claim is not None
    store.fail(claim, Failure(error="oom", message="no memory"))
    assert said(sweep, capsys, "--seeds", "0")[1].startswith("1 trainings, 3 steps; ")
    assert "waiting" in said(sweep, capsys, "--seeds", "0")[0]
    again = said(sweep, capsys, "--seeds", "0", "--retry", "oom")
    assert again[1].startswith("2 trainings, 6 steps; ")
    assert again[-1].endswith("--retry runs 1 failed tasks again.")


def test_ten_lines_hold_whatever_there_is_to_say() -> None:
    todo = preview.Todo(
        plans=[None, None],  # type: ignore[list-item]  # counted alone
        tasks={},
        states={"done": 3},
        expected={},
        gpu_hours=0.0,
        at_once=1,
        is_here=True,
        notes=[f"note {n}" for n in range(30)],
    )
    shown = preview.lines(todo)
    assert shown[0] == "2 studies: 0 tasks: 3 done"
    assert shown[1:-1] == [f"note {n}" for n in range(8)]
    assert shown[-1] == "22 more notes: --verbose shows them."
    assert len(shown) == preview.MOST_LINES


def test_other_devices_are_told_as_measured_or_as_guesses(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The networks are not the one that was measured, so that all are guesses here."""
    shown = said(sweep, capsys, "--devices")[7:]
    assert [line.partition(":")[0] for line in shown] == [
        *("on 1 of AMD EPYC, a core", "on one H200", "on one H100", "on one A100")
    ]
    assert all(": ~" in line for line in shown)
    assert "(reports/benchmarks/2026-12-01-digits.md)" in shown[0]
    assert all("(never measured)" in line for line in shown[1:])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--verbose"], "--verbose: expected --dry-run with it, found none"),
        (["--devices"], "--devices: expected --dry-run with it, found none"),
        (["--measure"], "--measure: expected --dry-run with it, found none"),
        (
            ["--measure", "--dry-run", "--executor", "slurm"],
            "--measure: expected --executor local with it, found slurm",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(
    sweep: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run.main([str(sweep), "--store", str(sweep.parent / "store"), *options]) == 2
    assert words in capsys.readouterr().err


def test_each_gpu_that_shares_a_training_counts(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "here", lambda: Device(cpu="a core", gpu="h200"))
    plan = run._planned(sweep, run._parser().parse_args([str(sweep)]), None)
    todo = preview.on_this_machine([plan], plan.tasks, Store(sweep.parent / "store"), 4, 2)
    found = dict.fromkeys(KINDS, 0.0)
    for address, expected in todo.expected.items():
        found[plan.tasks[address].kind] += expected.seconds
    alone = sum(seconds for kind, seconds in found.items() if KINDS[kind].uses_gpu)
    assert found["train"] > 0
    assert todo.gpu_hours * 3600 == pytest.approx(alone + found["train"])


def test_what_was_foreseen_is_kept_for_the_page(sweep: Path) -> None:
    """Of the second seed: nothing was forecast of what was done before."""
    store = finished(sweep, TIMES)
    before = set(store.addresses())
    plan = run._planned(sweep, run._parser().parse_args([str(sweep)]), None)
    todo = preview.on_this_machine([plan], plan.tasks, store, 1)
    preview.foresee([plan], store, todo.expected)
    found = foreseen(store.root, "tiny-tiny")
    trainings = [one for address, one in found.items() if address.startswith("train-")]
    assert trainings == [Foreseen(30.0, is_guess=False)] * 2
    assert found.keys() == plan.tasks.keys() - before
