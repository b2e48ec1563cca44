"""`python -m studies.bundle STUDY`: a study in one archive that a stranger can check.

It holds the page, the raw rows, recipes, sweep, preset and versions behind it, and a verifier that
takes NumPy and SciPy alone: it works out every verdict, interval and number again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from iddpm.running.files import StorageError, make_folder, write_whole
from studies.bundling.archive import bundle, checked
from studies.door import door, path, told
from studies.store.store import Store, StoreError


@door(StoreError, StorageError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Bundle a study; the exit code. 0: fine. 2: bad use, or a study that cannot be bundled."""
    options = _parser().parse_args(arguments)
    archive = bundle(Store(options.store), options.study)
    left = checked(archive)
    make_folder(options.out)
    there = options.out / f"{options.study}.zip"
    write_whole(there, archive)
    print(f"{there}: {len(archive) / 1e6:.1f} MB")
    print(f"to check it: unzip -p {there} verifier.py > verifier.py; python -I verifier.py {there}")
    print("not worked out again by it:", *left, sep="\n  ")
    return told()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.bundle", description=__doc__)
    add = parser.add_argument
    add("study", metavar="STUDY", help="its id, such as sigma_ablation-digits")
    add("--out", type=path, default=Path("bundles"), help="folder of the archive; default: bundles")
    add("--store", type=path, default=Path("store"), help="default: store")
    return parser


if __name__ == "__main__":
    sys.exit(main())
