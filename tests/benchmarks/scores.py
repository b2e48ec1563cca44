"""What scores take: `python -m tests.benchmarks.scores`.

CPU seconds of all threads (on a machine that others share, the clock says nothing) and growth of
the process at its peak, each in a process of its own; features are already in memory.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from iddpm.evaluation.frechet import distance_to_moments, frechet_distance, moments
from iddpm.evaluation.precision_recall import precision_recall, squared_radii
from iddpm.running.interruption import Interrupted
from studies.store.memory import held_mb, peak_mb

D, TILES = 2048, 60


def features(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, D), dtype=np.float32)


def some_tiles(real: NDArray[Any]) -> None:
    """The first of the tiles of a large set: memory does not depend on how many follow."""
    calls = iter(range(TILES))
    try:
        squared_radii(real, 3, should_stop=lambda: next(calls, None) is None)
    except Interrupted:
        return


def by_matrix_root(a: NDArray[Any], b: NDArray[Any]) -> float:
    first, second = (np.cov(one.T.astype(float)) for one in (a, b))
    root = scipy.linalg.sqrtm(first @ second).real
    return float(np.trace(first) + np.trace(second) - 2 * np.trace(root))


def cases() -> dict[str, Callable[[], Callable[[], object]]]:
    """By name, what makes the input and returns the work."""

    def with_sets(work: Callable[..., object], *counts: int) -> Callable[[], Callable[[], object]]:
        def made() -> Callable[[], object]:
            sets = [features(count, seed) for seed, count in enumerate(counts)]
            return lambda: work(*sets)

        return made

    def against_moments() -> Callable[[], object]:
        few, known = features(1000, 0), moments(features(5000, 1))
        return lambda: distance_to_moments(few, known)

    return {
        "moments of 50,000": with_sets(moments, 50_000),
        "Fréchet distance, 1,000 and 1,000": with_sets(frechet_distance, 1000, 1000),
        "Fréchet distance, 1,000 to known moments": against_moments,
        "the same by SciPy's sqrtm, 1,000 and 1,000": with_sets(by_matrix_root, 1000, 1000),
        "Fréchet distance, 10,000 and 10,000": with_sets(frechet_distance, 10_000, 10_000),
        "precision and recall, 10,000 and 10,000": with_sets(precision_recall, 10_000, 10_000),
        f"{TILES} of 1,225 tiles of radii, 50,000": with_sets(some_tiles, 50_000),
    }


def main(name: str) -> None:
    """Do it, then print CPU seconds, seconds, growth and peak in MiB."""
    work = cases()[name]()
    held, before, began = held_mb(), time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - before, time.perf_counter() - began
    print(f"{cpu:.1f} {wall:.1f} {peak_mb() - held} {peak_mb()}")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1])
    else:
        for case in cases():
            command = [sys.executable, "-m", "tests.benchmarks.scores", case]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            cpu, wall, growth, peak = done.stdout.split()
            print(f"{case}: {cpu} CPU s, {wall} s, grew {growth} MiB, peak {peak} MiB", flush=True)
