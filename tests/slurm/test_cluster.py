"""The cluster behaves like the SLURM that our executor is written for."""

import os
import re
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, require_programs
from tests.cluster.daemons import ClusterError, wait_until
from tests.cluster.layout import FOLDER, NODES, PORT

pytestmark = pytest.mark.slurm

RUN_SECONDS = 30.0
"""Within this time a short job has run: it starts in one or two seconds on an idle machine."""

REQUEUE_SECONDS = 20.0
"""Within this time a requeued job runs again: its credential expires after five seconds."""

PREEMPT_SECONDS = 75.0
"""Within this time a preempted job runs again: SLURM looks at grace times every 30 seconds."""

DEATH_SECONDS = 60.0
"""Within this time SLURM notices that a node is dead."""


def submit(cluster: Cluster, script: str, *options: str) -> str:
    """The id of a new job that runs a line of shell."""
    batch = ("sbatch", "--parsable", "--output=/dev/null", f"--wrap={script}")
    return cluster.ask(*batch, *options)


def field(cluster: Cluster, job: str, name: str) -> str:
    """A field of a job, as the controller knows it; the first one's in an array."""
    found = re.search(rf"\b{name}=(\S+)", cluster.ask("scontrol", "show", "job", job))
    assert found is not None
    return found[1]


def wait_for_state(cluster: Cluster, job: str, state: str, seconds: float = RUN_SECONDS) -> None:
    wait_until(
        lambda: field(cluster, job, "JobState") == state, seconds, f"job {job} to be {state}"
    )


def wait_for_lines(path: Path, count: int, seconds: float = RUN_SECONDS) -> list[str]:
    """What jobs have written, once it is so many lines."""
    wait_until(lambda: len(_lines(path)) >= count, seconds, f"{count} lines in {path}")
    return _lines(path)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("node", NODES)
def test_a_job_runs_on_each_node(cluster: Cluster, tmp_path: Path, node: str) -> None:
    script = f"echo $SLURMD_NODENAME >> {tmp_path}/seen"
    job = submit(cluster, script, f"--nodelist={node}")
    wait_for_state(cluster, job, "COMPLETED")
    assert wait_for_lines(tmp_path / "seen", 1) == [node]


def test_each_element_waits_for_its_own_parent(cluster: Cluster, tmp_path: Path) -> None:
    work = (
        f"sleep $((1 + 7 * SLURM_ARRAY_TASK_ID)); date +%s.%N >> {tmp_path}/end$SLURM_ARRAY_TASK_ID"
    )
    follow = f"date +%s.%N >> {tmp_path}/begin$SLURM_ARRAY_TASK_ID"
    parents = submit(cluster, work, "--array=0-1")
    submit(cluster, follow, "--array=0-1", f"--dependency=aftercorr:{parents}")
    ends, begins = (
        [float(wait_for_lines(tmp_path / f"{name}{n}", 1)[0]) for n in range(2)]
        for name in ("end", "begin")
    )
    assert ends[0] < begins[0] < ends[1] < begins[1]


