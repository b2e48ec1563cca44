"""The training that others are held against."""

from typing import Any

import pytest

from iddpm.training import train
from tests.witness.whole_training import CONFIG


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the whole training comes to if nothing disturbs it."""
    return train(CONFIG, tmp_path_factory.mktemp("undisturbed")).as_json()
