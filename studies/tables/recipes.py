"""Results whose recipes tell numbers apart by content: digest of the data, hash of the weights.

Names do not: two files of images may be called alike, and so may two files of weights. What of the
content a recipe lacks stands in the tasks behind it: results of every version read alike.
"""

from collections.abc import Mapping
from typing import Any

from iddpm.config import Inception
from iddpm.evaluation.weights_file import is_published
from studies.published.published import INCEPTION
from studies.store.store import Store, StoreError
from studies.tasks.task import Task

DIGITS = 16
"""Of a sha256, as many as of an address."""

OTHER_INCEPTION = "inception"
"""What Inception-V3 with other weights than the published ones is called."""


class Results:
    """The results of a store, read with whole recipes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._references: dict[str, dict[str, Any]] = {}

    def of(self, address: str) -> dict[str, Any] | None:
        """The result of a task; None: it is not done.

        Raises:
            StoreError: If a file was cut short.
        """
        result = self._store.result(address)
        if result is None or "recipe" not in result:
            return result
        return result | {"recipe": self._whole(self._store.task(address), result["recipe"])}

    def _whole(self, task: Task, recipe: Mapping[str, Any]) -> dict[str, Any]:
        if task.kind != "score":
            return {**recipe, **_data(task)}
        reference = task.parents["reference"]
        if reference not in self._references:
            self._references[reference] = self._of_reference(reference)
        content = dict(self._references[reference])
        name, _, shown = recipe["extractor"].partition(":")
        if content.pop("unpublished") and name == INCEPTION:
            name = OTHER_INCEPTION
        if not (weights := content.pop("extractor_weights")).startswith(shown):
            weights = shown
        return {**recipe, "extractor": f"{name}:{shown}", "extractor_weights": weights, **content}

    def _of_reference(self, address: str) -> dict[str, Any]:
        """What is known of real features: the data, the weights, whether these are unpublished."""
        try:
            reference = self._store.task(address)
            extractor = self._store.task(reference.parents["extractor"])
        except StoreError:  # gone, or of another version: the scores are still there to be shown
            return {"extractor_weights": "", "unpublished": True}
        made, config = self._store.result(extractor.address) or {}, extractor.config
        return {
            **_data(reference),
            "extractor_weights": str(made.get("sha256", ""))[:DIGITS],
            "unpublished": isinstance(config, Inception) and not is_published(config.sha256),
        }


def _data(task: Task) -> dict[str, str]:
    """The digest of the data that a task reads, if it reads any."""
    digests = [digest for _, digest in task.digests]
    return {"data": digests[0][:DIGITS]} if digests else {}