def test_each_task_sees_its_own_gpu(cluster: Cluster) -> None:
    step = ("srun", "--nodes=1", "--ntasks=2", "--gpus-per-task=1", "--gpu-bind=single:1")
    seen = cluster.ask(*step, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    assert sorted(seen.split()) == ["0", "1"]


def test_a_step_spans_both_nodes(cluster: Cluster) -> None:
    step = ("srun", "--nodes=2", "--ntasks=2", "--gres=gpu:1")
    seen = cluster.ask(*step, "sh", "-c", "echo $SLURMD_NODENAME $SLURM_NTASKS")
    assert sorted(seen.splitlines()) == ["node1 2", "node2 2"]


@pytest.mark.parametrize(
    ("script", "told"), [("exit 0", "COMPLETED|0:0"), ("exit 7", "FAILED|7:0")]
)
def test_sacct_shows_a_finished_job(cluster: Cluster, script: str, told: str) -> None:
    job = submit(cluster, script)
    query = ("sacct", "-X", "--noheader", "--parsable2", f"--jobs={job}", "-o", "state,exitcode")
    wait_until(lambda: cluster.ask(*query) == told, RUN_SECONDS, f"sacct to say {told}")


def test_a_job_over_its_memory_is_killed(cluster: Cluster) -> None:
    greedy = "python3 -c 'import time; x = bytearray(300 << 20); time.sleep(60)'"
    job = submit(cluster, greedy, "--mem=100")
    wait_for_state(cluster, job, "FAILED")


def test_a_requeued_job_runs_again(cluster: Cluster, tmp_path: Path) -> None:
    job = submit(cluster, f"echo $SLURM_JOB_ID >> {tmp_path}/starts; sleep 60")
    wait_for_lines(tmp_path / "starts", 1)
    cluster.ask("scontrol", "requeue", job)
    assert wait_for_lines(tmp_path / "starts", 2, REQUEUE_SECONDS) == [job, job]


def test_low_yields_to_high_and_runs_again(cluster: Cluster, tmp_path: Path) -> None:
    whole = ("--nodes=2", "--exclusive")
    low = submit(cluster, f"echo low >> {tmp_path}/starts; sleep 60", "--partition=low", *whole)
    wait_for_lines(tmp_path / "starts", 1)
    submit(cluster, f"echo high >> {tmp_path}/starts", "--partition=high", *whole)
    starts = wait_for_lines(tmp_path / "starts", 3, PREEMPT_SECONDS)
    assert starts == ["low", "high", "low"]
    assert field(cluster, low, "Restarts") == "1"


def test_a_dead_node_is_noticed_and_comes_back(cluster: Cluster, tmp_path: Path) -> None:
    script = f"echo $SLURM_JOB_ID >> {tmp_path}/starts; sleep 60"
    lost = submit(cluster, script, "--nodelist=node1", "--no-requeue")
    moved = submit(cluster, script, "--nodelist=node1")
    wait_for_lines(tmp_path / "starts", 2)
    cluster.stop_slurmd("node1")
    try:
        wait_for_state(cluster, lost, "NODE_FAIL", DEATH_SECONDS)
        wait_for_state(cluster, moved, "PENDING", DEATH_SECONDS)
        assert cluster.node_state("node1") == "down*"
    finally:
        cluster.start_slurmd("node1")
    starts = wait_for_lines(tmp_path / "starts", 3, REQUEUE_SECONDS)
    assert starts[2] == moved


def test_a_dead_node_takes_its_jobs_with_it(cluster: Cluster, tmp_path: Path) -> None:
    script = f"(setsid sleep 60 &); touch {tmp_path}/on; sleep 60"
    submit(cluster, script, "--nodelist=node1", f"--job-name={tmp_path}")
    wait_until((tmp_path / "on").exists, RUN_SECONDS, "the job to start")
    assert mentions(f"SLURM_JOB_NAME={tmp_path}") != []
    cluster.stop_slurmd("node1")
    try:
        assert mentions(f"SLURM_JOB_NAME={tmp_path}") == []
    finally:
        cluster.start_slurmd("node1")


def test_the_queue_needs_no_accounting(cluster: Cluster, tmp_path: Path) -> None:
    cluster.stop_slurmdbd()
    try:
        job = submit(cluster, f"touch {tmp_path}/done")
        wait_until((tmp_path / "done").exists, RUN_SECONDS, "a job without accounting")
        assert cluster.ask("squeue", "--noheader", "--states=all", f"--jobs={job}")
        with pytest.raises(ClusterError, match="Connection refused"):
            cluster.ask("sacct")
    finally:
        cluster.start_slurmdbd()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--account=nobody", "Invalid account or account/partition combination specified"),
        ("--partition=nowhere", "Invalid partition name specified"),
        ("--gres=gpu:3", "Requested node configuration is not available"),
    ],
)
def test_what_sbatch_refuses(cluster: Cluster, option: str, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        submit(cluster, "true", option)


def test_max_array_size_changes_for_a_while(cluster: Cluster) -> None:
    with cluster.reconfigured(max_array_size=4):
        assert "MaxArraySize            = 4\n" in cluster.ask("scontrol", "show", "config")
        submit(cluster, "true", "--array=0-3")
        with pytest.raises(ClusterError, match="Invalid job array specification"):
            submit(cluster, "true", "--array=0-4")
    assert "MaxArraySize            = 1001\n" in cluster.ask("scontrol", "show", "config")


def test_cancel_all_empties_the_queue(cluster: Cluster) -> None:
    submit(cluster, "sleep 60", "--array=0-9")
    submit(cluster, "sleep 60", "--hold")
    cluster.cancel_all()
    assert cluster.ask("squeue", "--noheader") == ""


@pytest.fixture
def second() -> Cluster:
    """Another cluster, not up yet, with ports of its own."""
    return Cluster(FOLDER.with_name(f"{FOLDER.name}-{os.getpid()}"), PORT + 10)


def test_down_leaves_nothing_behind(second: Cluster, tmp_path: Path) -> None:
    try:
        second.start()
        submit(second, f"(setsid sleep 60 &); touch {tmp_path}/on; sleep 60")
        wait_until((tmp_path / "on").exists, RUN_SECONDS, "the job to start")
        assert mentions(str(second.layout.folder)) != []
    finally:
        second.stop()
    assert mentions(str(second.layout.folder)) == []
    assert not second.layout.folder.exists()


def test_a_failed_start_says_which_daemon_and_leaves_nothing(
    cluster: Cluster, second: Cluster
) -> None:
    taken = Cluster(second.layout.folder, cluster.layout.port)
    try:
        with pytest.raises(ClusterError, match=r"(?s)slurmdbd did not come up.*in use"):
            taken.start()
    finally:
        taken.stop()
    taken.stop()
    assert mentions(str(taken.layout.folder)) == []
    assert not taken.layout.folder.exists()


def test_a_folder_that_is_not_a_clusters_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").touch()
    with pytest.raises(ClusterError, match="holds no cluster"):
        Cluster(tmp_path).stop()
    assert (tmp_path / "thesis").exists()


def test_without_slurm_we_say_what_to_install(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(ClusterError, match="apt-get install slurm-wlm munge slurmdbd"):
            require_programs()


def mentions(text: str) -> list[str]:
    """The command lines of all processes whose command line or environment holds a text."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (
                (process / name).read_bytes().decode(errors="replace")
                for name in ("cmdline", "environ")
            )
        except OSError:
            continue
        if text in command or text in environment:
            found.append(command.replace("\0", " "))
    return found
