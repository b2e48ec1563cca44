"""From a store to a folder of pages: `<out>/<study>/index.html` with its figures, and an index.

For a repository there is a brief way: a forge shows Markdown, not HTML, and files shall be small.

What cannot be read or drawn is named in its place and in the index, and the rest is drawn. Of a
study that cannot be shown at all, page and summary say why; those of before stay as `before.html`
and `before.md`.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from iddpm.running.files import REMEDIES, StorageError, write_whole
from studies.report.brief import brief_notice, is_brief, is_brief_notice
from studies.report.entries import PAGE, Entry, entry
from studies.report.exports import CSV, PACKED
from studies.report.faults import Fault, fault
from studies.report.luck import of_presets
from studies.report.overview import index_page
from studies.report.page import FORMATS, Page, is_notice, notice_page, study_page
from studies.report.scorecard import scorecard
from studies.store.store import Store
from studies.tables.tables import tables

SUMMARY, FAULTS = "summary.md", "faults.txt"
BEFORE, SUMMARY_BEFORE = "before.html", "before.md"
SCORECARD = "scorecard.md"
"""No README.md: in the folder of the pages there may be one of somebody's own."""
INDEX = "index"
"""What faults of the index stand under, among those of studies."""


class UndrawnError(Exception):
    """Something could not be drawn, and all else was.

    Args:
        pages: Those that were written, the index first.
        faults: What is not shown, by study or under `INDEX`.
    """

    def __init__(self, pages: Sequence[Path], faults: Mapping[str, Sequence[Fault]]) -> None:
        super().__init__("; ".join(sentences(faults)))
        self.pages = pages
        self.faults = faults


def sentences(faults: Mapping[str, Sequence[Fault]]) -> list[str]:
    """One line for each fault: the study, what of it is not shown, and why."""
    return [
        ": ".join(filter(None, (study, found.of, found.sentence)))
        for study, some in faults.items()
        for found in some
    ]


def build(
    store: Store,
    out: Path,
    studies: Sequence[str] | None = None,
    formats: Sequence[str] = (),
    whole: Collection[str] | None = None,
) -> list[Path]:
    """Write the pages of these studies (None: of all in the store), and the index of all pages.

    The same store and code give the same bytes. Studies may be unfinished; their pages say so.
    Figures are written as SVG, and in these further formats of `studies.report.page.FORMATS`.

    Args:
        store: Where the results are.
        out: The folder of the pages.
        studies: Their names.
        formats: Of figures, besides SVG.
        whole: None: every study has its page. Else each has a summary in Markdown with figures and
            CSV files, the large ones compressed, and these studies alone have their page, too.

    Returns:
        The index, then one page, or else summary, per study, in their order.

    Raises:
        StoreError: If there is no such study; nothing is written then.
        StorageError: If there is no such folder and none can be made.
        UndrawnError: If something cannot be read, drawn or written, after all the rest was.
    """
    known = store.studies()
    names = known if studies is None else list(dict.fromkeys(studies))
    for name in [*names, *(whole or ())]:
        if name not in known:
            store.study(name)  # says which there are
    _made(out)
    luck = of_presets(store)
    built = {name: _built(store, out / name, name, formats, luck, whole) for name in names}
    others = {name: _told(store, out / name, name) for name in known if name not in built}
    told = built | {name: one for name, one in others.items() if one.link}
    entries = [told[name] for name in known if name in told]
    faults = {one.study: one.faults for one in entries if one.faults}
    shown = {name: built[name].page or built[name].summary for name in names}
    pages = [out / name / file for name, file in shown.items() if file]
    try:
        pages.insert(0, _write(out, {SCORECARD: scorecard(entries), PAGE: index_page(entries)}))
    except StorageError as error:
        faults[INDEX] = [fault(error)]
    if faults:
        raise UndrawnError(pages, faults)
    return pages


def _built(
    store: Store,
    folder: Path,
    name: str,
    formats: Sequence[str],
    luck: Mapping[str, Sequence[str]],
    whole: Collection[str] | None,
) -> Entry:
    """Write the page of a study, or one that says why there is none."""
    try:
        read = tables(store, name)
        known = luck.get(str(read.record["preset"]), ())
        page = study_page(store, read, formats, known, packs=whole is not None)
    except Exception as error:
        return _notice(folder, name, fault(error), briefly=whole is not None)
    try:
        for figure in page.undrawn:  # what an earlier report drew is not what the store holds now
            _remove(*(folder / f"{figure}.{kind}" for kind in ("svg", "csv", *FORMATS)))
        files = _laid_out(page, name, whole)
        summaries = [file for file in (SUMMARY, SUMMARY_BEFORE) if _is_ours(folder / file)]
        stale = {BEFORE, *_of_another_way(page), *summaries}
        _write(folder, files)
        _remove(*(folder / other for other in sorted(stale - files.keys())))
        _write_faults(folder, page.entry.faults)
    except OSError as error:
        return _unwritten(page.entry, folder, error)
    return replace(
        page.entry,
        page=PAGE if PAGE in files else "",
        summary=SUMMARY if SUMMARY in files else "",
    )


