"""A scheduler that runs nothing: SLURM's commands as small scripts that keep the queue in a file.

What sbatch takes is pending until a test says otherwise. A test may let any command refuse.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.witness import slurm_commands

COMMANDS = ("squeue", "sacct", "sbatch", "scancel", "scontrol", "srun", "sinfo")


class FakeSlurm:
    """The scheduler as a test sees it.

    Args:
        folder: Where it keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        """To be put first on PATH."""
        self.bin.mkdir(parents=True)
        for command in COMMANDS:
            script = self.bin / command
            words = f"'{sys.executable}' -S -E '{slurm_commands.__file__}' '{folder}' {command}"
            script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            script.chmod(0o755)

    # ----------------------------------------------------------------------- what a test sets

    def refuse(self, command: str, words: str, *, after: int = 0) -> None:
        """Let a command fail with these words once it was called so often."""
        (self.folder / f"{command}.refuse").write_text(f"{after}\n{words}")

    def obey(self, command: str) -> None:
        """Let a command work again."""
        (self.folder / f"{command}.refuse").unlink()

    def replace(self, command: str, shell: str) -> None:
        """Let a command be a shell script; `OBEY` in it does what the command does."""
        path = self.bin / command
        words = path.read_text().splitlines()[-1].removeprefix("exec ")
        path.write_text("#!/bin/sh\n" + shell.replace("OBEY", words) + "\n")

    def limit_arrays(self, size: int) -> None:
        """The cluster's MaxArraySize."""
        (self.folder / "max_array_size").write_text(str(size))

    def submit(self, script: Path) -> None:
        """What calling sbatch does."""
        subprocess.run([self.bin / "sbatch", script], check=True, stdout=subprocess.DEVNULL)

    def set(self, array: str, index: int, **changes: str) -> None:
        """Change an element in the queue: its state, reason, node or number."""
        rows = self.rows()
        for row in rows:
            if (row["name"], row["index"]) == (array, str(index)):
                row.update(changes)
        slurm_commands.write(str(self.folder), rows)

    def end(self, array: str, index: int, state: str | None = None, *, node: str = "node1") -> None:
        """An element leaves the queue; accounting has its state, if any, and its node."""
        here = array, str(index)
        left = [row for row in self.rows() if (row["name"], row["index"]) != here]
        slurm_commands.write(str(self.folder), left)
        if state is not None:
            with (self.folder / "accounting").open("a") as file:
                file.write(f"{array}|7_{index}|{state}|{node}\n")

    # --------------------------------------------------------------------------- what it tells

    def rows(self) -> list[dict[str, str]]:
        """The queue, an element a row."""
        return slurm_commands.rows(str(self.folder))

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of every call of a command, asking for its version aside."""
        lines = slurm_commands.text(f"{self.folder}/calls").splitlines()
        called = [json.loads(line) for line in lines]
        return [words for name, *words in called if name == command and words != ["--version"]]


def path_with(fake: FakeSlurm) -> str:
    """PATH with the scheduler's commands before all others."""
    return os.pathsep.join([str(fake.bin), os.environ["PATH"]])
