"""What answers a sweep that no comparison of arms answers: a sentence made from its tables.

It is made by the room `answer` in the folder of its analysis.
"""

from collections.abc import Callable
from importlib import import_module

from studies.analyses.index import ANALYSES
from studies.tables.tables import Tables

SENTENCES: dict[str, Callable[[Tables], str]] = {
    sweep: import_module(f"studies.analyses.{folder}.answer").sentence
    for folder, analysis in ANALYSES.items()
    for sweep in analysis.sentences
}
"""By the name of the sweep; a sentence is empty while there is nothing to make it from."""
