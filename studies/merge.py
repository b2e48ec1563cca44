"""`python -m studies.merge A B --into C`: stores, and bundles of studies, brought together in one.

Equal addresses must hold equal bytes, else it says which differ and changes nothing. A merge that
was cut short is gone on with by the same command, and run twice it is the same as once.
"""

import argparse
import sys
from collections.abc import Sequence

from iddpm.running.files import StorageError
from studies.bundling.merging import merge
from studies.door import door, path, told
from studies.store.store import StoreError


@door(StoreError, StorageError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Merge; the exit code. 0: fine. 2: bad use, or what must be equal differs."""
    options = _parser().parse_args(arguments)
    merged = merge(options.sources, options.into)
    print(f"{options.into}: {merged.tasks} tasks and {merged.studies} studies added or completed")
    return told()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.merge", description=__doc__)
    add = parser.add_argument
    add("sources", nargs="+", type=path, metavar="STORE", help="stores, or archives of bundle")
    add("--into", type=path, required=True, help="a store, one of them perhaps, or a new folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
