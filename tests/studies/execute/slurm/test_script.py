"""The script of an array, and the copy of the code that its jobs run."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import iddpm
import studies
from iddpm.bounds import ConfigError
from iddpm.running.files import read_json
from studies import preview, status
from studies.execute import slurm as executor
from studies.execute.slurm import SlurmError, SubmitSettings
from studies.execute.slurm.script import warning_seconds
from studies.execute.slurm.snapshot import snapshot
from studies.execute.worker import PASSED_ON
from studies.spec.resources import TEXTS, Resources
from studies.store.nodes import nodes_folder, note_loss
from studies.store.provenance import commit
from studies.store.store import Store
from studies.tasks.task import Task
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.marks import slow_except
from tests.witness.submitting import BOUND, TRAINING, recorded, settings, submit, training

GOLDEN = Path(__file__).parent / "golden"


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


def ran(text: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A script's end, as the first element of job 7, where no unset variable is let pass."""
    of_job = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0", "SLURMD_NODENAME": "node1"}
    return subprocess.run(
        ["bash", "-c", f"set -u; {text}"],
        cwd=folder,
        env=os.environ | of_job,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_script_starts_the_tasks_in_any_folder_with_the_snapshots_code(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    store = Store(tmp_path / "a store's")
    submission = submit(store, TRAINING)
    name, (text,) = submission.arrays[0].name, submission.scripts
    slurm.replace("srun", 'OBEY; echo "$PYTHONPATH"; pwd')
    assert ran(text).stdout.splitlines() == [
        str(snapshot(store.root, write=False)),
        str(store.submissions.folder(name)),
    ]
    job = [sys.executable, "-P", "-m", "studies.execute.slurm.job", str(store.root), name]
    together = ("--kill-on-bad-exit=1", "--export=ALL", "--cpus-per-task=1")
    log = "%A_%a_%t_log.out"
    assert slurm.calls("srun") == [["--unbuffered", "--output", log, *together, *job]]


def test_a_job_of_tasks_side_by_side_asks_for_each_and_lets_none_end_the_others(
    slurm: FakeSlurm, store: Store
) -> None:
    each = Resources(side_by_side=4, gpus=1, gpu_type="a100", memory_gb=1.5, cpus=3)
    seeds = [training(seed=seed) for seed in range(4)]
    submission = executor.submit(store, seeds, settings({"train": each}))
    (text,) = submission.scripts
    asked = dict(re.findall("#SBATCH --([a-z-]+)=(.*)", text))
    assert asked["array"] == "0"
    assert (asked["gpus-per-node"], asked["ntasks-per-node"]) == ("a100:4", "4")
    assert (asked["mem"], asked["cpus-per-task"], asked["nodes"]) == ("6144M", "3", "1")
    ran(text)
    (words,) = slurm.calls("srun")
    assert {"--kill-on-bad-exit=0", "--wait=0", "--cpus-per-task=3"} <= set(words)
    assert words[-1] == "apart"


def lose_jobs(store: Store, node: str, good: str = "good") -> None:
    """A node loses two jobs, while another begins one."""
    for job in ("7_0", "7_1"):
        note_loss(store.root, node, job)
    folder = nodes_folder(store.root) / good
    folder.mkdir(exist_ok=True)
    (folder / "began").touch()


def test_a_node_that_lost_jobs_is_left_out_and_told_with_the_command_that_takes_it_back(
    slurm: FakeSlurm, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(store, mine=[TRAINING])
    lose_jobs(store, "node7")
    asked = settings({"train": Resources(exclude="node[1-3]")})
    submission = executor.submit(store, [TRAINING, BOUND], asked)
    excluded = [re.findall("#SBATCH --exclude=(.*)", text) for text in submission.scripts]
    assert excluded == [["'node[1-3],node7'"], ["node7"]]
    assert status.main(["mine", "--store", str(store.root)]) == 0
    told = capsys.readouterr().out
    assert "node7 is left out of what is submitted: 2 jobs ended there before they had" in told
    assert f"`rm -r {nodes_folder(store.root) / 'node7'}` takes it back" in told
    preview.print_submission(submission)
    assert "node7 is left out" in capsys.readouterr().out


def test_a_refusal_names_the_nodes_that_were_left_out(slurm: FakeSlurm, store: Store) -> None:
    lose_jobs(store, "node7")
    slurm.refuse("sbatch", "sbatch: error: Requested node configuration is not available")
    with pytest.raises(SlurmError, match=r"^node7 is left out of what is .*is not available; "):
        submit(store, TRAINING)


AWKWARD = 'it\'s 100%j `touch P` $(touch P) "$HOME" %%t & ; # é'


def test_nothing_in_a_path_means_anything_to_the_shell_or_the_scheduler(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    store = Store(tmp_path / AWKWARD)
    submission = submit(store, TRAINING)
    (array,), (text,) = submission.arrays, submission.scripts
    slurm.replace("srun", 'OBEY; echo "$PYTHONPATH"')
    told = ran(text, tmp_path)
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
    with (first / "iddpm/networks/ema.py").open("r+") as file:
        file.write("# edited\n")
    assert name_of_its_own() != first.name


def edited(code: Path) -> None:
    with (code / "iddpm/networks/ema.py").open("r+") as file:
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
