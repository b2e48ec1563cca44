"""How every door speaks: a sentence for what goes wrong, and no work that a lost line can stop.

A terminal may lack a letter, a log may lie on a full disk, `head` may have read enough. Then
letters are spelled in ASCII, and what cannot be written is dropped: the work goes on without it.
"""

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TextIO, cast

from iddpm.running.files import REMEDIES_OF_READING
from iddpm.running.interruption import Progress

BAD_INPUT = 2
STANDARD_ERROR = 2
"""The number of the file."""

Asked = ParamSpec("Asked")
"""What a door is called with: its command line."""


def door(*told: type[Exception]) -> Callable[[Callable[Asked, int]], Callable[Asked, int]]:
    """Makes a door of a function that returns an exit code.

    Args:
        told: Errors that are a sentence for a person already. Beside them, whatever an operating
            system refuses is told with its path and what to try.
    """

    def made(main: Callable[Asked, int]) -> Callable[Asked, int]:
        @wraps(main)
        def opened(*arguments: Asked.args, **options: Asked.kwargs) -> int:
            with _speaking():
                try:
                    return main(*arguments, **options)
                except told as error:
                    return fail(error)
                except OSError as error:
                    return fail(sentence(error))

        return opened

    return made


def fail(message: object) -> int:
    """Say on standard error what went wrong; the exit code for bad input."""
    print(f"error: {message}", file=sys.stderr)
    return BAD_INPUT


def told() -> int:
    """The exit code of a door that only prints: 0, or that of bad input if the text was lost."""
    lost = _lost()
    return 0 if lost is None or isinstance(lost, BrokenPipeError) else BAD_INPUT


def is_read() -> bool:
    """Whether standard output takes what is printed, as far as is known."""
    return _lost() is None


def sentence(error: OSError) -> str:
    """What the operating system refused, where, and what to try."""
    if error.strerror is None:  # ours, a sentence already
        return str(error)
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    remedy = REMEDIES_OF_READING.get(error.errno or 0, "look there and run the same command again")
    return f"{where}cannot be read or written: {error.strerror}; {remedy}"


def counted(what: str, every: int) -> Progress:
    """Says now and then how much is done, in lines of a log."""
    before = 0

    def progress(done: int, total: int) -> None:
        nonlocal before
        if done // every > before // every:
            print(f"{done:,} of {total:,} {what}", flush=True)
        before = done

    return progress


def path(text: str) -> Path:
    """A path from the command line.

    Raises:
        ArgumentTypeError: If it is empty, no file can have it, or no file of the store can hold it.
    """
    if "\0" in text or not _is_text(text):
        raise ArgumentTypeError(f"expected a path in UTF-8 text, found {text!r:.60}")
    if not text:
        raise ArgumentTypeError("expected a path, found none; . is the folder where you are")
    return Path(text)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ------------------------------------------------------------------------------- standard output


class _Output:
    """A standard stream that raises nothing: what it cannot write is dropped, and noted once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Writes the text, letters that the stream does not have as `\\u03b2`."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Passes on what was written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Drop what is buffered and all that follows; say so, unless the reader just left."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if self.lost is None and not isinstance(error, BrokenPipeError) and self is sys.stdout:
            what = f"cannot be written: {error.strerror}; what it was to hold is lost, nothing else"
            print(f"error: standard output: {what}", file=sys.stderr)
        self.lost = self.lost or error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _lost() -> OSError | None:
    if not isinstance(sys.stdout, _Output):
        return None
    sys.stdout.flush()
    return sys.stdout.lost


@contextmanager
def _speaking() -> Iterator[None]:
    """Standard output and errors that cannot fail, as long as the context is open."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass  # was closed by whoever started us: the next file to be opened shall not have it
    os.close(number)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, s and _Output(s)) for s in before)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        sys.stdout, sys.stderr = before
