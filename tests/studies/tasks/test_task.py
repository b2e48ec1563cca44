import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iddpm.config import (
    DiffusionConfig,
    Digits,
    ExternalConfig,
    Folder,
    GanConfig,
    GanSampleConfig,
    Hybrid,
    LossSecondMoment,
    Npz,
    OpenAi,
    OptimizerConfig,
    Photos,
    Simple,
    TrainConfig,
    UNetConfig,
    Uniform,
    Vlb,
)
from iddpm.config_fields import canonical
from iddpm.evaluation.config import (
    Ancestral,
    Classifier,
    Ddim,
    Ends,
    FeaturesConfig,
    GradientNoiseConfig,
    LatentsConfig,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    LikelihoodShardConfig,
    RadiiConfig,
    RandomNetwork,
    SampleConfig,
    ScoreConfig,
)
from studies.tasks import task as tasks
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task, task_from_json, task_json

DATA = (("data", "d1"),)
NETWORK = (("network", "train-0000000000000000"),)

FROZEN = {
    "extractor-f413b446f9a05738": Task(
        kind="extractor", config=Classifier(data=Digits()), digests=DATA
    ),
    "extractor-86043ee662060f6a": Task(
        kind="extractor", config=RandomNetwork(data=Photos(train_images=9)), digests=DATA
    ),
    "train-a97b2cf540a96143": Task(kind="train", config=TrainConfig(data=Digits()), digests=DATA),
    "train-abc81551177d9d0d": Task(
        kind="train",
        config=TrainConfig(
            data=Folder(path="here", size=64),
            objective=Hybrid(),
            timesteps=LossSecondMoment(),
            seed=2,
        ),
        digests=DATA,
    ),
    "train-a03e0d8dd44a3c46": Task(
        kind="train",
        config=TrainConfig(
            data=Npz(path="x.npz"),
            objective=Vlb(),
            network=UNetConfig(class_conditional=True),
            precision="bf16",
            block_size=32,
        ),
        digests=DATA,
    ),
    "imported-53c0a882b3a66da6": Task(
        kind="imported",
        config=TrainConfig(
            data=Npz(path="x.npz"),
            source=OpenAi(path="here.pt", name="cifar10_uncond_50M_500K", heads=4),
        ),
        digests=DATA,
    ),
    "imported-4d7673f19b41d2eb": Task(
        kind="imported",
        config=TrainConfig(
            data=Npz(path="x.npz"),
            network=UNetConfig(low_resolution=64),
            source=OpenAi(path="there.pt"),
            ema_decays=(),
        ),
        digests=DATA,
    ),
    "sample-0bff3ba1b0dc50d3": Task(
        kind="sample", config=SampleConfig(steps=50, last_block=4, block_size=64), inputs=NETWORK
    ),
    "sample-171450e7457a04db": Task(
        kind="sample",
        config=SampleConfig(
            sampler=Ddim(eta=0.5, stride=(0, 8, 9)),
            steps=3,
            skip=0.25,
            ema_decay=0.995,
            first_block=1,
            last_block=4,
            block_size=64,
            seed=1,
        ),
        inputs=NETWORK,
    ),
    "features-5b10bcc74a31d744": Task(
        kind="features",
        config=FeaturesConfig(images=256),
        inputs=(("extractor", "extractor-00"), ("samples/0", "sample-00")),
    ),
    "features-9a25e7345ec96f55": Task(
        kind="features",
        config=FeaturesConfig(data=Digits(), images=100),
        inputs=(("extractor", "extractor-00"),),
        digests=DATA,
    ),
    "score-0c80cc86c518262a": Task(
        kind="score",
        config=ScoreConfig(),
        inputs=(("generated", "features-00"), ("reference", "features-01")),
    ),
    "radii-3f6cc08792fbc5b6": Task(
        kind="radii", config=RadiiConfig(), inputs=(("features", "features-01"),)
    ),
    "sample-7d9b11fe38c3656d": Task(
        kind="sample",
        config=SampleConfig(
            sampler=Ancestral(variance="range"),
            steps=50,
            last_block=4,
            block_size=64,
            ensemble=Ends(),
        ),
        inputs=(*NETWORK, ("network_b", "train-1111111111111111")),
    ),
    "likelihood-ceca18af2a73487e": Task(
        kind="likelihood",
        config=LikelihoodConfig(
            ensemble=Ends(share=0.1, objective=Vlb(variance="learned"), timesteps=Uniform())
        ),
        inputs=(*NETWORK, ("network_b", "train-1111111111111111")),
        digests=DATA,
    ),
    "gradient_noise-b96fc06c73d23197": Task(
        kind="gradient_noise", config=GradientNoiseConfig(), inputs=NETWORK, digests=DATA
    ),
    "gradient_noise-f8cc0308b537083b": Task(
        kind="gradient_noise",
        config=GradientNoiseConfig(
            draws=4, block_size=8, blocks=2, objective=Vlb(), ema_decay=0.9, seed=1
        ),
        inputs=NETWORK,
        digests=DATA,
    ),
    "gan-038a48d23314280e": Task(kind="gan", config=GanConfig(data=Digits()), digests=DATA),
    "gan-e553b75200d016c9": Task(
        kind="gan",
        config=GanConfig(
            data=Npz(path="x.npz"),
            latent=8,
            channels=4,
            channel_mult=(1, 2, 4),
            batch_size=32,
            generator_learning_rate=1.0e-3,
            discriminator_learning_rate=4.0e-4,
            betas=(0.5, 0.999),
            discriminator_steps=2,
            ema_decay=0.9,
            max_nonfinite_steps=3,
            seed=2,
            steps=7,
        ),
        digests=DATA,
    ),
    "gan_sample-a31bda4f3eeaebcc": Task(
        kind="gan_sample", config=GanSampleConfig(last_block=4, block_size=64), inputs=NETWORK
    ),
    "gan_sample-716982d473a22d33": Task(
        kind="gan_sample",
        config=GanSampleConfig(first_block=1, last_block=3, block_size=8, seed=3),
        inputs=NETWORK,
    ),
    "external-8b2eea1a403c2d52": Task(
        kind="external",
        config=ExternalConfig(path="here.npz", name="BigGAN-deep", data=Digits()),
        digests=(("images", "d1"),),
    ),
    "likelihood-f5e245cc879012cd": Task(
        kind="likelihood", config=LikelihoodConfig(), inputs=NETWORK, digests=DATA
    ),
    "likelihood-f541c899b89a78c4": Task(
        kind="likelihood",
        config=LikelihoodConfig(
            split="train", images=10, steps=25, stride="even_plus_first", clip=False
        ),
        inputs=NETWORK,
        digests=DATA,
    ),
    "likelihood_shard-ceb9091776034ae6": Task(
        kind="likelihood_shard",
        config=LikelihoodShardConfig(part=LikelihoodConfig(images=128), first_block=1),
        inputs=NETWORK,
        digests=DATA,
    ),
    "likelihood_merge-22182d5edc780b85": Task(
        kind="likelihood_merge",
        config=LikelihoodMergeConfig(whole=LikelihoodConfig(images=128)),
        inputs=(*NETWORK, ("shards/0", "likelihood_shard-0000000000000000")),
        digests=DATA,
    ),
    "latents-bf44d31e625b260e": Task(
        kind="latents",
        config=LatentsConfig(data=Digits(), diffusion=DiffusionConfig(schedule="linear")),
        digests=DATA,
    ),
    "latents-c84e41299196596e": Task(
        kind="latents",
        config=LatentsConfig(
            data=Photos(),
            diffusion=DiffusionConfig(steps=40),
            split="train",
            image=7,
            count=9,
            seed=2,
        ),
        digests=DATA,
    ),
}
"""If one of these moves, so does every stored result of its kind: say so in the change log."""


