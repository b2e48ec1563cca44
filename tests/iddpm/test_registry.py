"""Functions by name: each admitted name has its function, and one without is missed at once."""

from typing import Any, get_args

import pytest

from iddpm import build, config, config_fields, denoiser, diffusion, objectives, schedules
from iddpm.evaluation import metrics
from iddpm.evaluation.config import Ddim, Sampler
from iddpm.registry import named

REGISTERED = [
    (schedules.SCHEDULES, get_args(config.Schedule)),
    (diffusion.FIXED_VARIANCES, get_args(config.FixedVariance)),
    (denoiser.LEARNED_VARIANCES, get_args(config.LearnedVariance)),
    (metrics.METRICS, get_args(config.Metric)),
    (objectives.LOSSES, config_fields.kinds(config.Objective)),
    (build.SAMPLERS, config_fields.kinds(Sampler)),
]


@pytest.mark.parametrize(("functions", "names"), REGISTERED)
def test_every_admitted_name_has_a_function_of_its_own(
    functions: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert names
    assert tuple(functions) == names
    assert len(set(functions.values())) == len(names)


def test_every_variance_is_fixed_or_learned() -> None:
    fixed, learned = get_args(config.FixedVariance), get_args(config.LearnedVariance)
    assert get_args(config.Variance) == (*fixed, *learned)


def test_the_names_of_a_choice_are_those_of_all_its_types() -> None:
    assert config_fields.kinds(config.Objective) == ("simple", "vlb", "hybrid")
    assert config_fields.kinds(Ddim) == ("ddim",)
    assert config_fields.kinds(config.TrainConfig) == config_fields.kinds(int) == ()


def test_a_name_without_a_function_is_refused() -> None:
    room = {"__name__": "some.room", "a_losses": len}
    assert named(["a"], room, "{}_losses") == {"a": len}
    with pytest.raises(LookupError, match=r"some\.room: expected a function b_losses, found none"):
        named(["a", "b"], room, "{}_losses")
