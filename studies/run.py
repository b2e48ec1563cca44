"""`python -m studies.run SWEEP`: plan a sweep, run what is not done yet, show what came out."""

import argparse
import math
import os
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from iddpm.bounds import ConfigError
from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies import execute as executors
from studies import preview
from studies.analyses.index import cautions, checked
from studies.door import door, path, told
from studies.execute import slurm, throughput
from studies.execute.console import counted, terminal, watching
from studies.execute.devices import here
from studies.execute.forecast import Left
from studies.execute.signals import CutOff
from studies.execute.slurm import SlurmError
from studies.execute.worker import CHECKPOINT_EVERY, IMAGES_PER_PASS
from studies.plan.costs import labels
from studies.plan.plan import Plan, chained, expand, needed, record
from studies.spec.documents import nearest, short
from studies.spec.resources import Resources, override_layer, resources, user_layer
from studies.spec.sweep import SWEEPS, read_sweep
from studies.store.pruning import reopen_needed
from studies.store.store import ErrorClass, Store, StoreError
from studies.tasks.task import Task

INCOMPLETE, INTERRUPTED = 1, 130
MOST_FAILURES = 10
"""Of those that failed, as many are named."""
PACK_MIN = 10.0
LOCAL_ONLY = {"workers": "--workers", "measure": "--measure"}
SLURM_ONLY = {
    "partition": "--partition",
    "resources": "--resource",
    "pack": "--pack",
    "max_parallel": "--max-parallel",
    "max_gpu_hours": "--max-gpu-hours",
}
"""Options of one executor, as they stand in the namespace and on the command line."""
MOST_AT_ONCE = 10_000
"""Processes of a pool, or jobs of an array: more than a machine or a scheduler runs."""
MOST_AMOUNT = 1_000_000_000
"""Minutes of a job, or hours of a GPU."""

STORE = Path("store")
"""Where results live unless told otherwise."""


@door(ConfigError, StoreError, SlurmError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run sweeps; the exit code.

    0: every task is done, or in the queue. 1: some failed. 2: bad input, nothing was started, or
    the cluster refused. 130: stopped on request.
    """
    options = _parser().parse_args(arguments)
    try:
        _refuse_idle_options(options)
        plans = [_planned(path, options, options.seeds) for path in options.sweeps]
        _refuse_alike(plans)
        store = Store(options.store)
        plans = [needed(plan, store.is_done) for plan in plans]
        if options.no_training:
            _refuse_trainings(plans, store)
        if options.checkpoint_every is not None:
            os.environ[CHECKPOINT_EVERY] = f"{options.checkpoint_every:g}"
        if options.images_per_pass is not None:
            os.environ[IMAGES_PER_PASS] = str(options.images_per_pass)
        if options.dry_run:
            return _dry_run(plans, store, options)
        _print_cautions(plans)
        if options.executor == "slurm":
            return _submit(plans, store, options)
        return _decide(store, options) if options.decide else _run(plans, store, options)
    except CutOff as error:
        print(f"{error}. The same command goes on from there.")
    except Interrupted:
        print("stopped; all that was done is saved. The same command goes on from there.")
    except KeyboardInterrupt:
        print("stopped; no task was under way here. The same command begins again.")
    return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.run", description=__doc__)
    add = parser.add_argument
    add("sweeps", nargs="+", type=_sweep, metavar="SWEEP", help="sweeps/x.yaml, or its name x")
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
    add("--seeds", nargs="+", type=_seeds, help="instead of the sweep's: 0 1 2, or 0,1,2")
    add(
        "--decide",
        action="store_true",
        help="add seeds, at looks fixed beforehand, until every claim is decided or out of reach",
    )
    add(
        "--budget",
        type=_duration,
        metavar="TIME",
        help="with --decide: begin no further look after 30m, or 2h",
    )
    add("--store", type=path, default=STORE, help="where results live; default: store")
    _add_running_options(add)
    _add_looking_options(add)
    _add_cluster_options(parser.add_argument_group("on a cluster (--executor slurm)").add_argument)
    return parser


def _add_running_options(add: Callable[..., object]) -> None:
    add("--executor", choices=executors.NAMES, help="default: what suits this machine")
    add("--workers", type=_count, help="processes at once; default: one per GPU, else per core")
    add(
        "--retry",
        choices=["failed", *get_args(ErrorClass)],
        help="run failed tasks again, all of them or those that failed in this way",
    )
    add(
        "--checkpoint-every",
        type=_duration,
        metavar="TIME",
        help="how often trainings save: 90s, 10m or 2h; default: 1m, less often where saves would "
        "take more than a fiftieth of the time",
    )
    add(
        "--images-per-pass",
        type=_count,
        metavar="N",
        help="images that share a pass of a network which samples or bounds; default: a block's. "
        "Draws stay as they are, the last digits may not",
    )
    add(
        "--no-training",
        action="store_true",
        help="only ask networks that the store has; refused where one is missing",
    )


def _add_looking_options(add: Callable[..., object]) -> None:
    add("--dry-run", action="store_true", help="say what would run, for how long, and how large")
    add("--verbose", action="store_true", help="with --dry-run: all arms, and scripts of jobs")
    add(
        "--measure",
        action="store_true",
        help="with --dry-run: first do some seconds of each sort of work, and keep how fast it was",
    )
    add("--devices", action="store_true", help="with --dry-run: how long on some other devices")


def _add_cluster_options(add: Callable[..., object]) -> None:
    add("--partition", help="short for --resource partition=NAME")
    add(
        "--resource",
        action="append",
        default=[],
        type=_setting,
        metavar="[KIND.]KEY=VALUE",
        dest="resources",
        help="what jobs ask for: account=NAME, train.gpus=4 (also with --executor local); "
        "may be repeated",
    )
    add(
        "--pack",
        type=_amount,
        metavar="MINUTES",
        help=f"small tasks share a job up to so much work; default: {PACK_MIN:g}, 0: a job for "
        "each task",
    )
    add("--max-parallel", type=_count, help="jobs of one array at once")
    add(
        "--max-gpu-hours",
        type=_amount,
        help="submit nothing that would take more; what was never measured counts as a guess",
    )


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, found {short(text)}")
    return key, value


def _sweep(text: str) -> Path:
    """The file that is named, or the sweep of this name: of the folder, else the project's own.

    A folder or an empty file of this name is no sweep.
    """
    file = path(text)
    if "/" in text or file.suffix == ".yaml" or (file.is_file() and file.stat().st_size):
        return file
    sweeps = [one for folder in (Path("sweeps"), SWEEPS) for one in sorted(folder.glob("*.yaml"))]
    named = [one for one in sweeps if one.stem == text and one.is_file()]
    if not named and not os.path.lexists(file):
        known = dict.fromkeys([*(one.stem for one in sweeps), *map(str, Path().glob("*.yaml"))])
        expected = "expected a sweep file or the name of a sweep"
        raise argparse.ArgumentTypeError(f"{expected}, found {short(text)}; {nearest(text, known)}")
    return named[0] if named else file


def _seeds(text: str) -> list[int]:
    return [_whole(one) for one in text.split(",")]


def _whole(text: str) -> int:
    if not re.fullmatch("-?[0-9]{1,1000}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number, found {short(text)}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not text.strip("0"):
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, found {short(text)}")
    if len(text) > len(str(MOST_AT_ONCE)) or int(text) > MOST_AT_ONCE:
        expected = f"expected a number of at most {MOST_AT_ONCE}"
        raise argparse.ArgumentTypeError(f"{expected}, found {short(text)}")
    return int(text)


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {short(text)}")
    if amount > MOST_AMOUNT:
        expected = f"expected a number of at most {MOST_AMOUNT}"
        raise argparse.ArgumentTypeError(f"{expected}, found {short(text)}")
    return amount


def _duration(text: str) -> float:
    """Seconds, from a number of seconds, minutes or hours."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    if unit is None:
        raise argparse.ArgumentTypeError(f"expected a time such as 30m or 2h, found {short(text)}")
    return _amount(text[:-1]) * unit


def _planned(
    path: Path, options: argparse.Namespace, seeds: Sequence[Sequence[int]] | None
) -> Plan:
    sweep = read_sweep(
        path,
        preset=options.preset,
        overrides=options.overrides,
        seeds=[seed for some in seeds for seed in some] if seeds else None,
    )
    return expand(checked(sweep), outlined=options.dry_run)


def _refuse_alike(plans: Sequence[Plan]) -> None:
    """Refuse two studies of one name, of which the store would keep the last.

    Raises:
        ConfigError: If there are two: `a-b` under the preset `c` is called like `a` under `b-c`.
    """
    first: dict[str, Plan] = {}
    for plan in plans:
        other = first.setdefault(plan.study, plan).spec
        if other != plan.spec:
            raise ConfigError(
                "study",
                "a study and preset that have no other's name",
                f"{plan.study!r} in {other.sweep_path} too",
                "rename one of them",
                place=plan.spec.sweep_path,
            )


def _refuse_trainings(plans: Sequence[Plan], store: Store) -> None:
    """Refuse sweeps that would train a diffusion network or a GAN.

    Raises:
        ConfigError: Naming an arm whose network the store does not have.
    """
    for plan in plans:
        missing = {
            task.address
            for task in plan.tasks.values()
            if task.kind in ("train", "gan") and not store.is_done(task.address)
        }
        if missing:
            named = labels(plan.cells)
            raise ConfigError(
                "--no-training",
                f"networks that {store.root} has",
                f"{len(missing)} that it lacks, such as {named[min(missing)]}",
                "set train, rivals and seeds to those of networks it has, or run without it",
                place=plan.spec.sweep_path,
            )


def _print_cautions(plans: Sequence[Plan]) -> None:
    for sentence in cautions(plans):
        print(sentence)


def _tasks(plans: Sequence[Plan]) -> dict[str, Task]:
    """The tasks of all plans, each once, after all that it needs and the training it continues."""
    return chained(task for plan in plans for task in plan.tasks.values())


def _refuse_idle_options(options: argparse.Namespace) -> None:
    """Refuse options of the executors that were not chosen: they would do nothing.

    Raises:
        ConfigError: If there is one.
    """
    idle, other = (LOCAL_ONLY, "local") if options.executor == "slurm" else (SLURM_ONLY, "slurm")
    if options.budget is not None and not options.decide:
        raise ConfigError("--budget", "--decide with it", "none")
    for option in ("verbose", "measure", "devices"):
        if getattr(options, option) and not options.dry_run:
            raise ConfigError(f"--{option}", "--dry-run with it", "none")
    if options.decide and options.executor == "slurm":
        raise ConfigError("--decide", "--executor inline or local with it", "slurm")
    for name, option in idle.items():
        if getattr(options, name) and (options.executor, name) != ("local", "resources"):
            found = options.executor or "none"
            or_local = ", or local for train.gpus alone" if name == "resources" else ""
            raise ConfigError(option, f"--executor {other} with it{or_local}", found)


# ---------------------------------------------------------------------------------------- running


Record = Callable[[Plan], dict[str, Any]]
"""From a plan to what the store records of its study."""


def _begin(plans: Sequence[Plan], store: Store, recorded: Record = record) -> dict[str, Task]:
    """The tasks of all plans, once the store knows of the studies."""
    tasks = _tasks(plans)
    for plan in plans:
        try:
            store.record_study(plan.study, recorded(plan))
        except StorageError as error:
            if any(store.state(address) != "done" for address in plan.tasks):
                raise
            print(f"{plan.study}: all is done, and shown without being recorded. {error}")
    reopen_needed(store, list(tasks.values()))
    return tasks


def _retried(options: argparse.Namespace) -> Sequence[ErrorClass]:
    """The ways to fail after which a task is to be run again."""
    every: tuple[ErrorClass, ...] = get_args(ErrorClass)
    return [error for error in every if options.retry in ("failed", error)]


def _run(plans: Sequence[Plan], store: Store, options: argparse.Namespace) -> int:
    tasks = _execute(plans, store, options)
    return _end(plans, tasks, store, options)


def _decide(store: Store, options: argparse.Namespace) -> int:
    """Each sweep look by look, all within one budget."""
    from studies.decide import asked, decide  # pandas: not needed until now

    start, budget = time.monotonic(), math.inf if options.budget is None else options.budget

    def run(plan: Plan) -> bool:
        tasks = _execute([plan], store, options, asked)
        return all(store.state(address) == "done" for address in tasks)

    def plan_of(sweep: Path, seeds: Sequence[int]) -> Plan:
        plan = _planned(sweep, options, [seeds] if seeds else options.seeds)
        return needed(plan, store.is_done)

    ended = [
        decide(
            store,
            partial(plan_of, sweep),
            run,
            is_spent=lambda: time.monotonic() - start >= budget,
        )
        for sweep in options.sweeps
    ]
    return _end(ended, _tasks(ended), store, options, asked)


def _execute(
    plans: Sequence[Plan], store: Store, options: argparse.Namespace, recorded: Record = record
) -> dict[str, Task]:
    """The tasks of all plans, run until nothing more can be."""
    ranks = executors.ranks(options.executor, options.resources, options.workers)
    if ranks > 1:
        executors.check_ranks(ranks, store, _tasks(plans).values())
    tasks = _begin(plans, store, recorded)
    store.retry(tasks, _retried(options))
    console = terminal()
    named = {address: label for plan in plans for address, label in labels(plan.cells).items()}
    at_once = executors.side_by_side(options.executor, options.workers)
    left = Left(store, list(tasks.values()), at_once, replace(here(), ranks=ranks), ranks)
    preview.foresee(plans, store, preview.expected_here(tasks, store, ranks)[1])
    with watching(len(tasks), console, named, left) as watch:
        executors.execute(
            store,
            list(tasks.values()),
            name=options.executor,
            workers=options.workers,
            ranks=ranks,
            watch=watch,
        )
    return tasks


def _end(
    plans: Sequence[Plan],
    tasks: Mapping[str, Task],
    store: Store,
    options: argparse.Namespace,
    recorded: Record = record,
) -> int:
    """Print what came out; the exit code."""
    console = terminal()
    there = "" if options.store == STORE else f" --store {shlex.quote(str(options.store))}"
    for plan in plans:
        _print_results(store, plan, console, there, recorded(plan))
    states: Counter[str] = Counter(store.state(address) for address in tasks)
    if states["done"] == len(tasks):
        pages = shlex.join(plan.study for plan in plans)
        print(f"python -m studies.report {pages}{there} --open shows the page")
        print(f"{len(tasks)} tasks: {counted(states)}")
        return 0
    _print_failures(plans, store, there)
    return INCOMPLETE


def _print_failures(plans: Sequence[Plan], store: Store, there: str) -> None:
    """What failed by itself and why, how many tasks wait for it, and what to do."""
    tasks = _tasks(plans)
    named = {address: label for plan in plans for address, label in labels(plan.cells).items()}
    failed = {a: failure for a in tasks if (failure := store.failure(a)) is not None}
    for address, failure in list(failed.items())[:MOST_FAILURES]:
        print(f"{named.get(address, address)} ({address}):")
        print(f"    {failure.error}: {failure.message}")
    if len(failed) > MOST_FAILURES:
        print(f"and {len(failed) - MOST_FAILURES} more")
    done = sum(store.state(address) == "done" for address in tasks)
    waiting = len(tasks) - done - len(failed)
    wait = f"; {waiting} wait{'s' * (waiting == 1)} for {'it' if len(failed) == 1 else 'them'}"
    print(f"{len(tasks)} tasks: {done} done, {len(failed)} failed{wait * bool(waiting)}")
    for plan in plans:
        if any(address in failed for address in plan.tasks):
            print(f"python -m studies.status {shlex.quote(plan.study)}{there} says why")
    if all(failure.error == "diverged" for failure in failed.values()):
        print("the same settings diverge again: change one, such as the learning rate")
    else:
        print("--retry failed runs the failed ones again")


def _print_results(
    store: Store, plan: Plan, console: Console, there: str, asked: Mapping[str, Any]
) -> None:
    """The study as one table: an arm a row, mean over seeds ± half its 95% interval."""
    from studies.report.summary import fitting, summary, verdicts  # pandas: not needed until now
    from studies.tables.tables import tables

    found = tables(store, plan.study, asked, plan.tasks)
    columns, rows = summary(found.results)
    table = Table(title=f"{plan.study}: mean over seeds ± half of its 95% interval")
    shown = fitting(columns, rows, console.width)
    for i in shown:
        table.add_column(columns[i], justify="left" if i == 0 else "right", no_wrap=i > 0)
    for row in rows:
        table.add_row(*(row[i] for i in shown))
    console.print(table)
    if left_out := len(columns) - len(shown):
        print(f"{left_out} columns do not fit here; the page of the study has all of them.")
    for verdict, what, more in verdicts(store, found):
        print(f"{verdict}\n    {what}")
        if more.said:
            print(f"    {', '.join(filter(None, (more.said, more.time)))}")
        if more.command:
            print(f"    {more.command}{there}")


def _dry_run(plans: Sequence[Plan], store: Store, options: argparse.Namespace) -> int:
    tasks = _tasks(plans)
    ranks = executors.ranks(options.executor, options.resources, options.workers)
    executors.check_ranks(ranks, store, tasks.values())
    if options.measure:
        left = [address for address in tasks if not store.is_done(address)]
        workers = 1 if options.executor == "inline" else options.workers
        throughput.measure(store, left, tasks, replace(here(), ranks=ranks), workers)
    preview.show(
        plans,
        tasks,
        store,
        at_once=executors.side_by_side(options.executor, options.workers),
        ranks=ranks,
        settings=_settings(plans, options) if options.executor == "slurm" else None,
        retried=_retried(options),
        verbose=options.verbose,
        devices=options.devices,
    )
    return told()


# -------------------------------------------------------------------------------------- a cluster


def _submit(plans: Sequence[Plan], store: Store, options: argparse.Namespace) -> int:
    settings = _settings(plans, options)
    slurm.require_scheduler()
    tasks = list(_begin(plans, store).values())
    submission = slurm.submit(store, tasks, settings, retry=_retried(options))
    preview.foresee(plans, store, submission.expected)
    preview.print_submission(submission)
    print(f"python -m studies.status {plans[0].study} shows how far they are")
    return 0


def _settings(plans: Sequence[Plan], options: argparse.Namespace) -> slurm.SubmitSettings:
    """What the command line, the sweeps, their presets and the user's own file ask for."""
    by_kind, by_address = _resources(plans, options)
    return slurm.SubmitSettings(
        name=plans[0].study,
        resources=by_kind,
        of_tasks=by_address,
        pack_min=PACK_MIN if options.pack is None else options.pack,
        max_parallel=options.max_parallel,
        max_gpu_hours=options.max_gpu_hours,
    )


def _resources(
    plans: Sequence[Plan], options: argparse.Namespace
) -> tuple[Mapping[str, Resources], Mapping[str, Resources]]:
    """Those of every kind of task, as the sweeps that have such tasks ask for them.

    And by address those of tasks for which a preset's conditions ask for others.

    Raises:
        ConfigError: If two ask for different ones: a task that they share would have both.
    """
    asked = [*([("partition", options.partition)] if options.partition else []), *options.resources]
    ours, last = user_layer(), [override_layer(*item) for item in asked]
    chosen, others = dict(resources([*ours, *last])), {}
    said_by: dict[str, Plan] = {}
    for plan in plans:
        theirs = resources([*ours, *plan.spec.resources, *last])
        for kind in sorted({task.kind for task in plan.tasks.values()}):
            first = said_by.setdefault(kind, plan)
            if first is plan:
                chosen[kind] = theirs[kind]
            elif theirs[kind] != chosen[kind]:
                both = f"say for both with --resource {kind}.NAME=VALUE"
                raise ConfigError(
                    f"resources.{kind}",
                    f"those of {first.spec.sweep_path}",
                    "others",
                    f"submit the sweeps one by one, or {both}",
                    place=plan.spec.sweep_path,
                )
        of_preset, of_sweep = plan.spec.resources
        for task in plan.tasks.values():
            network = task.address if task.kind == "train" else task.parents.get("network", "")
            if network in plan.resources:
                layers = [*ours, of_preset, *plan.resources[network], of_sweep, *last]
                others[task.address] = resources(layers)[task.kind]
    return chosen, others


if __name__ == "__main__":
    sys.exit(main())
