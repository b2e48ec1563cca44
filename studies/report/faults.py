"""What keeps a study, a figure or a claim from its page: told in a sentence, and gone on after."""

import traceback
from dataclasses import dataclass

from iddpm.bounds import ConfigError
from iddpm.running.files import StorageError
from studies import door
from studies.store.store import StoreError

TOLD = (StoreError, StorageError, ConfigError)
"""Errors whose own words say where, what and what to try."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something is not shown."""

    of: str
    """What is not shown: `figure sample_grid`, `claim learned_sigma_lowers_nll`; empty: all."""
    sentence: str
    traceback: str = ""
    """Of an error that nobody foresaw; else empty."""


def fault(error: Exception, of: str = "") -> Fault:
    """The fault behind an error that was caught while something was read or drawn."""
    if isinstance(error, TOLD):
        return Fault(of, _line(str(error)))
    if isinstance(error, OSError) and error.filename is not None:
        return Fault(of, _line(door.sentence(error)))
    words = f"an error that this program did not foresee ({type(error).__name__}: {error})"
    return Fault(of, _line(words), _printable("".join(traceback.format_exception(error))))


def _line(text: str) -> str:
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    """The text without the halves of characters that no file can hold."""
    return text.encode(errors="backslashreplace").decode()
