"""Samples at powers of two of the steps of each training of a study, as its page shows them."""

from dataclasses import dataclass

from PIL import Image

from iddpm.running.strip_file import STRIP_FILE, steps_of
from studies.plan.costs import training_label
from studies.store.store import Store
from studies.tables.tables import Tables

EARLY = "early-"
"""How names of their files begin."""
ENLARGED_TO = 512
"""Pixels that a strip is wide, at most, where it is enlarged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A picture with a row for each look at a training."""

    name: str
    """Of its file beside the page."""
    label: str
    steps: list[int]
    picture: bytes
    width: int
    """Of the picture on the page: small images are enlarged by a whole number."""


def strips(store: Store, tables: Tables) -> list[Strip]:
    """The strips of a study's trainings, as far as they have some: finished or not."""
    trainings = {
        cell["tasks"]["train"]: f"{training_label(cell['arm'])}, seed {cell['seed']}"
        for cell in reversed(tables.record["cells"])
        if "train" in cell["tasks"]
    }
    found = []
    for address, label in sorted(trainings.items(), key=lambda item: item[1]):
        path = store.folder(address) / STRIP_FILE
        if steps := steps_of(path):
            content = path.read_bytes()
            with Image.open(path) as picture:
                width = picture.width * max(1, ENLARGED_TO // picture.width)
            found.append(
                Strip(
                    name=f"{EARLY}{address}.png",
                    label=label,
                    steps=steps,
                    picture=content,
                    width=width,
                )
            )
    return found
