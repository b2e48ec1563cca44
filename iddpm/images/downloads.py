"""The published files of a family, fetched from mirrors: `studies.data prepare NAME --download`.

A file that is there already is held against its published md5 and kept, and one of which a part is
there goes on from its end. What a mirror gives is used only if its md5 is the published one, so
that no mirror needs to be trusted. No task fetches anything: that is done once, by a person.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from iddpm.bounds import ConfigError
from iddpm.images.checksums import PUBLISHED
from iddpm.running.files import UNFINISHED
from iddpm.running.interruption import Progress

IDX = tuple(
    f"{split}-{what}-ubyte.gz"
    for split in ("train", "t10k")
    for what in ("images-idx3", "labels-idx1")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Where the files of a family lie."""

    files: tuple[str, ...]
    """Their names, as in `PUBLISHED`."""
    at: tuple[str, ...]
    """Addresses that a name is put behind, in the order in which they are asked."""


MIRRORS: Mapping[str, Mirrors] = {
    "cifar10": Mirrors(
        files=("cifar-10-python.tar.gz",), at=("https://www.cs.toronto.edu/~kriz/",)
    ),
    "mnist": Mirrors(
        files=IDX,
        at=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion": Mirrors(
        files=IDX,
        at=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
}
"""Families whose files anyone may fetch; ImageNet and LSUN ask for an account or a form."""

SILENCE_S = 30.0
"""A mirror that says nothing for so long is left."""
CHUNK = 2**20
PARTIAL, BEYOND_THE_END = 206, 416
"""Answers: the bytes that were asked for; there are no more bytes than are here."""


class _MirrorError(Exception):
    """Why a mirror did not give the file."""


def download(family: str, folder: Path, *, progress: Progress) -> tuple[Path, ...]:
    """The published files of a family, fetched into a folder unless they lie there.

    Args:
        family: Its name.
        folder: Where they go; made if need be.
        progress: Told of the bytes of each file.

    Raises:
        ConfigError: If nobody may fetch them just so, a file of that name is another one, or no
            mirror gives one.
        OSError: If the folder cannot be written.
    """
    if family not in MIRRORS:
        raise ConfigError(
            "--download",
            f"one of {', '.join(MIRRORS)}",
            f"{family!r}",
            "its owners want to know who fetches it: do so, and give the files as PATH",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_fetched(family, name, folder, progress) for name in MIRRORS[family].files)


def _fetched(family: str, name: str, folder: Path, progress: Progress) -> Path:
    path, sums = folder / name, PUBLISHED[family][name]
    if path.exists():
        if (found := _md5(path)) not in sums:
            raise ConfigError(
                str(path),
                f"the published file, with the md5 {' or '.join(sums)}",
                f"one with {found}",
                "delete it to fetch it again, or give it as PATH without --download",
            )
        return path
    part = folder / f"{name}{UNFINISHED}"
    reasons = []
    for url in (address + name for address in MIRRORS[family].at):
        try:
            _read_to_the_end(url, part, progress)
        except _MirrorError as error:
            reasons.append(f"{url}: {error}")
            continue
        if (found := _md5(part)) in sums:
            os.replace(part, path)
            return path
        part.unlink()
        reasons.append(f"{url}: another file, with the md5 {found}")
    raise ConfigError(
        name,
        "one of its mirrors to give it",
        "; ".join(reasons),
        f"try again, it goes on where it was; or put the file into {folder} by other means",
    )


def _read_to_the_end(url: str, part: Path, progress: Progress) -> None:
    """Adds to the part of a file until the mirror says that this is all.

    Raises:
        _MirrorError: If it does not answer, or breaks off without having given more.
    """
    here, total = 0, None
    while total is None or here < total:
        before = part.stat().st_size if part.exists() else 0
        if (answer := _asked(url, before)) is None:
            return
        goes_on = answer.status == PARTIAL
        here = before if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else here + int(length)
        with answer, part.open("ab" if goes_on else "wb") as file:
            while chunk := _next_bytes(answer):
                file.write(chunk)
                here += len(chunk)
                progress(here, total or here)
        if total is None:
            return
        if here < total and here <= before:
            raise _MirrorError(f"broke off after {here:,} of {total:,} bytes")


def _asked(url: str, start: int) -> HTTPResponse | None:
    """The answer of a mirror that is asked for a file from a byte on; None: it has no more."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    try:
        answer: HTTPResponse = urlopen(Request(url, headers=headers), timeout=SILENCE_S)
    except HTTPError as error:
        if error.code == BEYOND_THE_END:
            return None
        raise _MirrorError(str(error)) from error
    except (OSError, HTTPException) as error:
        raise _MirrorError(str(getattr(error, "reason", error)) or "no answer") from error
    said = answer.headers.get("Content-Range", "")
    if answer.status == PARTIAL and not said.startswith(f"bytes {start}-"):
        raise _MirrorError(f"asked for the bytes from {start:,} on, it gave {said or 'others'}")
    return answer


def _next_bytes(answer: HTTPResponse) -> bytes:
    """Some more of an answer; nothing at its end, or where it breaks off."""
    try:
        return answer.read(CHUNK)
    except (OSError, HTTPException):
        return b""


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
