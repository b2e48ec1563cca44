"""What goes to the scheduler, what is written of it, and what is told where it refuses."""

import fcntl
import getpass
import hashlib
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

import pytest

import iddpm
import studies
from iddpm.bounds import ConfigError
from iddpm.running.files import StorageError, read_json
from studies import cancel, run, status
from studies.execute import slurm as executor
from studies.execute.guesses import guess
from studies.execute.slurm import SlurmError, Submission, SubmitSettings, queue
from studies.execute.slurm.queue import NEVER
from studies.execute.slurm.script import warning_seconds
from studies.execute.slurm.snapshot import snapshot
from studies.execute.worker import PASSED_ON, run_task
from studies.plan.plan import chained
from studies.spec.resources import TEXTS, Resources
from studies.store.folders import locked
from studies.store.provenance import commit
from studies.store.store import Failure, Store
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.marks import slow_except
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

GOLDEN = Path(__file__).parent / "golden"


def training(seed: int = 0, **changes: Any) -> Task:
    """One that up to eight processes can share."""
    return tiny.training(seed=seed, batch_size=8, block_size=1, **changes)


TRAINING = training()
BOUND = tiny.likelihood(TRAINING)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def settings(
    resources: Mapping[str, Resources] | None = None,
    *,
    pack_min: float = 10.0,
    max_parallel: int | None = None,
    max_gpu_hours: float | None = None,
) -> SubmitSettings:
    return SubmitSettings(
        name="study",
        resources=dict.fromkeys(KINDS, Resources()) | dict(resources or {}),
        pack_min=pack_min,
        max_parallel=max_parallel,
        max_gpu_hours=max_gpu_hours,
    )


def submit(store: Store, *tasks: Task) -> Submission:
    return executor.submit(store, tasks, settings())


def publish(
    store: Store, task: Task, seconds: float = 1.0, device: str = "cpu", **made: object
) -> None:
    """A made-up result."""
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    record = {"seconds": seconds, "attempt": claim.attempt, "device": device}
    store.publish(claim, {}, record | made)


def fail(store: Store, task: Task, failure: Failure) -> None:
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    store.fail(claim, failure)


BROKEN = Failure(error="exception", message="it broke")


def queued(store: Store, slurm: FakeSlurm) -> list[str]:
    """The tasks of all elements in the queue, an address as often as it is there."""
    return sorted(
        address
        for row in slurm.rows()
        for address in store.submissions.tasks(row["name"])[int(row["index"])]
    )


# ---------------------------------------------------------------------------------- the script


def everything() -> Resources:
    return Resources(
        partition="big",
        account="us",
        qos="high",
        time_min=90,
        memory_gb=1.5,
        cpus=3,
        gpus=4,
        gpu_type="a100",
        nodes=2,
        constraint="fast&new",
        exclude="node[1-3]",
        comment="two words",
        sbatch=("--reservation=maintenance", "--exclusive"),
    )


def general(text: str, store: Store) -> str:
    """A script without what differs between machines, versions and submissions."""
    text = text.replace(sys.executable, "PYTHON").replace(str(store.root), "STORE")
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)
    return re.sub(r"\.[0-9a-f]{8}-(\d)", r".TOKEN-\1", text)


@pytest.mark.parametrize(
    ("tasks", "name"),
    [
        ((TRAINING, training(seed=1)), "training_with_everything.sh"),
        ((TRAINING, BOUND), "likelihood_after_training.sh"),
    ],
)
def test_the_script_of_an_array_is_the_one_that_was_looked_at(
    slurm: FakeSlurm, store: Store, tasks: tuple[Task, ...], name: str
) -> None:
    full = name.startswith("training")
    asked = settings({"train": everything()} if full else None, max_parallel=5 if full else None)
    submission = executor.submit(store, tasks, asked)
    text = general(submission.scripts[-1], store)
    assert text == (GOLDEN / name).read_text()
    written = store.submissions.folder(submission.arrays[-1].name) / "script.sh"
    assert general(written.read_text(), store) == text


@pytest.mark.parametrize("name", sorted({*PASSED_ON, "STUDIES_COMPILE"}))
def test_a_script_passes_on_what_its_processes_are_told(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "600")
    (text,) = submit(store, TRAINING).scripts
    assert f"export {name}=600" in text.splitlines()