@pytest.mark.parametrize("address", FROZEN)
def test_an_address_is_what_it_was(address: str) -> None:
    assert FROZEN[address].address == address


def test_every_kind_has_a_frozen_address() -> None:
    assert {task.kind for task in FROZEN.values()} == set(KINDS)


def test_an_address_is_the_sha256_of_the_canonical_text_written_by_hand() -> None:
    text = (
        '{"config":{"neighbours":5},"digests":{},"kind":"score","needs":'
        '{"generated":"features-aa","reference":"features-bb"},"schema":1,"version":1}'
    )
    task = Task(
        kind="score",
        config=ScoreConfig(neighbours=5),
        inputs=(("reference", "features-bb"), ("generated", "features-aa")),
    )
    assert task.address == f"score-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def score(**changes: Any) -> Task:
    usual = {"config": ScoreConfig(), "inputs": NETWORK, "digests": DATA}
    return Task(kind="score", **{**usual, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"config": ScoreConfig(neighbours=4)},
        {"inputs": (("network", "train-1111111111111111"),)},
        {"inputs": (("other", NETWORK[0][1]),)},
        {"inputs": ()},
        {"digests": (("data", "d2"),)},
    ],
)
def test_whatever_a_task_is_moves_its_address(changes: dict[str, Any]) -> None:
    assert score(**changes).address != score().address


