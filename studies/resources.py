"""What a task may use on a cluster. It is never part of what the task is: no address depends on it.

Settings come in layers, each over those before it: our defaults, the user's own file, the preset,
the sweep, the command line. A layer holds settings for `all` kinds of task and for single kinds.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iddpm.config import ConfigError
from studies.documents import Node, children, only, overlaid, parse, read_text
from studies.reading import nested, read
from studies.tasks import KINDS

ALL = "all"

LIKE = {"likelihood_shard": ("likelihood",)}
"""Kinds that ask for what others do, unless they are told to ask for something else."""

OURS = (
    *("--job-name", "--array", "--dependency", "--signal", "--requeue", "--no-requeue"),
    *("--output", "--error"),
)
"""Options of sbatch by which jobs are found, ordered, saved and read: nobody else may set them."""


FIELDS = {
    "partition": ("--partition",),
    "account": ("--account",),
    "qos": ("--qos",),
    "time_min": ("--time",),
    "memory_gb": ("--mem", "--mem-per-cpu", "--mem-per-gpu"),
    "cpus": ("--cpus-per-task", "--cpus-per-gpu"),
    "gpus": ("--gres", "--gpus", "--gpus-per-node", "--gpus-per-task", "--gpus-per-socket"),
    "nodes": ("--nodes", "--ntasks", "--ntasks-per-node", "--ntasks-per-gpu"),
    "constraint": ("--constraint",),
    "exclude": ("--exclude",),
    "comment": ("--comment",),
}
"""Options of sbatch that have a setting of their own, by which budgets and warnings go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one job of a kind of task asks the scheduler for; None: whatever the cluster gives."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time_min: int = 60
    """Time limit. A task that needs longer is saved, queued again and goes on."""
    memory_gb: float = 8.0
    """Per node."""
    cpus: int = 1
    """Per process; a task computes on one thread, so more only serve what surrounds it."""
    gpus: int = 0
    """Per node; a training runs one process on each."""
    gpu_type: str | None = None
    nodes: int = 1
    constraint: str | None = None
    exclude: str | None = None
    """Nodes to stay away from."""
    comment: str | None = None
    sbatch: tuple[str, ...] = ()
    """Further options as sbatch spells them: `--reservation=maintenance`."""

    def __post_init__(self) -> None:
        for name in ("time_min", "cpus", "nodes"):
            if (value := getattr(self, name)) < 1:
                raise ConfigError(f"resources.{name}: expected at least 1, found {value}")
        if self.gpus < 0:
            raise ConfigError(f"resources.gpus: expected at least 0, found {self.gpus}")
        if self.memory_gb <= 0:
            raise ConfigError(
                f"resources.memory_gb: expected a positive number, found {self.memory_gb}"
            )
        if self.gpu_type is not None and not self.gpus:
            raise ConfigError(
                f"resources.gpu_type: expected gpus to be at least 1, found 0 of {self.gpu_type!r}"
            )
        for option in self.sbatch:
            name = re.split("[= ]", option)[0]
            if not option.startswith("--") or name in OURS:
                raise ConfigError(
                    "resources.sbatch: expected options such as --reservation=x, and none of "
                    f"{', '.join(OURS)}, found {option!r}"
                )
            if field := next((field for field in FIELDS if name in FIELDS[field]), None):
                raise ConfigError(
                    f"resources.sbatch: expected none that has a setting of its own, found "
                    f"{option!r}; say {field}: instead"
                )

    @property
    def processes_per_node(self) -> int:
        """One for each GPU, or one where there is none."""
        return max(1, self.gpus)

    @property
    def processes(self) -> int:
        """On all nodes together."""
        return self.nodes * self.processes_per_node


def resources(layers: Sequence[Node]) -> Mapping[str, Resources]:
    """The resources of every kind of task.

    Args:
        layers: Mappings of `all` and of kinds to settings; the later wins.

    Raises:
        ConfigError: If a key is no kind or no setting, or a value cannot be.
    """
    found = [only(layer, "resources", (ALL, *KINDS)) for layer in layers]
    return {kind: _of_kind(kind, found) for kind in KINDS}


def _of_kind(kind: str, layers: Sequence[Mapping[str, Node]]) -> Resources:
    path = f"resources.{kind}"
    settings = Node({}, path)
    for layer in layers:
        for key in (ALL, *LIKE.get(kind, ()), kind):
            if key in layer and children(layer[key], f"resources.{key}"):
                settings = overlaid(settings, layer[key])
    chosen: Resources = read(Resources, settings, path)
    if kind != "train" and chosen.processes > 1:
        given = children(settings, path)
        asked = given["gpus" if chosen.processes_per_node > 1 else "nodes"]
        raise ConfigError(
            f"{asked.place}: {path}: expected one process (only a training runs on several), "
            f"found {chosen.nodes} nodes with {chosen.gpus} GPUs each; give these to train alone"
        )
    return chosen


def user_layer() -> list[Node]:
    """The user's own settings, from `iddpm-studies/resources.yaml` in the configuration folder.

    That folder is $XDG_CONFIG_HOME, or ~/.config. Nothing, where there is no such file.

    Raises:
        ConfigError: If the file cannot be read as YAML.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    path = Path(home) / "iddpm-studies" / "resources.yaml"
    if not path.exists():
        return []
    text = read_text(path, "a file of resources")
    return [parse(text, lambda line: f"{path}:{line}", "a file of resources")]


def override_layer(key: str, text: str) -> Node:
    """One setting of the command line: `train.gpus=4`, or `gpus=4` for all kinds.

    Raises:
        ConfigError: If the text is no YAML value.
    """
    place = f"--resource {key}={text:.60}"
    kind, _, field = key.rpartition(".")
    value = parse(text, lambda line: place, "a value")
    return nested((kind or ALL, field), value)
