"""What a run would do: ten lines on how much, how long and how large, and on demand the details."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.table import Table

from studies.analyses.index import cautions
from studies.execute import slurm
from studies.execute.console import counted, terminal
from studies.execute.devices import here
from studies.execute.forecast import (
    Expected,
    Forecast,
    duration,
    finish_time,
    guessed,
    longest_chain,
)
from studies.execute.guesses import CPU_CORE, CPUS, FACTOR, GPUS, guess, on_core
from studies.plan.costs import compute_left, costs
from studies.plan.plan import Plan, absent
from studies.store import forecasts
from studies.store.forecasts import Foreseen
from studies.store.pruning import needed_again
from studies.store.store import ErrorClass, Store
from studies.tasks.counts import kept, network_calls, steps_before, training_steps
from studies.tasks.task import Task

MOST_LINES = 10
"""Of a dry run without its details."""
MOST_KINDS = 4
"""Kinds of task whose time is told by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What a run has before it."""

    plans: Sequence[Plan]
    tasks: Mapping[str, Task]
    """Of all plans, each after all that it needs."""
    states: Mapping[str, int]
    """How many tasks stand where."""
    expected: Mapping[str, Expected]
    """By address, how long each task that is to be done will take."""
    gpu_hours: float
    at_once: int | None
    """Tasks side by side; None: as many as the cluster lets."""
    is_here: bool
    """Whether it is this machine that does them."""
    ranks: int = 1
    """How many of those that this machine does at once do a training together."""
    notes: list[str]
    """What a person should know before it is run."""

    @property
    def left(self) -> list[Task]:
        """The tasks that are to be done."""
        return [task for task in self.tasks.values() if task.address in self.expected]


def show(
    plans: Sequence[Plan],
    tasks: Mapping[str, Task],
    store: Store,
    *,
    at_once: int,
    ranks: int,
    settings: slurm.SubmitSettings | None,
    retried: Sequence[ErrorClass],
    verbose: bool,
    devices: bool,
) -> None:
    """Print what a run would do; writes and begins nothing.

    Args:
        plans: What is to be run.
        tasks: Of all plans, each after all that it needs.
        store: Where the tasks stand.
        at_once: Processes side by side on this machine.
        ranks: How many of them do a training together.
        settings: How it is submitted to a cluster; None: it is run here.
        retried: Tasks that failed in these ways are run again.
        verbose: Print the details, too.
        devices: And how long it would take elsewhere.
    """
    if settings is None:
        todo = on_this_machine(plans, tasks, store, at_once, ranks, retried)
    else:
        submission = slurm.preview(store, list(tasks.values()), settings, retry=retried)
        todo = _on_a_cluster(plans, tasks, submission, settings.max_parallel)
        if verbose:
            for array, script in zip(submission.arrays, submission.scripts, strict=True):
                print(f"{array.name}:\n{script}\n")
            print_submission(submission)
    if verbose:
        _print_arms(todo)
    if again := store.failed(list(tasks), retried):
        todo.notes.append(f"--retry runs {len(again)} failed tasks again.")
    print(*lines(todo), sep="\n")
    if devices:
        print(*on_other_devices(todo), sep="\n")


def on_this_machine(
    plans: Sequence[Plan],
    tasks: Mapping[str, Task],
    store: Store,
    at_once: int,
    ranks: int = 1,
    retried: Sequence[ErrorClass] = (),
) -> Todo:
    """What is to be done by so many processes here, and how long each task will take.

    The arguments are those of `show`.
    """
    states, expected = expected_here(tasks, store, ranks, retried)
    device = replace(here(), ranks=ranks)
    on_gpus = [a for a in expected if device.gpu_of(tasks[a].kind) is not None]
    return Todo(
        plans=plans,
        tasks=tasks,
        states=Counter(states.values()),
        expected=expected,
        gpu_hours=sum(expected[a].seconds * device.ranks_of(tasks[a].kind) for a in on_gpus) / 3600,
        at_once=at_once,
        is_here=True,
        ranks=ranks,
        notes=_notes(plans),
    )


def expected_here(
    tasks: Mapping[str, Task], store: Store, ranks: int, retried: Sequence[ErrorClass] = ()
) -> tuple[dict[str, str], dict[str, Expected]]:
    """Where each task stands, and how long each that is to be done here will take."""
    states = {address: str(store.state(address)) for address in tasks}
    done = {address for address, state in states.items() if state == "done"}
    again = needed_again(store, list(tasks.values()), done.__contains__)
    states |= dict.fromkeys([*again, *store.failed(list(tasks), retried)], "planned")
    for task in tasks.values():
        if any(states[need] in ("failed", "waiting") for _, need in task.inputs):
            states[task.address] = "waiting"
    forecast = Forecast(store, replace(here(), ranks=ranks), tasks)
    return states, {
        address: forecast.expected(task, tasks.__getitem__)
        for address, task in tasks.items()
        if states[address] not in ("done", "failed", "waiting")
    }


def foresee(plans: Sequence[Plan], store: Store, expected: Mapping[str, Expected]) -> None:
    """Write down how long each task is expected to take, for the pages of its studies.

    Raises:
        StorageError: If the store cannot be written.
    """
    for plan in plans:
        its = {
            address: Foreseen(expected[address].seconds, expected[address].is_guess)
            for address in plan.tasks
            if address in expected
        }
        forecasts.foresee(store.root, plan.study, its)


def _on_a_cluster(
    plans: Sequence[Plan],
    tasks: Mapping[str, Task],
    submission: slurm.Submission,
    at_once: int | None,
) -> Todo:
    notes = _notes(plans)
    if not slurm.is_here():
        usual = "nothing is taken to be queued, and arrays to have the usual limit."
        notes.append(f"There is no SLURM on this machine: {usual}")
    return Todo(
        plans=plans,
        tasks=tasks,
        states=submission.states,
        expected=submission.expected,
        gpu_hours=sum(hours.gpu_hours for hours in submission.hours.values()),
        at_once=at_once,
        is_here=False,
        notes=notes,
    )


def _notes(plans: Sequence[Plan]) -> list[str]:
    lacking = sorted({text for plan in plans for text in absent(plan)})
    refused = "Planned as declared; a run is refused until this is there."
    return [*(f"{refused} {sentence}" for sentence in lacking), *cautions(plans)]


# ------------------------------------------------------------------------------------ ten lines


def lines(todo: Todo) -> list[str]:
    """How much is to be done, how long it takes and what it leaves: at most ten lines."""
    (first, *others) = todo.plans
    name = f"{len(todo.plans)} studies" if others else first.study
    said = [f"{name}: {len(todo.tasks)} tasks: {counted(todo.states)}"]
    if todo.expected:
        said += [_work(todo), *_times(todo), _disk(todo)]
    notes = [*_guessed(todo), *todo.notes]
    room = MOST_LINES - len(said)
    if len(notes) > room:
        notes = [*notes[: room - 1], f"{len(notes) - room + 1} more notes: --verbose shows them."]
    return [*said, *notes]


def _work(todo: Todo) -> str:
    other = todo.tasks.__getitem__
    trainings = [task for task in todo.left if task.kind in ("train", "gan")]
    steps = sum(training_steps(task) - steps_before(task, other) for task in trainings)
    goes_on = sum(bool(task.after) for task in trainings)
    calls = sum(network_calls(task, other) for task in todo.left)
    on = f" ({goes_on} from where shorter ones end)" if goes_on else ""
    return f"{len(trainings)} trainings{on}, {steps:,} steps; {calls:,} network calls"


def _times(todo: Todo) -> Iterator[str]:
    mark = "~" if guessed(todo.expected.values()) else ""
    at_once = todo.at_once or len(todo.expected)
    beside = f"{todo.at_once} at once" if todo.at_once else "every job at once"
    together = f", of which {todo.ranks} do a training together" if todo.ranks > 1 else ""
    yield f"Done in {_finish(todo, todo.expected, at_once, todo.ranks)} with {beside}{together}."
    seconds = {address: found.seconds for address, found in todo.expected.items()}
    chain, work = longest_chain(todo.left, seconds), sum(seconds.values())
    gpus = f", {mark}{todo.gpu_hours:.3g} GPU-hours" if todo.gpu_hours else ""
    yield f"{mark}{duration(work)} of computing{gpus}; the longest chain {mark}{duration(chain)}."
    of_kind: dict[str, float] = defaultdict(float)
    for task in todo.left:
        of_kind[task.kind] += seconds[task.address]
    most_first = sorted(of_kind.items(), key=lambda item: -item[1])
    named, rest = most_first[:MOST_KINDS], sum(time for _, time in most_first[MOST_KINDS:])
    others = [("others", rest)] if rest else []
    yield "  " + ", ".join(f"{kind} {duration(time)}" for kind, time in [*named, *others])


def _disk(todo: Todo) -> str:
    size = sum(kept(task, todo.tasks.__getitem__) for task in todo.left)
    return f"Leaves about {_bytes(size)} more in the store. --verbose shows it arm by arm."


def _bytes(size: int) -> str:
    unit, name = next((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= u)
    return f"{size / unit:.{0 if size >= 10 * unit else 1}f} {name}"


def _guessed(todo: Todo) -> Iterator[str]:
    if guessed(todo.expected.values()):
        count = sum(found.is_guess for found in todo.expected.values())
        unlike = f"nothing like {count} tasks was measured, so it may be {FACTOR:g} times off."
        yield f"~ is a guess: {unlike}{' --measure tells more.' * todo.is_here}"


def on_other_devices(todo: Todo) -> Iterator[str]:
    """How long the same would take on devices that were measured once, and guesses for others."""
    other = todo.tasks.__getitem__
    for name, cpu in CPUS.items():
        found = {task.address: Expected(*on_core(task, other, cpu)) for task in todo.left}
        at_once = todo.at_once or 1
        yield f"on {at_once} of {name}: {_finish(todo, found, at_once)} ({cpu.source})"
    for name in GPUS:
        seconds = {task.address: guess(task, other, gpu=name) for task in todo.left}
        found = {address: Expected(time, is_guess=True) for address, time in seconds.items()}
        yield f"on one {name.upper()}: {_finish(todo, found, 1)} (never measured)"


def _finish(todo: Todo, expected: Mapping[str, Expected], at_once: int, ranks: int = 1) -> str:
    """When all is done, with the least and the most that it may be: `~10 min (3 min to 31 min)`."""
    bands = (
        {address: getattr(found, name) for address, found in expected.items()}
        for name in ("seconds", "least", "most")
    )
    finish, least, most = (
        duration(finish_time(todo.left, band, at_once, ranks=ranks)) for band in bands
    )
    return f"{'~' * guessed(expected.values())}{finish} ({least} to {most})"


# ------------------------------------------------------------------------------------- details


def _print_arms(todo: Todo) -> None:
    """What is left to do, arm by arm, of each study."""
    done = todo.tasks.keys() - todo.expected.keys()
    for plan in todo.plans:
        table = Table(title=f"{plan.study}: what is left to do")
        columns = ("arm", "tasks", "parameters", "training steps", "network calls")
        for i, column in enumerate(columns):
            table.add_column(column, justify="left" if i == 0 else "right")
        for cost in costs(plan, done=done):
            counts = (cost.tasks, cost.parameters, cost.training_steps, cost.network_calls)
            table.add_row(cost.arm, *("" if n is None else f"{n:,}" for n in counts))
        terminal().print(table)
    print("A network call is of one image; a training step is of one batch, forwards and back.")
    cells = (cell for plan in todo.plans for cell in plan.cells)
    compute = compute_left(cells, todo.tasks, done=done)
    print(f"The training steps take {compute:.2e} multiply-adds, as the paper counts compute.")
    for note in todo.notes:
        print(note)


GUESSED_GPUS = ", ".join(
    f"a GPU {name.upper()} {', '.join(f'{rate:.1e} in {how}' for how, rate in rates.items())}"
    for name, rates in GPUS.items()
)


def print_submission(submission: slurm.Submission) -> None:
    """Hours by kind of task, and how many tasks stand where."""
    table = Table(title="what goes to the cluster")
    for i, column in enumerate(("kind", "tasks", "arrays", "jobs", "hours", "GPU-hours")):
        table.add_column(column, justify="left" if i == 0 else "right")
    for kind, hours in submission.hours.items():
        arrays = [array for array in submission.arrays if array.kind == kind]
        jobs = sum(len(array.elements) for array in arrays)
        mark = "~" if hours.guessed else ""
        times = (f"{mark}{hours.hours:.2f}", f"{mark}{hours.gpu_hours:.2f}")
        table.add_row(kind, str(hours.tasks), str(len(arrays)), str(jobs), *times)
    terminal().print(table)
    guessed = sum(hours.guessed for hours in submission.hours.values())
    if guessed:
        print(
            f"~ is a guess where nothing alike was measured, here for {guessed} tasks: their "
            f"multiply-adds over what a device is taken to do in a second, a CPU core "
            f"{CPU_CORE:.0e}, {GUESSED_GPUS}."
        )
    mark = "~" if guessed else ""
    print(f"The longest chain takes {mark}{submission.longest_chain_hours:.2f} hours.")
    print(f"{submission.states.total()} tasks: {counted(submission.states)}")
    print("".join(f"{node}\n" for node in submission.left_out), end="")
