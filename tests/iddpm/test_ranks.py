"""Several processes train one network: the same draws, the same state, no endless waiting."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm.config import ConfigError
from iddpm.ranks import ALONE, Ranks
from iddpm.training import STATE_FILE, Training
from tests.witness import tiny

HANGS_S = 120
"""A process that takes longer hangs."""


def port() -> int:
    """One that is free now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        number: int = listening.getsockname()[1]
        return number


def train_on(
    folder: Path, count: int, *, seeds: list[int] | None = None, **job: Any
) -> list[tuple[int, Any]]:
    """Exit status and what it printed of every rank of a training in `folder`."""
    folder.mkdir(exist_ok=True)
    settings = {
        "port": port(),
        "count": count,
        "folder": str(folder),
        "steps": 12,
        "timeout_s": 30,
        "checkpoint_every_s": 0,
        "seeds": seeds or [0] * count,
        **job,
    }
    file = folder / "job"
    file.write_text(json.dumps(settings))
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.witness.rank", str(file), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    ended = []
    for process in running:
        out, err = process.communicate(timeout=HANGS_S)
        ended.append((process.returncode, json.loads(out) if out else err))
    return ended


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / STATE_FILE, weights_only=True)
    return found


def assert_equal(found: Any, expected: Any) -> None:
    """Bit for bit, however deep."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_equal(found[key], value)
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks") / "one"
    ((status, _),) = train_on(folder, 1)
    assert status == 0
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks") / "two"
    first, second = train_on(folder, 2)
    assert first == second
    assert first[0] == 0
    return folder


def test_two_ranks_train_to_the_weights_of_one(one: Path, two: Path) -> None:
    for role in ("raw", "0.9"):
        alone, together = (state(folder)["weights"][role] for folder in (one, two))
        for name, weight in alone.items():
            assert weight.dtype == torch.float64
            # Adam divides by the gradient's own size, which lifts rounding; a draw that
            # differed would move weights by the learning rate, 1e-4.
            torch.testing.assert_close(together[name], weight, rtol=0, atol=1e-9)


def test_two_ranks_keep_the_same_history_of_losses_as_one(one: Path, two: Path) -> None:
    alone, together = (state(folder)["timesteps"] for folder in (one, two))
    assert alone.keys() == together.keys()
    for name, values in alone.items():
        torch.testing.assert_close(together[name], values, rtol=1e-9, atol=0)
    assert int(alone["counts"].min()) >= 2  # full: the last steps were drawn by their losses


def test_the_ranks_end_with_the_same_weights_and_averages(tmp_path: Path) -> None:
    results = [printed["weights"] for _, printed in train_on(tmp_path / "both", 2)]
    assert results[0] == results[1]


@pytest.mark.slow
def test_stopped_on_one_rank_all_save_and_stop_at_the_same_step(tmp_path: Path, two: Path) -> None:
    folder = tmp_path / "stopped"
    assert train_on(folder, 2, stopped=[1, 5]) == [(0, {"saved": 5})] * 2
    assert state(folder)["step"] == 5
    assert [status for status, _ in train_on(folder, 2)] == [0, 0]
    assert_equal(state(folder), state(two))


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_training_that_lost_a_rank_is_gone_on_with_bit_for_bit(
    tmp_path: Path, two: Path, victim: int
) -> None:
    folder = tmp_path / "killed"
    ended = train_on(folder, 2, killed=[victim, 7])
    assert ended[victim][0] == -9
    status, said = ended[1 - victim]
    assert status == 3
    assert said.startswith("ranks: another one has ended or does not answer")
    assert 0 < state(folder)["step"] <= 7
    assert [status for status, _ in train_on(folder, 2)] == [0, 0]
    assert_equal(state(folder), state(two))


@pytest.mark.slow
def test_ranks_of_different_weights_are_refused(tmp_path: Path) -> None:
    for status, said in train_on(tmp_path / "apart", 2, seeds=[0, 1]):
        assert status == 3
        assert said.startswith("ranks: expected the same weights on all 2, found ")


@pytest.mark.parametrize(("block_size", "hint"), [(None, 2), (4, 2)])
def test_blocks_that_cannot_be_shared_out_are_refused(block_size: int | None, hint: int) -> None:
    config = tiny.training(block_size=block_size).config
    with pytest.raises(ConfigError, match=f"found 1 of 4 images; set it to {hint} or a divisor"):
        Training(config, ranks=Ranks(number=0, count=2))  # type: ignore[arg-type]


def test_one_process_alone_exchanges_nothing() -> None:
    tensor = torch.arange(3.0)
    ALONE.add_up(tensor)
    assert ALONE.gathered(tensor) is tensor
    assert ALONE.any(True, False) == (True, False)
    assert ALONE.of_first(7) == 7
    assert not torch.distributed.is_initialized()
