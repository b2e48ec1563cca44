from dataclasses import replace
from typing import Any

import pytest

from iddpm.bounds import ConfigError
from iddpm.config import (
    Digits,
    Hybrid,
    Metric,
    Photos,
    Simple,
    Stride,
    TrainConfig,
    UNetConfig,
    Vlb,
)
from iddpm.evaluation.config import Ancestral, Classifier, Ddim, LikelihoodConfig, Sampler
from studies.spec.documents import Node, parse
from studies.spec.evaluations import SamplesConfig
from studies.spec.reading import Keys, Written, leaves, read, setting, spelled_out


def node(text: str) -> Node:
    return parse(text, lambda line: f"f.yaml:{line}", "a config")


def config(hint: Any, text: str) -> Any:
    return read(hint, spelled_out(hint, node(text), "x"), "x")


@pytest.mark.parametrize(
    "text", ["ddim", "{ddim: {}}", "{ddim: }", "{kind: ddim}", "{ddim: {eta: 0}}"]
)
def test_a_choice_is_read_alike_however_it_is_written(text: str) -> None:
    assert config(Sampler, text) == Ddim()


@pytest.mark.parametrize("text", ["{ddim: {eta: 0.5}}", "{kind: ddim, eta: 0.5}"])
def test_the_settings_of_a_choice_are_read_alike(text: str) -> None:
    assert config(Sampler, text) == Ddim(eta=0.5)


@pytest.mark.parametrize(
    ("text", "expected"), [("even", "even"), ("[0, 5, 9]", (0, 5, 9)), ("constant", "constant")]
)
def test_a_stride_is_a_name_or_a_list(text: str, expected: Stride) -> None:
    assert config(Stride, text) == expected


def test_what_is_not_given_has_its_default() -> None:
    assert config(TrainConfig, "data: digits") == TrainConfig(data=Digits())


def test_a_whole_config_is_read_field_by_field() -> None:
    text = """
    data: {photos: {test_images: 7}}
    network: {channel_mult: [1, 2], dropout: 1e-1, class_conditional: false}
    objective: {hybrid: {vlb_weight: 1e-4}}
    optimizer: {learning_rate: 1e-3, betas: [0.8, 0.9]}
    ema_decays: []
    block_size: null
    steps: 1e3
    """
    usual = TrainConfig(data=Photos(test_images=7))
    optimizer = replace(usual.optimizer, learning_rate=1e-3, betas=(0.8, 0.9))
    assert config(TrainConfig, text) == replace(
        usual,
        network=UNetConfig(channel_mult=(1, 2), dropout=0.1),
        objective=Hybrid(vlb_weight=1e-4),
        optimizer=optimizer,
        ema_decays=(),
        steps=1000,
    )


def test_choices_within_choices_are_spelled_out() -> None:
    text = "{images: 9, steps: 5, extractor: {classifier: {data: digits}}}"
    extractor = Classifier(data=Digits())
    assert config(SamplesConfig, text) == SamplesConfig(images=9, steps=5, extractor=extractor)


def test_leaves_are_the_settings_that_are_named() -> None:
    text = "{objective: {hybrid: {vlb_weight: 2}}, diffusion: {steps: 9}, ema_decays: [0.5]}"
    found = dict(leaves(TrainConfig, spelled_out(TrainConfig, node(text), "x"), "x"))
    assert found == {
        ("objective", "kind"): "hybrid",
        ("objective", "vlb_weight"): 2.0,
        ("diffusion", "steps"): 9,
        ("ema_decays",): (0.5,),
    }


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("objective", "kind"), "vlb"),
        (("objective", "variance"), "range"),
        (("objective", "vlb_weight"), None),
        (("diffusion", "schedule"), "cosine"),
        (("diffusion", "steps"), 7),
        (("timesteps", "kind"), "uniform"),
        (("seed",), 0),
        (("data", "size"), None),
    ],
)
def test_a_setting_is_found_whether_given_or_not(keys: Keys, value: object) -> None:
    tree = spelled_out(TrainConfig, node("{objective: vlb, diffusion: {steps: 7}}"), "x")
    assert setting(TrainConfig, tree, keys) == value


