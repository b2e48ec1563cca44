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
    """A CPU, and the GPU that each process has beside it."""

    cpu: str | None = None
    """Its name; None: not known, and any CPU is taken to be like it."""
    gpu: str | None = None
    """Its name or whole words of it, empty where it is not known; None: there is none."""

    def gpu_of(self, kind: str) -> str | None:
        """The GPU that a task of this kind computes on; None: on the CPU."""
        return self.gpu if KINDS[kind].uses_gpu else None

    def is_of(self, name: str, kind: str, *, on_gpu: bool) -> bool:
        """Whether a task of this kind, done on the CPU or GPU of that name, was done on this.

        A GPU of no known name may be any: its times are guesses.
        """
        gpu = self.gpu_of(kind)
        if gpu is None:
            return not on_gpu and self.cpu in (None, name)
        words = rf"(?<![a-z0-9]){re.escape(gpu.lower())}(?![a-z0-9])"
        return on_gpu and (not gpu or re.search(words, name.lower()) is not None)


ANY_CPU = Device()


def done_on(made: Mapping[str, Any], kind: str) -> tuple[str, bool]:
    """The name of the CPU or GPU that did a task, from its provenance, and whether it is a GPU."""
    device = made.get("device", "cpu")
    on_gpu = device != "cpu" and KINDS[kind].uses_gpu
    return (device if on_gpu else made.get("cpu", "")), on_gpu


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