def test_a_new_version_of_the_code_moves_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = score().address
    monkeypatch.setitem(KINDS, "score", replace(KINDS["score"], version=2))
    assert score().address != before


def test_a_new_schema_moves_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = score().address
    monkeypatch.setattr(tasks, "SCHEMA_VERSION", 2)
    assert score().address != before


def test_the_radii_that_a_score_reads_are_no_part_of_what_it_is() -> None:
    needs = (("generated", "features-aa"), ("reference", "features-bb"))
    near = tasks.radii("features-bb", 5)
    plain = score(config=ScoreConfig(neighbours=5), inputs=needs)
    reading = score(config=ScoreConfig(neighbours=5), inputs=(*needs, ("radii", near.address)))
    assert reading.address == plain.address
    assert reading.parents["radii"] == near.address
    assert near.config == RadiiConfig(neighbours=5)
    assert near.parents == {"features": "features-bb"}
    record = task_json(reading)
    assert record["needs"] == dict(needs)
    assert record["derived"] == {"radii": near.address}
    assert task_from_json(json.loads(json.dumps(record))) == reading
    assert task_json(plain) == {name: value for name, value in record.items() if name != "derived"}


def test_radii_of_another_reference_or_k_are_refused() -> None:
    needs = (("generated", "features-aa"), ("reference", "features-bb"))
    for other in (tasks.radii("features-aa", 3), tasks.radii("features-bb", 5)):
        expected = f"score task: expected the radii {tasks.radii('features-bb', 3).address}, found"
        with pytest.raises(ValueError, match=f"^{expected} {other.address}$"):
            score(inputs=(*needs, ("radii", other.address)))


@given(st.permutations([("generated", "a"), ("reference", "b"), ("extractor", "c")]))
def test_the_order_of_needs_is_no_part_of_a_task(needs: list[tuple[str, str]]) -> None:
    assert score(inputs=tuple(needs)) == score(inputs=tuple(sorted(needs)))
    assert score(inputs=tuple(needs)).address == score(inputs=tuple(sorted(needs))).address


def test_shard_10_follows_shard_9() -> None:
    needs = tuple((f"samples/{i}", f"sample-{i}") for i in range(12))
    assert score(inputs=needs[::-1]).inputs == needs


def test_a_whole_number_is_the_same_setting_with_or_without_a_point() -> None:
    one, other = (
        SampleConfig(sampler=Ddim(eta=eta), steps=5, last_block=1, block_size=4) for eta in (1, 1.0)
    )
    assert Task(kind="sample", config=one).address == Task(kind="sample", config=other).address


