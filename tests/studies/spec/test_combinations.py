import itertools
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from iddpm.bounds import ConfigError
from iddpm.evaluation.config import LikelihoodConfig
from studies.spec.combinations import Combination, combinations, laid, layers_over, override, rules
from studies.spec.documents import Node, parse
from studies.spec.reading import read

MENU: dict[str, list[Any]] = {
    "images": [3, 5, 9],
    "steps": [2, 3, None],
    "clip": [True, False],
    "split": ["train", "test"],
    "ema_decay": [0.5, 0.9],
}
axes = st.dictionaries(
    st.sampled_from(sorted(MENU)), st.integers(1, 3), min_size=1, max_size=4
).map(lambda sizes: {key: MENU[key][:size] for key, size in sizes.items()})


def section(value: object) -> Node:
    return parse(json.dumps(value), lambda line: f"f.yaml:{line}", "a section")


def settings(one: Combination) -> dict[str, Any]:
    return {key: node.plain for key, node in one.settings}


def config(one: Combination) -> LikelihoodConfig:
    tree = laid(Node({}, "f"), one.layers)
    found: LikelihoodConfig = read(LikelihoodConfig, tree, "x")
    return found


def expanded(value: object) -> list[Combination]:
    return combinations(section(value), "x", "likelihood", [])


@examples(max_examples=40)
@given(axes)
def test_a_grid_is_the_product_of_its_axes(grid: dict[str, list[Any]]) -> None:
    product = [dict(zip(grid, row, strict=True)) for row in itertools.product(*grid.values())]
    found = expanded({"grid": grid})
    assert [settings(one) for one in found] == product
    assert [config(one) for one in found] == [LikelihoodConfig(**row) for row in product]


@examples(max_examples=40)
@given(axes, st.data())
def test_an_excluded_combination_is_one_that_holds_all_of_a_rule(
    grid: dict[str, list[Any]], data: st.DataObject
) -> None:
    keys = data.draw(st.lists(st.sampled_from(sorted(MENU)), min_size=1, unique=True))
    rule = {key: data.draw(st.sampled_from(MENU[key])) for key in keys}
    node = section({"grid": grid, "exclude": [rule]})
    (found,) = rules(node, "x", "likelihood")
    usual = {"images": None, "steps": None, "clip": True, "split": "test", "ema_decay": None}
    for one in combinations(node, "x", "likelihood", []):
        whole = {**usual, **settings(one)}
        expected = all(whole[key] == value for key, value in rule.items())
        assert found.matches({"likelihood": laid(Node({}, "f"), one.layers)}) == expected


@examples(max_examples=40)
@given(axes)
def test_lists_in_step_make_one_combination_per_row(grid: dict[str, list[Any]]) -> None:
    length = min(map(len, grid.values()))
    columns = {key: column[:length] for key, column in grid.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert [settings(one) for one in expanded({"zip": columns})] == rows


def test_a_grid_and_lists_in_step_are_combined() -> None:
    found = expanded({"grid": {"clip": [True, False]}, "zip": {"images": [3, 5], "steps": [2, 3]}})
    assert [settings(one) for one in found] == [
        {"clip": clip, "images": images, "steps": steps}
        for clip in (True, False)
        for images, steps in ((3, 2), (5, 3))
    ]


def test_included_combinations_come_after_the_grid() -> None:
    found = expanded({"grid": {"clip": [True]}, "include": [{"steps": 2}, {"images": 5}]})
    assert [settings(one) for one in found] == [{"clip": True}, {"steps": 2}, {"images": 5}]
    assert [one.included for one in found] == [False, True, True]


def test_combinations_may_be_listed_one_by_one() -> None:
    assert [settings(one) for one in expanded({"include": [{"steps": 2}]})] == [{"steps": 2}]


def test_a_section_that_varies_nothing_is_one_combination() -> None:
    assert [settings(one) for one in expanded({})] == [{}]


def test_a_choice_is_laid_before_the_settings_of_it() -> None:
    node = section(
        {
            "grid": {
                "train.objective.vlb_weight": [0.5],
                "train.objective": ["hybrid"],
            }
        }
    )
    (one,) = combinations(node, "", "train", [])
    assert laid(Node({}, "f"), one.layers).plain == {
        "objective": {"kind": "hybrid", "vlb_weight": 0.5}
    }


@pytest.mark.parametrize("text", ["[2, 3]", "2"])
def test_an_override_stands_in_for_the_values_of_a_grid(text: str) -> None:
    node = section({"grid": {"steps": [7, 8], "clip": [True]}})
    chosen = override("likelihood.steps", parse(text, lambda line: "--set", "a value"))
    found = combinations(node, "x", "likelihood", [chosen])
    values = json.loads(text)
    assert [settings(one)["steps"] for one in found] == (
        values if isinstance(values, list) else [values]
    )
    assert layers_over(node, "likelihood", [chosen]) == []


def test_any_other_override_is_a_layer_over_all_combinations() -> None:
    value = parse("5", lambda line: "--set", "a value")
    chosen = override("likelihood.images", value)
    (layer,) = layers_over(section({"grid": {"steps": [7]}}), "likelihood", [chosen])
    assert layer.plain == {"images": 5}
    assert layers_over(section({}), "train", [chosen]) == []


@examples(max_examples=40)
@given(axes, st.integers(2, 4))
def test_lists_in_step_of_unlike_length_are_refused(
    grid: dict[str, list[Any]], longer: int
) -> None:
    key, *others = grid
    assume(others)
    columns = {name: [grid[name][0]] for name in grid} | {key: [grid[key][0]] * longer}
    with pytest.raises(ConfigError, match=f"expected {longer} values, as many as {key} has"):
        expanded({"zip": columns})
