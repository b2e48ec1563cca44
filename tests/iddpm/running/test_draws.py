"""Draws are functions of (seed, purpose, index), and of nothing that happened before."""

import hashlib

import numpy as np
import torch

from iddpm.running.draws import derived_seed, generator, numpy_generator

DRAWS: list[tuple[int, str, tuple[int, ...]]] = [
    (0, "noise", ()),
    (1, "noise", ()),
    (0, "dropout", ()),
    (0, "noise", (0,)),
    (0, "noise", (1,)),
    (0, "noise", (10,)),
    (0, "noise", (0, 1)),
    (0, "noise", (1, 0)),
]


def test_a_seed_is_the_first_bytes_of_the_hash_of_what_it_is_for() -> None:
    digest = hashlib.sha256(b"7 noise 3 1").digest()
    assert derived_seed(7, "noise", 3, 1) == int.from_bytes(digest[:8], "little") // 2
    assert derived_seed(7, "noise", 3, 1) == 7467310619247847631


def test_every_seed_purpose_and_index_draws_its_own_numbers() -> None:
    torchs = {float(torch.rand((), generator=generator(seed, for_, *n))) for seed, for_, n in DRAWS}
    numpys = {numpy_generator(seed, for_, *n).random() for seed, for_, n in DRAWS}
    assert len(torchs) == len(numpys) == len(DRAWS)


def test_a_draw_is_the_same_whatever_was_drawn_before() -> None:
    first = torch.randn(5, generator=generator(3, "noise", 2))
    first_numpy = numpy_generator(3, "noise", 2).normal(size=5)
    torch.rand(7)
    torch.rand(7, generator=generator(3, "noise", 1))
    assert torch.equal(torch.randn(5, generator=generator(3, "noise", 2)), first)
    assert np.array_equal(numpy_generator(3, "noise", 2).normal(size=5), first_numpy)


def test_torchs_global_generator_is_neither_read_nor_moved() -> None:
    before = torch.get_rng_state()
    torch.rand(3, generator=generator(0, "noise"))
    assert torch.equal(torch.get_rng_state(), before)
