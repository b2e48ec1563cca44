"""Sentences that several captions share."""

import pandas as pd
import pytest

from studies.drawing import captions


def of(*n: int) -> pd.DataFrame:
    return pd.DataFrame({"n": n})


def test_a_caption_says_what_its_figure_draws_of_means_and_intervals() -> None:
    assert captions.spread(of(3, 3)) == (
        "Lines are means over seeds, bands their 95% t intervals (n = 3 seeds)."
    )
    assert captions.spread(of(3, 2), marks="Dots", bar="line", means="geometric means") == (
        "Dots are geometric means over seeds, lines their 95% t intervals (n = 2 to 3 seeds)."
    )


def test_one_seed_has_no_interval_and_the_caption_says_so() -> None:
    assert captions.spread(of(1, 2)).endswith(" Curves of one seed have no band.")
    for bar in ("band", "line"):
        said = f"One seed only: there is no spread to show, and so no {bar}."
        assert captions.spread(of(1, 1), bar=bar) == said


@pytest.mark.parametrize(
    ("numbers", "said"), [([1000, 192, 192], "192 or 1,000"), ([192.0], "192")]
)
def test_counts_are_told_once_each_in_order(numbers: list[float], said: str) -> None:
    assert captions.counts(pd.Series(numbers)) == said
