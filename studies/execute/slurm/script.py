"""The sbatch script of a job array.

The script is all that a job gets: it names the snapshot of the code, the store and the array, and
everything else is read from the store. So nothing is pickled, and a job needs nothing of the
process that submitted it. Whatever a person chose enters it quoted, as one word on one line.

submitit writes such a script only as it submits a pickled function, so this one is our own; inside
the job submitit tells which job it is, for which the script says that it is one of SLURM's.
"""

import math
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from iddpm.bounds import ConfigError
from studies.execute.slurm.ending import watched
from studies.execute.slurm.layout import Array
from studies.execute.slurm.queue import SlurmError, client
from studies.execute.slurm.snapshot import check
from studies.execute.worker import PASSED_ON, THREAD_LIMITS
from studies.spec.resources import Resources
from studies.store.nodes import nodes_folder

SHORTEST_WARNING_S, LONGEST_WARNING_S = 20, 300
"""A job of one minute must not be warned before it has begun. A training whose saves take so long
that this will not do leaves by itself earlier."""

APART = "apart"
"""The word that tells the processes of a job that each does tasks by itself."""

DIRECTIVE = "#SBATCH "

LOG, FIRST_LOG = "%A_%a_%t_log.out", "%A_%a_0_log.out"
"""Names of what a process of a job prints, and of what the script and its first process print."""


def srun(asked: Resources) -> list[str]:
    """How the script starts the processes of its job.

    It does so from the folder of the logs: srun does not read every path with a % in it as sbatch
    does. Of processes that work together none waits for a dead one; those that do tasks side by
    side go on without it. All get the cores that were asked for, and what the script exports, above
    all where their code is, even where the cluster or the user has sbatch pass on nothing.
    """
    end = ["--kill-on-bad-exit=1"]
    if asked.side_by_side > 1:
        end = ["--kill-on-bad-exit=0", "--wait=0"]
    cores = f"--cpus-per-task={asked.cpus}"
    return ["srun", "--unbuffered", "--output", LOG, *end, "--export=ALL", cores]


def script(
    array: Array,
    *,
    folder: Path,
    code: Path,
    store_root: Path,
    after: str,
    max_parallel: int | None,
    left_out: Sequence[str] = (),
) -> str:
    """The text of the script.

    Args:
        array: What is to be done, with which resources.
        folder: Where the jobs' logs go.
        code: The snapshot that they run.
        store_root: The store.
        after: The value of sbatch's `--dependency`; empty: none.
        max_parallel: At most so many elements run at once; None: as many as the cluster lets.
        left_out: Nodes to stay away from, besides those that the resources name.

    Raises:
        ConfigError: If a path cannot stand in a script.
    """
    for path in (folder, code, store_root, Path(sys.executable)):
        _check_path(path)
    options = {
        **_asked(array.resources, left_out),
        "array": _indices(array) + (f"%{max_parallel}" if max_parallel else ""),
        "job-name": array.name,
        "kill-on-invalid-dep": "yes",
        "open-mode": "append",
        "output": f"{_escaped(folder)}/{FIRST_LOG}",
        "requeue": True,
        "signal": f"USR2@{warning_seconds(array.resources.time_min)}",
    }
    if after:
        options["dependency"] = after
    job = [sys.executable, "-P", "-m", "studies.execute.slurm.job", str(store_root), array.name]
    if array.resources.side_by_side > 1:
        job.append(APART)
    lines = [
        *("#!/bin/bash", "", "# Parameters"),
        *(DIRECTIVE + _option(name, options[name]) for name in sorted(options)),
        *("", "# setup", check(code, folder), *_setup(code, array.resources.time_min)),
        *("", "# command", "export SUBMITIT_EXECUTOR=slurm"),
        f"cd {shlex.quote(str(folder))}",
        *watched(
            shlex.join([*srun(array.resources), *job]),
            nodes_folder(store_root),
            choosy=array.resources.is_choosy,
        ),
    ]
    return "\n".join([*lines, ""])


def _option(name: str, value: object) -> str:
    return f"--{name}" if value is True else f"--{name}={shlex.quote(str(value))}"


def _check_path(path: Path) -> None:
    """Refuse a path that would not reach the job as it is.

    Raises:
        ConfigError: If it is not one line of printable text, or has a character that Python's path
            (:) or the names of logs (\\) cannot hold.
    """
    text = str(path)
    if not text.isprintable() or ":" in text or "\\" in text:
        raise ConfigError(
            "--executor slurm",
            "paths of printable text without : and \\",
            f"{text!r}",
            "move the store or the program",
        )


