"""From a store to a folder of pages: `<out>/<study>/index.html` with its figures, and an index."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from iddpm.files import write_whole
from studies.report.page import index_page, study_page
from studies.store import Store
from studies.tables import tables


def build(store: Store, out: Path, studies: Sequence[str] | None = None) -> list[Path]:
    """Write the pages of these studies (None: of all in the store), and the index of all pages.

    The same store and code give the same bytes. Studies may be unfinished; their pages say so.

    Returns:
        The index, then one page per study, in their order.

    Raises:
        StoreError: If there is no such study, or a file of the store was cut short.
    """
    names = store.studies() if studies is None else list(studies)
    pages = [_write(out / name, study_page(store, tables(store, name))) for name in names]
    shown = [name for name in store.studies() if (out / name / "index.html").exists()]
    index = index_page([tables(store, name) for name in shown])
    return [_write(out, {"index.html": index}), *pages]


def _write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text.encode())
    return folder / "index.html"
