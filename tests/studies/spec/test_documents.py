import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.spec.documents import Node, completed, layered, nearest, parse

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=8),
)
names = st.text("abcxyz_", min_size=1, max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)


def read(text: str) -> Node:
    return parse(text, lambda line: f"f.yaml:{line}", "a sweep file")


def as_tuples(value: object) -> object:
    if isinstance(value, list):
        return tuple(as_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: as_tuples(item) for key, item in value.items()}
    return value


@given(values)
def test_what_is_written_as_json_is_read_back(value: object) -> None:
    assert read(json.dumps(value)).plain == as_tuples(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E+3", 1000),
        ("1e5", 100_000),
        ("1.0e5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("'1e-4'", "1e-4"),
        ("on", "on"),
        ("no", "no"),
        ("010", 10),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("0x10", "0x10"),
        ("true", True),
        ("~", None),
        ("-.inf", -float("inf")),
    ],
)
def test_a_plain_scalar_is_what_a_person_means(text: str, value: object) -> None:
    found = read(f"a: {text}").plain["a"]
    assert (type(found), found) == (type(value), value)


def test_every_value_knows_its_line() -> None:
    root = read("a: 1\nb:\n  - 2\n  - c: 3\n").value
    assert isinstance(root, dict)
    items = root["b"].value
    assert isinstance(items, list)
    inner = items[1].value
    assert isinstance(inner, dict)
    places = [root["a"].place, items[0].place, inner["c"].place]
    assert places == ["f.yaml:1", "f.yaml:3", "f.yaml:4"]


def test_an_alias_stands_for_what_it_names() -> None:
    assert read("a: &x [1, 2]\nb: *x\n").plain == {"a": (1, 2), "b": (1, 2)}


@given(st.dictionaries(names, st.integers()), st.dictionaries(names, st.integers()))
def test_laying_flat_mappings_over_one_another_is_a_dict_union(
    under: dict[str, int], over: dict[str, int]
) -> None:
    nodes = [Node({k: Node(v, "f") for k, v in d.items()}, "f") for d in (under, over)]
    assert layered(*nodes).plain == under | over


def test_a_choice_laid_over_another_starts_anew() -> None:
    under = read("{objective: {kind: hybrid, vlb_weight: 1}, steps: 5}")
    over = read("{objective: {kind: vlb}}")
    assert layered(under, over).plain == {"objective": {"kind": "vlb"}, "steps": 5}


def test_what_a_tree_leaves_out_is_taken_from_another_of_the_same_choices() -> None:
    tree = read("{objective: {kind: hybrid}, data: {kind: photos}, steps: 5}")
    usual = read("{objective: {kind: hybrid, vlb_weight: 1}, data: {kind: npz, path: x}, steps: 6}")
    assert completed(tree, usual).plain == {
        "objective": {"kind": "hybrid", "vlb_weight": 1},
        "data": {"kind": "photos"},
        "steps": 5,
    }


def test_the_nearest_name_is_named_or_else_all() -> None:
    assert nearest("schedul", ["steps", "schedule"]) == "did you mean 'schedule'?"
    assert nearest("zzz", ["steps", "schedule"]) == "there are: steps, schedule"
    assert nearest("zzz", []) == "there are none"