def test_the_script_starts_the_tasks_in_any_folder_with_the_snapshots_code(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    store = Store(tmp_path / "a store's")
    submission = submit(store, TRAINING)
    name, (text,) = submission.arrays[0].name, submission.scripts
    told = subprocess.run(
        ["bash", "-c", f"set -eu; {text}\necho $PYTHONPATH\necho $PWD"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines() == [
        str(snapshot(store.root, write=False)),
        str(store.submissions.folder(name)),
    ]
    job = [sys.executable, "-P", "-m", "studies.execute.slurm.job", str(store.root), name]
    together = ("--kill-on-bad-exit=1", "--export=ALL")
    log = "%A_%a_%t_log.out"
    assert slurm.calls("srun") == [["--unbuffered", "--output", log, *together, *job]]


AWKWARD = 'it\'s 100%j `touch P` $(touch P) "$HOME" %%t & ; # é'


def test_nothing_in_a_path_means_anything_to_the_shell_or_the_scheduler(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    store = Store(tmp_path / AWKWARD)
    submission = submit(store, TRAINING)
    (array,), (text,) = submission.arrays, submission.scripts
    told = subprocess.run(
        ["bash", "-c", f"set -eu; {text}\necho $PYTHONPATH"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == str(snapshot(store.root, write=False))
    ((*_, root, _),) = slurm.calls("srun")
    assert root == str(store.root)
    log = str(store.submissions.folder(array.name)).replace("%", "%%") + "/%A_%a_0_log.out"
    assert f"--output={log}" in slurm.calls("sbatch")[0]
    assert [path.name for path in tmp_path.iterdir() if path.name != "slurm"] == [AWKWARD]


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\u2028b", "a:b", "a\\b", "a\x1b[2Jb"])
def test_a_store_whose_path_no_script_can_hold_is_refused(
    slurm: FakeSlurm, tmp_path: Path, name: str
) -> None:
    for door in (executor.preview, executor.submit):
        with pytest.raises(ConfigError) as error:
            door(Store(tmp_path / name), [TRAINING], settings())
        assert re.fullmatch(
            "--executor slurm: expected paths of printable text without : and .*, found '.*'; "
            "move the store or the program",
            str(error.value),
        )
    assert slurm.calls("sbatch") == []


@pytest.mark.parametrize("name", ["a b", "a\nb", "$(x)", "a,b", "a|b", ""])
def test_a_name_that_no_job_can_bear_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a sweep and a preset named by letters, digits, _, - "):
        SubmitSettings(name=name, resources={})


@pytest.mark.parametrize("key", sorted({*TEXTS} - {"gpu_type"}))
def test_a_setting_is_one_word_to_the_shell_and_to_the_scheduler(
    slurm: FakeSlurm, store: Store, tmp_path: Path, key: str
) -> None:
    text: Any = {key: AWKWARD}
    asked = settings({"train": Resources(sbatch=(f"--mail-user={AWKWARD}",), **text)})
    submission = executor.submit(store, [TRAINING], asked)
    subprocess.run(["bash", "-c", submission.scripts[0]], cwd=tmp_path, check=True)
    (words,) = slurm.calls("sbatch")
    assert {f"--{key}={AWKWARD}", f"--mail-user={AWKWARD}"} <= set(words)
    assert not (tmp_path / "P").exists()


def test_an_answer_of_sbatch_that_is_no_number_is_told(slurm: FakeSlurm, store: Store) -> None:
    slurm.replace("sbatch", "echo usage: sbatch")
    with pytest.raises(SlurmError, match="expected the number of a job, found 'usage: sbatch'"):
        submit(store, TRAINING)
    assert store.state(TRAINING.address) == "planned"


def test_memory_is_rounded_up_since_none_would_mean_all_of_the_node(
    slurm: FakeSlurm, store: Store
) -> None:
    asked = settings({"train": Resources(memory_gb=0.0001)})
    assert "#SBATCH --mem=1M\n" in executor.submit(store, [TRAINING], asked).scripts[0]


@pytest.mark.parametrize(("time_min", "seconds"), [(1, 20), (16, 120), (40, 300), (1000, 300)])
def test_a_job_is_warned_an_eighth_of_its_time_before_its_end(time_min: int, seconds: int) -> None:
    assert warning_seconds(time_min) == seconds


# -------------------------------------------------------------------------------- the snapshot


def test_the_snapshot_holds_the_code_and_the_commit_and_is_made_once(tmp_path: Path) -> None:
    folder = snapshot(tmp_path)
    assert read_json(folder / "commit.json") == commit()
    for package in (iddpm, studies):
        top = Path(str(package.__file__)).parent
        for path in top.rglob("*.py"):
            copy = folder / top.name / path.relative_to(top)
            assert hashlib.sha256(copy.read_bytes()).digest() == (
                hashlib.sha256(path.read_bytes()).digest()
            )
    made = folder.stat().st_ino
    assert snapshot(tmp_path) == folder
    assert folder.stat().st_ino == made
    assert [path.name for path in (tmp_path / "code").iterdir()] == [folder.name]


def test_the_snapshot_is_named_by_its_content(tmp_path: Path) -> None:
    first = snapshot(tmp_path / "first")
    assert snapshot(tmp_path / "second", write=False).name == first.name
    assert not (tmp_path / "second").exists()

    def name_of_its_own() -> str:
        code = (
            "import sys, pathlib; from studies.execute.slurm.snapshot import snapshot; "
            "print(snapshot(pathlib.Path(sys.argv[1]), write=False).name)"
        )
        command = [sys.executable, "-P", "-B", "-c", code, str(tmp_path)]
        environment = os.environ | {"PYTHONPATH": str(first)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert name_of_its_own() == first.name
    with (first / "iddpm" / "ema.py").open("a") as file:
        file.write("# edited\n")
    assert name_of_its_own() != first.name


def edited(code: Path) -> None:
    with (code / "iddpm" / "ema.py").open("a") as file:
        file.write("# edited\n")


def compiled(code: Path) -> None:
    path = code / "iddpm/__pycache__/ema.cpython-312.pyc"
    path.parent.mkdir()
    path.touch()


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": edited,
    "removed": lambda code: (code / "studies" / "execute" / "worker.py").unlink(),
    "added": lambda code: (code / "numpy.py").touch(),
    "compiled": compiled,
    "renamed": lambda code: (code / "iddpm/networks/ema.py").rename(code / "iddpm/ama.py"),
    "linked": lambda code: (code / "torch").symlink_to(code / "iddpm"),
}


@pytest.mark.parametrize("change", slow_except(CHANGES, "edited"))
def test_a_job_does_not_run_code_that_was_changed_and_the_next_submission_makes_it_anew(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    recorded(store, mine=[TRAINING])
    submission = submit(store, TRAINING)
    (array,) = submission.arrays
    path = store.submissions.folder(array.name) / "script.sh"
    code = snapshot(store.root, write=False)
    CHANGES[change](code)
    done = subprocess.run(
        ["bash", str(path)],
        env=os.environ | {"SLURM_ARRAY_TASK_ID": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, slurm.calls("srun")) == (1, [])
    assert done.stdout == f"{code}: expected the code that was submitted, found it changed\n"
    slurm.end(array.name, 0, "FAILED")
    assert status.main(["mine", "--store", str(store.root)]) == 0
    words = "its job found the copy of the code changed that it was to run; the next run makes"
    assert f"{TRAINING.address}  lost  {words}" in capsys.readouterr().out
    assert submit(store, TRAINING).states == {"new": 1}
    failure = store.attempt_failure(TRAINING.address, 1)
    assert failure is not None
    assert (failure.error, failure.final) == ("lost", False)
    assert failure.message.startswith(words)
    subprocess.run(["bash", str(path)], check=True)
    assert len(slurm.calls("srun")) == 1
    assert list((store.root / "code").iterdir()) == [code]


# ---------------------------------------------------------------------------- what is submitted


def test_a_second_submission_submits_nothing(slurm: FakeSlurm, store: Store) -> None:
    tasks = tiny.study()
    first = submit(store, *tasks)
    assert first.states == {"new": len(tasks)}
    before = slurm.rows()
    assert queued(store, slurm) == sorted(task.address for task in tasks)
    second = submit(store, *tasks)
    assert second.states == {"queued": len(tasks)}
    assert second.arrays == ()
    assert slurm.rows() == before
    assert len(slurm.calls("sbatch")) == len(first.arrays)


def test_a_job_that_was_queued_and_left_no_trace_is_blamed_on_its_task(
    slurm: FakeSlurm, store: Store
) -> None:
    (array,) = submit(store, TRAINING).arrays
    slurm.end(array.name, 0)
    assert submit(store, TRAINING).states == {"new": 1}
    (end,) = (store.attempt_failure(TRAINING.address, n) for n in store.attempts(TRAINING.address))
    assert end is not None
    assert (end.error, end.final) == ("lost", False)


def test_what_is_new_waits_for_what_an_earlier_submission_queued(
    slurm: FakeSlurm, store: Store
) -> None:
    submit(store, TRAINING)
    (array_id,) = {row["array_id"] for row in slurm.rows()}
    submission = submit(store, TRAINING, BOUND)
    assert submission.states == {"queued": 1, "new": 1}
    assert f"--dependency=afterok:{array_id}_0\n" in submission.scripts[0]


def test_every_array_waits_by_the_number_that_sbatch_gave(slurm: FakeSlurm, store: Store) -> None:
    submission = submit(store, *tiny.study())
    numbers = {row["name"]: row["array_id"] for row in slurm.rows()}
    for array, text in zip(submission.arrays, submission.scripts, strict=True):
        told = re.findall(r"^#SBATCH --dependency=(.*)$", text, re.MULTILINE)
        words = {word for part in told for word in re.split("[,:]", part)} - {"afterok"}
        wanted = {
            numbers[d.array] + ("" if d.index is None else f"_{d.index}") for d in array.after
        }
        assert words - {"aftercorr", "afterany"} == wanted


def test_what_needs_a_failed_task_is_not_submitted(slurm: FakeSlurm, store: Store) -> None:
    fail(store, TRAINING, BROKEN)
    submission = submit(store, TRAINING, BOUND)
    assert submission.states == {"failed": 1, "waiting": 1}
    assert slurm.calls("sbatch") == []


def test_what_another_run_is_at_is_not_submitted(slurm: FakeSlurm, store: Store) -> None:
    store.create(TRAINING)
    assert store.claim(TRAINING.address)
    assert submit(store, TRAINING, BOUND).states == {"elsewhere": 1, "waiting": 1}
    assert slurm.rows() == []


def test_sbatch_refusing_the_second_array_leaves_nothing_recorded_for_it(
    slurm: FakeSlurm, store: Store
) -> None:
    slurm.refuse("sbatch", "sbatch: error: no more", after=1)
    with pytest.raises(SlurmError, match="no more"):
        submit(store, TRAINING, BOUND)
    assert store.state(TRAINING.address) == "submitted"
    assert store.state(BOUND.address) == "planned"
    assert store.submissions.element(BOUND.address) is None
    slurm.obey("sbatch")
    assert submit(store, TRAINING, BOUND).states == {"queued": 1, "new": 1}
    assert queued(store, slurm) == sorted([TRAINING.address, BOUND.address])


@pytest.mark.parametrize(
    ("shell", "states"),
    [("kill -9 $PPID", {"new": 1, "queued": 1}), ("OBEY; kill -9 $PPID", {"queued": 2})],
)
def test_a_submitter_killed_before_or_after_the_scheduler_took_an_array_leaves_nothing_twice(
    slurm: FakeSlurm, store: Store, shell: str, states: dict[str, int]
) -> None:
    other = training(seed=1)
    submit(store, other)
    answers = (slurm.bin / "sbatch").read_text()
    slurm.replace("sbatch", shell)
    process = get_context("fork").Process(target=submit, args=(store, other, TRAINING))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert store.state(TRAINING.address) == "submitted"
    (slurm.bin / "sbatch").write_text(answers)
    assert submit(store, other, TRAINING).states == states
    assert queued(store, slurm) == sorted([other.address, TRAINING.address])
    assert store.attempts(TRAINING.address) == [], "nobody is to blame for a killed submitter"


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("OBEY > /dev/null; echo Socket timed out >&2; exit 1", "Socket timed out"),
        ("OBEY > /dev/null; exec sleep 60", "expected an answer within"),
    ],
)
def test_what_the_scheduler_took_without_an_answer_is_not_submitted_again(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch, shell: str, words: str
) -> None:
    answers = (slurm.bin / "sbatch").read_text()
    slurm.replace("sbatch", shell)
    with monkeypatch.context() as patch:
        patch.setattr(queue, "CLIENT_SECONDS", 5)
        with pytest.raises(SlurmError, match=words):
            submit(store, TRAINING)
    (slurm.bin / "sbatch").write_text(answers)
    assert submit(store, TRAINING).states == {"queued": 1}
    assert queued(store, slurm) == [TRAINING.address]


def test_while_nobody_knows_what_the_scheduler_took_the_record_stays(
    slurm: FakeSlurm, store: Store
) -> None:
    slurm.refuse("sbatch", "no controller")
    slurm.refuse("squeue", "no controller")
    with pytest.raises(SlurmError, match="sbatch: no controller"):
        submit(store, TRAINING)
    assert store.state(TRAINING.address) == "submitted"
    slurm.obey("sbatch")
    slurm.obey("squeue")
    assert submit(store, TRAINING).states == {"new": 1}


def test_a_script_that_cannot_be_written_leaves_nothing_recorded(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    (store.submissions.folder("train.study.00000000-0") / "script.sh").mkdir(parents=True)
    store.root.joinpath("store.json").write_text('{"format": 1}')
    with pytest.raises(StorageError, match=r"script\.sh"):
        submit(store, TRAINING)
    assert store.state(TRAINING.address) == "planned"
    assert slurm.calls("sbatch") == []


def test_hopeless_dependents_are_cancelled_and_replaced_once_the_parent_is_done(
    slurm: FakeSlurm, store: Store
) -> None:
    first = submit(store, TRAINING, BOUND)
    training, bound = (array.name for array in first.arrays)
    slurm.end(training, 0, "FAILED")
    slurm.set(bound, 0, reason=NEVER)
    hopeless = [f"{row['array_id']}_{row['index']}" for row in slurm.rows()]
    publish(store, TRAINING)  # by another run
    second = submit(store, TRAINING, BOUND)
    assert slurm.calls("scancel") == [["--quiet", *hopeless]]
    assert second.states == {"done": 1, "new": 1}
    assert queued(store, slurm) == [BOUND.address]
    assert store.attempts(BOUND.address) == [], "nobody is to blame for a job that was replaced"


def test_hopeless_dependents_of_a_failed_task_are_cancelled_and_wait(
    slurm: FakeSlurm, store: Store
) -> None:
    first = submit(store, TRAINING, BOUND)
    slurm.end(first.arrays[0].name, 0, "FAILED")
    fail(store, TRAINING, BROKEN)
    slurm.set(first.arrays[1].name, 0, reason=NEVER)
    assert submit(store, TRAINING, BOUND).states == {"failed": 1, "waiting": 1}
    assert slurm.rows() == []
    assert store.state(BOUND.address) == "planned"


def test_a_submitted_task_can_be_done_by_another_run_on_the_same_store(
    slurm: FakeSlurm, store: Store
) -> None:
    submit(store, TRAINING)
    run_task(str(store.root), TRAINING.address)
    assert store.state(TRAINING.address) == "done"
    assert submit(store, TRAINING).states == {"done": 1}


def test_a_submission_is_not_written_while_somebody_decides_whose_the_task_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(TRAINING)
    record = store.folder(TRAINING.address) / "submission.json"
    array = {0: [TRAINING.address]}
    thread = threading.Thread(target=store.submissions.record, args=("array", array))
    asked, flock = threading.Event(), fcntl.flock

    def asking(file: IO[str], kind: int) -> None:
        asked.set()
        flock(file, kind)

    with locked(store.folder(TRAINING.address)):
        monkeypatch.setattr(fcntl, "flock", asking)
        thread.start()
        asked.wait()
        assert not record.exists()
    thread.join()
    assert store.state(TRAINING.address) == "submitted"


def test_a_tasks_state_is_the_first_that_holds_of_done_running_failed_submitted_planned(
    store: Store,
) -> None:
    address = TRAINING.address
    store.create(TRAINING)
    assert store.state(address) == "planned"
    store.submissions.record("array", {0: [address]})
    assert store.state(address) == "submitted"
    fail(store, TRAINING, BROKEN)
    assert store.state(address) == "failed"
    store.clear_failure(address)
    assert store.state(address) == "submitted"
    claim = store.claim(address)
    assert claim is not None
    assert store.state(address) == "running"
    store.fail(claim, BROKEN)
    store.clear_failure(address)
    publish(store, TRAINING)
    assert store.state(address) == "done"


# ------------------------------------------------------------------------------------- limits


def test_more_gpu_hours_than_allowed_are_refused_and_nothing_is_submitted(
    slurm: FakeSlurm, store: Store
) -> None:
    publish(store, training(seed=7), seconds=1800.0, device="NVIDIA A100", ranks=4)
    publish(store, training(seed=8), seconds=36.0, device="NVIDIA A100", ranks=8)
    asked = {"train": Resources(gpus=2, gpu_type="a100", nodes=2, time_min=1)}
    with pytest.raises(ConfigError) as error:
        executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=1.9))
    assert str(error.value) == (
        "--max-gpu-hours: expected at most 1.9 GPU-hours, found 2; nothing was submitted. "
        "--dry-run shows where they go"
    )
    assert slurm.calls("sbatch") == []
    assert executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=2.0)).arrays


@pytest.mark.parametrize("time_min", [1, 600])
def test_a_budget_is_held_against_a_guess_and_never_against_a_time_limit(
    slurm: FakeSlurm, store: Store, time_min: int
) -> None:
    """Ten seconds to begin, of four GPUs; what so small a network computes is next to nothing."""
    asked = {"train": Resources(gpus=2, nodes=2, time_min=time_min)}
    with pytest.raises(ConfigError) as error:
        executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=0.011))
    assert "found 0.0111, of which 0.0111 are a guess; nothing was submitted" in str(error.value)
    assert slurm.calls("sbatch") == []
    assert executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=0.012)).arrays


