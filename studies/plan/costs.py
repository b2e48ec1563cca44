"""What a plan costs, arm by arm: what a dry run shows before anything starts."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from iddpm.evaluation.config import FeaturesConfig
from studies.plan.plan import Cell, Plan
from studies.spec.documents import Scalar
from studies.tasks.counts import network_calls, steps_before, training_steps
from studies.tasks.kinds import KINDS, kind_of
from studies.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What is left to do for one arm, all seeds together."""

    arm: str
    tasks: int
    training_steps: int
    parameters: int | None
    """Of the network that the row trains, of a GAN both; None: it trains none."""
    network_calls: int
    """One call is the network applied to one image once."""


def costs(plan: Plan, *, done: Collection[str] = ()) -> list[Cost]:
    """What each training and each evaluation has left to do; the last row is the total.

    A task that several arms share is counted once, in the row of the first of them.

    Args:
        plan: The plan.
        done: Addresses of tasks that have a result.
    """
    owners: dict[str, str] = {}
    for role, address, words, _ in _asked(plan.cells):
        if role in ("train", "gan"):
            owners.setdefault(address, words)
        elif role in ("likelihood", "score", "gradient_noise", "latents"):
            _claim(plan, address, words, owners)
    rows: dict[str, list[Task]] = {label: [] for label in owners.values()}
    for address, label in owners.items():
        if address not in done:
            rows[label].append(plan.tasks[address])
    sizes = _sizes(plan, owners)
    counted = [_cost(plan, label, tasks, sizes.get(label)) for label, tasks in rows.items()]
    whole = [plan.tasks[address] for address in owners if address not in done]
    return [*counted, _cost(plan, "total", whole)]


def labels(cells: Iterable[Cell]) -> dict[str, str]:
    """Tasks in words, by address: the arm and the seed that they work for.

    A task that several cells share goes by the first of them; one that is nobody's own has none.
    """
    found: dict[str, str] = {}
    for _, address, words, seed in _asked(cells):
        found.setdefault(address, f"{words}, seed {seed}")
    return found


def _asked(cells: Iterable[Cell]) -> Iterator[tuple[str, str, str, int]]:
    """Role, address, words and seed of each task of these cells, those half trained last."""
    halves = []
    for cell in cells:
        words = {role: _words(cell, role) for role in cell.tasks}
        yield from ((role, cell.tasks[role], words[role], cell.seed) for role in words)
        halves += [
            (role, address, f"{words[role]}, half trained", cell.seed)
            for role, address in cell.half_trained.items()
        ]
    yield from halves


def _words(cell: Cell, role: str) -> str:
    return _network_label(cell, role) if role in ("train", "gan") else arm_label(cell.arm)


def compute_left(
    cells: Iterable[Cell], tasks: Mapping[str, Task], *, done: Collection[str] = ()
) -> int:
    """Multiply-adds, forwards and back, of the training steps that are left to do.

    Args:
        cells: Of one plan or of several.
        tasks: By address, all of theirs.
        done: Addresses of tasks that have a result.
    """
    asked = {
        named["train"]: (cell.compute, cell.tasks["train"])
        for cell in cells
        if cell.compute
        for named in (cell.half_trained, cell.tasks)
        if named
    }
    left = 0
    for address, (compute, whole) in asked.items():
        if address not in done:
            steps = training_steps(tasks[address])
            steps -= steps_before(tasks[address], tasks.__getitem__)
            left += compute * steps // training_steps(tasks[whole])
    return left


def arm_label(arm: dict[str, Scalar]) -> str:
    """An arm in words: `hybrid cosine T=1000, ancestral range, 50 steps, EMA 0.995, 256 images`."""
    if arm["evaluation"] == "train":
        return training_label(arm)
    if arm["evaluation"] == "latents":
        words = [_schedule_words(arm), *_extra_words(arm, training=True), "latents"]
        return ", ".join([*words, *_extra_words(arm, training=False)])
    parts = [_training_words(arm)]
    if arm.get("rival"):
        return f"{parts[0]}, {arm['images']} images"
    if arm["evaluation"] == "gradient_noise":
        return ", ".join([*parts, "gradient noise", *_extra_words(arm, training=False)])
    if arm["evaluation"] == "likelihood":
        parts.append("likelihood")
    elif arm["sampler"] == "ddim":
        parts.append(f"ddim eta={arm['eta']:g}")
    else:
        parts.append(" ".join(str(arm[name]) for name in ("sampler", "variance") if arm[name]))
    usual = "constant" if arm["sampler"] == "ddim" else "even"
    stride = "" if arm["stride"] == usual else f" {arm['stride']}"
    parts.append(f"{arm['steps']}{stride} steps")
    if arm["skip"]:
        parts.append(f"{arm['skip']:g} skipped")
    parts.append("raw weights" if arm["ema_decay"] is None else f"EMA {arm['ema_decay']:g}")
    parts.append(f"{arm['images']} images")
    return ", ".join([*parts, *_extra_words(arm, training=False)])


# ---------------------------------------------------------------------------------------- words


def _network_label(cell: Cell, role: str) -> str:
    if kind_of(cell.tasks[role]).name == "imported":
        return f"{_training_words(cell.arm)}, imported"
    return training_label(cell.arm)


def training_label(arm: dict[str, Scalar]) -> str:
    return f"{_training_words(arm)}, training"


def _training_words(arm: dict[str, Scalar]) -> str:
    if arm.get("rival"):
        settings = [f"{key.partition('.')[2]}={arm[key]}" for key in arm if key.startswith("gan.")]
        return ", ".join([str(arm["rival"]), *settings])
    words = f"{arm['objective']} {_schedule_words(arm)}"
    if arm["prediction"] != "eps":
        words += f" predicting {arm['prediction']}"
    return ", ".join([words, *_extra_words(arm, training=True)])


def _schedule_words(arm: dict[str, Scalar]) -> str:
    return f"{arm['schedule']} T={arm['T']}"


def _extra_words(arm: dict[str, Scalar], *, training: bool) -> list[str]:
    return [
        f"{key.partition('.')[2]}={value}"
        for key, value in arm.items()
        if "." in key and value is not None and key.startswith("train.") == training
    ]


# ----------------------------------------------------------------------------------- whose it is

REAL_IMAGES = "features of real images"


def _claim(plan: Plan, address: str, label: str, owners: dict[str, str]) -> None:
    """Make the arm of this label the owner of a task and of all it needs that has none yet."""
    if address in owners:
        return
    task = plan.tasks[address]
    config = task.config
    if task.kind in ("extractor", "radii") or (isinstance(config, FeaturesConfig) and config.data):
        label = REAL_IMAGES
    owners[address] = label
    for _, need in task.inputs:
        _claim(plan, need, label, owners)


def _sizes(plan: Plan, owners: dict[str, str]) -> dict[str, int]:
    """Parameters of the networks that each row trains."""
    sizes = {}
    for address, label in owners.items():
        task = plan.tasks[address]
        if (parameters := KINDS[task.kind].effort.parameters(task.config)) is not None:
            sizes[label] = parameters
    return sizes


def _cost(plan: Plan, label: str, tasks: Sequence[Task], parameters: int | None = None) -> Cost:
    return Cost(
        arm=label,
        tasks=len(tasks),
        parameters=parameters,
        training_steps=sum(
            training_steps(task) - steps_before(task, plan.tasks.__getitem__) for task in tasks
        ),
        network_calls=sum(network_calls(task, plan.tasks.__getitem__) for task in tasks),
    )
