"""What made a result: versions, commit, machine, time and memory. Never what the result is.

The same task gives the same result wherever it runs; everything that may differ stands here.
"""

import os
import platform
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from iddpm.running.files import read_json
from studies.store.memory import peak_mb
from studies.store.ownership import Claim


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Begins to measure a task when it is made."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        with suppress(OSError):  # Linux only; elsewhere the peak is that of the whole process
            Path("/proc/self/clear_refs").write_text("5")

    def seconds(self) -> float:
        """Wall time so far."""
        return time.monotonic() - self._began


def provenance(claim: Claim, stopwatch: Stopwatch, device: str) -> dict[str, Any]:
    """The record that stands beside a result; a training's also says at which step it began.

    Args:
        claim: The claim under which the task was done.
        stopwatch: Made when the work began.
        device: The torch device that did it, such as "cpu" or "cuda".
    """
    import torch

    return {
        "host": claim.place.host,
        "executor": claim.executor,
        "job": claim.job,
        "attempt": claim.attempt,
        "started": stopwatch.started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(stopwatch.seconds(), 3),
        "versions": versions(),
        **commit(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "cpu": cpu_model(),
        "threads": torch.get_num_threads(),
        "peak_memory_mb": peak_mb(),
    }


@cache
def versions() -> dict[str, str | None]:
    """Versions of Python, of the libraries that compute, and of this package."""
    libraries = {name: _version(name) for name in ("torch", "numpy", "scipy", "iddpm-studies")}
    return {"python": platform.python_version(), **libraries}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # run from a checkout that was not installed
        return None


COMMIT_FILE = "commit.json"
"""In a copy of the code made for jobs, beside the packages: what `commit` said of the original."""


@cache
def commit() -> dict[str, str | bool | None]:
    """The commit of the checkout that this file is tracked in; None where it is in none."""
    copied = Path(__file__).parents[2] / COMMIT_FILE
    if copied.exists():
        original: dict[str, str | bool | None] = read_json(copied)
        return original
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": _git("rev-parse", "HEAD"), "dirty": bool(changes)}


def _git(*arguments: str) -> str | None:
    """What git answers in this file's folder; None: no git, no checkout, or a refusal."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def cpu_model() -> str:
    """The processor's name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or os.uname().machine