def test_a_budget_counts_what_is_queued_already(slurm: FakeSlurm, store: Store) -> None:
    asked = settings({"train": Resources(gpus=1, gpu_type="a100")}, max_gpu_hours=2.5)
    publish(store, training(seed=7), seconds=3600.0, device="NVIDIA A100")
    trainings = [training(seed=seed) for seed in range(3)]
    for count in (1, 2):
        assert executor.submit(store, trainings[:count], asked).arrays
    with pytest.raises(ConfigError, match="found 3 with 2 that are queued or running;"):
        executor.submit(store, trainings, asked)
    assert len(slurm.rows()) == 2


def test_what_is_refused_leaves_the_failures_that_were_to_be_tried_again(
    slurm: FakeSlurm, store: Store
) -> None:
    fail(store, TRAINING, Failure(error="oom", message="no memory"))
    asked = settings({"train": Resources(gpus=1)}, max_gpu_hours=0.001)
    with pytest.raises(ConfigError, match=r"found 0\.00278, of which 0\.00278 are a guess"):
        executor.submit(store, [TRAINING], asked, retry=["oom"])
    assert store.state(TRAINING.address) == "failed"


def test_what_would_be_tried_again_is_shown_before_it_is(slurm: FakeSlurm, store: Store) -> None:
    fail(store, TRAINING, Failure(error="oom", message="no memory"))
    tasks = [TRAINING, BOUND]
    assert executor.preview(store, tasks, settings()).states == {"failed": 1, "waiting": 1}
    assert executor.preview(store, tasks, settings(), retry=["oom"]).states == {"new": 2}
    assert store.state(TRAINING.address) == "failed"


