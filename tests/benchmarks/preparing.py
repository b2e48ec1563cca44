"""How fast published files are prepared: `python -m tests.benchmarks.preparing`.

CPU seconds of one core for CIFAR-10 at its real size, and images a second out of a tar of PNGs of
64 pixels a side, beside what Pillow alone takes to decode as many, in the same minute. The images
are smooth with some noise, so that a PNG is of about the size of a photograph's (8 kB).
"""

import io
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from iddpm.images.families import source
from iddpm.images.packing import write
from iddpm.images.sources import Request
from studies.store.memory import peak_mb
from tests.witness.published_files import cifar_of_real_size, encoded, write_tar

PNGS, DIFFERENT = 40_000, 2_000


def photograph(draws: np.random.Generator) -> bytes:
    """A PNG of 64 pixels a side."""
    small = Image.fromarray(draws.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((64, 64), Image.Resampling.BICUBIC), np.int64)
    noisy = smooth + draws.integers(-6, 7, (64, 64, 3))
    return encoded(noisy.clip(0, 255).astype(np.uint8))


def pngs(folder: Path) -> list[Path]:
    """A tar of each split."""
    draws = np.random.default_rng(0)
    images = [photograph(draws) for _ in range(DIFFERENT)]
    tars = []
    for name, count in (("train_64x64", PNGS), ("valid_64x64", 1000)):
        files = {f"{name}/{i:07d}.png": images[i % DIFFERENT] for i in range(count)}
        tars.append(write_tar(folder / f"{name}.tar", files))
    return tars


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def prepare(family: str, folder: Path, *paths: Path) -> None:
    write(source(family, Request(paths=paths)), folder / "x.npz")


def decode(path: Path) -> None:
    """What Pillow alone does."""
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = cifar_of_real_size(folder)
        took = seconds(lambda: prepare("cifar10", folder, archive))
        print(f"CIFAR-10: {took:.1f} CPU s, process of at most {peak_mb()} MiB")
        tars = pngs(folder)
        took = seconds(lambda: prepare("imagenet64_vdo", folder, *tars))
        alone = seconds(lambda: decode(tars[0]))
        print(
            f"PNGs in a tar: {(PNGS + 1000) / took:,.0f} images a second of one core; Pillow and "
            f"tarfile alone {PNGS / alone:,.0f}; process of at most {peak_mb()} MiB"
        )


if __name__ == "__main__":
    main()
