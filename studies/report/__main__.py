"""`python -m studies.report`: draw the studies of a store again, whole or unfinished."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from studies.console import fail
from studies.report.build import build
from studies.store import Store, StoreError

NOTHING = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, print where they are; the exit code: 0 fine, 1 nothing there, 2 bad use."""
    options = _parser().parse_args(arguments)
    try:
        store = Store(options.store)
        if not store.studies():
            print(f"{options.store}: holds no study yet; run a sweep first", file=sys.stderr)
            return NOTHING
        pages = build(store, options.out, options.studies or None)
    except (StoreError, OSError) as error:
        return fail(error)
    for page in pages:
        print(page)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.report", description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="default: every study")
    parser.add_argument("--store", type=Path, default=Path("store"), help="default: store")
    parser.add_argument("--out", type=Path, default=Path("reports"), help="default: reports")
    return parser


if __name__ == "__main__":
    sys.exit(main())
