"""The file of the published weights of Inception-V3: whether it is there, and is that one."""

import hashlib
from pathlib import Path

from iddpm.bounds import ConfigError

SOURCE = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)


PUBLISHED = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""sha256, as hex, of that file: over the features of these weights alone a distance is an FID."""


def is_published(sha256: str) -> bool:
    """Whether digits that a file's hash begins with are those of the published weights."""
    return PUBLISHED.startswith(sha256)


def check_weights(path: Path, sha256: str) -> None:
    """Whether the file is there and has a hash that begins so; the published one's is held whole.

    Raises:
        ConfigError: If not.
    """
    if not path.is_file():
        raise ConfigError(
            "extractor.inception.path",
            "the weights of Inception-V3",
            f"no file at {path}",
            f"get {SOURCE} and put it there",
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(PUBLISHED if is_published(sha256) else sha256):
        raise ConfigError(
            "extractor.inception.sha256",
            f"{path} to have a sha256 that begins with {sha256}",
            f"{found[: max(8, len(sha256))]}",
            f"get {SOURCE} again",
        )