@pytest.mark.parametrize("reason", [NEVER, "PartitionTimeLimit"])
def test_what_can_never_start_is_replaced(slurm: FakeSlurm, store: Store, reason: str) -> None:
    (array,) = submit(store, TRAINING).arrays
    slurm.set(array.name, 0, reason=reason)
    asked = settings({"train": Resources(partition="other")})
    assert executor.preview(store, [TRAINING], asked).states == {"new": 1}
    assert executor.submit(store, [TRAINING], asked).states == {"new": 1}
    (job,) = slurm.rows()
    assert job["name"] != array.name


WIDE = """\
when:
  - if: {train.objective: hybrid}
    resources: {train: {gpus: 2, cpus: 3}, sample: {cpus: 5}, likelihood: {cpus: 7}}
resources: {train: {cpus: 2, time_min: 9}}
"""


def test_a_condition_of_the_preset_asks_for_a_training_and_what_its_network_does(
    slurm: FakeSlurm, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = sweep.parent / "presets" / "tiny.yaml"
    preset.write_text(PRESET.replace("  batch_size:", "  block_size: 2\n  batch_size:") + WIDE)
    asked: dict[str, set[tuple[str, ...]]] = {}
    for more in ((), ("--resource", "cpus=4")):
        assert call(sweep, "--dry-run", "--verbose", *more) == 0
        for script in capsys.readouterr().out.split("#!/bin/bash")[1:]:
            found = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))
            kind = found["job-name"].partition(".")[0]
            words = ("cpus-per-task", "gpus-per-node", "time")
            asked.setdefault(" ".join([kind, *more[1:]]), set()).add(
                tuple(found.get(word, "") for word in words)
            )
    assert asked["train"] == {("2", "", "9"), ("3", "2", "9")}
    assert asked["sample"] == {("1", "", "60"), ("5", "", "60")}
    assert asked["features"] == {("1", "", "60")}
    assert asked["train cpus=4"] == {("4", "", "9"), ("4", "2", "9")}
    assert asked["sample cpus=4"] == {("4", "", "60")}


