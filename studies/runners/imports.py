"""Networks that were trained elsewhere, read from their files."""

from typing import Any

from iddpm import importing
from iddpm.config import TrainConfig
from studies.runners.work import Work


def imported(work: Work) -> dict[str, Any]:
    """A network read from a file; leaves its weights in the folder: the file may go afterwards."""
    config = work.task.config
    assert isinstance(config, TrainConfig)
    digest = dict(work.task.digests)["checkpoint"]
    found = importing.keep(config, work.folder, digest=digest, held=work.held)
    work.progress(1, 1)
    return found