def _escaped(path: Path) -> str:
    """A path as the scheduler takes it in the name of a log, where % begins a variable."""
    return str(path).replace("%", "%%")


def warning_seconds(time_min: int) -> int:
    """How long before its time limit a job is told to save: an eighth of it, within bounds."""
    return min(LONGEST_WARNING_S, max(SHORTEST_WARNING_S, time_min * 60 // 8))


def _asked(asked: Resources, left_out: Sequence[str]) -> dict[str, object]:
    """Resources as options of sbatch, by name; what is not asked for is left out."""
    at_once = asked.side_by_side
    gpus: object = asked.gpus * at_once
    if asked.gpu_type:
        gpus = f"{asked.gpu_type}:{gpus}"
    options = {
        "partition": asked.partition,
        "account": asked.account,
        "qos": asked.qos,
        "time": asked.time_min,
        "mem": f"{math.ceil(asked.memory_gb * 1024 * at_once)}M",
        "cpus-per-task": asked.cpus,
        "gpus-per-node": gpus or None,
        "nodes": asked.nodes,
        "ntasks-per-node": max(asked.processes_per_node, at_once),
        "constraint": asked.constraint,
        "exclude": ",".join(filter(None, [asked.exclude, *left_out])) or None,
        "comment": asked.comment,
    }
    further = (option.removeprefix("--").partition("=") for option in asked.sbatch)
    return {
        **{name: value for name, value in options.items() if value is not None},
        **{name: value if equals else True for name, equals, value in further},
    }


def _setup(code: Path, time_min: int) -> list[str]:
    environment = {
        "PYTHONPATH": shlex.quote(str(code)),
        "STUDIES_FOLDER": '"$PWD"',
        "STUDIES_EXECUTOR": "slurm",
        "STUDIES_JOB_START": "$(date +%s)",
        "STUDIES_JOB_END": f"$(($(date +%s) + {time_min * 60}))",
        "STUDIES_FIRST_NODE": "$(hostname)",
        "PYTHONDONTWRITEBYTECODE": "1",  # nothing is added to the code, which is checked whole
        **THREAD_LIMITS,
    }
    asked = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {name: shlex.quote(value) for name, value in asked.items()}
    return [f"export {name}={value}" for name, value in environment.items()]


def _indices(array: Array) -> str:
    """The array's indices as sbatch takes them: `0-3,7`."""
    runs: list[list[int]] = []
    for index in sorted(array.elements):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def sbatch(path: Path) -> str:
    """Submit a script; the array's number.

    The script's options are given on the command line too: a user's variables, such as
    SBATCH_PARTITION or SBATCH_TIMELIMIT, overrule those of a script, and not these.

    Raises:
        SlurmError: If the scheduler refuses (its own words, and what to change), or gives no
            number.
    """
    lines = path.read_text().split("\n")
    options = [line.removeprefix(DIRECTIVE) for line in lines if line.startswith(DIRECTIVE)]
    try:
        said = client(["sbatch", "--parsable", *shlex.split(" ".join(options)), str(path)])
    except SlurmError as error:
        raise SlurmError(f"{error}{_advice(str(error))}") from error
    number = said.strip().partition(";")[0]
    if not number.isdecimal():
        raise SlurmError(f"sbatch: expected the number of a job, found {said.strip()!r:.80}")
    return number


ADVICE = {
    "job submit limit": "the same command goes on from here when some jobs have ended; "
    "if none are in the queue, ask for less with --resource",
    "invalid partition": "choose one that `sinfo` lists with --resource partition=NAME",
    "account": "choose one that `sacctmgr show user $USER withassoc` lists with --resource "
    "account=NAME",
    "qos": "choose one of your account's with --resource qos=NAME",
    "invalid feature": "choose one that `sinfo -o %f` lists with --resource constraint=NAME",
    "invalid node name": "choose nodes that `sinfo -N` lists with --resource exclude=NAMES",
    "gres": "choose what `sinfo -o %G` lists with --resource gpu_type=NAME and gpus=N",
    "node configuration is not available": "ask for less memory, fewer CPUs or GPUs, or another "
    "GPU type (`sinfo -o '%P %c %m %G'` shows what there is)",
    "time limit": "ask for less with --resource time_min=N, or use another partition",
}
"""What to try, by words in the scheduler's own message; the first found count."""


def _advice(message: str) -> str:
    said = message.lower()
    found = [advice for words, advice in ADVICE.items() if re.search(rf"\b{words}\b", said)]
    return f"; {found[0]}" if found else ""