def test_a_setting_can_be_asked_of_a_config_that_is_wrong_elsewhere() -> None:
    tree = node("{objective: {kind: simple, vlb_weight: 1}, steps: -5}")
    assert setting(TrainConfig, tree, ("objective", "kind")) == "simple"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("network.heads", "f.yaml:2: train.network.heads: expected x"),
        ("network.groups", "f.yaml:2: train.network.groups: expected x"),
        ("train.steps", "f.yaml:3: train.steps: expected x"),
        ("objective.hybrid.vlb_weight", "f.yaml:4: train.objective.vlb_weight: expected x"),
        ("timesteps.history", "f.yaml:1: train.timesteps.history: expected x"),
        ("no.such.place", "f.yaml:1: train: no.such.place: expected x"),
    ],
)
def test_a_complaint_about_a_config_is_placed_in_its_file(where: str, message: str) -> None:
    text = "data: digits\nnetwork: {heads: 2}\nsteps: 5\nobjective: {kind: hybrid, vlb_weight: 1}"
    origin = Written(TrainConfig, node(text), "train")
    with pytest.raises(ConfigError) as refusal, origin.placing():
        raise ConfigError(where, "x", "y", "z")
    assert str(refusal.value) == f"{message}, found y; z"


def test_the_members_of_a_union_keep_their_own_defaults() -> None:
    assert config(Sampler, "ancestral") == Ancestral(stride="even")
    assert config(TrainConfig, "{data: digits, objective: vlb}").objective == Vlb()
    assert config(TrainConfig, "{data: digits, objective: simple}").objective == Simple()
    assert config(LikelihoodConfig, "{}") == LikelihoodConfig()


# ------------------------------------------------------------------------- what a hint leads to

LIKELY: list[tuple[Any, str, str, str]] = [
    (int, "1_000", "write 1000", "1000"),
    (int, "1,000", "write 1000", "1000"),
    (int, "0x10", "write 16", "16"),
    (int, "0o17", "write 15", "15"),
    (int, "0b11", "write 3", "3"),
    (int, "1:30", "write 90", "90"),
    (int, "'7'", "write it without quotes", "7"),
    (int, "1.0e5", "write 100000", "100000"),
    (float, "0x1F", "write 31", "31"),
    (float, "1_000.5", "write 1000.5", "1000.5"),
    (float, "0,5", "write 0.5", "0.5"),
    (float | None, "None", "write null", "null"),
    (float | None, "'~'", "write it without quotes", "~"),
    (bool, "yes", "write true", "true"),
    (bool, "off", "write false", "false"),
    (bool, "0", "write false", "false"),
    (bool, "'true'", "write it without quotes", "true"),
    (str, "2024", "write it in quotes", "'2024'"),
    (tuple[int, ...], "[1_000, 2.0]", "write [1000, 2]", "[1000, 2]"),
    (tuple[Metric, ...], "kid", "put it in [ ]", "[kid]"),
]


@pytest.mark.parametrize(("hint", "written", "advice", "followed"), LIKELY)
def test_a_hint_says_what_is_likely_meant_and_leads_to_an_accepted_value(
    hint: Any, written: str, advice: str, followed: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(hint, node(written), "x")
    assert str(refusal.value).endswith(f"; {advice}")
    if advice.startswith("write it"):
        assert written.strip("'") == followed.strip("'")
    elif advice.startswith("write "):
        assert advice == f"write {followed}"
    read(hint, node(followed), "x")


@pytest.mark.parametrize("written", ["nan", ".nan", "inf", "-.inf", "Infinity", "1e400"])
def test_what_is_not_finite_is_refused_as_that_without_a_hint_to_quotes(written: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a finite number, found [^;]*$"):
        read(float, node(written), "x")


@pytest.mark.parametrize("written", ["~", "null"])
def test_nothing_that_was_written_is_told_as_it_was_written(written: str) -> None:
    told = rf"found nothing \({written}\); leave the key out, or give it a value"
    with pytest.raises(ConfigError, match=told):
        read(int, node(written), "x")
    assert read(int | None, node(written), "x") is None


@pytest.mark.parametrize("written", ["010", "1e-4", "1e5", "+5", "5."])
def test_numbers_are_read_as_people_mean_them(written: str) -> None:
    assert read(float, node(written), "x") == float(written)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &a {b: 1}\nc: {<<: *a}", "2: c.<<: expected settings by their names, found a merge"),
        ('a: "\\0"', "1: a: expected text, found the character U+0000: not text"),
        ('"\\ud800": 1', "1: key: expected text, found the character U+D800: not text"),
        (f"{'k' * 201}: 1", "1: key: expected a key of at most 200 letters, found one of 201"),
        (f"a: {'1' * 1001}", "1: a: expected a number of at most 1000 digits, found one of 1001"),
        ("a: !!bool maybe", "1: a: expected a plain value, found 'maybe' tagged tag:yaml.org,2002"),
        ("a: !!int 1_0", "1: a: expected a plain value, found '1_0' tagged tag:yaml.org,2002:int"),
    ],
)
def test_what_no_setting_can_be_is_refused_where_it_stands(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(text, str, "a document")
    assert str(refusal.value).startswith(told)
