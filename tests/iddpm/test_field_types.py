"""A config made in Python with a value of a wrong type is refused, with what to write."""

from collections.abc import Callable

import numpy as np
import pytest

from iddpm.bounds import ConfigError, require_type
from iddpm.config import DiffusionConfig, Digits, Hybrid, TrainConfig, UNetConfig
from iddpm.data import describe, load
from iddpm.evaluation.config import Ancestral, LikelihoodConfig
from iddpm.schedules import betas

DATA = "Digits, Photos, Folder or Npz"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: TrainConfig(data="digits"),  # type: ignore[arg-type]
            f"train.data: expected {DATA}, found 'digits'; write Digits()",
        ),
        (
            lambda: TrainConfig(data="npz"),  # type: ignore[arg-type]
            f"train.data: expected {DATA}, found 'npz'; write Npz(path=...)",
        ),
        (
            lambda: TrainConfig(data=Digits(), objective="hybird"),  # type: ignore[arg-type]
            "train.objective: expected Simple, Vlb or Hybrid, found 'hybird'; write Hybrid()",
        ),
        (
            lambda: DiffusionConfig(schedule="cosin"),  # type: ignore[arg-type]
            "diffusion.schedule: expected 'linear' or 'cosine', found 'cosin'; did you mean "
            "'cosine'?",
        ),
        (
            lambda: DiffusionConfig(steps=10.0),  # type: ignore[arg-type]
            "diffusion.steps: expected a whole number, found 10.0",
        ),
        (
            lambda: DiffusionConfig(steps=True),
            "diffusion.steps: expected a whole number, found True",
        ),
        (
            lambda: TrainConfig(data=Digits(), seed=np.int64(3)),  # type: ignore[arg-type]
            "train.seed: expected a whole number, found np.int64(3)",
        ),
        (
            lambda: UNetConfig(channel_mult=[1, 2]),  # type: ignore[arg-type]
            "network.channel_mult: expected a tuple of whole numbers, found [1, 2]; write (1, 2)",
        ),
        (
            lambda: UNetConfig(class_conditional=1),  # type: ignore[arg-type]
            "network.class_conditional: expected True or False, found 1",
        ),
        (
            lambda: LikelihoodConfig(images=3.5),  # type: ignore[arg-type]
            "likelihood.images: expected a whole number or None, found 3.5",
        ),
        (
            lambda: Ancestral(variance="rnge"),  # type: ignore[arg-type]
            "sampler.ancestral.variance: expected 'beta', 'beta_tilde', 'learned' or 'range', "
            "found 'rnge'; did you mean 'range'?",
        ),
        (
            lambda: Hybrid(vlb_weight="0.1"),  # type: ignore[arg-type]
            "objective.hybrid.vlb_weight: expected a number, found '0.1'",
        ),
        (
            lambda: describe("digits"),
            f"describe.data: expected {DATA}, found 'digits'; write Digits()",
        ),
        (
            lambda: load(Digits(), "valid"),  # type: ignore[arg-type]
            "load.split: expected 'train' or 'test', found 'valid'; there are: train, test",
        ),
        (
            lambda: betas("cos", 10),  # type: ignore[arg-type]
            "betas.schedule: expected 'linear' or 'cosine', found 'cos'; did you mean 'cosine'?",
        ),
    ],
)
def test_a_value_of_another_type_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make()
    assert str(refused.value) == says


@pytest.mark.parametrize(
    ("hint", "value"),
    [(float, 1), (int | None, None), (tuple[int, ...], ()), (tuple[float, float], (1, 0.5))],
)
def test_a_whole_number_is_a_number_and_none_may_be_allowed(hint: type, value: object) -> None:
    require_type("a.b", hint, value)


def test_a_tuple_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a\.b: expected a tuple of 2 numbers, found \(1, "):
        require_type("a.b", tuple[float, float], (1, 2, 3))
