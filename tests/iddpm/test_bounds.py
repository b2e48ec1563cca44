"""Bounds of settings: each count has an upper one, and is refused beyond it with the bound."""

import pickle
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from iddpm import config
from iddpm.bounds import MOST_SEED, Between, ConfigError, Where, at_most
from iddpm.checks import check_gan, check_training
from iddpm.config import Digits, GanConfig, TrainConfig, UNetConfig
from iddpm.data import describe
from studies.spec import evaluations
from studies.spec.resources import Resources

CONFIGS = sorted(
    {
        found
        for room in (config, evaluations)
        for found in vars(room).values()
        if isinstance(found, type) and is_dataclass(found) and found.__module__ != Where.__module__
    }
    | {Resources},
    key=lambda found: found.__name__,
)

BOUNDED_BY_OTHERS = {("TrainConfig", "block_size"), ("LatentsConfig", "count")}
"""By the size of the batch, and by T."""

TUPLES_BOUNDED_BY_OTHERS = {"stride", "metrics", "sbatch", "betas"}
"""By T, by the metrics there are, by what a file may hold, and by being two."""


def counts(found: type) -> Iterator[tuple[str, list[Any]]]:
    """Fields that hold whole numbers, each with what bounds it."""
    for item in fields(found):
        hint = get_type_hints(found, include_extras=True)[item.name]
        parts = [hint] if get_origin(hint) is Annotated else [hint, *get_args(hint)]
        types = [get_args(part)[0] if get_origin(part) is Annotated else part for part in parts]
        if int in types:
            yield (
                item.name,
                [b for p in parts if get_origin(p) is Annotated for b in get_args(p)[1:]],
            )


def hold(bounds: Iterable[Any], where: str, value: object) -> None:
    for bound in bounds:
        bound.check(where, value)


@pytest.mark.parametrize("found", CONFIGS, ids=lambda found: found.__name__)
def test_no_count_is_without_an_upper_bound(found: type) -> None:
    for name, bounds in counts(found):
        if (found.__name__, name) in BOUNDED_BY_OTHERS:
            continue
        assert bounds, name
        with pytest.raises(
            ConfigError, match=rf"^x\.{name}: expected (at most \d+|1 .*), found 10"
        ):
            hold(bounds, f"x.{name}", 10**400)


@pytest.mark.parametrize("found", CONFIGS, ids=lambda found: found.__name__)
def test_no_list_is_without_an_end(found: type) -> None:
    hints = get_type_hints(found, include_extras=True)
    for item in fields(found):
        if "tuple" not in str(hints[item.name]) or item.name in TUPLES_BOUNDED_BY_OTHERS:
            continue
        (bounds,) = [get_args(hints[item.name])[1:]]
        with pytest.raises(ConfigError, match="expected at most"):
            hold(bounds, item.name, tuple(1 - 1 / i for i in range(2, 1000)))


def test_every_config_with_a_bound_holds_its_own_default() -> None:
    for found in CONFIGS:
        for item in fields(found):
            hint = get_type_hints(found, include_extras=True)[item.name]
            default = item.default
            if get_origin(hint) is Annotated and default is not MISSING:
                hold(get_args(hint)[1:], item.name, default)


def test_a_bound_is_refused_with_its_words_and_a_short_account_of_what_was_found() -> None:
    with pytest.raises(ConfigError) as refusal:
        Between(1, 9).check("a.b", 10**400)
    assert str(refusal.value) == f"a.b: expected at most 9, found 1{'0' * 56}..."
    with pytest.raises(ConfigError, match="a: expected at least 1, found 0"):
        Between(1, 9).check("a", 0)
    with pytest.raises(ConfigError, match="a: expected at least 1 pixel, found 0"):
        Between(1, 9, low="at least 1 pixel").check("a", 0)
    with pytest.raises(ConfigError, match="a: expected at most 9, found 10"):
        at_most(9).check("a", 10)
    with pytest.raises(ConfigError, match="a: expected an even number, found 3"):
        Where("an even number", lambda value: value % 2 == 0).check("a", 3)
    Between(1, 9).check("a", 1)
    Between(1, 9).check("a", 9)


def test_a_seed_is_a_number_that_every_table_holds_exactly() -> None:
    assert float(MOST_SEED) == MOST_SEED
    assert float(MOST_SEED + 2) == MOST_SEED + 1
    TrainConfig(data=Digits(), seed=MOST_SEED)
    with pytest.raises(ConfigError, match=rf"train.seed: expected at most {MOST_SEED}, found 9007"):
        TrainConfig(data=Digits(), seed=MOST_SEED + 1)


def test_a_network_of_single_counts_that_may_be_is_refused_if_it_is_larger_than_any() -> None:
    digits = describe(Digits())
    wide = UNetConfig(model_channels=2**20, channel_mult=(1,), attention_resolutions=())
    with pytest.raises(
        ConfigError,
        match=r"^network\.model_channels: expected a network of at most 100000000000 parameters,",
    ):
        check_training(TrainConfig(data=Digits(), network=wide), digits)
    with pytest.raises(ConfigError, match=r"^gan\.channels: expected a network of at most 100000"):
        check_gan(GanConfig(data=Digits(), channels=10**7), digits)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("a.b", "x", "y"), "a.b: expected x, found y"),
        (ConfigError("a.b", "x", "y", "try z"), "a.b: expected x, found y; try z"),
        (ConfigError("a.b", "", "no such key", "try z"), "a.b: no such key; try z"),
        (ConfigError("a", "x", "y", place="f.yaml:3"), "f.yaml:3: a: expected x, found y"),
        (ConfigError("", "x", "y", place="f.yaml"), "f.yaml: expected x, found y"),
    ],
)
def test_an_error_composes_its_sentence_from_fields_that_copies_keep(
    error: ConfigError, text: str
) -> None:
    assert str(error) == text
    for copied in (copy(error), pickle.loads(pickle.dumps(error)), replace(error)):
        assert type(copied) is ConfigError
        assert str(copied) == text
    assert str(replace(error, path="c", place="g:1")).startswith("g:1: c: ")
