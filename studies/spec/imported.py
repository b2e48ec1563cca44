"""Networks that stand in a sweep in place of a training: what is read from a file says the rest."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from iddpm.config import TrainConfig
from iddpm.config_fields import written
from iddpm.released import resolved
from studies.spec.documents import Node, children, fault
from studies.spec.reading import Written

BESIDE = ("data", "from")
"""What a sweep may say of the training of a network that is read from a file."""


def imported(tree: Node, said: Sequence[Node]) -> Node:
    """The settings of a training as they are, or those of the file that it is read from.

    Args:
        tree: The training, spelled out. What a preset says of it yields to the file.
        said: Everything that the sweep and overrides say of it, which does not.

    Raises:
        ConfigError: If they say more than the file and the data, or the file is not known.
    """
    found = children(tree, "train")
    if "from" not in found or found["from"].value is None:
        return tree
    own = Node({key: found[key] for key in BESIDE}, tree.place)
    asked = Written(TrainConfig, own, "train")
    source = asked.read()
    for key, node in ((k, n) for layer in said for k, n in children(layer, "train").items()):
        if key not in BESIDE:
            hint = "the file has its own; what its shapes cannot tell is stated under train.from"
            raise fault(node, f"train.{key}", "no such setting beside train.from", hint=hint)
    with asked.placing():
        config = resolved(source)
    settings = _nodes(config, found["from"].place)
    del settings["seed"]  # it has none: every cell has this one network
    return Node({**settings, "data": found["data"]}, tree.place)


def _nodes(config: Any, place: str) -> dict[str, Node]:
    return {written(item): _node(getattr(config, item.name), place) for item in fields(config)}


def _node(value: Any, place: str) -> Node:
    if is_dataclass(value):
        return Node(_nodes(value, place), place)
    if isinstance(value, tuple):
        return Node([Node(item, place) for item in value], place)
    return Node(value, place)
