"""Sweeps, presets and options as nobody should write them, drawn from one seed a case.

`python -m tests.witness.fuzz SORT FIRST LAST` puts the cases [FIRST, LAST) of a sort to the doors,
in this process, and prints as JSON what no door may do: raise, speak of a traceback, end with
another code than 0 to 2, or compute for more than `SECONDS` of this process's own time.
"""

import contextlib
import copy
import io
import json
import math
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import Any, get_type_hints

import yaml

from studies import cancel, run, status
from studies.report import __main__ as report
from studies.spec.evaluations import SCOPES
from studies.spec.reading import _members
from studies.store.memory import peak_mb
from studies.tasks.kinds import KINDS
from tests.witness import tiny_sweep
from tests.witness.sweep_files import PRESET, SWEEP

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
ADDRESS_SPACE = 4 * 2**30
"""Bytes: what no case may pass before the machine itself suffers."""

NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "64", "100", "1e3", "1e-4", "-0.0", "0.5", "1.0", "1e308"),
    *("1e400", "-1e400", "1e-400", ".nan", ".inf", "-.inf", "nan", "inf", "Infinity", "1_000"),
    *("1,000", "0x10", "0o17", "0b1", "010", "1:30", "12:30:45", "+5", "5.", ".5", "1e5", "1e23"),
    *(str(2**31), str(2**32), str(2**53), str(2**63), str(2**64), str(-(2**63)), "1e11", "1e9"),
    *("9" * 40, "9" * 401, "9" * 5000, "-" + "9" * 401, "1" + "e" + "9" * 30, "0." + "1" * 400),
    *("１２", "½", "²", "1 000", "0,5", "1/2", "50%", "10k", "--1", "1e", "e1", "0x", "1e1e1"),
)
WORDS = (
    *("", "~", "null", "Null", "true", "yes", "on", "off", "None", "simple", "hybrid", "vlb"),
    *("digits", "photos", "ddim", "beta", "even", "kid", "latents", "train", "<<", "=", "*", "&a"),
    *("2024-01-01", "2024-01-01T10:00:00Z", "a b", "é", "e\u0301", "\u202e", "\ufeff", "\u2028"),
    *("$HOME", "%s", "{}", "{0}", "\\", "..", "/", "/dev/null", "/dev/zero", "~/x", "a/../..", "-"),
    *("x" * 300, "x" * 5000, "'", '"', "[", "]", "{", "}", "[[[[", "#", "!!python/object:x.y", ":"),
    *('"\\0"', '"\\ud800"', '"\\x07"', "!!binary aGk=", "!!set {a}", "!!int x", "!!bool 1", "!x y"),
)
TREES = (
    *("[]", "{}", "[1]", "[1, 2]", "[~]", "[[]]", "[{}]", "{a: 1}", "{kind: ddim}", "{kind: 1}"),
    *("{kind: {}}", "{ddim: {kind: ddim}}", "{simple: {}}", "{hybrid: {vlb_weight: 0}}", "{1: 2}"),
    *("{~: 1}", "{[]: 1}", "{a: 1, a: 2}", "{<<: {steps: 1}}", "&a [*a]", "&a {b: *a}", "*none"),
    *("[" * 3000, "{a: " * 3000, "[" + "1, " * 30_000 + "]", "- " * 2000, "? " * 2000),
    *("{npz: {path: 'a\\0'}}", "{npz: {path: /dev/zero}}", "{folder: {path: /, size: 8}}"),
    *("{folder: {path: /proc/self, size: 8}}", "{npz: {path: /proc/self/mem}}", "{npz: {path: .}}"),
    *("{photos: {train_images: 99999999}}", "{inception: {path: /dev/null}}", "{classifier: }"),
)
VALUES = (*NUMBERS, *WORDS, *TREES)
PLAIN: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 5, 16, 1000, 10**6, 10**9, 10**11, 2**53, 2**64, 10**400),
    *(0.0, 0.5, 1.0, 1e-9, 1e300, math.inf, -math.inf, math.nan, "", "x", "simple", "hybrid", "é"),
    *([], {}, [1], [0, 1, 2], [[]], [{}], {"a": 1}, {"kind": "ddim"}, ["even"], [None], [0.1, 0.2]),
    *("digits", "photos", {"photos": {"train_images": 5}}, {"hybrid": {"vlb_weight": 1}}, "ddim"),
    *(list(range(2000)), [1e-9 * i for i in range(1, 300)], "x" * 300, "a\0b", "\u202e", "2024"),
)
CHARACTERS = "\t\r\n\0\x07\x1b\x7f\x85\xa0\u2028\ufeff\ud800\U0001f600:-?[]{}!&*|>'\"%@`#,~ "


Call = Callable[[], int]
"""A call of a door."""


class TooLongError(BaseException):
    """A case took more than its time: nothing that a door catches."""


# -------------------------------------------------------------------------------- sweeps, presets


@cache
def sources() -> list[tuple[str, str]]:
    """Sweeps, each with a preset for it."""
    small = [(SWEEP, PRESET), (tiny_sweep.SWEEP, tiny_sweep.PRESET)]
    presets = [path.read_text() for path in sorted((ROOT / "sweeps" / "presets").glob("*.yaml"))]
    sweeps = [path.read_text() for path in sorted((ROOT / "sweeps").glob("*.yaml"))]
    return small + [
        (sweep, presets[i % len(presets)]) for i, sweep in enumerate([*sweeps, *sweeps, *sweeps])
    ]


def mutated(text: str, draw: random.Random) -> str:
    """The text with one thing wrong in it."""
    lines = text.splitlines()
    at = draw.randrange(len(lines) or 1)
    line = lines[at] if lines else ""
    key, colon, _ = line.partition(":")
    place = draw.randrange(len(text) or 1)
    match draw.randrange(12):
        case 0 | 1 | 2 | 3:
            lines[at : at + 1] = [f"{key}{colon or ':'} {draw.choice(VALUES)}"]
        case 4:
            lines[at : at + 1] = []
        case 5:
            lines.insert(draw.randrange(len(lines) + 1), line)
        case 6:
            lines[at : at + 1] = [" " * draw.randrange(9) + line.strip()]
        case 7:
            return text[:place] + draw.choice(CHARACTERS) + text[place + 1 :]
        case 8:
            return text[:place]
        case 9:
            words = line.replace(",", " ,").split(" ")
            words[draw.randrange(len(words))] = draw.choice(VALUES)
            lines[at : at + 1] = [" ".join(words)]
        case 10:
            other = draw.randrange(len(lines) or 1)
            lines[at : at + 1], lines[other : other + 1] = (
                lines[other : other + 1],
                lines[at : at + 1],
            )
        case _:
            letters = list(line)
            draw.shuffle(letters)
            lines[at : at + 1] = ["".join(letters)]
    return "\n".join(lines)


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Spot = tuple[Any, Any]
"""A mapping or list, and a key or index of it."""


def spots(tree: Any) -> list[Spot]:
    """Every place of a tree where a value stands."""
    if isinstance(tree, dict):
        inner = list(tree.items())
    elif isinstance(tree, list):
        inner = list(enumerate(tree))
    else:
        return []
    return [spot for key, value in inner for spot in [(tree, key), *spots(value)]]


def rearranged(text: str, draw: random.Random) -> str:
    """The document with one value or key changed, so that it is still YAML."""
    tree = yaml.load(text, LOADER)
    donor = parsed(draw.choice(sources())[draw.randrange(2)])
    holder, key = draw.choice(spots(tree))
    other, name = draw.choice(spots(donor))
    match draw.randrange(6):
        case 0 | 1:
            holder[key] = draw.choice((*PLAIN, -holder[key]) if _is_number(holder[key]) else PLAIN)
        case 2:
            holder[key] = copy.deepcopy(other[name])
        case 3:
            del holder[key]
        case 4 if isinstance(holder, dict):
            holder[name if isinstance(name, str) else draw.choice(KEYS)] = holder.pop(key)
        case _:
            value = copy.deepcopy(other[name])
            if isinstance(holder, list):
                holder.insert(key, value)
            else:
                holder[name if isinstance(name, str) else draw.choice(KEYS)] = value
    return str(yaml.dump(tree, Dumper=DUMPER, sort_keys=False, allow_unicode=True))


@cache
def parsed(text: str) -> Any:
    """A document that is not changed."""
    return yaml.load(text, LOADER)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def sweep_case(folder: Path, draw: random.Random) -> Call:
    """A dry run of a sweep and a preset of which one or both are changed."""
    pairs = sources()
    sweep, preset = pairs[draw.choice((0, 1, draw.randrange(len(pairs))))]
    for _ in range(draw.choice((1, 1, 2, 3, 5))):
        if draw.random() < 0.6:
            sweep = rearranged(sweep, draw)
        else:
            preset = rearranged(preset, draw)
    if draw.random() < 0.4:
        sweep = mutated(sweep, draw)
    if draw.random() < 0.2:
        preset = mutated(preset, draw)
    for path in (ROOT / "sweeps").glob("*.yaml"):  # a preset may speak of them by name
        (folder / path.name).touch()
    encoding = draw.choice(("utf-8",) * 60 + ("utf-16", "latin-1", "utf-8-sig"))
    (folder / "presets").mkdir(exist_ok=True)
    for path, text in ((folder / "s.yaml", sweep), (folder / "presets" / "p.yaml", preset)):
        path.write_bytes(
            text.encode(encoding, "surrogatepass" if "8" in encoding[3:] else "replace")
        )
    asked = [str(folder / "s.yaml"), "--store", str(folder / "store"), "--dry-run"]
    return partial(run.main, [*asked, *([] if draw.random() < 0.05 else ["--preset", "p"])])


# ---------------------------------------------------------------------------------------- options


def setting_names(hint: Any, path: str, depth: int = 3) -> list[str]:
    """Dotted names of all settings, some levels down."""
    found = [path]
    for member in _members(hint) if depth else ():
        hints = get_type_hints(member)
        for item in fields(member):
            found += setting_names(hints[item.name], f"{path}.{item.name}", depth - 1)
    return found


KEYS = sorted({key for scope in SCOPES for key in setting_names(SCOPES[scope], scope)})
ASKED = ("partition", "account", "time_min", "memory_gb", "cpus", "gpus", "nodes", "sbatch", "nope")


def option_case(folder: Path, draw: random.Random) -> Call:
    """A door with an option of a value that is drawn."""
    (folder / "presets").mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(SWEEP)
    (folder / "presets" / "tiny.yaml").write_text(PRESET)
    value = draw.choice(VALUES)
    store = draw.choice((str(folder / "store"), str(folder / "store"), value))
    others: Sequence[Call] = (
        lambda: status.main([value, "--store", store]),
        lambda: cancel.main([value, "--store", store]),
        lambda: report.main([value, "--store", str(folder / "store"), "--out", str(folder / "o")]),
    )
    if draw.random() < 0.1:
        return draw.choice(others)
    block = draw.choice(("", "", "", "blocks[0].", f"blocks[{value}]."))
    kind = draw.choice(("", f"{draw.choice(sorted(KINDS))}.", "all.", f"{value}."))
    slurm = ("--executor", "slurm")
    more: list[Sequence[str]] = [
        *[("--set", f"{block}{draw.choice(KEYS)}={value}")] * 8,
        ("--set", value),
        ("--seeds", *value.split()),
        ("--workers", value),
        ("--preset", value),
        ("--executor", value),
        ("--retry", value),
        ("--store", value),
        (*slurm, "--pack", value),
        (*slurm, "--max-gpu-hours", value),
        (*slurm, "--max-parallel", value),
        (*slurm, "--partition", value),
        ("--executor", "local", "--resource", f"train.gpus={value}"),
        *[(*slurm, "--resource", f"{kind}{draw.choice(ASKED)}={value}")] * 3,
        (draw.choice(("--help", "--nope", value)),),
    ]
    asked = [str(folder / "s.yaml"), "--store", store, "--dry-run"]
    return partial(run.main, [*asked, *draw.choice(more)])


# ------------------------------------------------------------------------------------------ cases

SORTS = {"sweeps": sweep_case, "options": option_case}


def outcome(sort: str, number: int, folder: Path) -> tuple[object, str]:
    """The exit code of a case, and what the doors do wrong with it; empty: nothing."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    call = SORTS[sort](folder, random.Random(f"{sort} {number}"))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code: object = call()
    except SystemExit as end:
        code = end.code
    except (Exception, TooLongError):
        return None, traceback.format_exc()[-3000:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    said.flush()
    text = said.buffer.getvalue().decode()
    if code not in (0, 1, 2) or "Traceback" in text or len(text) > 100_000:
        return code, f"ended with {code!r}, said {len(text)} characters: {text[-500:]}"
    return code, ""


def limit_time() -> None:
    """Let a case that computes for too long raise."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    signal.signal(signal.SIGPROF, end)


def main(sort: str, first: str, last: str) -> None:
    """Put the cases to the doors; print what went wrong, and the memory that was used."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    limit_time()
    os.environ["XDG_CONFIG_HOME"] = os.devnull
    faults, fine = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(int(first), int(last)):
            code, fault = outcome(sort, number, Path(folder))
            fine += code == 0
            if fault:
                faults[number] = fault
    json.dump({"faults": faults, "fine": fine, "megabytes": peak_mb()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
