"""The rows of the kinds of task against what they name."""

from pathlib import Path
from typing import get_args

import iddpm.config
import iddpm.evaluation.config
from studies.runners import RUNNERS
from studies.tasks.kinds import KINDS, TaskConfig

ROOT = Path(__file__).parents[3]

PARTS = {"UNetConfig", "DiffusionConfig", "OptimizerConfig"}
"""Configs that are no task's, but part of one."""


def test_every_row_names_a_function_of_the_runners() -> None:
    for name, kind in KINDS.items():
        room, _, function = kind.runner.partition(".")
        source = (ROOT / "studies" / "runners" / f"{room}.py").read_text()
        assert f"\ndef {function}(work: Work) -> dict[str, Any]:" in source, name
        assert RUNNERS[name].__name__ == function


def test_every_config_that_a_task_may_have_has_a_row() -> None:
    of_rows = {one for kind in KINDS.values() for one in get_args(kind.config) or (kind.config,)}
    assert of_rows == set(get_args(TaskConfig))
    rooms = (iddpm.config, iddpm.evaluation.config)
    types = [one for room in rooms for one in vars(room).values() if isinstance(one, type)]
    named = {one.__name__ for one in types if one.__name__.endswith("Config")}
    assert named - PARTS == {one.__name__ for one in of_rows if one.__name__.endswith("Config")}
    assert named > PARTS


def test_one_kind_is_timed_as_another_that_does_the_same_work() -> None:
    alike = {name: kind.timed_as for name, kind in KINDS.items() if kind.timed_as}
    assert alike == {"likelihood_shard": "likelihood"}
    assert all(KINDS[name].effort == KINDS[other].effort for name, other in alike.items())
