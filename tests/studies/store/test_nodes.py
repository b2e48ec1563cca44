"""Which nodes are left out: those that lost two jobs before they began, where others do better."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from studies.store.nodes import DAY_S, bad_nodes, note_loss

NOW = 1_800_000_000.0


def note(root: Path, node: str, name: str, at: float) -> None:
    path = root / "nodes" / node / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (at, at))


def left_out(root: Path) -> list[str]:
    return [node.name for node in bad_nodes(root, NOW)]


def test_a_node_is_left_out_after_two_losses_and_not_after_one(tmp_path: Path) -> None:
    assert left_out(tmp_path) == []
    note(tmp_path, "good", "began", NOW - 50)
    note(tmp_path, "bad", "lost.7_0.0", NOW - 9)
    assert left_out(tmp_path) == []
    note(tmp_path, "bad", "lost.7_1.0", NOW - 8)
    assert left_out(tmp_path) == ["bad"]


@pytest.mark.parametrize("began", ["began", "began.7_2"])
def test_a_node_that_begins_a_job_is_good_again(tmp_path: Path, began: str) -> None:
    note(tmp_path, "good", "began.7_9", NOW - 50)
    for index in range(3):
        note(tmp_path, "bad", f"lost.7_{index}.0", NOW - 9)
    note(tmp_path, "bad", began, NOW - 8)
    assert left_out(tmp_path) == []
    note(tmp_path, "bad", "lost.7_5.0", NOW - 2)
    assert left_out(tmp_path) == [], "what it lost before does not count"


def test_losses_count_for_a_day(tmp_path: Path) -> None:
    note(tmp_path, "good", "began", NOW - 9 * DAY_S)
    note(tmp_path, "bad", "lost.7_0.0", NOW - DAY_S - 1)
    note(tmp_path, "bad", "lost.7_1.0", NOW - 8)
    assert left_out(tmp_path) == []


def test_where_jobs_end_on_most_nodes_none_is_at_fault(tmp_path: Path) -> None:
    note(tmp_path, "good", "began", NOW - 50)
    for node in ("one", "two"):
        note(tmp_path, node, "lost.7_0.0", NOW - 9)
        note(tmp_path, node, "lost.7_1.0", NOW - 9)
    assert left_out(tmp_path) == []
    note(tmp_path, "fair", "began", NOW - 50)
    assert left_out(tmp_path) == ["one", "two"]


def test_the_command_that_is_told_takes_the_node_back(tmp_path: Path) -> None:
    root = tmp_path / "a store's"
    note(root, "good", "began", NOW - 50)
    note_loss(root, "bad", "train.x.1")
    note_loss(root, "bad", "train.x.2")
    (bad,) = bad_nodes(root, 0)
    assert str(bad).startswith("bad is left out of what is submitted: 2 jobs ended there before ")
    command = str(bad).split("`")[1]
    assert shlex.split(command)[-1] == str(root / "nodes" / "bad")
    subprocess.run(command, shell=True, check=True)
    assert bad_nodes(root, 0) == []


@pytest.mark.parametrize("name", ["None assigned", "gpu[1-4]", "a,b", ""])
def test_what_is_no_name_of_one_node_is_not_blamed(tmp_path: Path, name: str) -> None:
    note_loss(tmp_path, name, "array.0")
    assert not (tmp_path / "nodes").exists()
