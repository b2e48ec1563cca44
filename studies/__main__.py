"""Every door under one name: `iddpm-studies run SWEEP` is `python -m studies.run SWEEP`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

DOORS = {
    "run": (
        "studies.run",
        "train, sample and score what a sweep asks for; finished work is kept",
    ),
    "status": ("studies.status", "where studies stand; --verify reads every file of a store"),
    "report": ("studies.report.__main__", "draw the pages of the studies in a store"),
    "cancel": ("studies.cancel", "cancel the queued jobs that no other study needs"),
    "prune": ("studies.prune", "what a store can give up, and how much space that frees"),
    "score": ("studies.score", "FID, KID, precision, recall and more of any two sets of images"),
    "diff": ("studies.diff", "what differs between two studies, arms or tasks"),
    "export": ("studies.export", "a study for TensorBoard, W&B, MLflow, trackio, or as Parquet"),
    "bundle": ("studies.bundle", "a study in one archive that a stranger can check"),
    "merge": ("studies.merge", "bring stores and bundles together in one store"),
    "data": ("studies.data", "prepare, list and check image data"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word says; the exit code of that door, 2 for a word that is none."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        print(f"iddpm-studies {version('iddpm-studies')}")
        return 0
    if words and words[0] in DOORS:
        done: int = import_module(DOORS[words[0]][0]).main(words[1:])
        return done
    is_asked = not words or words[0] in ("-h", "--help", "help")
    out = sys.stdout if is_asked else sys.stderr
    if not is_asked:
        print(f"error: expected one of these commands, found {words[0]!r:.60}", file=out)
    for name, (_, what) in DOORS.items():
        print(f"  {name:<8} {what}", file=out)
    return 0 if is_asked else 2


if __name__ == "__main__":
    sys.exit(main())
