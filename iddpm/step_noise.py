"""The noise that the steps of a reverse chain add: drawn for each step, or off one path for all.

Where chains of different length are compared, most of what tells their images apart is that each
draws noise of its own. `brownian` draws one Brownian motion over the steps of the whole chain for
each image, and a step of any shorter chain adds its increment over the steps that it spans. So a
chain of 100 steps and one of 250 make nearly the same images from one x_T, each still of its own
distribution: common random numbers, as multilevel Monte Carlo couples its levels (Giles, 2008).
The path is drawn from coarse to fine, each time in the middle between two known places (Lévy's
construction), and each place has a draw of its own: what a chain adds depends neither on which
other steps it takes nor on what ran before.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from iddpm.diffusion import Diffusion
from iddpm.gaussians import Generators
from iddpm.running.draws import generator


def brownian(generators: Generators, diffusion: Diffusion, like: Tensor) -> Iterator[Tensor]:
    """Standard normal noise for the steps of a chain but its last, the noisiest step first.

    Args:
        generators: Whose initial seeds tell the path; nothing is drawn from them.
        diffusion: The chain. Those respaced from one share a path.
        like: Images (B, C, H, W) of the batch; the noise has their shape, dtype and device.
    """
    each = [generators] if isinstance(generators, torch.Generator) else generators
    parts = [part.shape for part in like.chunk(len(each))]

    def normal(place: int) -> Tensor:
        drawn = [
            torch.randn(
                shape,
                generator=generator(one.initial_seed(), "brownian", place, device=one.device),
                device=one.device,
                dtype=like.dtype,
            )
            for one, shape in zip(each, parts, strict=True)
        ]
        return torch.cat(drawn).to(like.device)

    kept = diffusion.timesteps.tolist()
    ends, last = iter(reversed(kept[:-1])), diffusion.original_steps - 1
    above, end, moved = kept[-1], next(ends), torch.zeros_like(like)
    for low, by in _pieces(0, last, math.sqrt(last) * normal(last), kept, normal):
        if low >= kept[-1]:
            continue  # noisier than the chain begins
        moved = moved + by
        if low == end:
            yield moved / math.sqrt(above - low)
            above, end, moved = low, next(ends, -1), torch.zeros_like(like)


def _pieces(
    low: int, high: int, by: Tensor, kept: Sequence[int], normal: Callable[[int], Tensor]
) -> Iterator[tuple[int, Tensor]]:
    """The lower end of each piece of a path, from its top, and by how much it moves in it.

    Args:
        low: Where the path begins.
        high: Where it ends.
        by: How much it moves between.
        kept: Increasing places at which it is cut.
        normal: Standard normal noise of its own for each place.
    """
    if bisect_right(kept, low) == bisect_left(kept, high):
        yield low, by
        return
    middle = (low + high) // 2
    share = (middle - low) / (high - low)
    lower = share * by + math.sqrt(share * (high - middle)) * normal(middle)
    yield from _pieces(middle, high, by - lower, kept, normal)
    yield from _pieces(low, middle, lower, kept, normal)
