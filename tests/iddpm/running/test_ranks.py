"""Several processes train one network: the same draws, the same state, no endless waiting."""

import json
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm.bounds import ConfigError
from iddpm.running import checkpoints
from iddpm.running.files import STATE_FILE
from iddpm.running.ranks import ALONE, Ranks, RanksError, joined
from iddpm.training import Training, trajectory
from tests.witness.marks import every_step
from tests.witness.rank import CONFIG
from tests.witness.warm import Warm, Worker

STEPS = list(range(1, CONFIG.steps + 1))


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a process."""

    status: int
    said: str
    left: Any
    """What it found, if it came to its end."""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        number: int = listening.getsockname()[1]
        return number


def started(
    warm: Warm,
    folder: Path,
    count: int,
    *,
    do: str = "whole",
    by_rank: Mapping[int, dict[str, Any]] | None = None,
    **job: Any,
) -> list[Worker]:
    """The ranks of a training in `folder`, under way."""
    folder.mkdir(exist_ok=True)
    shared = {"count": count, "port": free_port(), "folder": str(folder), **job}
    jobs = [{"number": rank, **shared, **(by_rank or {}).get(rank, {})} for rank in range(count)]
    code = f"from tests.witness.rank import run_{do}; run_{do}"
    return [warm.start(f"{code}(**{job!r})") for job in jobs]


def ended(worker: Worker, file: Path) -> Ended:
    status = worker.wait()
    left = json.loads(file.read_text()) if status == 0 else None
    return Ended(status=status, said=worker.output(), left=left)


def together(warm: Warm, folder: Path, count: int, **job: Any) -> list[Ended]:
    """The ranks of a training in `folder`, each after its end."""
    workers = started(warm, folder, count, **job)
    return [ended(worker, folder / f"{rank}.json") for rank, worker in enumerate(workers)]


def saved(folder: Path) -> dict[str, Any]:
    """All that moves, as it stands on disk."""
    state = checkpoints.load(folder / STATE_FILE, trajectory(CONFIG))
    what_it_is = ("format", "version", "content")
    return {name: part for name, part in state.items() if name not in what_it_is}


def assert_same_state(found: Path, expected: Path) -> None:
    torch.testing.assert_close(saved(found), saved(expected), rtol=0, atol=0, equal_nan=True)


@pytest.fixture(scope="module")
def two(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two ranks trained to the end."""
    folder = tmp_path_factory.mktemp("two")
    first, second = together(warm, folder, 2)
    assert (first.status, second.status) == (0, 0), first.said + second.said
    assert first.left == second.left
    assert first.left["seen"] == STEPS
    return folder


# --------------------------------------------------------------------------------- what it computes


