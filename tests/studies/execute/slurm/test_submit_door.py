"""Submitting from the command line: what is refused, shown and tried again."""

import re
from pathlib import Path

import pytest

from studies.store.store import Failure, Store
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.stores import BROKEN
from tests.witness.submitting import call, queued


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("invalid partition specified: nowhere", "--resource partition=NAME"),
        ("Invalid account or account/partition combination specified", "--resource account=NAME"),
        ("Invalid qos specification", "--resource qos=NAME"),
        ("Invalid generic resource (gres) specification", "gpu_type=NAME and gpus=N"),
        ("Invalid feature specification", "--resource constraint=NAME"),
        ("Invalid node name specified", "--resource exclude=NAMES"),
        ("Requested node configuration is not available", "ask for less memory, fewer CPUs"),
        ("Requested time limit is invalid (missing or exceeds some limit)", "time_min=N"),
        (
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
            "the same command goes on from here when some jobs have ended",
        ),
    ],
)
def test_a_refusal_is_told_in_the_clusters_words_with_what_to_change(
    slurm: FakeSlurm, sweep: Path, capsys: pytest.CaptureFixture[str], words: str, advice: str
) -> None:
    slurm.refuse("sbatch", f"sbatch: error: Batch job submission failed: {words}")
    assert call(sweep) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: sbatch: sbatch: error: Batch job submission failed: {words}; ")
    assert advice in error
    assert error.count("\n") == 1


def test_a_machine_without_slurm_is_told_what_to_do(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert call(sweep) == 2
    assert "run this on a login node of the cluster, or choose --executor local" in (
        capsys.readouterr().err
    )
    assert not (sweep.parent / "store").exists()


def test_a_dry_run_needs_no_slurm(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert call(sweep, "--dry-run", "--verbose", "--partition", "big") == 0
    told = capsys.readouterr().out
    assert "There is no SLURM on this machine: nothing is taken to be queued" in told
    assert "#SBATCH --partition=big" in told
    assert not (sweep.parent / "store").exists()


def test_a_dry_run_shows_the_scripts_and_writes_nothing(
    slurm: FakeSlurm, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--partition", "big", "--resource", "train.time_min=7")
    assert call(sweep, "--dry-run", "--verbose", *asked) == 0
    told = capsys.readouterr().out
    assert "#SBATCH --partition=big" in told
    assert "<number of train.tiny-tiny." in told
    assert re.search(r"train +\S+ +4 +\S+ +\d+ +\S+ +4 +\S+ +~0\.01 +\S+ +~0\.00 ", told), told
    assert "~ is a guess where nothing alike was measured, here for" in told
    assert "The longest chain takes ~0.0" in told
    assert not (sweep.parent / "store").exists()
    assert slurm.calls("sbatch") == []
    assert call(sweep) == 0
    before = sorted(path for path in (sweep.parent / "store").rglob("*"))
    assert call(sweep, "--dry-run") == 0
    assert sorted(path for path in (sweep.parent / "store").rglob("*")) == before


def test_more_gpu_hours_than_the_option_allows_are_refused(
    slurm: FakeSlurm, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(sweep, "--max-gpu-hours", "0.01", "--resource", "train.gpus=1") == 2
    assert (
        "expected at most 0.01 GPU-hours, found 0.0111, of which 0.0111 are a guess; nothing was "
        "submitted"
    ) in capsys.readouterr().err
    assert slurm.rows() == []


@pytest.mark.parametrize("option", ["--max-gpu-hours", "--pack"])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "many"])
def test_an_amount_that_is_none_is_refused(
    sweep: Path, capsys: pytest.CaptureFixture[str], option: str, text: str
) -> None:
    with pytest.raises(SystemExit):
        call(sweep, f"{option}={text}")
    assert f"{option}: expected a number of at least 0, found '{text}'" in capsys.readouterr().err


def test_only_failures_of_the_class_that_is_named_are_tried_again(
    slurm: FakeSlurm, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(sweep, "--seeds", "0") == 0
    store = Store(sweep.parent / "store")
    first, second = (a for a in store.addresses() if a.startswith("train-"))
    for address, error in ((first, "oom"), (second, "diverged")):
        claim = store.claim(address)
        assert claim is not None
        store.fail(claim, Failure(error=error, message="it broke"))  # type: ignore[arg-type]
    for row in slurm.rows():
        slurm.end(row["name"], int(row["index"]), "CANCELLED")
    assert call(sweep, "--seeds", "0", "--retry", "oom", "--dry-run") == 0
    assert "--retry runs 1 failed tasks again" in capsys.readouterr().out
    assert store.state(first) == "failed"
    assert call(sweep, "--seeds", "0", "--retry", "oom") == 0
    assert first in queued(store, slurm)
    assert store.state(second) == "failed"
    assert call(sweep, "--seeds", "0", "--retry", "failed") == 0
    assert {first, second} <= set(queued(store, slurm))


def test_a_failure_that_nobody_has_written_down_yet_is_tried_again_at_once(
    slurm: FakeSlurm, sweep: Path
) -> None:
    assert call(sweep, "--seeds", "0") == 0
    store = Store(sweep.parent / "store")
    training, *_ = (a for a in store.addresses() if a.startswith("train-"))
    place = store.submissions.element(training)
    assert place is not None
    store.claim(training)
    slurm.end(place.array, place.index, "OUT_OF_MEMORY")
    (store.folder(training) / "claim.json").unlink()  # its worker is gone
    assert call(sweep, "--seeds", "0", "--retry", "oom") == 0
    assert training in queued(store, slurm)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--workers", "3"), "--workers: expected --executor local with it, found slurm"),
        (
            ("--executor", "local", "--partition", "x"),
            "--partition: expected --executor slurm with it, found local",
        ),
        (
            ("--executor", "inline", "--resource", "gpus=1"),
            "--resource: expected --executor slurm with it, or local for train.gpus alone, found ",
        ),
    ],
)
def test_options_of_another_executor_are_refused(
    sweep: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert call(sweep, *options) == 2
    assert words in capsys.readouterr().err


def test_what_failed_in_a_job_that_goes_on_is_tried_again_and_so_is_what_needs_it(
    slurm: FakeSlurm, sweep: Path
) -> None:
    store = Store(sweep.parent / "store")
    assert call(sweep, "--seeds", "0") == 0
    training, *_ = (a for a in store.addresses() if a.startswith("train-"))
    dependents = {a for a in store.addresses() if training in store.inputs(a)}
    place = store.submissions.element(training)
    assert place is not None
    slurm.set(place.array, place.index, state="RUNNING")
    claim = store.claim(training)
    assert claim is not None
    store.fail(claim, BROKEN)
    earlier = {address: store.submissions.element(address) for address in dependents}
    assert call(sweep, "--seeds", "0", "--retry", "exception") == 0
    anew = store.submissions.element(training)
    assert anew is not None
    assert anew.array != place.array
    for address in dependents:
        element = store.submissions.element(address)
        assert element is not None
        assert element != earlier[address]
        script = (store.submissions.folder(element.array) / "script.sh").read_text()
        (number,) = {row["array_id"] for row in slurm.rows() if row["name"] == anew.array}
        assert number in script.partition("--dependency=")[2].partition("\n")[0]
