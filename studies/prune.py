"""`python -m studies.prune [STUDY]`: what a store can give up, and how much space that frees.

Results, pages and addresses stay as they are, and nothing is removed without `--free`. Whatever an
open task needs after all is made again by its run. Only a training whose state is gone cannot be
continued: a longer one of its trajectory begins at its first step.
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from studies.door import door, fail, path, told
from studies.store.pruning import SORTS, Spare, give_up, spares
from studies.store.records import tasks
from studies.store.store import Store, StoreError

MEGABYTE = 1e6
DAMAGED = 1


@door(StoreError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Say what can be given up, or give it up; the exit code.

    0: fine. 1: a file is damaged; it is named and kept, the others are given up. 2: bad use.
    """
    options = _parser().parse_args(arguments)
    if not options.store.exists():
        raise StoreError(f"{options.store}: expected a store, found no such folder; name another")
    store = Store(options.store)
    addresses = tasks(store, options.study) if options.study else store.addresses()
    found = list(spares(store, addresses))
    if options.free:
        is_whole = _free(store, [spare for spare in found if spare.sort in options.free])
        return told() if is_whole else DAMAGED
    _show(found)
    return told()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studies.prune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", nargs="?", metavar="STUDY", help="default: the whole store")
    parser.add_argument("--store", type=path, default=Path("store"), help="default: store")
    parser.add_argument(
        "--free",
        action="append",
        choices=[*SORTS],
        help="what to give up; may be repeated. Without it nothing is removed",
    )
    return parser


def _show(found: Collection[Spare]) -> None:
    for sort, what in SORTS.items():
        of_it = [spare for spare in found if spare.sort == sort]
        size = sum(spare.bytes for spare in of_it) / MEGABYTE
        print(f"{sort:<9} {size:>12,.1f} MB in {len(of_it):>6,} tasks: {what}")
    print("Nothing was removed. --free moments gives up the first of these; it may be repeated.")


def _free(store: Store, chosen: Collection[Spare]) -> bool:
    """Give up these files; whether all of them were whole."""
    from studies.runners.trainings import keep_weights  # torch: not needed to look

    freed, whole = 0, 0
    for spare in chosen:
        keep = keep_weights if spare.sort == "moments" else None
        try:
            freed += give_up(store, spare, keep=keep)
            whole += 1
        except StoreError as error:
            fail(error)
    print(f"{freed / MEGABYTE:,.1f} MB freed in {whole:,} tasks")
    return whole == len(chosen)


if __name__ == "__main__":
    sys.exit(main())
