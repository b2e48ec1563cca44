"""`python -m studies.export WHAT STUDY --to TOOL`: a study for the tools that show runs.

`curves` are the losses of trainings by step, `results` the numbers of each arm and seed. They are
read from the store, after the fact.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from iddpm.bounds import ConfigError
from iddpm.running.files import StorageError
from studies.door import door, path, told
from studies.exporting.runs import curves, results
from studies.exporting.sinks import SINKS, export
from studies.store.store import Store, StoreError

WHAT = {"curves": curves, "results": results}
EMPTY = 1


@door(ConfigError, StoreError, StorageError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Export; the exit code. 0: fine. 1: there is nothing to export yet. 2: bad use."""
    options = _parser().parse_args(arguments)
    runs = WHAT[options.what](Store(options.store), options.study)
    if not runs:
        print(f"{options.study}: has no {options.what} yet; nothing was written", file=sys.stderr)
        return EMPTY
    there = export(runs, options.to, options.out, f"{options.study}.{options.what}")
    print(f"{len(runs)} runs: {there}")
    return told()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.export", description=__doc__)
    add = parser.add_argument
    add("what", choices=list(WHAT), metavar="WHAT", help=" or ".join(WHAT))
    add("study", metavar="STUDY", help="its id, such as sigma_ablation-digits")
    add("--to", choices=list(SINKS), required=True, help="the tool that they are for")
    add("--out", type=path, default=Path("exports"), help="folder to write below; default: exports")
    add("--store", type=path, default=Path("store"), help="default: store")
    return parser


if __name__ == "__main__":
    sys.exit(main())
