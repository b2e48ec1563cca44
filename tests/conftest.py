"""One thread in every test: sums are rounded alike then, as they are in the workers.

Rubbish is looked for seldom: thousands of collected tests are looked through each time. Trainings
are hurried where the environment says so.
"""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.witness import hurried
from tests.witness.warm import Warm

gc.set_threshold(50_000, 20, 50)
torch.set_num_threads(1)
if hurried.NAME in os.environ:
    hurried.install(Path(tempfile.mkdtemp()))


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """A process that has torch loaded and forks: one for all tests of a process."""
    with Warm(tmp_path_factory.mktemp("workers")) as warm:
        yield warm
