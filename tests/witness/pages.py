"""A page as its reader meets it, and a small study to draw one of."""

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from studies.report.page import study_page
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness.made_up_store import ARMS, MadeUp, variant, write_store

SMALL = variant(steps=(10,), seeds=(0, 1), arms=ARMS[:2], figures=(), likelihood=False)


def page_of(root: Path, *studies: MadeUp) -> str:
    """The page of the last of the made-up studies, whose store is written at `root`."""
    store = Store(write_store(root, *studies))
    return str(study_page(store, tables(store, studies[-1].study)).files["index.html"])


class Page(HTMLParser):
    """What a reader of the page meets: tags, links, ids, numbers and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.values: list[tuple[float, str]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._value: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag] += 1
        self.attributes += attrs
        if tag == "a" and found["href"]:
            self.links.append(found["href"])
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "data":
            self._value = found["value"]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._value is not None:
            self.values.append((float(self._value), data))
            self._value = None


def edit(path: Path, **changes: object) -> None:
    """Write other values into a file of JSON."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
