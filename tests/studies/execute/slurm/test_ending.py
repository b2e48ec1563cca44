"""How a script sees to the end of its job: again by itself, blamed on its node, or left alone."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from studies.execute.slurm.ending import MOST_LOSSES, MOST_PREEMPTIONS, watched
from tests.witness.fake_slurm import FakeSlurm, path_with

LOG = "7_3_0_log.out"
PREEMPTED = "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-01-02 DUE TO PREEMPTION ***"
OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0."
WITHIN_GRACE = "echo 'JobState=RUNNING PreemptTime=2026-01-02T03:04:05 ExcNodeList=(null)'"
ENDING = "echo 'JobState=COMPLETING PreemptTime=2026-01-02T03:04:05 ExcNodeList=(null)'"
PLAIN = "echo 'JobState=RUNNING PreemptTime=None ExcNodeList={excluded}'"
REQUEUE = ["requeue", "7_3"]


class Script:
    """The end of a script in a folder of logs, as element 3 of array 7 on node1.

    Args:
        folder: Of the logs.
        slurm: The scheduler.
    """

    def __init__(self, folder: Path, slurm: FakeSlurm) -> None:
        self.folder = folder
        self.nodes = folder / "nodes"
        self.slurm = slurm
        self.choosy = False
        self.told(PLAIN.format(excluded="(null)"))
        slurm.replace("sinfo", "OBEY; echo node1; echo node2")

    def told(self, job: str) -> None:
        """What scontrol says of the job."""
        hosts = 'for w in "$@"; do name=$w; done; echo "$name" | tr , "\\n"'
        cases = f'case "$*" in *"show job"*) {job};; *hostnames*) {hosts};; esac'
        self.slurm.replace("scontrol", f"OBEY > /dev/null; {cases}")

    def start(self, step: str, restart: int = 0) -> subprocess.Popen[bytes]:
        """The shell, of which `step` is what srun does."""
        of_job = {
            "SLURM_ARRAY_JOB_ID": "7",
            "SLURM_ARRAY_TASK_ID": "3",
            "SLURMD_NODENAME": "node1",
            "SLURM_JOB_PARTITION": "main",
            "SLURM_RESTART_COUNT": str(restart),
        }
        (self.folder / "step.sh").write_text(step)
        lines = watched("bash step.sh", self.nodes, choosy=self.choosy)
        with (self.folder / LOG).open("a") as log:
            return subprocess.Popen(
                ["bash", "-c", "\n".join(["set -u", *lines])],
                cwd=self.folder,
                env=os.environ | of_job | {"PATH": path_with(self.slurm)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, step: str, restart: int = 0) -> int:
        """Its exit status."""
        return self.start(step, restart).wait(timeout=60)

    def asked(self) -> list[list[str]]:
        """What the scheduler was asked to do."""
        calls = self.slurm.calls("scontrol")
        return [words for words in calls if words[0] in ("requeue", "update")]

    def losses(self) -> list[str]:
        return sorted(str(path.relative_to(self.nodes)) for path in self.nodes.glob("*/lost.*"))


@pytest.fixture
def script(tmp_path: Path, slurm: FakeSlurm) -> Script:
    return Script(tmp_path, slurm)


BEGINS = 'touch "$STUDIES_BEGAN"; '
UNTIL_ENDED = "while [ ! -e ended ]; do sleep 0.05; done"


def test_a_job_that_ends_well_asks_nothing_and_vouches_for_its_node(script: Script) -> None:
    assert script.run(BEGINS) == 0
    assert script.slurm.calls("scontrol") == []
    assert [path.name for path in script.nodes.glob("*/*")] == ["began"]


def test_a_job_that_fails_after_it_began_is_left_to_the_next_run(script: Script) -> None:
    assert script.run(BEGINS + "exit 9") == 9
    assert (script.asked(), script.losses()) == ([], [])


def test_a_job_that_saved_and_left_within_its_grace_is_queued_again(script: Script) -> None:
    script.told(WITHIN_GRACE)
    assert script.run(BEGINS + "exit 75") == 75
    assert (script.asked(), script.losses()) == ([REQUEUE], [])


@pytest.mark.parametrize(
    ("job", "words", "again"),
    [
        (ENDING, PREEMPTED, True),
        (ENDING, "CANCELLED AT 2026-01-02", False),  # by a person, in its time of grace
        (PLAIN.format(excluded=""), "CANCELLED AT 2026-01-02 DUE TO TIME LIMIT", False),
    ],
)
@pytest.mark.parametrize("begins", [BEGINS, ""])
def test_a_job_that_is_ended_by_force_is_queued_again_if_it_is_for_another(
    script: Script, job: str, words: str, again: bool, begins: str
) -> None:
    script.told(job)
    shell = script.start(f"{begins} echo up; echo '{words}'; {UNTIL_ENDED}")
    while "up" not in (script.folder / LOG).read_text():
        time.sleep(0.05)
    shell.send_signal(signal.SIGTERM)
    (script.folder / "ended").touch()
    shell.wait(timeout=60)
    assert script.asked() == [REQUEUE] * again
    assert script.losses() == []


def test_words_of_an_earlier_start_mean_nothing(script: Script) -> None:
    (script.folder / LOG).write_text(f"{PREEMPTED}\n{OOM}\n")
    assert script.run(BEGINS + "exit 9") == 9
    assert script.asked() == []
    script.run("exit 9")
    assert len(script.losses()) == 1


def test_a_job_is_queued_again_only_so_often(script: Script) -> None:
    noted = script.folder / "preempted.3"
    noted.write_text("1\n" * (MOST_PREEMPTIONS - 1))
    script.told(WITHIN_GRACE)
    script.run(BEGINS + "exit 75")
    assert script.asked() == [REQUEUE]
    script.run(BEGINS + "exit 75")
    assert script.asked() == [REQUEUE]


def test_a_job_that_was_lost_before_it_began_goes_on_elsewhere_and_twice_at_most(
    script: Script,
) -> None:
    elsewhere = ["update", "JobId=7_3", "ExcNodeList=node1"]
    for start in range(MOST_LOSSES + 1):
        assert script.run("exit 1", restart=start) == 1
    assert script.asked() == [REQUEUE, elsewhere] * MOST_LOSSES
    assert script.losses() == [f"node1/lost.7_3.{start}" for start in range(3)]
    assert "lost on node1 before it had begun" in (script.folder / LOG).read_text()


@pytest.mark.parametrize(
    ("excluded", "becomes"), [("node7", ["ExcNodeList=node7,node1"]), ("node2", [])]
)
def test_a_job_stays_away_from_what_it_was_told_as_long_as_a_node_is_left(
    script: Script, excluded: str, becomes: list[str]
) -> None:
    script.told(PLAIN.format(excluded=excluded))
    script.run("exit 1")
    assert [words[-1] for words in script.asked() if words[0] == "update"] == becomes


def test_the_signal_that_comes_of_queueing_again_does_not_keep_a_job_on_its_bad_node(
    script: Script,
) -> None:
    cases = (
        "requeue) OBEY; sleep 0.2; kill -TERM 0;;",  # all that runs for the job
        "update) sleep 0.2; OBEY;;",
        'show) echo "$3";;',
    )
    script.slurm.replace("scontrol", f'case "$1" in {" ".join(cases)} esac')
    assert script.run("exit 1") == 1
    assert script.asked()[-1] == ["update", "JobId=7_3", "ExcNodeList=node1"]


@pytest.mark.parametrize("step", [f"echo '{OOM}'; exit 137", "exit 143", "exit 0"])
def test_a_node_is_not_blamed_for(script: Script, step: str) -> None:
    script.run(step)
    assert (script.asked(), script.losses()) == ([], [])


def test_of_several_nodes_the_first_that_lost_a_process_is_blamed(script: Script) -> None:
    ended = "srun: error: node2: task 1: Exited with exit code 1"
    script.run(f"echo '{ended}'; echo 'srun: error: node1: task 0: Terminated'; exit 1")
    assert script.losses() == ["node2/lost.7_3.0"]
    assert script.asked()[-1] == ["update", "JobId=7_3", "ExcNodeList=node2"]


@pytest.mark.parametrize(("status", "becomes"), [(137, 0), (1, 1), (75, 75)])
def test_where_a_task_was_done_beside_it_the_death_of_a_process_fails_no_job(
    script: Script, status: int, becomes: int
) -> None:
    assert script.run(f"{BEGINS} touch done.3; exit {status}") == becomes
    (script.folder / "done.3").unlink()
    assert script.run(f"{BEGINS} exit {status}") == status


def test_where_a_task_has_ended_for_several_processes_others_begin_with_what_is_left(
    script: Script,
) -> None:
    (script.folder / "again.3").touch()  # of an earlier start, which was killed
    often = "echo x >> started; [ $(cat started | wc -l) = 3 ] || {{ touch again.3; exit 70; }}; {}"
    assert script.run(BEGINS + often.format("exit 5")) == 5
    assert (script.folder / "started").read_text() == "x\n" * 3
    assert not (script.folder / "again.3").exists()
    assert (script.asked(), script.losses()) == ([], [])


def test_no_others_begin_in_a_job_that_is_told_to_end(script: Script) -> None:
    script.told(PLAIN.format(excluded=""))
    shell = script.start(f"{BEGINS} touch again.3; echo up; {UNTIL_ENDED}; exit 70")
    while "up" not in (script.folder / LOG).read_text():
        time.sleep(0.05)
    shell.send_signal(signal.SIGTERM)
    (script.folder / "ended").touch()
    assert shell.wait(timeout=60) == 143
    assert (script.folder / LOG).read_text().count("up") == 1


def test_what_cannot_be_counted_is_not_queued_again(script: Script) -> None:
    """Else a full disk would send every job round without an end."""
    (script.folder / "lost.3").mkdir()
    (script.folder / "preempted.3").mkdir()
    for _ in range(2):
        assert script.run("exit 9") == 9
    script.told(WITHIN_GRACE)
    assert script.run(BEGINS + "exit 75") == 75
    assert script.asked() == []


def test_a_second_signal_counts_as_the_same_preemption(script: Script) -> None:
    script.told(ENDING)
    shell = script.start(f"{BEGINS} echo up; echo '{PREEMPTED}'; {UNTIL_ENDED}")
    while "up" not in (script.folder / LOG).read_text():
        time.sleep(0.05)
    for _ in range(2):
        shell.send_signal(signal.SIGTERM)
        while not script.asked():
            time.sleep(0.05)
    (script.folder / "ended").touch()
    shell.wait(timeout=60)
    assert script.asked() == [REQUEUE]
    assert (script.folder / "preempted.3").read_text().count("\n") == 1


def test_a_job_that_not_every_node_can_do_may_come_back_to_its_own(script: Script) -> None:
    script.choosy = True
    script.run("exit 9")
    assert script.asked() == [REQUEUE]
    assert len(script.losses()) == 1
