"""What computes: the names under which measured times are kept, and by which they are found again.

A time belongs to the device that it was taken on: what the CPU of a laptop needs says nothing of a
GPU, nor of another CPU.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from studies.store.provenance import cpu_model
from studies.tasks.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Device:
    """A CPU, the GPU that each process has beside it, and how many of them share a training."""

    cpu: str | None = None
    """Its name; None: not known, and any CPU is taken to be like it."""
    gpu: str | None = None
    """Its name or whole words of it, empty where it is not known; None: there is none."""
    ranks: int = 1
    """Processes that do a training together; whatever else is done, one does."""

    def gpu_of(self, kind: str) -> str | None:
        """The GPU that a task of this kind computes on; None: on the CPU."""
        return self.gpu if KINDS[kind].uses_gpu else None

    def ranks_of(self, kind: str) -> int:
        """How many processes share a task of this kind."""
        return self.ranks if kind == "train" else 1

    def is_of(self, name: str, kind: str, *, on_gpu: bool, ranks: int = 1) -> bool:
        """Whether a task of this kind, done on the CPU or GPU of that name, was done on this.

        A GPU of no known name may be any: its times are guesses. So many ranks are not so many
        times as fast as one, and say nothing of another number.
        """
        if ranks != self.ranks_of(kind):
            return False
        gpu = self.gpu_of(kind)
        if gpu is None:
            return not on_gpu and self.cpu in (None, name)
        return on_gpu and (not gpu or is_called(name, gpu))


ANY_CPU = Device()
RANKS = "ranks"
"""Of the provenance of a training: the processes that did it together."""


def is_called(name: str, words: str) -> bool:
    """Whether a name holds these words whole, in whatever case: an A10 is no A100."""
    whole = rf"(?<![a-z0-9]){re.escape(words.lower())}(?![a-z0-9])"
    return re.search(whole, name.lower()) is not None


def done_on(made: Mapping[str, Any], kind: str) -> tuple[str, bool, int]:
    """What did a task, from its provenance: a CPU or GPU, whether it is a GPU, and the ranks.

    Versions that did not note the ranks of a training had none but those of a cluster, of which
    it is not known how many they were: 0.
    """
    device = made.get("device", "cpu")
    on_gpu = device != "cpu" and KINDS[kind].uses_gpu
    usual = 0 if kind == "train" and made.get("executor") == "slurm" else 1
    return (device if on_gpu else made.get("cpu", "")), on_gpu, made.get(RANKS, usual)


@cache
def here() -> Device:
    """This machine: its CPU, and the first GPU that is visible where there is one."""
    visible = visible_gpus()
    names = _asked_of_gpus("name", "-i", visible[0].strip()) if visible else [None]
    return Device(cpu=cpu_model(), gpu=names[0] if names else "")


def visible_gpus() -> list[str]:
    """This machine's GPUs, as CUDA_VISIBLE_DEVICES takes them; imports no torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name not in ("", "-1", "NoDevFiles")]
    return _asked_of_gpus("index")


def _asked_of_gpus(field: str, *which: str) -> list[str]:
    """A line for each GPU, or for that of `-i` and an index or UUID; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader", *which]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []
