"""Weights of other people's files, taken by their names into a network of ours."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iddpm.bounds import ConfigError

Refusal = Callable[[str], ConfigError]
"""From what was found to the error that says what was expected and where to get it."""


def read_weights(path: Path, refusal: Refusal) -> Mapping[str, Any]:
    """What a file of torch holds by name; no code in it is run.

    Raises:
        ConfigError: If it cannot be read, or holds nothing by name.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has many words for a file that it cannot read
        raise refusal("something else") from error
    if not isinstance(found, Mapping):
        raise refusal("something else")
    return found


def take_weights(network: nn.Module, found: Mapping[str, Any], refusal: Refusal) -> None:
    """Puts weights into a network without numbers: all of its own, of its shapes, as float32.

    Raises:
        ConfigError: If one is lacking, of another shape, or of no use to the network.
    """
    expected, chosen = network.state_dict(), dict[str, Tensor]()
    for name in sorted(found.keys() ^ expected.keys()):
        raise refusal(f"no {name}" if name in expected else f"{name} beside them")
    for name, value in found.items():
        shape = tuple(expected[name].shape)
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            shown = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise refusal(f"{name} of {shown} instead of {shape}")
        chosen[name] = value.float()
    network.load_state_dict(chosen, assign=True)
