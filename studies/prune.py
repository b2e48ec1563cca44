"""`python -m studies.prune [STUDY]`: what a store can give up, and how much space that frees.

Results, pages and addresses stay as they are, and nothing is removed without `--free`. Whatever an
open task needs after all is made again by its run. Only a training whose state is gone cannot be
continued: a longer one of its trajectory begins at its first step.
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from studies.door import door, path, told
from studies.store.pruning import SORTS, Spare, spares
from studies.store.records import tasks
from studies.store.store import Store, StoreError

MEGABYTE = 1e6


@door(StoreError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Say what can be given up, or give it up; the exit code: 0 fine, 2 bad use or damage."""
    options = _parser().parse_args(arguments)
    store = Store(options.store)
    addresses = tasks(store, options.study) if options.study else store.addresses()
    found = list(spares(store, addresses))
    if options.free:
        _free(store, [spare for spare in found if spare.sort in options.free])
    else:
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


def _free(store: Store, chosen: Collection[Spare]) -> None:
    from studies.runners.trainings import keep_weights  # torch: not needed to look

    freed = sum(
        store.give_up(
            spare.address, spare.name, keep=keep_weights if spare.sort == "moments" else None
        )
        for spare in chosen
    )
    print(f"{freed / MEGABYTE:,.1f} MB freed in {len(chosen):,} tasks")


if __name__ == "__main__":
    sys.exit(main())
