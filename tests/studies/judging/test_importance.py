"""What is said of networks that drew t by importance, of a few rows of one network each."""

import pandas as pd
import pytest

from studies.judging.importance import MOST, drew_uniformly, how_much, lack_of_importance, remarks
from studies.tables.resampling import warm_up_draws

STEPS, IMAGES = 500, 8_000
"""Of the training: sixteen images a step."""


def drew(*shares: float, timesteps: str = "loss_second_moment") -> pd.DataFrame:
    """A row for each seed, of which this share of t was drawn by importance."""
    row = {"T": 100, "training_steps": STEPS, "images_seen": IMAGES, "train.timesteps": timesteps}
    return pd.DataFrame([row | {"share_resampled": share} for share in shares])


def test_a_network_drew_uniformly_if_all_its_seeds_did() -> None:
    found = [drew_uniformly(drew(*shares)) for shares in ((0.0, 0.0), (0.0, 0.1), (0.3, 0.3))]
    assert found == [True, False, False]
    assert not drew_uniformly(drew().reindex(columns=drew(0.0).columns))


def test_it_is_said_when_importance_sampling_would_have_begun() -> None:
    begins = round(warm_up_draws(100) / 16)
    assert lack_of_importance(drew(0.0), "L_vlb") == (
        "L_vlb drew every t of its training uniformly: importance sampling begins after about "
        f"{begins:,} training steps, and it had 500"
    )
    asked_for = lack_of_importance(drew(0.0, timesteps="uniform"), "L_vlb")
    assert asked_for == "L_vlb drew every t of its training uniformly"
    assert lack_of_importance(drew(0.01), "L_vlb") == ""


@pytest.mark.parametrize(
    ("share", "percent", "is_most"), [(0.01, 1, False), (0.9, 90, False), (MOST, 95, True)]
)
def test_how_much_of_t_was_drawn_by_importance(share: float, percent: int, is_most: bool) -> None:
    rows, said = drew(share, 1.0), "of its t by importance."
    assert remarks(rows, "x") == [f"x drew the last {percent}% {said}"]
    assert how_much(rows, "x") == ("" if is_most else f"x drew only the last {percent}% {said}")


def test_of_a_network_that_drew_uniformly_the_remark_is_why() -> None:
    (said,) = remarks(drew(0.0), "x")
    lack = lack_of_importance(drew(0.0), "x")
    assert said == f"{lack}; the paper's L_vlb drew t by importance."
    assert how_much(drew(0.0), "x") == ""


def test_a_network_of_which_it_is_not_known_has_no_remark() -> None:
    assert remarks(drew(float("nan")), "x") == []
