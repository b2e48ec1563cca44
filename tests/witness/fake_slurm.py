"""A scheduler that runs nothing: SLURM's commands as small scripts that keep the queue in a file.

What sbatch takes is pending until a test says otherwise. A test may let any command refuse.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMANDS = ("squeue", "sacct", "sbatch", "scancel", "scontrol", "srun")


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
            words = f"'{sys.executable}' -S -E '{__file__}' '{folder}' {command}"
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
        _write(self.folder, rows)

    def end(self, array: str, index: int, state: str | None = None) -> None:
        """An element leaves the queue; accounting has its state, if any."""
        here = array, str(index)
        _write(self.folder, [r for r in self.rows() if (r["name"], r["index"]) != here])
        if state is not None:
            with (self.folder / "accounting").open("a") as file:
                file.write(f"{array}|7_{index}|{state}\n")

    # --------------------------------------------------------------------------- what it tells

    def rows(self) -> list[dict[str, str]]:
        """The queue, an element a row."""
        return _rows(self.folder)

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of every call of a command, asking for its version aside."""
        called = [json.loads(line) for line in _text(self.folder / "calls").splitlines()]
        return [words for name, *words in called if name == command and words != ["--version"]]


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _rows(folder: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(_text(folder / "queue") or "[]")
    return rows


def _write(folder: Path, rows: list[dict[str, str]]) -> None:
    (folder / "queue").write_text(json.dumps(rows))


def _id(row: dict[str, str]) -> str:
    return f"{row['array_id']}_{row['index']}"


# ------------------------------------------------------------------------------- the commands


def main(folder: Path, command: str, arguments: list[str]) -> int:
    """One call of a command; its exit status."""
    if arguments == ["--version"]:
        return 0
    with (folder / "calls").open("a") as file:
        file.write(json.dumps([command, *arguments]) + "\n")
    if refusal := _text(folder / f"{command}.refuse"):
        after, _, words = refusal.partition("\n")
        if _text(folder / "calls").count(f'["{command}"') > int(after):
            print(words, file=sys.stderr)
            return 1
    answers: dict[str, Any] = {
        "squeue": _squeue,
        "sacct": _sacct,
        "sbatch": _sbatch,
        "scancel": _scancel,
        "scontrol": _scontrol,
        "srun": lambda folder, arguments: None,
    }
    answers[command](folder, arguments)
    return 0


def _names(arguments: list[str]) -> list[str]:
    (names,) = (word for word in arguments if word.startswith("--name="))
    return names.removeprefix("--name=").split(",")


def _squeue(folder: Path, arguments: list[str]) -> None:
    fields = ("name", "number", "array_id", "index", "state", "reason", "node", "user")
    everything = not any(word.startswith("--name=") for word in arguments)
    for row in _rows(folder):
        if everything or row["name"] in _names(arguments):
            print("|".join(row[field] for field in fields))


def _sacct(folder: Path, arguments: list[str]) -> None:
    for line in _text(folder / "accounting").splitlines():
        if line.partition("|")[0] in _names(arguments):
            print(line)


def _sbatch(folder: Path, arguments: list[str]) -> None:
    text = Path(arguments[-1]).read_text()
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.MULTILINE))
    rows = _rows(folder)
    array_id = 100 * (len(_text(folder / "calls").split('["sbatch"')) - 1)
    for indices in options["array"].partition("%")[0].split(","):
        first, _, last = indices.partition("-")
        for index in range(int(first), int(last or first) + 1):
            rows.append(
                {
                    "name": options["job-name"],
                    "number": str(array_id + index),
                    "array_id": str(array_id),
                    "index": str(index),
                    "state": "PENDING",
                    "reason": "Dependency" if "dependency" in options else "Priority",
                    "node": "",
                    "user": "somebody",
                }
            )
    _write(folder, rows)
    print(f"{array_id};cluster")


def _scancel(folder: Path, arguments: list[str]) -> None:
    _write(folder, [row for row in _rows(folder) if _id(row) not in arguments])


def _scontrol(folder: Path, arguments: list[str]) -> None:
    if arguments == ["show", "config"]:
        size = _text(folder / "max_array_size") or "1001"
        print(f"MaxArrayTasks           = 7\nMaxArraySize            = {size}")
    elif arguments[:3] == ["--all", "show", "job"]:
        print("JobId=7\n   JobState=RUNNING Reason=None\n   PreemptTime=None")


def path_with(fake: FakeSlurm) -> str:
    """PATH with the scheduler's commands before all others."""
    return os.pathsep.join([str(fake.bin), os.environ["PATH"]])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
