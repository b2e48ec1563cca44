"""`python -m studies.report`: draw the studies of a store again, whole or unfinished."""

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from studies.door import door, path
from studies.report.build import UndrawnError, build, sentences
from studies.report.page import FORMATS
from studies.store.store import Store, StoreError

NOTHING = INCOMPLETE = 1


@door(StoreError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, print where they are; the exit code.

    0: all is drawn. 1: there is nothing to draw, or something could not be drawn: it is named here
    and in its place, and the rest is drawn. 2: bad use, or nothing can be written.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.whole and not options.brief:
        parser.error("--whole: without --brief every study has its page; add --brief")
    store = Store(options.store)
    if not store.studies():
        print(f"{options.store}: holds no study yet; run a sweep first", file=sys.stderr)
        return NOTHING
    try:
        whole = options.whole if options.brief else None
        pages = build(store, options.out, options.studies or None, options.formats, whole)
    except UndrawnError as error:
        _print(error.pages)
        for sentence in sentences(error.faults):
            print(f"error: {sentence}", file=sys.stderr)
        return INCOMPLETE
    _print(pages)
    if options.open:
        index, *others = pages
        page = others[0] if len(options.studies) == 1 else index
        webbrowser.open(page.resolve().as_uri())
    return 0


def _print(pages: Sequence[Path]) -> None:
    for page in pages:
        print(page)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.report", description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="default: every study")
    parser.add_argument("--store", type=path, default=Path("store"), help="default: store")
    parser.add_argument("--out", type=path, default=Path("reports"), help="default: reports")
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=[], help="of figures, besides SVG"
    )
    parser.add_argument(
        "--brief",
        action="store_true",
        help="for a repository: of each study a summary in Markdown with figures and CSV files, "
        "large ones compressed",
    )
    parser.add_argument(
        "--whole",
        nargs="+",
        default=[],
        metavar="STUDY",
        help="with --brief: these have their page, too",
    )
    parser.add_argument(
        "--open", action="store_true", help="show the page, or the index of several"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
