"""How much memory a piece of work takes: `python -m tests.witness.peak STORE ADDRESS` or `STUDY`.

Runs one task of a store, or draws the report of a study, in a process of its own and prints by how
many MiB the process grew at its peak over what it held once everything was imported.
"""

import subprocess
import sys
from pathlib import Path

from studies import runners  # noqa: F401 (torch is no part of the growth)
from studies.execute.worker import run_task
from studies.report import __main__ as report
from studies.store.memory import held_mb, peak_mb


def growth_mb(store: Path, name: str) -> int:
    """Of a process that does the task of this address, or else reports the study of this name."""
    command = [sys.executable, "-m", "tests.witness.peak", str(store), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def main(store: str, name: str) -> None:
    """Do it, then print the growth."""
    before = held_mb()
    if (Path(store) / "tasks" / name).is_dir():
        run_task(store, name)
    else:
        assert report.main([name, "--store", store, "--out", str(Path(store).parent / "page")]) == 0
    print(peak_mb() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
