"""`python -m studies.run SWEEP`: plan a sweep, run what is not done yet, show what came out."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from iddpm.config import ConfigError
from iddpm.files import StorageError
from iddpm.interruption import Interrupted
from studies import executors
from studies.console import counted, fail, watching
from studies.plan import Plan, costs, expand, record
from studies.spec import read_sweep
from studies.store import Store, StoreError
from studies.tasks import Task

INCOMPLETE, INTERRUPTED = 1, 130
TABLE_WIDTH = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Run sweeps; the exit code.

    0: every task is done. 1: some failed. 2: bad input, nothing was started. 130: stopped on
    request, with everything saved.
    """
    options = _parser().parse_args(arguments)
    try:
        plans = [_planned(path, options) for path in options.sweeps]
        store = Store(options.store)
        return _dry_run(plans, store) if options.dry_run else _run(plans, store, options)
    except (ConfigError, StoreError, StorageError) as error:
        return fail(error)
    except (Interrupted, KeyboardInterrupt):
        print("stopped; all that was done is saved. The same command goes on from there.")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.run", description=__doc__)
    add = parser.add_argument
    add("sweeps", nargs="+", type=Path, metavar="SWEEP", help="a file such as sweeps/x.yaml")
    add("--preset", help="data, network and budgets; default: the one that the sweep names")
    add(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="KEY=VALUE",
        dest="overrides",
        help="a setting that wins over the files, such as train.steps=500; may be repeated",
    )
    add("--seeds", nargs="+", type=int, help="instead of the sweep's")
    add("--store", type=Path, default=Path("store"), help="where results live; default: store")
    add("--executor", choices=executors.NAMES, help="default: what suits this machine")
    add("--workers", type=_count, help="processes at once; default: one per GPU, else per core")
    add("--retry", choices=["failed"], help="run failed tasks again")
    add("--dry-run", action="store_true", help="show what would run and what it costs")
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, found {text!r}")
    return key, value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, found {text!r}")
    return int(text)


def _console() -> Console:
    """The terminal, or lines of a width that holds the tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=TABLE_WIDTH)


def _planned(path: Path, options: argparse.Namespace) -> Plan:
    return expand(
        read_sweep(path, preset=options.preset, overrides=options.overrides, seeds=options.seeds)
    )


def _tasks(plans: Sequence[Plan]) -> dict[str, Task]:
    """The tasks of all plans, each once and after all that it needs."""
    return {address: task for plan in plans for address, task in plan.tasks.items()}


# ---------------------------------------------------------------------------------------- running


def _run(plans: Sequence[Plan], store: Store, options: argparse.Namespace) -> int:
    tasks = _tasks(plans)
    for plan in plans:
        store.record_study(plan.study, record(plan))
    if options.retry:
        for address in tasks:
            store.clear_failure(address)
    console = _console()
    with watching(len(tasks), console) as watch:
        executors.execute(
            store,
            list(tasks.values()),
            name=options.executor,
            workers=options.workers,
            watch=watch,
        )
    for plan in plans:
        _print_results(store, plan.study, console)
    states: Counter[str] = Counter(store.state(address) for address in tasks)
    print(f"{len(tasks)} tasks: {counted(states)}")
    if states["done"] == len(tasks):
        return 0
    print("python -m studies.status STUDY says why; --retry failed runs the failed ones again")
    return INCOMPLETE


def _print_results(store: Store, study: str, console: Console) -> None:
    """The study as one table: an arm a row, mean over seeds ± half its 95% interval."""
    from studies.report.summary import summary  # pandas: not needed until there are results

    columns, rows = summary(store, study)
    table = Table(title=f"{study}: mean over seeds ± half of its 95% interval")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


# ---------------------------------------------------------------------------------------- dry run


def _dry_run(plans: Sequence[Plan], store: Store) -> int:
    tasks = _tasks(plans)
    states = {address: store.state(address) for address in tasks}
    done = {address for address, state in states.items() if state == "done"}
    console = _console()
    for plan in plans:
        table = Table(title=f"{plan.study}: what is left to do")
        for i, column in enumerate(("arm", "tasks", "training steps", "network calls")):
            table.add_column(column, justify="left" if i == 0 else "right")
        for cost in costs(plan, done=done):
            counts = (cost.tasks, cost.training_steps, cost.network_calls)
            table.add_row(cost.arm, *(f"{count:,}" for count in counts))
        console.print(table)
    print("A network call is of one image; a training step is of one batch, forwards and back.")
    print(f"{len(tasks)} tasks: {counted(Counter[str](states.values()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