def test_no_variable_of_the_user_overrules_a_script_or_hides_a_job(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_STATES", "RUNNING")
    slurm.replace("squeue", "test -z $SQUEUE_STATES && OBEY")
    submission = submit(store, TRAINING)
    (words,) = slurm.calls("sbatch")
    written = re.findall(r"^#SBATCH (.*)$", submission.scripts[0], re.MULTILINE)
    assert words[1:-1] == [shlex.split(line)[0] for line in written]
    assert submit(store, TRAINING).states == {"queued": 1}
    assert all("--all" in asked for asked in slurm.calls("squeue"))


@pytest.mark.parametrize("waits", [True, False])
def test_what_continues_a_replaced_training_is_replaced_with_it_if_its_job_waits_for_it(
    slurm: FakeSlurm, store: Store, waits: bool
) -> None:
    trainings = list(chained(training(steps=steps) for steps in (5, 9, 13)).values())
    tasks = [*trainings, tiny.likelihood(trainings[-1])]
    arrays = submit(store, *tasks).arrays
    slurm.set(arrays[0].name, 0, reason="PartitionTimeLimit")
    for array in arrays[1:]:
        slurm.set(array.name, 0, reason="Dependency" if waits else "Priority")
    assert executor.preview(store, tasks, settings()).states["new"] == (4 if waits else 1)
    submission = submit(store, *tasks)
    assert submission.states["new"] == (4 if waits else 1)
    assert submission.states["queued"] == (0 if waits else 3)


def test_hours_are_the_measured_ones_or_a_guess(slurm: FakeSlurm, store: Store) -> None:
    publish(store, training(seed=7), seconds=36.0, device="NVIDIA A100", ranks=2)
    tasks = [*(training(seed=seed) for seed in range(10)), BOUND]
    asked = {"train": Resources(gpus=2, gpu_type="a100"), "likelihood": Resources(time_min=90)}
    submission = executor.submit(store, tasks, settings(asked))
    train, bound = submission.hours["train"], submission.hours["likelihood"]
    assert (train.tasks, train.guessed) == (9, 0)
    assert (train.hours, train.gpu_hours) == pytest.approx((0.09, 0.18))
    work = guess(BOUND, {TRAINING.address: TRAINING}.__getitem__, gpu=None)
    assert 0 < work < 1
    guessed = (10 + work) / 3600  # a job takes ten seconds to begin
    assert (bound.tasks, bound.guessed, bound.hours, bound.gpu_hours) == (1, 1, guessed, 0)
    assert submission.longest_chain_hours == pytest.approx(0.01 + guessed)
    assert [len(array.elements) for array in submission.arrays] == [1, 1]


@pytest.mark.parametrize("door", [executor.submit, executor.preview])
def test_a_batch_that_cannot_be_shared_out_is_refused_and_nothing_is_submitted(
    slurm: FakeSlurm, store: Store, door: Callable[[Store, list[Task], SubmitSettings], Submission]
) -> None:
    asked = settings({"train": Resources(gpus=3)})
    with pytest.raises(ConfigError, match="to share among 3 processes, found 8 of 1 images"):
        door(store, [TRAINING], asked)
    assert slurm.calls("sbatch") == []


# ------------------------------------------------------------------------------------ the doors


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return write_sweep(tmp_path, SWEEP, PRESET)


def call(sweep: Path, *options: str) -> int:
    store = str(sweep.parent / "store")
    return run.main([str(sweep), "--store", store, "--executor", "slurm", *options])


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
            "--resource: expected --executor slurm with it, found inline",
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


# ----------------------------------------------------------------------------------- cancelling


def recorded(store: Store, **tasks: list[Task]) -> None:
    for study, needed in tasks.items():
        store.record_study(study, {"tasks": [task.address for task in needed]})


def cancelled(store: Store, study: str) -> int:
    return cancel.main([study, "--store", str(store.root)])


def test_cancel_takes_what_only_this_study_needs(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    others = training(seed=1)
    recorded(store, mine=[TRAINING, BOUND], theirs=[TRAINING, others])
    submit(store, TRAINING, BOUND, others)
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == sorted([TRAINING.address, others.address])
    assert store.state(BOUND.address) == "planned"
    assert "mine: 1 jobs cancelled" in capsys.readouterr().out
    assert submit(store, TRAINING, BOUND).states == {"queued": 1, "new": 1}
    assert store.attempts(BOUND.address) == []


def packed(store: Store) -> tuple[Task, Task]:
    """Two trainings in one job, one of which another study needs."""
    publish(store, training(seed=7))
    mine, theirs = training(seed=1), training(seed=2)
    recorded(store, mine=[mine], theirs=[theirs])
    (array,) = submit(store, mine, theirs).arrays
    assert array.elements == {0: (mine.address, theirs.address)}
    return mine, theirs


def test_cancel_leaves_a_packed_job_that_others_need(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs = packed(store)
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == sorted([mine.address, theirs.address])
    assert store.state(mine.address) == "submitted"
    assert "1 jobs go on: other studies need some of their tasks." in capsys.readouterr().out


@pytest.mark.parametrize("end", [publish, lambda store, task: fail(store, task, BROKEN)])
def test_cancel_takes_a_packed_job_once_what_others_need_of_it_has_ended(
    slurm: FakeSlurm, store: Store, end: Callable[[Store, Task], None]
) -> None:
    _, theirs = packed(store)
    end(store, theirs)
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == []


@pytest.mark.parametrize("pack", [True, False])
def test_cancel_leaves_a_job_that_the_jobs_of_others_wait_for(
    slurm: FakeSlurm, store: Store, pack: bool
) -> None:
    mine, theirs = packed(store)
    bounds = tiny.likelihood(mine), tiny.likelihood(theirs)
    if pack:
        publish(store, tiny.likelihood(training(seed=7)))
    recorded(store, mine=[mine, bounds[0]], theirs=[theirs, bounds[1]])
    submit(store, mine, theirs, *bounds)
    publish(store, theirs)
    assert cancelled(store, "mine") == 0
    kept = {mine.address, theirs.address, bounds[1].address}
    assert set(queued(store, slurm)) == kept | ({bounds[0].address} if pack else set())


def test_cancel_leaves_a_training_that_a_longer_one_of_another_study_waits_for(
    slurm: FakeSlurm, store: Store
) -> None:
    short, long = chained(training(steps=steps) for steps in (5, 9)).values()
    recorded(store, mine=[short], theirs=[long])
    submit(store, short, long)
    assert cancelled(store, "mine") == 0
    assert set(queued(store, slurm)) == {short.address, long.address}
    assert cancelled(store, "theirs") == 0
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == []


def test_jobs_of_a_longer_training_are_replaced_where_the_shorter_one_failed(
    slurm: FakeSlurm, store: Store
) -> None:
    short, long = chained(training(steps=steps) for steps in (5, 9)).values()
    first, second = submit(store, short, long).arrays
    fail(store, short, BROKEN)
    slurm.end(first.name, 0, "FAILED")
    slurm.set(second.name, 0, reason=NEVER)
    submission = submit(store, short, long)
    assert submission.states == {"failed": 1, "new": 1}
    assert [array.after for array in submission.arrays] == [()]


def test_cancel_takes_a_job_that_only_a_lost_job_of_the_same_study_waited_for(
    slurm: FakeSlurm, store: Store
) -> None:
    recorded(store, mine=[TRAINING, BOUND])
    bound = submit(store, TRAINING, BOUND).arrays[1].name
    slurm.end(bound, 0, "CANCELLED")
    assert cancelled(store, "mine") == 0
    assert slurm.rows() == []


def test_cancel_takes_no_job_of_another_user_and_says_whose_goes_on(
    slurm: FakeSlurm,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = training(seed=1)
    recorded(store, mine=[TRAINING, others])
    submit(store, TRAINING, others)
    (row,) = {row["name"] for row in slurm.rows()}
    slurm.set(row, 0, user="ada")
    slurm.set(row, 1, user="me")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    assert cancelled(store, "mine") == 0
    assert queued(store, slurm) == [TRAINING.address]
    assert [store.state(t.address) for t in (TRAINING, others)] == ["submitted", "planned"]
    told = capsys.readouterr().out
    assert "mine: 1 jobs cancelled" in told
    assert "What ada submitted goes on: they can cancel it in the same way." in told


def test_cancel_of_nothing_asks_the_scheduler_nothing(slurm: FakeSlurm, store: Store) -> None:
    recorded(store, mine=[TRAINING])
    assert cancelled(store, "mine") == 0
    assert slurm.calls("squeue") == slurm.calls("scancel") == []


def test_a_study_that_is_not_there_cannot_be_cancelled(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(store, mine=[])
    assert cancelled(store, "mien") == 2
    assert "no study 'mien'; did you mean 'mine'?" in capsys.readouterr().err


def test_what_scancel_refuses_stays_submitted(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(store, mine=[TRAINING])
    submit(store, TRAINING)
    slurm.refuse("scancel", "scancel: error: Access denied")
    assert cancelled(store, "mine") == 2
    assert capsys.readouterr().err == "error: scancel: scancel: error: Access denied\n"
    assert store.state(TRAINING.address) == "submitted"
