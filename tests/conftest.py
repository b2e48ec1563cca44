"""One thread in every test: sums are rounded alike then, as they are in the workers.

Rubbish is looked for seldom: thousands of collected tests are looked through each time. Trainings
are hurried where the environment says so. `--part K/N` runs the tests of every N-th file alone.
"""

import gc
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import pytest
import torch

from tests.witness import hurried
from tests.witness.warm import Warm

gc.set_threshold(50_000, 20, 50)
torch.set_num_threads(1)
if hurried.NAME in os.environ:
    hurried.install(Path(tempfile.mkdtemp()))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know `--part`."""
    parser.addoption(
        "--part", metavar="K/N", help="run the tests of every N-th file, from the K-th"
    )


@pytest.hookimpl(trylast=True)  # among the files that have a test with the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a part of the files, where one is asked for; its neighbours hold all others."""
    if (part := config.getoption("--part")) is None:
        return
    numbers = re.fullmatch(r"(\d+)/(\d+)", part)
    first, parts = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= first <= parts:
        raise pytest.UsageError(f"--part: expected K/N with K from 1 to N, found {part}")
    files = sorted({item.path for item in items})
    kept = set(files[first - 1 :: parts])
    config.hook.pytest_deselected(items=[item for item in items if item.path not in kept])
    items[:] = [item for item in items if item.path in kept]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """A process that has torch loaded and forks: one for all tests of a process."""
    with Warm(tmp_path_factory.mktemp("workers")) as warm:
        yield warm
