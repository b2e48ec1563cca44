"""`python -m studies.cancel STUDY`: take out of a cluster's queue what only this study needs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from studies.door import door, path
from studies.execute import slurm
from studies.execute.slurm import SlurmError
from studies.store.records import tasks
from studies.store.store import Store, StoreError


@door(StoreError, SlurmError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Cancel the jobs of a study; the exit code: 0 fine, 2 bad use, or the cluster refused."""
    options = _parser().parse_args(arguments)
    store = Store(options.store)
    mine = tasks(store, options.study)
    others = {
        address
        for study in store.studies()
        if study != options.study
        for address in tasks(store, study)
    }
    jobs, shared, owners = slurm.cancel(store, set(mine) - others)
    print(f"{options.study}: {jobs} jobs cancelled; what runs is saved where time allows.")
    if shared:
        print(f"{shared} jobs go on: other studies need some of their tasks.")
    if owners:
        print(f"What {', '.join(owners)} submitted goes on: they can cancel it in the same way.")
    print("The same run command asks for its tasks again.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.cancel", description=__doc__)
    parser.add_argument("study", metavar="STUDY")
    parser.add_argument("--store", type=path, default=Path("store"), help="default: store")
    return parser


if __name__ == "__main__":
    sys.exit(main())
