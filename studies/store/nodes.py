"""Nodes of a cluster that lose jobs before these have begun, as the store keeps it.

    nodes/<node>/began              when a job last began its work there
                 began.<job>        the same of a job that is at it
                 lost.<job>.<n>     a job, or its n-th restart, ended there before it had begun

The files are empty, only their times count; the scripts of jobs write them. A node that lost two
jobs within a day and began none since is left out of what is submitted next, as long as there are
not more such nodes than others: if jobs end everywhere, no node is at fault. After that day, or
once its folder is removed, it is tried again.
"""

import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studies.store.folders import made, storage_errors

LOSSES = 2
"""So many leave a node out."""

DAY_S = 24 * 3600.0
"""For so long after a loss it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadNode:
    """A node that jobs are to stay away from."""

    name: str
    losses: int
    last: float
    """When it lost the last of them, in seconds since 1970."""
    folder: Path

    def __str__(self) -> str:
        last = datetime.fromtimestamp(self.last).astimezone().isoformat(" ", "minutes")
        return (
            f"{self.name} is left out of what is submitted: {self.losses} jobs ended there before "
            f"they had begun, the last at {last}; `rm -r {shlex.quote(str(self.folder))}` takes it "
            "back, and so does a day"
        )


def nodes_folder(root: Path) -> Path:
    """The folder of a store that has a folder for each node."""
    return root / "nodes"


def bad_nodes(root: Path, now: float) -> list[BadNode]:
    """The nodes that are to be left out, by name.

    Args:
        root: Of the store.
        now: Seconds since 1970.
    """
    bad: list[BadNode] = []
    good = 0
    for folder in sorted(nodes_folder(root).glob("*/")):
        began = max(_times(folder, "began*"), default=0.0)
        losses = [time for time in _times(folder, "lost.*") if time > max(began, now - DAY_S)]
        if len(losses) < LOSSES:
            good += began > 0
        else:
            bad.append(
                BadNode(name=folder.name, losses=len(losses), last=max(losses), folder=folder)
            )
    return bad if len(bad) <= good else []


def note_loss(root: Path, node: str, job: str) -> None:
    """Write down that a node lost a job of which its script itself could not tell.

    What is not the name of one node (`None assigned`, `gpu[1-4]`) can be blamed for nothing.

    Raises:
        StorageError: If the store cannot be written.
    """
    if not re.fullmatch(r"[\w.-]+", node):
        return
    folder = made(root, nodes_folder(root) / node)
    with storage_errors(folder):
        (folder / f"lost.{job}").touch()


def _times(folder: Path, names: str) -> list[float]:
    """When the files of such names were last written; one that has just gone is none."""
    times = []
    for path in folder.glob(names):
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return times
