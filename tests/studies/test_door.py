"""What every door does with output that cannot be written and with paths that cannot be used."""

import argparse
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies import cancel, run, status
from studies import data as data_door
from studies import execute as executors
from studies.door import door, is_read, path, sentence, told
from studies.execute.signals import CutOff
from studies.report import __main__ as report
from tests.witness.marks import slow_except
from tests.witness.runs import running
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

ROOT = Path(__file__).parents[2]
LOST = (
    "error: standard output: cannot be written: No space left on device; "
    "what it was to hold is lost, nothing else\n"
)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path, SWEEP, PRESET)


def shell(words: str, *arguments: object, module: str = "studies.run") -> tuple[int, str]:
    """Exit code and standard error of a door that a shell starts with such redirections."""
    command = f'exec "$0" -m {module} "$@" {words}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


class Taken(io.StringIO):
    """A terminal that takes nothing more."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


# ------------------------------------------------------------------------------- standard output


@pytest.mark.slow
def test_a_dry_run_that_nobody_can_read_is_no_success_and_says_why(sweep: Path) -> None:
    asked = (sweep, "--store", sweep.parent / "store", "--dry-run")
    assert shell(">/dev/full", *asked) == (2, LOST)
    assert shell(">/dev/full 2>/dev/full", *asked) == (2, "")
    assert shell(">&-", *asked) == (0, "")
    assert shell("| head -n 1 >/dev/null", *asked) == (0, "")


@pytest.mark.slow
def test_a_run_does_its_work_though_no_line_of_it_can_be_printed(sweep: Path) -> None:
    store = sweep.parent / "store"
    asked = (sweep, "--store", store, "--executor", "inline", "--seeds", "0")
    assert shell(">/dev/full", *asked) == (0, LOST)
    done = {path.parent.name for path in store.glob("tasks/*/result.json")}
    assert done == {path.name for path in (store / "tasks").iterdir()}
    pages = sweep.parent / "pages"
    told = shell(">/dev/full", "--store", store, "--out", pages, module="studies.report")
    assert told == (0, LOST)
    assert (pages / "tiny-tiny" / "index.html").exists()
    assert shell(">/dev/full", "--store", store, module="studies.status") == (2, LOST)


@pytest.mark.parametrize("code", slow_except(["ascii", "latin-1", "cp1252", "cp437"], "ascii"))
def test_letters_that_a_terminal_lacks_are_spelled_out(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=code))
    assert running(sweep.parent, "--seeds", "0") == 0
    assert "mean over seeds" in raw.getvalue().decode(code)

    @door()
    def speak() -> int:
        print("Σ and β̃")
        return told()

    assert speak() == 0
    last = raw.getvalue().decode(code).splitlines()[-1]
    assert last.replace("Σ", r"\u03a3").replace("β", r"\u03b2") == r"\u03a3 and \u03b2\u0303"


def test_a_reader_who_leaves_is_no_fault_and_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    @door()
    def speak() -> int:
        print("a line")
        seen.append(is_read())
        return told()

    for error, code, said in (
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
        (OSError(28, "No space left on device"), 2, LOST),
    ):
        monkeypatch.setattr(sys, "stdout", Taken(error))
        assert speak() == code
        assert capsys.readouterr().err == said
    assert seen == [False, False]


# ---------------------------------------------------------------------------------------- Ctrl-C


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (CutOff(3), "stopped at once: 3 tasks were cut off; they go on from their last saves. The"),
        (Interrupted(), "stopped; all that was done is saved. The"),
        (KeyboardInterrupt(), "stopped; no task was under way here. The"),
    ],
)
def test_a_run_that_is_stopped_says_what_is_saved(
    sweep: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    last: str,
) -> None:
    def stop(*asked: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(executors, "execute", stop)
    assert running(sweep.parent) == 130
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{last} same command ")


# -------------------------------------------------------------------------------------- paths


def doors(at: Path, sweep: Path) -> dict[str, Callable[[], int]]:
    """Every door that is given one path that cannot be used, by the name of the path."""
    bad, good = str(at), str(sweep.parent / "store")
    return {
        "sweep": lambda: run.main([bad, "--store", good, "--dry-run"]),
        "store": lambda: run.main([str(sweep), "--store", bad, "--executor", "inline"]),
        "dry": lambda: run.main([str(sweep), "--store", bad, "--dry-run"]),
        "status": lambda: status.main(["--store", bad]),
        "one": lambda: status.main(["tiny-tiny", "--store", bad]),
        "cancel": lambda: cancel.main(["tiny-tiny", "--store", bad]),
        "report": lambda: report.main(["--store", bad]),
        "pack": lambda: data_door.main([bad, str(sweep.parent / "x.npz"), "--size", "8"]),
    }


def loop(folder: Path) -> Path:
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


UNUSABLE: dict[str, Callable[[Path], Path]] = {
    "loop": loop,
    "below a loop": lambda folder: loop(folder) / "x",
    "long": lambda folder: folder / ("n" * 300),
    "below a file": lambda folder: folder / "sweep.yaml" / "x",
}


@pytest.mark.parametrize("name", doors(Path(), Path()))
@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_path_that_cannot_be_used_is_told_in_a_sentence(
    sweep: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str
) -> None:
    at = UNUSABLE[kind](sweep.parent)
    code = doors(at, sweep)[name]()
    told = capsys.readouterr()
    if (kind, name) == ("below a file", "dry"):
        assert code == 0  # a plan needs no store
    elif kind != "below a file" or name not in ("status", "report"):
        assert (code, told.err.count("\n")) == (2, 1)
        assert str(at)[:200] in told.err
    else:
        assert f"{at}: holds no study yet" in told.out + told.err


@pytest.mark.parametrize("name", doors(Path(), Path()))
def test_a_folder_that_another_user_keeps_closed_is_told_with_a_remedy(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    closed = sweep.parent / "closed"
    real = {found: getattr(os, found) for found in ("stat", "lstat", "listdir", "scandir", "open")}

    def refusing(found: str) -> Callable[..., object]:
        def call(target: object = ".", *rest: object, **more: object) -> object:
            if isinstance(target, str | Path) and str(target).startswith(f"{closed}/"):
                raise PermissionError(13, "Permission denied", str(target))
            return real[found](target, *rest, **more)

        return call

    for found in real:
        monkeypatch.setattr(os, found, refusing(found))
    monkeypatch.setattr(os, "mkdir", refusing("stat"))
    assert doors(closed / "x", sweep)[name]() == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {closed}/x")
    assert "Permission denied; this user may not" in told
    assert told.count("\n") == 1


MODULES = {
    **{name: f"studies.{name}" for name in ("run", "status", "cancel")},
    "report": "studies.report.__main__",
}


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("module", MODULES)
def test_another_user_is_told_of_a_closed_folder(tmp_path: Path, module: str) -> None:
    write_sweep(tmp_path, SWEEP, PRESET)
    tmp_path.chmod(0o700)
    asked = {
        "run": [str(tmp_path / "sweep.yaml"), "--store", "/nowhere", "--dry-run"],
        "status": ["--store", str(tmp_path / "store")],
        "cancel": ["tiny-tiny", "--store", str(tmp_path / "store")],
        "report": ["--store", str(tmp_path / "store")],
    }
    # the interpreter itself may lie where only root may look: it is loaded before root is left
    script = (
        f"import os, sys, importlib; door = importlib.import_module('{MODULES[module]}')\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(door.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *asked[module]], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "Permission denied; this user may not use it" in done.stderr


def test_a_path_of_no_text_is_refused() -> None:
    assert path("a/ü") == Path("a/ü")
    for text in ("a\0b", "a\udcff"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a path in UTF-8 text"):
            path(text)
    with pytest.raises(argparse.ArgumentTypeError, match="expected a path, found none"):
        path("")


def test_what_an_operating_system_refuses_is_said_with_its_path_and_what_to_try() -> None:
    assert sentence(OSError(40, "Too many levels of symbolic links", "a")) == (
        "a: cannot be read or written: Too many levels of symbolic links; "
        "a link there leads back to itself; name the file or folder itself"
    )
    assert sentence(OSError(71, "Protocol error", b"b")) == (
        "b: cannot be read or written: Protocol error; look there and run the same command again"
    )
    assert sentence(StorageError("c: as it is")) == "c: as it is"
