"""What the scheduler says, as its commands print it."""

from pathlib import Path

import pytest

from studies.execute.slurm import queue
from studies.execute.slurm.queue import SlurmError
from studies.store.submissions import Element
from tests.witness.fake_slurm import FakeSlurm

MINE = "some-study-with-a-long-name.likelihood.0123abcd"


def submit(slurm: FakeSlurm, folder: Path, name: str) -> None:
    script = folder / "script"
    script.write_text(f"#SBATCH --array=0-1\n#SBATCH --job-name={name}\n")
    slurm.submit(script)


def test_more_names_than_a_command_can_hold_are_asked_for_at_once_all_the_same(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    submit(slurm, tmp_path, f"{MINE}-7")
    submit(slurm, tmp_path, "theirs")
    slurm.replace("squeue", "OBEY; echo 'a|b c|5|5|N/A|RUNNING|None|node1|them'")
    arrays = {f"{MINE}-{number}" for number in range(3000)}
    assert sum(map(len, arrays)) > 131_072
    wanted = {Element(array=f"{MINE}-7", index=index) for index in (0, 1)}
    assert queue.queued(arrays).keys() == wanted
    assert len(slurm.calls("squeue")) == 1


def test_a_command_that_cannot_be_called_is_told_in_one_sentence(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    with pytest.raises(SlurmError, match="sacct: cannot be called: Argument list too long"):
        queue.client(["sacct", "x" * 200_000])
    assert queue.ended({f"{MINE}-{number}" for number in range(3000)}) == {}
