"""A scheduler that is only its commands: each answers from a file, and its calls are kept."""

import os
from pathlib import Path

import pytest

COMMANDS = ("squeue", "sacct", "sbatch", "scancel", "scontrol", "srun")

SCRIPT = """#!/bin/sh
cd "{folder}"
echo "$(basename "$0") $*" >> calls
[ -e refuse ] && [ "$(grep -c ^sbatch calls)" -ge "$(cat refuse)" ] && case "$0" in
  *sbatch) cat words >&2; exit 1;;
esac
case "$0" in *sbatch) echo "$(grep -c ^sbatch calls)"; exit 0;; esac
[ -e "$(basename "$0").fails" ] && {{ cat "$(basename "$0").fails" >&2; exit 1; }}
[ -e "$(basename "$0").says" ] && cat "$(basename "$0").says"
exit 0
"""


class FakeSlurm:
    """Commands in a folder that comes first on PATH; sbatch numbers its arrays from 1.

    Args:
        folder: Where the commands and their answers stand.
        monkeypatch: Puts PATH back afterwards.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        for name in COMMANDS:
            (folder / name).write_text(SCRIPT.format(folder=folder))
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        self.says("scontrol", "MaxArraySize            = 1001")

    def says(self, command: str, *lines: str) -> None:
        """What a command prints from now on."""
        (self.folder / f"{command}.says").write_text("".join(f"{line}\n" for line in lines))

    def fails(self, command: str, words: str) -> None:
        """A command fails from now on, with these words."""
        (self.folder / f"{command}.fails").write_text(words)

    def refuses(self, words: str, *, from_call: int = 1) -> None:
        """The so-many-th sbatch and all after it are refused with these words."""
        (self.folder / "refuse").write_text(str(from_call))
        (self.folder / "words").write_text(words)

    def obeys(self) -> None:
        """sbatch is no longer refused."""
        (self.folder / "refuse").unlink()

    def calls(self, command: str) -> list[str]:
        """The arguments of every call of a command so far."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{command} ")]
