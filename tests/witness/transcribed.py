"""Tables 1 and 2 of the paper, written down a second time."""

from typing import NamedTuple

_TEXT = """
imagenet64  200K 1K linear simple 3.99 32.5
imagenet64  200K 4K linear simple 3.77 31.3
imagenet64  200K 4K linear hybrid 3.66 32.2
imagenet64  200K 4K cosine simple 3.68 27.0
imagenet64  200K 4K cosine hybrid 3.62 28.0
imagenet64  200K 4K cosine vlb    3.57 56.7
imagenet64 1500K 4K cosine hybrid 3.57 19.2
imagenet64 1500K 4K cosine vlb    3.53 40.1
cifar10     500K 1K linear simple 3.73 3.29
cifar10     500K 4K linear simple 3.37 2.90
cifar10     500K 4K linear hybrid 3.26 3.07
cifar10     500K 4K cosine simple 3.26 3.05
cifar10     500K 4K cosine hybrid 3.17 3.19
cifar10     500K 4K cosine vlb    2.94 11.47
"""


class Row(NamedTuple):
    """A network and its two numbers."""

    trained: tuple[str, int, int, str, str]
    """Data, training steps, T, schedule and objective."""
    bits_per_dim: float
    frechet_distance: float


def _row(line: str) -> Row:
    data, steps, T, schedule, objective, bits, distance = line.split()
    trained = (data, _thousands(steps), _thousands(T), schedule, objective)
    return Row(trained, float(bits), float(distance))


def _thousands(text: str) -> int:
    return 1000 * int(text.removesuffix("K"))


TABLES_1_AND_2 = [_row(line) for line in _TEXT.strip().splitlines()]
