"""What computes: the names under which measured times are kept, and by which they are found again.

A time belongs to the device that it was taken on: what the CPU of a laptop needs says nothing of a
GPU, nor of another CPU.
"""

import os
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
    """Its name or a part of it, empty where it is not known; None: there is none."""

    def gpu_of(self, kind: str) -> str | None:
        """The GPU that a task of this kind computes on; None: on the CPU."""
        return self.gpu if KINDS[kind].uses_gpu else None

    def is_of(self, name: str, kind: str, *, on_gpu: bool) -> bool:
        """Whether a task of this kind, done on the CPU or GPU of that name, was done on this."""
        gpu = self.gpu_of(kind)
        if gpu is None:
            return not on_gpu and self.cpu in (None, name)
        return on_gpu and gpu.lower() in name.lower()


ANY_CPU = Device()


def done_on(made: Mapping[str, Any], kind: str) -> tuple[str, bool]:
    """The name of the CPU or GPU that did a task, from its provenance, and whether it is a GPU."""
    device = made.get("device", "cpu")
    on_gpu = device != "cpu" and KINDS[kind].uses_gpu
    return (device if on_gpu else made.get("cpu", "")), on_gpu


@cache
def here() -> Device:
    """This machine: its CPU, and its first GPU where it has one."""
    names = _asked_of_gpus("name") or [""]
    return Device(cpu=cpu_model(), gpu=names[0] if visible_gpus() else None)


def visible_gpus() -> list[str]:
    """This machine's GPUs, as CUDA_VISIBLE_DEVICES takes them; imports no torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name not in ("", "-1", "NoDevFiles")]
    return _asked_of_gpus("index")


def _asked_of_gpus(field: str) -> list[str]:
    """A line for each GPU; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []
