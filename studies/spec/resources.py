"""What a task may use on a cluster. It is never part of what the task is: no address depends on it.

Settings come in layers, each over those before it: our defaults, the user's own file, the preset,
the sweep, the command line. A layer holds settings for `all` kinds of task, for those that compute
on no GPU (`cpu`), and for single kinds. What `all` says of GPUs is not meant for those: they would
hold one and leave it idle.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from iddpm.bounds import Between, Bounded, ConfigError, Where, at_most
from studies.spec.documents import Node, children, fault, layered, only, parse, read_text
from studies.spec.reading import nested, read
from studies.tasks.kinds import KINDS

ALL, CPU = "all", "cpu"

LIKE = {"likelihood_shard": ("likelihood",), "radii": ("score",)}
"""Kinds of task that ask for the same as another kind, unless a layer says otherwise."""

OF_GPUS = ("gpus", "gpu_type")
"""Settings that say nothing to kinds of task that compute on the CPU."""

OF_RANKS = "train.gpus"
"""The setting that lets several processes do a training together, each on a GPU of its own."""

OF_NETWORK = (
    *("train", "sample", "likelihood", "likelihood_shard", "likelihood_merge", "gradient_noise"),
)
"""Kinds of task that belong to one training, for which a preset's conditions may ask."""

OURS = (
    *("--job-name", "--array", "--dependency", "--signal", "--requeue", "--no-requeue"),
    *("--output", "--error", "--open-mode", "--kill-on-invalid-dep", "--clusters", "--parsable"),
    *("--wait", "--wrap", "--test-only"),
)
"""Options of sbatch by which the program finds, orders and saves jobs: nobody else may set them."""


FIELDS = {
    "partition": ("--partition",),
    "account": ("--account",),
    "qos": ("--qos",),
    "time_min": ("--time", "--time-min"),
    "memory_gb": ("--mem", "--mem-per-cpu", "--mem-per-gpu"),
    "cpus": ("--cpus-per-task", "--cpus-per-gpu"),
    "gpus": ("--gres", "--gpus", "--gpus-per-node", "--gpus-per-task", "--gpus-per-socket"),
    "nodes": ("--nodes", "--ntasks", "--ntasks-per-node", "--ntasks-per-gpu"),
    "constraint": ("--constraint",),
    "exclude": ("--exclude",),
    "comment": ("--comment",),
}
"""Options of sbatch that have a setting of their own, which budgets and warnings are made from."""

TEXTS = ("partition", "account", "qos", "gpu_type", "constraint", "exclude", "comment")
"""Settings that are text of one line, since none is a piece of a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(Bounded):
    """What one job of a kind of task asks the scheduler for; None: whatever the cluster gives."""

    where: ClassVar = "resources"
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time_min: Annotated[int, Between(1, 10 * 366 * 24 * 60)] = 60
    """Time limit. A task that needs longer is saved, queued again and goes on."""
    memory_gb: Annotated[
        float, Where("a positive number", lambda size: size > 0), at_most(1_000_000)
    ] = 8.0
    """Memory per node."""
    cpus: Annotated[int, Between(1, 10_000)] = 1
    """Cores per process. A task computes on one thread; more only serve what surrounds it."""
    gpus: Annotated[int, Between(0, 1000)] = 0
    """GPUs per node, of each task. A training runs one process on each."""
    gpu_type: str | None = None
    nodes: Annotated[int, Between(1, 100_000)] = 1
    side_by_side: Annotated[int, Between(1, 1000)] = 1
    """Tasks that one job does at once, on one node, each with all that is asked for here: for
    clusters that give out whole nodes."""
    constraint: str | None = None
    exclude: str | None = None
    """The nodes to stay away from."""
    comment: str | None = None
    sbatch: tuple[str, ...] = ()
    """Further options as sbatch spells them: `--reservation=maintenance`."""

    @property
    def is_choosy(self) -> bool:
        """Whether not every node of the partition will do."""
        return bool(self.constraint or self.gpu_type or self.sbatch)

    def _check(self) -> None:
        for name in TEXTS:
            if (text := getattr(self, name)) is not None:
                _refuse_unprintable(name, text)
        if self.gpu_type is not None and not self.gpus:
            raise ConfigError(
                "resources.gpu_type", "gpus to be at least 1", f"0 of {self.gpu_type!r}"
            )
        if self.gpu_type is not None and not re.fullmatch(r"[\w.+-]+", self.gpu_type):
            raise ConfigError(
                "resources.gpu_type",
                "one name of letters, digits, _, ., + and -",
                f"{self.gpu_type!r}",
                "say how many with gpus:",
            )
        if self.side_by_side > 1 and self.processes > 1:
            raise ConfigError(
                "resources.side_by_side",
                "1 where a task has several processes",
                f"{self.side_by_side} tasks of {self.processes} processes each",
                "set it to 1, or gpus and nodes to 1",
            )
        for option in self.sbatch:
            _refuse_unprintable("sbatch", option)
            _check_option(option)

    @property
    def processes_per_node(self) -> int:
        """How many processes run on a node: one for each GPU, or one where there is none."""
        return max(1, self.gpus)

    @property
    def processes(self) -> int:
        """How many processes run on all nodes together."""
        return self.nodes * self.processes_per_node


def _refuse_unprintable(name: str, text: str) -> None:
    """Refuse a text that would not stay within its line of a script, or could not be seen there.

    Raises:
        ConfigError: If the text is empty or has a character that is not printable.
    """
    if not text or not text.isprintable():
        raise ConfigError(f"resources.{name}", "one line of printable text", f"{text!r}")


def _check_option(option: str) -> None:
    """Refuse an option of sbatch that the program sets itself, or that has a setting of its own.

    The beginning of a name counts as the name: sbatch takes `--arra` for `--array`.

    Raises:
        ConfigError: If it is such an option, or is not written as one.
    """
    name = re.split("[= ]", option)[0]
    if not re.fullmatch("--[a-z][a-z0-9-]*", name) or _means(name, OURS):
        raise ConfigError(
            "resources.sbatch",
            f"options such as --reservation=x, and none of {', '.join(OURS)}",
            f"{option!r}",
        )
    if field := next((field for field in FIELDS if _means(name, FIELDS[field])), None):
        raise ConfigError(
            "resources.sbatch",
            "none that has a setting of its own",
            f"{option!r}",
            f"say {field}: instead",
        )
    if option[len(name) :].startswith(" "):
        raise ConfigError(
            "resources.sbatch",
            "an option and its value joined by =",
            f"{option!r}",
            f"write {name}={option[len(name) + 1 :]}",
        )


def _means(name: str, options: Sequence[str]) -> bool:
    return any(option.startswith(name) for option in options)


def resources(layers: Sequence[Node]) -> Mapping[str, Resources]:
    """The resources of every kind of task.

    Args:
        layers: Mappings of `all`, `cpu` and kinds to settings; the later wins.

    Raises:
        ConfigError: If a key is no kind or no setting, or a value cannot be.
    """
    found = [only(layer, "resources", (ALL, CPU, *KINDS)) for layer in layers]
    return {kind: _of_kind(kind, found) for kind in KINDS}


def _of_kind(kind: str, layers: Sequence[Mapping[str, Node]]) -> Resources:
    path = f"resources.{kind}"
    settings = Node({}, path)
    keys = (ALL, *LIKE.get(kind, ()), kind)
    if not KINDS[kind].uses_gpu:
        keys = (ALL, CPU, *keys[1:])
    for layer in layers:
        for key in keys:
            if key in layer and children(layer[key], f"resources.{key}"):
                settings = layered(settings, _meant_for(kind, key, layer[key]))
    chosen: Resources = read(Resources, settings, path)
    if kind != "train" and chosen.processes > 1:
        given = children(settings, path)
        asked = given["gpus" if chosen.processes_per_node > 1 else "nodes"]
        expected = "one process (only a training runs on several)"
        found = f"{chosen.nodes} nodes with {chosen.gpus} GPUs each"
        raise fault(asked, path, expected, found=found, hint="give these to train alone")
    return chosen


def _meant_for(kind: str, key: str, layer: Node) -> Node:
    """What a layer says under a key to tasks of a kind.

    Raises:
        ConfigError: If it gives a GPU to a kind that computes on none.
    """
    path = f"resources.{key}"
    given = children(layer, path)
    if KINDS[kind].uses_gpu or not given.keys() & OF_GPUS:
        return layer
    if key == ALL:
        return Node({name: given[name] for name in given if name not in OF_GPUS}, layer.place)
    asked = next((given[name] for name in OF_GPUS if given.get(name) and given[name].value), None)
    if asked is not None:
        raise fault(asked, path, f"no GPU ({kind} computes on the CPU)", hint="leave it out")
    return layer


def user_layer() -> list[Node]:
    """The user's own settings, from `iddpm-studies/resources.yaml` in the configuration folder.

    That folder is $XDG_CONFIG_HOME, or ~/.config. The list is empty if there is no such file.

    Raises:
        ConfigError: If the file cannot be read as YAML.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    path = Path(home) / "iddpm-studies" / "resources.yaml"
    if not os.path.lexists(path):
        return []
    text = read_text(path, "a file of resources")
    return [parse(text, lambda line: f"{path}:{line}", "a file of resources")]


def gpus_here(settings: Sequence[tuple[str, str]]) -> int:
    """The GPUs that each training has on this machine, by what the command line asks for.

    Files speak of a cluster, and so does all else that can be asked for.

    Args:
        settings: Names and texts, such as `train.gpus` and `4`.

    Raises:
        ConfigError: If anything else is asked for, or that many cannot be.
    """
    if other := next((key for key, _ in settings if key != OF_RANKS), None):
        raise ConfigError("--resource", f"{OF_RANKS} alone with --executor local", other)
    gpus = resources([override_layer(*setting) for setting in settings])["train"].gpus
    if settings and not gpus:
        raise ConfigError(f"--resource {OF_RANKS}", "at least 1 with --executor local", "0")
    return max(gpus, 1)


def override_layer(key: str, text: str) -> Node:
    """One setting of the command line: `train.gpus=4`, or `gpus=4` for all kinds.

    Raises:
        ConfigError: If the text is no YAML value.
    """
    shown = f"{text:.60}" if text.isprintable() else repr(text)[1:61]
    place = f"--resource {key}={shown}"
    kind, _, field = key.rpartition(".")
    value = parse(text, lambda line: place, "a value")
    return nested((kind or ALL, field), value)
