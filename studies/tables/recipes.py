"""Results whose recipes tell numbers apart by content: digest of the data, hash of the weights.

Names do not: two files of images may be called alike, and so may two files of weights. What of the
content a recipe lacks stands in the tasks behind it: results of every version read alike.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from iddpm.evaluation.config import Inception
from iddpm.evaluation.weights_file import is_published
from studies.published.published import INCEPTION
from studies.store.store import StoreError
from studies.tasks.task import Task

DIGITS = 16
"""Of a sha256, as many as of an address."""

OTHER_INCEPTION = "inception"
"""What Inception-V3 with other weights than the published ones is called."""


class Tasks(Protocol):
    """Where tasks and their results are read: a store, or a study in it."""

    def task(self, address: str, /) -> Task: ...

    def result(self, address: str, /) -> dict[str, Any] | None: ...


def result_of(tasks: Tasks, address: str) -> dict[str, Any] | None:
    """The result of a task, its recipe whole; None: the task is not done.

    Args:
        tasks: Where to read it, and the tasks behind it.
        address: Of the task.

    Raises:
        StoreError: If a file was cut short.
    """
    result = tasks.result(address)
    if result is None or "recipe" not in result:
        return result
    return result | {"recipe": _whole(tasks, tasks.task(address), result["recipe"])}


def _whole(tasks: Tasks, task: Task, recipe: Mapping[str, Any]) -> dict[str, Any]:
    if task.kind != "score":
        return {**recipe, **_data(task)}
    content = _of_reference(tasks, task.parents["reference"])
    name, _, shown = recipe["extractor"].partition(":")
    if content.pop("unpublished") and name == INCEPTION:
        name = OTHER_INCEPTION
    if not (weights := content.pop("extractor_weights")).startswith(shown):
        weights = shown
    return {**recipe, "extractor": f"{name}:{shown}", "extractor_weights": weights, **content}


def _of_reference(tasks: Tasks, address: str) -> dict[str, Any]:
    """What is known of real features: the data, the weights, whether these are unpublished."""
    try:
        reference = tasks.task(address)
        extractor = tasks.task(reference.parents["extractor"])
    except StoreError:  # gone, or of another version: the scores are still there to be shown
        return {"extractor_weights": "", "unpublished": True}
    made, config = tasks.result(extractor.address) or {}, extractor.config
    return {
        **_data(reference),
        "extractor_weights": str(made.get("sha256", ""))[:DIGITS],
        "unpublished": isinstance(config, Inception) and not is_published(config.sha256),
    }


def _data(task: Task) -> dict[str, str]:
    """The digest of the data that a task reads, if it reads any."""
    digests = [digest for _, digest in task.digests]
    return {"data": digests[0][:DIGITS]} if digests else {}
