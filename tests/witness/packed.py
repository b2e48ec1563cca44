"""Files of packed images as tests make and read them."""

import json
import zipfile
from pathlib import Path
from typing import Any

from iddpm.config import Npz
from iddpm.images.families import source
from iddpm.images.packing import write
from iddpm.images.sources import Request


def prepared(family: str, path: Path, *paths: Path, size: int | None = None) -> Npz:
    """The file at `path`, made of the published ones of a family."""
    write(source(family, Request(paths=paths, size=size)), path)
    return Npz(path=str(path))


def account(path: Path) -> Any:
    """What such a file says of where its images are from."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("packing.json"))