def test_where_data_lies_is_no_part_of_a_task() -> None:
    here, there = (
        Task(kind="train", config=TrainConfig(data=Npz(path=path))) for path in ("a.npz", "b.npz")
    )
    assert here.address == there.address
    assert here != there


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterScore:
    """A ScoreConfig of a later version, with one more field."""

    neighbours: int = 3
    resize: str = field(default="box", metadata={"legacy": "none"})


def test_a_field_added_later_at_its_legacy_value_leaves_the_address_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = score().address
    monkeypatch.setitem(KINDS, "score", replace(KINDS["score"], config=LaterScore))
    assert score(config=LaterScore(resize="none")).address == before
    assert score(config=LaterScore()).address != before


def test_every_default_is_in_the_hashed_text() -> None:
    hashed = canonical(TrainConfig(data=Digits()))
    assert hashed["optimizer"] == {
        "learning_rate": 1e-4,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "weight_decay": 0,
    }
    assert hashed["objective"] == {"kind": "simple"}
    assert hashed["block_size"] is None


# ----------------------------------------------------------------------------------------- as JSON

trainings = st.builds(
    TrainConfig,
    data=st.sampled_from([Digits(), Photos(), Folder(path="x", size=8), Npz(path="y")]),
    diffusion=st.builds(DiffusionConfig, steps=st.integers(2, 4000)),
    objective=st.sampled_from([Simple(), Vlb(variance="learned"), Hybrid(vlb_weight=0.1)]),
    timesteps=st.builds(LossSecondMoment, history=st.integers(1, 20)),
    optimizer=st.builds(OptimizerConfig, learning_rate=st.floats(1e-8, 1)),
    ema_decays=st.lists(st.floats(0.1, 0.99), max_size=3, unique=True).map(tuple),
)
samplings = st.builds(
    SampleConfig,
    sampler=st.one_of(
        st.builds(Ancestral, stride=st.sampled_from(["even", (0, 3, 7)])),
        st.builds(Ddim, eta=st.floats(0, 1)),
    ),
    steps=st.integers(2, 99),
    last_block=st.integers(1, 9),
    block_size=st.integers(1, 9),
)


@settings(deadline=None)
@given(st.one_of(trainings, samplings))
def test_a_task_comes_back_from_its_json(config: TrainConfig | SampleConfig) -> None:
    kind = "train" if isinstance(config, TrainConfig) else "sample"
    task = Task(kind=kind, config=config, inputs=NETWORK, digests=DATA)
    back = task_from_json(json.loads(json.dumps(task_json(task), allow_nan=False)))
    assert back == task
    assert back.address == task.address


@given(trainings, trainings)
def test_equal_configs_and_only_they_have_equal_addresses(a: TrainConfig, b: TrainConfig) -> None:
    same = canonical(a) == canonical(b)
    first, second = (Task(kind="train", config=config).address for config in (a, b))
    assert (first == second) == same


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 9}, "expected schema 1, found 9; another version of this program wrote it"),
        ({"kind": "dance"}, "expected the fields of a task, found 'dance'"),
        ({"config": {"neighbours": "3"}}, "expected the fields of a task, found 1 validation err"),
        ({"config": None}, "expected the fields of a task"),
        ({"needs": None}, "expected the fields of a task"),
        ({"config": {"neighbours": 4}}, "found 'score-.*its config was edited"),
        ({"address": "score-0000000000000000"}, "found 'score-0000000000000000'"),
    ],
)
def test_json_that_is_no_task_of_today_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_from_json({**task_json(score()), **changes})


def test_a_task_of_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="task kind: expected one of extractor, train"):
        Task(kind="dance", config=ScoreConfig())


def test_a_config_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="train task: expected a config of this kind, found Score"):
        Task(kind="train", config=ScoreConfig())
