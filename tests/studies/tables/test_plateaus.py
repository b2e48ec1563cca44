"""How much a loss still fell, on curves whose fall is known."""

import math

import numpy as np
import pytest

from studies.tables.plateaus import fall, log_fall

STEPS = np.arange(4, 801, 4)


def test_a_curve_in_the_log_of_the_steps_falls_by_its_slope_for_each_doubling() -> None:
    """0.3 for a doubling; the sums of the grid differ from integrals by less than a window."""
    before, after = fall({"step": STEPS.tolist(), "loss": (5 - 0.3 * np.log2(STEPS)).tolist()})
    assert before - after == pytest.approx(0.3, rel=0.01)
    assert log_fall(before, after) == pytest.approx(math.log(before) - math.log(after))


def test_the_windows_of_the_second_quarter_stand_against_those_of_the_second_half() -> None:
    loss = [9.0, 9.0, 4.0, 2.0, 1.0, 1.0, 2.0, 2.0]
    curve: dict[str, list[float]] = {"step": [*range(1, 9)], "loss": loss, "vlb": [1.0] * 8}
    assert fall(curve) == (3.0, 1.5)
    assert fall(curve, "vlb") == (1.0, 1.0)


@pytest.mark.parametrize(
    "curve",
    [
        {"step": [1, 2, 3, 4], "loss": [1.0, None, 1.0, 1.0]},
        {"step": [1, 2, 3, 4], "loss": [1.0, 1.0, 1.0, None]},
        {"step": [1], "loss": [1.0]},
        {"step": [], "loss": []},
    ],
)
def test_a_curve_that_does_not_say_has_no_fall(curve: dict[str, list[float | None]]) -> None:
    assert math.isnan(log_fall(*fall(curve)))


def test_a_loss_that_is_not_above_zero_has_no_log() -> None:
    assert math.isnan(log_fall(1.0, -1.0))
    assert math.isnan(log_fall(0.0, 1.0))