@pytest.fixture(scope="module")
def seen(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """What every rank saw of a training, by their count."""
    found = {}
    for count in (1, 2, 3):
        ranks = together(warm, tmp_path_factory.mktemp("seen"), count, do="every_step")
        assert [rank.status for rank in ranks] == [0] * count, ranks[0].said
        found[count] = [rank.left for rank in ranks]
    return found


def test_every_rank_holds_the_same_weights_averages_history_and_curve(
    seen: dict[int, list[dict[str, Any]]],
) -> None:
    for ranks in seen.values():
        for name in ("told", "losses", "curve", "weights", "averages", "digest"):
            assert all(rank[name] == ranks[0][name] for rank in ranks), name


@every_step
@pytest.mark.parametrize("count", [2, 3])
def test_more_ranks_draw_the_same_steps_as_one(
    seen: dict[int, list[dict[str, Any]]], count: int
) -> None:
    (alone,), ranks = seen[1], seen[count]
    assert alone["warmed_up"]  # the last steps were drawn by their losses
    assert len(alone["drawn"]) == 6 * CONFIG.steps
    share = 6 // count
    for number, rank in enumerate(ranks):
        assert rank["told"] == alone["told"]
        for step in range(CONFIG.steps):
            first = 6 * step + share * number
            drawn = rank["drawn"][share * step : share * (step + 1)]
            assert drawn == alone["drawn"][first : first + share]


@pytest.mark.parametrize("count", [2, 3])
def test_more_ranks_train_to_the_weights_of_one(
    seen: dict[int, list[dict[str, Any]]], count: int
) -> None:
    (alone,), together = seen[1], seen[count][0]
    # Sums in another order differ by rounding, 1e-16, which Adam lifts where a gradient is small;
    # one draw that differed would move weights by the learning rate, 1e-3.
    for vector in ("weights", "averages"):
        found, expected = (torch.tensor(rank[vector]) for rank in (together, alone))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    for values in ("losses", "curve"):
        torch.testing.assert_close(together[values], alone[values], rtol=1e-7, atol=0)


# ----------------------------------------------------------------------- stopping, killing, waiting


def test_asked_to_stop_on_one_rank_all_save_and_stop_at_the_same_step(
    warm: Warm, tmp_path: Path, two: Path
) -> None:
    ranks = together(warm, tmp_path, 2, by_rank={1: {"stops_after": 5}})
    assert [rank.left for rank in ranks] == [{"saved": 5, "seen": [1, 2, 3, 4, 5]}] * 2
    assert saved(tmp_path)["step"] == 5
    assert [rank.left["seen"] for rank in together(warm, tmp_path, 2)] == [[6, 7, 8]] * 2
    assert_same_state(tmp_path, two)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_training_that_lost_a_rank_is_gone_on_with_bit_for_bit(
    warm: Warm, tmp_path: Path, two: Path, victim: int
) -> None:
    killed = {victim: {"signals": (5, int(signal.SIGKILL))}}
    ranks = together(warm, tmp_path, 2, by_rank=killed)
    assert ranks[victim].status == -signal.SIGKILL
    assert ranks[1 - victim].status == 1
    assert "RanksError: ranks: another one has ended or does not answer" in ranks[1 - victim].said
    assert 0 < saved(tmp_path)["step"] <= 5
    assert [rank.status for rank in together(warm, tmp_path, 2)] == [0, 0]
    assert_same_state(tmp_path, two)


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_rank_that_answers_no_more_is_waited_for_no_longer_than_said(
    warm: Warm, tmp_path: Path, victim: int
) -> None:
    frozen = {victim: {"signals": (3, int(signal.SIGSTOP))}}
    workers = started(warm, tmp_path, 2, timeout_s=3, by_rank=frozen)
    survivor = ended(workers[1 - victim], tmp_path / "none")
    workers[victim].kill()
    assert workers[victim].wait() == -signal.SIGKILL
    assert survivor.status == 1  # its alarm, which rings much later, did not end it
    assert "RanksError: ranks: another one has ended or does not answer" in survivor.said


@pytest.mark.parametrize("number", [0, 1])
def test_a_rank_whose_others_never_come_to_where_they_meet_gives_up(
    tmp_path: Path, number: int
) -> None:
    folder = tmp_path / "a#b?c%20d é\udcff\n"
    folder.mkdir()
    meeting = f"tcp://127.0.0.1:{free_port()}" if number == 0 else folder / "here"
    alone = joined(number=number, count=2, meeting=meeting, timeout_s=0.1)
    with pytest.raises(RanksError, match="another one has ended or does not answer"), alone:
        raise AssertionError("nobody came")
    assert not torch.distributed.is_initialized()
    assert [*tmp_path.iterdir()] == [folder]


def test_a_full_disk_of_the_first_rank_ends_every_rank(warm: Warm, tmp_path: Path) -> None:
    full = {0: {"disk_is_full": True}}
    first, second = together(warm, tmp_path, 2, by_rank=full)
    assert (first.status, second.status) == (1, 1)
    assert "cannot write: File too large" in first.said
    assert "RanksError: ranks: the first one could not save the state" in second.said


def test_an_exchange_that_finds_too_little_memory_is_no_loss_of_another_rank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exchange(tensor: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.distributed, "all_reduce", exchange)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        Ranks(count=2).add_up(torch.ones(1))


# --------------------------------------------------------------------------------- what is refused


def test_ranks_of_different_weights_are_refused(warm: Warm, tmp_path: Path) -> None:
    for rank in together(warm, tmp_path, 2, by_rank={1: {"seed": 1}}):
        assert rank.status == 1
        assert "RanksError: ranks: expected the same weights on all 2, found [" in rank.said


def test_ranks_that_see_different_files_are_refused(warm: Warm, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    together(warm, here, 2, by_rank={1: {"stops_after": 5}})
    for rank in together(warm, here, 2, by_rank={1: {"folder": str(there)}}):
        assert rank.status == 1
        assert (
            "RanksError: ranks: expected the same step on all 2, found [5, 0]; do all see the same "
            "files, and run the same code on the same kind of device?"
        ) in rank.said


def test_blocks_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(ConfigError, match="among 4 processes, found 6 of 2 images; set it to 3 or"):
        Training(CONFIG, ranks=Ranks(count=4))


def test_one_process_alone_exchanges_nothing() -> None:
    tensor = torch.arange(3.0)
    ALONE.add_up(tensor)
    assert tensor.tolist() == [0, 1, 2]
    assert ALONE.gathered(tensor) is tensor
    assert ALONE.any(True, False) == (True, False)
    assert ALONE.of_first(7) == 7
    ALONE.agree("step", 7)
    with joined(number=0, count=1, meeting="tcp://nowhere.invalid:0") as ranks:
        assert ranks is ALONE
    assert not torch.distributed.is_initialized()
