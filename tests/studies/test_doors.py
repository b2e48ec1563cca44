"""The doors as a person uses them: a real sweep of tiny networks from its file to its page."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from iddpm.running.files import read_json, write_json
from studies import run, status
from studies.report import __main__ as report
from studies.store.store import Store
from tests.witness.marks import every_step
from tests.witness.runs import running
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path, SWEEP, PRESET)


def call(sweep: Path, *options: str) -> int:
    return running(sweep.parent, *options)


def results(root: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in root.glob("tasks/*/result.json")}


def test_from_a_sweep_file_to_a_page_and_nothing_twice(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert call(sweep, "--dry-run") == 0
    planned = capsys.readouterr().out
    assert planned.startswith("tiny-tiny: ")
    assert call(sweep, "--dry-run", "--verbose") == 0
    assert "tiny-tiny: what is left to do" in capsys.readouterr().out
    assert not store.exists()

    assert call(sweep) == 0
    first = capsys.readouterr().out
    before = results(store)
    assert f"{len(before)} tasks: {len(before)} done" in first
    assert f"{len(before)} tasks: {len(before)} planned" in planned
    assert "bits/dim" in first
    assert "FD at 4" in first

    assert call(sweep) == 0
    assert "started" not in capsys.readouterr().out
    assert results(store) == before
    assert all(Store(store).attempts(address) == [1] for address in before)

    assert status.main(["--store", str(store)]) == 0
    assert capsys.readouterr().out == f"tiny-tiny: {len(before)} tasks: {len(before)} done\n"
    assert report.main(["--store", str(store), "--out", str(tmp_path / "reports")]) == 0
    assert (tmp_path / "reports" / "tiny-tiny" / "index.html").exists()


def test_equal_networks_are_trained_once_across_seeds_and_runs(sweep: Path) -> None:
    assert call(sweep, "--seeds", "0") == 0
    before = results(sweep.parent / "store")
    assert call(sweep, "--seeds", "0", "1") == 0
    after = results(sweep.parent / "store")
    assert before.items() < after.items()
    assert len([address for address in after if address.startswith("train-")]) == 4


def test_a_longer_training_goes_on_from_the_shorter_one(sweep: Path) -> None:
    store = Store(sweep.parent / "store")
    assert call(sweep, "--seeds", "0", "--set", "train.objective=[simple]") == 0
    before = results(store.root)
    longer = ("--seeds", "0", "--set", "train.objective=[simple]", "--set", "train.steps=5")
    assert call(sweep, *longer) == 0
    continued = {a: r for a, r in results(store.root).items() if a not in before}

    fresh = sweep.parent / "fresh"
    arguments = [str(sweep), "--store", str(fresh), "--executor", "inline", *longer]
    assert run.main(arguments) == 0
    assert continued.items() <= results(fresh).items()


@every_step
def test_a_failed_task_is_told_with_its_reason_and_run_again_on_request(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diverging = ("--set", "train.optimizer.learning_rate=1e30", "--set", "train.steps=40")
    assert call(sweep, "--seeds", "0", *diverging) == 1
    out = capsys.readouterr().out
    assert "failed: Diverged: train: expected a finite loss" in out
    assert "which failed" not in out  # who waits is counted, not named
    (counts,) = re.findall(r"(\d+) tasks: (\d+) done, (\d+) failed; (\d+) wait", out)
    total, *parts = map(int, counts)
    assert total == sum(parts)
    assert parts[1] < parts[2]
    assert "the same settings diverge again" in out

    store = str(sweep.parent / "store")
    assert status.main(["tiny-tiny", "--store", store]) == 0
    lines = capsys.readouterr().out
    assert "failed  diverged: " in lines
    assert "waiting  for train-" in lines

    assert call(sweep, "--seeds", "0", *diverging) == 1
    assert "started" not in capsys.readouterr().out
    assert call(sweep, "--seeds", "0", "--retry", "failed", *diverging) == 1
    assert "started" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--preset", "tin"], "did you mean 'tiny'?"),
        (["--set", "train.stepss=3"], "did you mean 'steps'?"),
        (["--set", "train.steps=-3"], "train.steps"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_starts(
    sweep: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert call(sweep, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert not (sweep.parent / "store").exists()


def test_sweeps_that_ask_for_different_resources_are_not_submitted_together(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sweep.with_name("other.yaml")
    renamed = SWEEP.replace("study: tiny", "study: other")
    other.write_text(f"{renamed}resources: {{gan: {{cpus: 4}}, train: {{cpus: 2}}}}\n")
    together = [str(sweep), str(other), "--store", str(sweep.parent / "store"), "--dry-run"]
    assert run.main([*together, "--executor", "slurm"]) == 2
    assert (
        f"{other}: resources.train: expected those of {sweep}, found others; submit the sweeps one "
        "by one, or say for both with --resource train.NAME=VALUE" in capsys.readouterr().err
    )


UNTUNED = (
    "tiny-tiny: the preset tiny, of the paper's scale, was not tuned for this sweep, so its grid "
    "is a laptop's."
)
ALONE = (
    "One seed has no spread, so claims over seeds will be inconclusive (--seeds 0 1 2 asks for "
    "three): tiny-tiny."
)


def test_a_grid_of_another_scale_and_a_lone_seed_are_told_beforehand(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, options, told in (
        ("", [], set()),
        ("scale: paper\n", [], {UNTUNED}),
        ("", ["--seeds", "5"], {ALONE}),
        ("scale: paper\n", ["--seeds", "5"], {UNTUNED, ALONE}),
    ):
        write_sweep(tmp_path, SWEEP, PRESET + more)
        assert call(sweep, "--dry-run", *options) == 0
        assert {UNTUNED, ALONE} & set(capsys.readouterr().out.splitlines()) == told
    assert call(sweep, *options) == 0
    said = capsys.readouterr().out.splitlines()
    assert {said[0], said[1]} == {UNTUNED, ALONE}


def test_a_lone_seed_is_enough_for_exact_claims_and_for_none(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for claims in ("[beta_tilde_close_to_beta]", "[]"):
        text = SWEEP.replace("[learned_sigma_lowers_nll]", claims)
        write_sweep(tmp_path, text, PRESET)
        assert call(sweep, "--dry-run", "--seeds", "5") == 0
        assert "One seed" not in capsys.readouterr().out


def test_a_lone_seed_that_can_have_no_other_beside_it_is_told_without_advice(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, SWEEP, PRESET)
    pinned = ["--set", "train.seeds.weights=0", "--seeds", "5"]
    assert call(sweep, "--dry-run", *pinned) == 0
    assert (
        "A network from a file, or a part with a seed of its own, allows one seed, which has no "
        "spread, so claims over seeds will be inconclusive: tiny-tiny."
    ) in (said := capsys.readouterr().out.splitlines())
    assert ALONE not in said


def test_an_option_that_is_no_setting_is_refused(sweep: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(sweep, "--set", "nothing")


def test_a_study_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "store.json", {"format": 1})
    assert status.main(["nothing", "--store", str(tmp_path)]) == 2
    assert "no study 'nothing'; it holds no study yet" in capsys.readouterr().err
    assert read_json(tmp_path / "store.json") == {"format": 1}


@pytest.mark.parametrize(
    "door", [("studies.run", "SWEEP", "--dry-run"), ("studies.status", "tiny-tiny")]
)
def test_a_door_whose_reader_left_ends_without_a_word(sweep: Path, door: tuple[str, ...]) -> None:
    Store(sweep.parent / "store").record_study("tiny-tiny", {"tasks": ["train-0"] * 20_000})
    words = [str(sweep) if word == "SWEEP" else word for word in door]
    command = [sys.executable, "-m", *words, "--store", str(sweep.parent / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=60)
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_sweep_goes_by_its_name_and_seeds_by_commas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(tmp_path, SWEEP).rename(tmp_path / "small.yaml")
    (tmp_path / "sweeps").mkdir()
    for name in ("small.yaml", "presets"):
        (tmp_path / name).rename(tmp_path / "sweeps" / name)
    monkeypatch.chdir(tmp_path)
    said = []
    for sweep, *seeds in (("sweeps/small.yaml", "0", "1", "2"), ("small", "0,1", "2")):
        assert run.main([sweep, "--seeds", *seeds, "--dry-run"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != ""


@pytest.mark.parametrize("name", ["small", "sigma_ablation"])
def test_a_folder_or_an_empty_file_called_like_a_sweep_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "small.yaml").write_text(SWEEP)
    found = run._sweep(name)
    assert found.name == f"{name}.yaml"
    (tmp_path / name).mkdir()
    assert run._sweep(name) == found
    (tmp_path / name).rmdir()
    (tmp_path / name).touch()
    assert run._sweep(name) == found
    (tmp_path / name).write_text(SWEEP)
    assert run._sweep(name) == Path(name)


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("my_smal", "my_small"),
        ("sigma_ablaton", "sigma_ablation"),
        ("besid", "beside.yaml"),
    ],
)
def test_a_mistyped_name_is_told_the_nearest_sweep(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    mistyped: str,
    meant: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    for name in ("beside.yaml", "sweeps/my_small.yaml"):
        (tmp_path / name).write_text(SWEEP)
    with pytest.raises(SystemExit, match="2"):
        run.main([mistyped, "--dry-run"])
    said = "expected a sweep file or the name of a sweep, found "
    assert f"{said}'{mistyped}'; did you mean '{meant}'?" in capsys.readouterr().err


@every_step
def test_a_run_that_failed_says_which_command_tells_why(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "my store"
    asked = [str(sweep), "--store", str(store), "--executor", "inline", "--seeds", "0"]
    diverging = ["--set", "train.optimizer.learning_rate=1e30", "--set", "train.steps=40"]
    assert run.main([*asked, *diverging]) == 1
    said = capsys.readouterr().out
    (command,) = re.findall("^python -m studies.status (.*) says why$", said, re.MULTILINE)
    status.main(shlex.split(command))
    assert "diverged: " in capsys.readouterr().out
