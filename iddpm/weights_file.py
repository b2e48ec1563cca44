"""The file of the published weights of Inception-V3: whether it is there, and is that one."""

import hashlib
from pathlib import Path

from iddpm.config import ConfigError

SOURCE = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)


def check_weights(path: Path, sha256: str) -> None:
    """Whether the file is there and has a hash that begins so.

    Raises:
        ConfigError: If not.
    """
    if not path.is_file():
        raise ConfigError(
            f"extractor.inception.path: expected the weights of Inception-V3, found no file at "
            f"{path}; get {SOURCE} and put it there"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise ConfigError(
            f"extractor.inception.sha256: expected {path} to have a sha256 that begins with "
            f"{sha256}, found {found[: max(8, len(sha256))]}; get {SOURCE} again"
        )
