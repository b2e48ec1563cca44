"""The parameters of the official UNet by name, written down from its numbering rather than built.

Every block's number follows from its level and its place in the level, so this lists keys and
shapes without a network: for C = `model_channels`, E = 4C and N = `res_blocks`.
"""

from collections.abc import Callable, Sequence

Shape = tuple[int, ...]
Layout = dict[str, Shape]
ResBlock = Callable[[str, int, int], Layout]
"""The parameters of a block by its name and its channels, in and out."""


def layout(
    *,
    in_channels: int,
    out_channels: int,
    image_size: int,
    model_channels: int,
    channel_mult: Sequence[int],
    res_blocks: int,
    attention_resolutions: Sequence[int],
    scale_shift: bool = True,
    classes: int | None = None,
    low_resolution: bool = False,
) -> Layout:
    """Shape of every entry of the state dict, in its order."""
    C, E = model_channels, 4 * model_channels
    width = [m * C for m in channel_mult]
    factors = [image_size // side for side in attention_resolutions]
    attends = [2**level in factors for level in range(len(width))]

    def res(name: str, c_in: int, c: int) -> Layout:
        return _res_block(name, c_in, c, emb=E, scale_shift=scale_shift)

    first = 2 * in_channels if low_resolution else in_channels
    classes_too = {} if classes is None else {"label_emb.weight": (classes, E)}
    middle = (
        res("middle_block.0", width[-1], width[-1])
        | _attention("middle_block.1", width[-1])
        | res("middle_block.2", width[-1], width[-1])
    )
    return (
        _weight_and_bias("time_embed.0", (E, C))
        | _weight_and_bias("time_embed.2", (E, E))
        | classes_too
        | _weight_and_bias("input_blocks.0.0", (C, first, 3, 3))
        | _downwards(C, width, attends, res_blocks, res)
        | middle
        | _upwards(C, width, attends, res_blocks, res)
        | _weight_and_bias("out.0", (width[0],))
        | _weight_and_bias("out.2", (out_channels, width[0], 3, 3))
    )


def _downwards(
    C: int, width: Sequence[int], attends: Sequence[bool], N: int, res: ResBlock
) -> Layout:
    keys: Layout = {}
    for level, c in enumerate(width):
        for j in range(N):
            before = c if j else width[level - 1] if level else C
            name = f"input_blocks.{1 + level * (N + 1) + j}"
            keys |= res(f"{name}.0", before, c)
            keys |= _attention(f"{name}.1", c) if attends[level] else {}
        if level < len(width) - 1:
            name = f"input_blocks.{1 + level * (N + 1) + N}.0.op"
            keys |= _weight_and_bias(name, (c, c, 3, 3))
    return keys


def _upwards(
    C: int, width: Sequence[int], attends: Sequence[bool], N: int, res: ResBlock
) -> Layout:
    keys: Layout = {}
    last = len(width) - 1
    for level, c in reversed(list(enumerate(width))):
        for i in range(N + 1):
            below = c if i else width[min(level + 1, last)]
            skip = c if i < N else width[level - 1] if level else C
            name = f"output_blocks.{(last - level) * (N + 1) + i}"
            keys |= res(f"{name}.0", below + skip, c)
            keys |= _attention(f"{name}.1", c) if attends[level] else {}
            if i == N and level > 0:
                upsample = f"{name}.{2 if attends[level] else 1}.conv"
                keys |= _weight_and_bias(upsample, (c, c, 3, 3))
    return keys


def _weight_and_bias(name: str, shape: Shape) -> Layout:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _res_block(name: str, c_in: int, c: int, *, emb: int, scale_shift: bool) -> Layout:
    skip = _weight_and_bias(f"{name}.skip_connection", (c, c_in, 1, 1)) if c != c_in else {}
    return (
        _weight_and_bias(f"{name}.in_layers.0", (c_in,))
        | _weight_and_bias(f"{name}.in_layers.2", (c, c_in, 3, 3))
        | _weight_and_bias(f"{name}.emb_layers.1", (2 * c if scale_shift else c, emb))
        | _weight_and_bias(f"{name}.out_layers.0", (c,))
        | _weight_and_bias(f"{name}.out_layers.3", (c, c, 3, 3))
        | skip
    )


def _attention(name: str, c: int) -> Layout:
    return (
        _weight_and_bias(f"{name}.norm", (c,))
        | _weight_and_bias(f"{name}.qkv", (3 * c, c, 1))
        | _weight_and_bias(f"{name}.proj_out", (c, c, 1))
    )
