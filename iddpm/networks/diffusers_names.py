"""Who is called what in our UNet and in `UNet2DModel` of diffusers, tensor by tensor.

One table has every weight. Most differ in their name alone; an attention block of ours is a
convolution where theirs is linear, and keeps query, key and value of a head together.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import torch
from torch import Tensor

from iddpm.networks.diffusers_settings import Settings

_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_QUERY_KEY_VALUE = ("to_q", "to_k", "to_v")


def to_diffusers(weights: Mapping[str, Tensor], network: Settings) -> dict[str, Tensor]:
    """Our weights under the names of diffusers; a head's query, key and value taken apart."""
    found: dict[str, Tensor] = {}
    for ours, theirs, is_linear in _table(network):
        if ours in weights:
            parts = _apart(weights[ours], network["heads"]) if theirs[1:] else [weights[ours]]
            flat = (part.flatten(1) if is_linear and part.ndim == 3 else part for part in parts)
            found |= zip(theirs, flat, strict=True)
    return found


def from_diffusers(weights: Mapping[str, Tensor], network: Settings) -> dict[str, Tensor]:
    """The weights of a `UNet2DModel` under our names, which `to_diffusers` undoes."""
    found = {}
    for ours, theirs, is_linear in _table(network):
        if theirs[0] in weights:
            parts = [weights[name] for name in theirs]
            whole = _joined(parts, network["heads"]) if theirs[1:] else parts[0]
            found[ours] = whole[..., None] if is_linear and whole.ndim == 2 else whole
    return found


def _apart(tensor: Tensor, heads: int) -> list[Tensor]:
    """Query, key and value, each of all heads, of one tensor that has them head by head."""
    by_head = tensor.reshape(heads, 3, -1, *tensor.shape[1:])
    return [one.flatten(0, 1).contiguous() for one in by_head.unbind(1)]


def _joined(parts: Sequence[Tensor], heads: int) -> Tensor:
    by_head = [one.reshape(heads, -1, *one.shape[1:]) for one in parts]
    return torch.stack(by_head, dim=1).flatten(0, 2)


def _table(network: Settings) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Each weight that may be there, what it is called there, and whether it is linear there.

    Three names: it is taken apart into query, key and value.
    """
    for (ours, theirs), part in product(_modules(network), ("weight", "bias")):
        yield f"{ours}.{part}", (f"{theirs}.{part}",), False
    for (ours, theirs), part in product(_attentions(network), ("weight", "bias")):
        yield f"{ours}.norm.{part}", (f"{theirs}.group_norm.{part}",), False
        yield f"{ours}.proj_out.{part}", (f"{theirs}.to_out.0.{part}",), True
        apart = tuple(f"{theirs}.{name}.{part}" for name in _QUERY_KEY_VALUE)
        yield f"{ours}.qkv.{part}", apart, True


def _modules(network: Settings) -> Iterator[tuple[str, str]]:
    """Each module of ours with weights that may be there, and what diffusers calls it."""
    yield "time_embed.0", "time_embedding.linear_1"
    yield "time_embed.2", "time_embedding.linear_2"
    yield "label_emb", "class_embedding"
    yield "input_blocks.0.0", "conv_in"
    yield "out.0", "conv_norm_out"
    yield "out.2", "conv_out"
    for ours, theirs, j in _blocks(network):
        yield from _residual(f"{ours}.0", f"{theirs}.resnets.{j}")
    for j in range(2):
        yield from _residual(f"middle_block.{2 * j}", f"mid_block.resnets.{j}")
    N, last = network["res_blocks"], len(network["channel_mult"]) - 1
    for level in range(last):
        down = f"input_blocks.{(level + 1) * (N + 1)}.0.op"
        yield down, f"down_blocks.{level}.downsamplers.0.conv"
        side = network["image_size"] // 2 ** (last - level)
        place = 2 if side in network["attention_resolutions"] else 1  # behind attention
        up = f"output_blocks.{level * (N + 1) + N}.{place}.conv"
        yield up, f"up_blocks.{level}.upsamplers.0.conv"


def _residual(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    yield from ((f"{ours}.{a}", f"{theirs}.{b}") for a, b in _RESIDUAL.items())


def _blocks(network: Settings) -> Iterator[tuple[str, str, int]]:
    """Each place of ours with a residual block, that of theirs, and its number there."""
    N = network["res_blocks"]
    for level in range(len(network["channel_mult"])):
        for j in range(N):
            yield f"input_blocks.{1 + level * (N + 1) + j}", f"down_blocks.{level}", j
        for j in range(N + 1):
            yield f"output_blocks.{level * (N + 1) + j}", f"up_blocks.{level}", j


def _attentions(network: Settings) -> Iterator[tuple[str, str]]:
    """Each place of ours that may have an attention block, and that of theirs."""
    for ours, theirs, j in _blocks(network):
        yield f"{ours}.1", f"{theirs}.attentions.{j}"
    yield "middle_block.1", "mid_block.attentions.0"
