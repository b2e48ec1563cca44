"""JSON files of a store, edited as an older version would have left them: without a checksum."""

from pathlib import Path
from typing import Any

from iddpm.running.files import read_json, write_json
from studies.store.checksums import CHECKSUM
from studies.store.integrity import FILES, PROVENANCE, RESULT


def edit(path: Path, **changes: Any) -> None:
    """Change entries of a record by name; one that is set to None goes.

    Beside a result no list of files stays, for an older version wrote none.
    """
    if path.name == RESULT:
        edit(path.with_name(PROVENANCE), **{FILES: None})
    record = {**read_json(path), **changes, CHECKSUM: None}
    write_json(path, {name: value for name, value in record.items() if value is not None})
