"""What a process holds of memory."""

import resource
import sys
from contextlib import suppress
from pathlib import Path


def held_mb() -> int:
    """MiB that this process holds now; the most it ever did, where no /proc tells."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() // 2**20
    return peak_mb()


def peak_mb() -> int:
    """The most MiB that this process ever held.

    What getrusage tells begins with what the process that started this one held: it is asked only
    where no /proc tells.
    """
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) // 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes
