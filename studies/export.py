"""`python -m studies.export WHAT STUDY --to TOOL`: a study for other programs.

`curves` are the losses of trainings by step, `results` the numbers of each arm and seed, for tools
that show runs. A `network` goes to safetensors or diffusers. All are read from the store, after the
fact.
"""

import argparse
import filecmp
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iddpm.bounds import ConfigError
from iddpm.registry import nearest
from iddpm.running.files import UNFINISHED, StorageError
from studies.door import door, path, told
from studies.exporting.runs import curves, results
from studies.exporting.sinks import SINKS, export
from studies.opened import Study
from studies.store.store import Store, StoreError

WHAT = {"curves": curves, "results": results}
NETWORK, NETWORKS = "network", ("safetensors", "diffusers")
EMPTY = 1


@door(ConfigError, StoreError, StorageError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Export; the exit code. 0: fine. 1: there is nothing to export yet. 2: bad use."""
    options = _parser().parse_args(arguments)
    _check(options)
    if options.what == NETWORK:
        print(_network(options))
        return told()
    runs = WHAT[options.what](Store(options.store), options.study)
    if not runs:
        print(f"{options.study}: has no {options.what} yet; nothing was written", file=sys.stderr)
        return EMPTY
    there = export(runs, options.to, options.out, f"{options.study}.{options.what}")
    print(f"{len(runs)} runs: {there}")
    return told()


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: At the first of them.
    """
    tools = NETWORKS if options.what == NETWORK else tuple(SINKS)
    if options.to not in tools:
        raise ConfigError("--to", f"for {options.what} one of {', '.join(tools)}", options.to)
    if options.what == NETWORK and options.seed is None:
        raise ConfigError("--seed", "that of the training", "none", "add --seed 0")
    given = {"--seed": options.seed, "--ema-decay": options.ema_decay, "--arm": options.arm}
    if options.what != NETWORK and (
        odd := [name for name, value in given.items() if value not in (None, [])]
    ):
        raise ConfigError(odd[0], "it beside network alone", f"it beside {options.what}")


def _network(options: argparse.Namespace) -> Path:
    """Write the network that the options tell from others; where it lies.

    Each average of a training has a folder of its own, which appears whole.

    Raises:
        ConfigError: If there is no such network, or more than one, or it cannot go there.
        StoreError: If there is no such study, or it cannot be read.
        StorageError: If it cannot be written.
    """
    store = Store(options.store)
    known: dict[str, dict[str, Any]] = {}
    for cell in store.study(options.study)["cells"]:
        for name, value in cell["arm"].items():
            known.setdefault(name, {})[_word(value)] = value
    settings = dict(_setting(text, known) for text in options.arm)
    about: dict[str, Any] = {"seed": options.seed, **settings}
    study = Study(store, options.study)
    try:
        address = study.training(**about)
        average = "" if options.ema_decay is None else f".ema-{options.ema_decay}"
        folder: Path = options.out / f"{options.study}.{address}{average}.{options.to}"
        with _appearing(folder) as unfinished:
            about |= {"to": options.to, "ema_decay": options.ema_decay}
            there = study.export_network(unfinished, **about)
        return folder / there.relative_to(unfinished)
    except ConfigError:
        raise
    except ValueError as error:  # as `export_network` says
        raise ConfigError("", "", str(error)) from error


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes this name once all is written.

    Raises:
        ConfigError: If something has the name and does not hold the same files: it stays.
    """
    unfinished = folder.with_name(f".{secrets.token_hex(8)}{UNFINISHED}")
    try:
        yield unfinished
        if not os.path.lexists(folder):
            unfinished.rename(folder)
        elif not _holds(folder, unfinished):
            expected = f"no {folder.name} there, unless of the very same files"
            hint = "move it away, or name another folder with --out"
            raise ConfigError("--out", expected, f"another at {folder}", hint)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _holds(folder: Path, other: Path) -> bool:
    """Whether each file of the other folder is in this one, byte for byte."""
    files = [file for file in other.rglob("*") if file.is_file()]
    pairs = [(file, folder / file.relative_to(other)) for file in files]
    return all(it.is_file() and filecmp.cmp(file, it, shallow=False) for file, it in pairs)


def _setting(text: str, known: Mapping[str, Mapping[str, Any]]) -> tuple[str, Any]:
    """A setting of `--arm` and its value as the study has it.

    Raises:
        ConfigError: If it is none.
    """
    name, is_set, word = text.partition("=")
    if not is_set:
        raise ConfigError("--arm", "settings such as objective=hybrid", text)
    if name == "ema_decay":  # of evaluations, and every arm has it: no training is told by it
        hint = "use --ema-decay, without which the weights themselves are exported"
        raise ConfigError("--arm", "settings that tell trainings apart", name, hint)
    if name not in known:
        expected = "a setting that tells arms of the study apart"
        raise ConfigError("--arm", expected, name, nearest(name, list(known)))
    values = known[name]
    if word not in values:
        raise ConfigError(f"--arm {name}", f"one of {', '.join(values)}", word)
    return name, values[word]


def _word(value: Any) -> str:
    """How a value is written on the command line."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.export", description=__doc__)
    add = parser.add_argument
    add("what", choices=[*WHAT, NETWORK], metavar="WHAT", help="curves, results or network")
    add("study", metavar="STUDY", help="its id, such as sigma_ablation-digits")
    add("--to", choices=[*SINKS, *NETWORKS], required=True, help="what they are for")
    add("--out", type=path, default=Path("exports"), help="folder to write below; default: exports")
    add("--store", type=path, default=Path("store"), help="default: store")
    of_network = parser.add_argument_group("of network")
    add = of_network.add_argument
    add("--seed", type=int, help="of its training")
    add("--arm", nargs="+", default=[], metavar="NAME=VALUE", help="what tells it from others")
    add("--ema-decay", type=float, help="which average of its weights; default: the weights")
    return parser


if __name__ == "__main__":
    sys.exit(main())