def _laid_out(page: Page, name: str, whole: Collection[str] | None) -> dict[str, str | bytes]:
    """The files of a study, as `build` says."""
    if whole is None:
        return page.files
    files = page.files if name in whole else page.without_page()
    return {**files, SUMMARY: page.summary}


def _of_another_way(page: Page) -> Iterator[str]:
    """Names of files that an earlier report may have left, which knew `whole` otherwise."""
    for name in page.files:
        yield name
        if name.endswith(CSV):
            yield f"{name}{PACKED}"
        if name.endswith(PACKED):
            yield name.removesuffix(PACKED)


def _is_ours(summary: Path) -> bool:
    """Whether there is a summary that an earlier report wrote: somebody's own is no such."""
    return _is_there(summary) and is_brief(summary.read_text(errors="replace"))


def _notice(folder: Path, name: str, found: Fault, *, briefly: bool) -> Entry:
    """Write why a study cannot be shown as its page, and as its summary where it has one.

    Those of before are kept beside them. `briefly`: the study has a summary.
    """
    told = Entry(study=name, faults=[found])
    try:
        _made(folder)
        before = _put_aside(folder / PAGE, folder / BEFORE, is_notice)
        files = {PAGE: notice_page(name, found, before=before)}
        summary, kept = folder / SUMMARY, folder / SUMMARY_BEFORE
        if _is_ours(summary) or (briefly and not _is_there(summary)):
            is_free = not _is_there(kept) or _is_ours(kept)  # somebody's own stays
            before = _put_aside(summary, kept, is_brief_notice) if is_free else ""
            files[SUMMARY] = brief_notice(name, found, before=before)
        _write(folder, files)
        _write_faults(folder, told.faults)
    except OSError as error:
        return _unwritten(told, folder, error)
    return replace(told, **_files_of(folder))


def _put_aside(file: Path, before: Path, is_notice: Callable[[str], bool]) -> str:
    """Keep what an earlier report wrote, under a name beside it; that name, empty: there is none.

    `is_notice` tells a text that says why there is nothing, which is not kept.
    """
    if file.exists() and not is_notice(file.read_text(errors="replace")):
        os.replace(file, before)
    return before.name if before.exists() else ""


def _unwritten(told: Entry, folder: Path, error: OSError) -> Entry:
    faults = [*told.faults, fault(error, "its page")]
    return replace(told, faults=faults, **_files_of(folder))


def _told(store: Store, folder: Path, name: str) -> Entry:
    """What the index says of a study whose page is not drawn this time."""
    files = _files_of(folder)
    if not any(files.values()):
        return Entry(study=name, **files)
    try:
        return replace(entry(store, tables(store, name)), **files)
    except Exception as error:
        return Entry(study=name, faults=[fault(error)], **files)


def _files_of(folder: Path) -> dict[str, Any]:
    """The page and the summary that are there, by the names that `Entry` has for them."""
    return {
        "page": PAGE if _is_there(folder / PAGE) else "",
        "summary": SUMMARY if _is_ours(folder / SUMMARY) else "",
    }


def _write_faults(folder: Path, faults: Sequence[Fault]) -> None:
    if not faults:
        _remove(folder / FAULTS)
        return
    parts = [f"{one.of}: {one.sentence}\n{one.traceback}".removeprefix(": ") for one in faults]
    write_whole(folder / FAULTS, "\n".join(parts).encode())


def _write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    _made(folder)
    for name, content in files.items():
        write_whole(folder / name, content.encode() if isinstance(content, str) else content)
    return folder / PAGE


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(
            f"{folder}: expected a folder for pages, found a file in its way; move it or name "
            "another folder with --out"
        ) from error
    except OSError as error:
        raise _refused(folder, error) from error
    return folder


def _is_there(path: Path) -> bool:
    with suppress(OSError):  # a folder that this user may not look into
        return path.exists()
    return False


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> StorageError:
    remedy = REMEDIES.get(error.errno or 0, "look at the folder and run the same command again")
    return StorageError(f"{path}: cannot write: {error.strerror}; {remedy}")
