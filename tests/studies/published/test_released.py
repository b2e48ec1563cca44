"""Published numbers stand beside the released networks that they are of, and no others."""

import json
from dataclasses import replace

import pytest

from iddpm.config import OpenAi, TrainConfig, Vlb
from iddpm.evaluation.config import Ends, SampleConfig
from iddpm.released import resolved
from studies.analyses.index import numbers
from studies.published.networks import training
from studies.published.published import OF_TRAINING, _of_training, differences, settings_of
from studies.tables.tables import settings_behind
from studies.tasks.task import Task

PAPER = {
    "cifar10_uncond_50M_500K": ("cifar10", "hybrid", 500_000, 128),
    "cifar10_uncond_vlb_50M_500K": ("cifar10", "vlb", 500_000, 128),
    "imagenet64_uncond_100M_1500K": ("imagenet64", "hybrid", 1_500_000, 128),
    "imagenet64_uncond_vlb_100M_1500K": ("imagenet64", "vlb", 1_500_000, 128),
    "imagenet64_cond_270M_250K": ("imagenet64_labelled", "hybrid", 250_000, 192),
}
"""Data, objective, steps and channels of the paper's network that each file is."""


@pytest.mark.parametrize("name", PAPER)
def test_the_flags_of_a_released_file_are_the_paper_s_training(name: str) -> None:
    data, objective, steps, channels = PAPER[name]
    theirs = training(
        data, schedule="cosine", T=4000, objective=objective, steps=steps, channels=channels
    )
    ours = resolved(replace(theirs, source=OpenAi(path=f"{name}.pt")))
    assert replace(ours, source=None) == theirs


def test_an_ensemble_with_a_file_that_nobody_knows_is_not_the_paper_s() -> None:
    (paper,) = {n for n in numbers() if n.networks != "one" and n.metric == "frechet_distance"}
    train = resolved(replace(paper.training, source=OpenAi(path="imagenet64_uncond_100M_1500K.pt")))
    theirs = Ends(source=OpenAi(path="imagenet64_uncond_vlb_100M_1500K.pt")).as_read(train)
    assert isinstance(theirs.source, OpenAi)
    assert (theirs.source.name, theirs.objective) == ("imagenet64_uncond_vlb_100M_1500K", Vlb())
    unknown = replace(theirs, source=OpenAi(path="mine.pt"))
    keeping = [
        {path for path in differences(paper, settings_of(row(train, ends))) if "ensemble" in path}
        for ends in (theirs, unknown)
    ]
    assert keeping == [set(), {"ensemble"}]


def row(train: TrainConfig, ends: Ends) -> dict[str, str]:
    config = SampleConfig(steps=4000, last_block=1, block_size=1, ensemble=ends)
    asked = Task(kind="sample", config=config)
    network = Task(kind="imported", config=train)
    return {"settings": settings_behind({"train": network, "samples": asked})}


def settings(config: TrainConfig) -> dict[str, object]:
    behind = settings_behind({"train": Task(kind="imported", config=config)})
    return _of_training(json.loads(behind)["train"])


def test_what_nobody_knows_of_another_file_is_no_setting_of_it() -> None:
    theirs = training("cifar10", schedule="cosine", T=4000, objective="hybrid", steps=500_000)
    known = settings(resolved(replace(theirs, source=OpenAi(path="cifar10_uncond_50M_500K.pt"))))
    unknown = settings(replace(theirs, source=OpenAi(path="mine.pt")))
    assert known == settings(theirs)
    lacking = {path.split(".")[1] for path in known.keys() - unknown.keys()}
    assert lacking == set(OF_TRAINING)
