"""A draw is a function of (seed, purpose, index) and of nothing drawn before."""

import torch

from iddpm.draws import derived_seed, generator, numpy_generator


def test_the_seed_is_the_first_bytes_of_a_published_hash() -> None:
    # printf '7 noise 3 1' | sha256sum, its first eight bytes, little-endian, halved
    assert derived_seed(7, "noise", 3, 1) == 7467310619247847631


def test_the_same_draw_comes_again_and_every_other_differs() -> None:
    def drawn(*key: int, purpose: str = "eps") -> list[float]:
        return torch.randn(4, generator=generator(0, purpose, *key)).tolist()

    assert drawn(5) == drawn(5)
    others = [drawn(4), drawn(5, 0), drawn(5, purpose="t")]
    assert all(drawn(5) != other for other in others)


def test_numpy_draws_follow_the_same_rule() -> None:
    assert numpy_generator(0, "a", 1).random() == numpy_generator(0, "a", 1).random()
    assert numpy_generator(0, "a", 1).random() != numpy_generator(1, "a", 1).random()
