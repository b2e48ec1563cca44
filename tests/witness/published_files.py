"""Small files in the layouts in which data sets are published, written by other roads than ours."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def pixels_of(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """Images of which no two have the same pixels."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def planes(image: NDArray[np.uint8]) -> bytes:
    """An image (H, W, C) as its red pixels row by row, then its green, then its blue ones."""
    height, width, channels = image.shape
    return bytes(
        int(image[y, x, c]) for c in range(channels) for y in range(height) for x in range(width)
    )


def pickled_by_python_2(batch: dict[str, Any]) -> bytes:
    """As cPickle of Python 2 writes a dictionary of an array, a list and texts: texts are bytes."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    def whole(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)

    out = b"\x80\x02}("
    for key, value in batch.items():
        out += text(key)
        if isinstance(value, np.ndarray):
            content = value.tobytes()
            out += b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
            out += text("b") + b"\x87R(K\x01" + b"(" + b"".join(map(whole, value.shape)) + b"t"
            out += b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R"
            out += b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            out += b"\x89T" + struct.pack("<I", len(content)) + content + b"tb"
        elif isinstance(value, list):
            out += b"](" + b"".join(map(whole, value)) + b"e"
        else:
            out += text(value)
    return out + b"u."


def cifar_labels(count: int) -> list[int]:
    """Every class, if there are ten images."""
    return [(3 * i + 1) % 10 for i in range(count)]


def cifar_batch(images: NDArray[np.uint8], labels: list[int], *, binary: bool) -> bytes:
    """A file of CIFAR-10."""
    if binary:
        return b"".join(
            bytes([label]) + planes(image) for image, label in zip(images, labels, strict=True)
        )
    data = np.stack([np.frombuffer(planes(image), np.uint8) for image in images])
    return pickled_by_python_2({"batch_label": "a batch", "labels": labels, "data": data})


def cifar_files(images: NDArray[np.uint8], *, binary: bool) -> dict[str, bytes]:
    """The files of CIFAR-10, by name: six batches of the images, one after the other."""
    each = len(images) // len(BATCHES)
    labels = cifar_labels(each)
    folder, suffix = ("cifar-10-batches-bin", ".bin") if binary else ("cifar-10-batches-py", "")
    files = {
        f"{folder}/{name}{suffix}": cifar_batch(
            images[i * each : (i + 1) * each], labels, binary=binary
        )
        for i, name in enumerate(BATCHES)
    }
    return {**files, f"{folder}/readme.html": b"<p>"}


def cifar_of_real_size(folder: Path) -> Path:
    """The tarball of the python version with its 60,000 images; batch i has `pixels_of` seed i."""
    labels = [i % 10 for i in range(10_000)]
    files = {
        f"cifar-10-batches-py/{name}": pickled_by_python_2(
            {"data": pixels_of(10_000, 3072, seed=i), "labels": labels}
        )
        for i, name in enumerate(BATCHES)
    }
    return write_tar(folder / "cifar-10-python.tar.gz", files)


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """The files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """The files in a tar, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = path.suffix == ".gz"
    with tarfile.open(path, "w:gz") if packed else tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def idx(array: NDArray[np.uint8], *, packed: bool) -> bytes:
    """An idx file of bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    content = header + array.tobytes()
    return gzip.compress(content) if packed else content


def mnist_files(
    images: dict[str, NDArray[np.uint8]], labels: dict[str, list[int]], *, packed: bool
) -> dict[str, bytes]:
    """The four files of MNIST, by name."""
    files = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        suffix = ".gz" if packed else ""
        numbers = np.array(labels[split], np.uint8)
        files[f"{stem}-images-idx3-ubyte{suffix}"] = idx(images[split], packed=packed)
        files[f"{stem}-labels-idx1-ubyte{suffix}"] = idx(numbers, packed=packed)
    return files


def pickled(value: Any, protocol: int = 2) -> bytes:
    """As Python 3 writes it."""
    return pickle.dumps(value, protocol=protocol)


def in_their_order(images: NDArray[Any]) -> NDArray[Any]:
    """The images as a prepared file has them: by NumPy's oldest generator, seed 0."""
    return images[np.random.RandomState(0).permutation(len(images))]


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """The files in a zip, which has entries of their folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in dict.fromkeys(f"{name.rpartition('/')[0]}/" for name in files if "/" in name):
            archive.writestr(folder, b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def encoded(pixels: NDArray[np.uint8], kind: str = "png") -> bytes:
    """An image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def png_files(folder: str, images: NDArray[np.uint8], *, start: int = 0) -> dict[str, bytes]:
    """A folder of PNGs called by numbers of seven digits, in an order that is not their names'."""
    names = [f"{folder}/{start + i:07d}.png" for i in range(len(images))]
    files = {name: encoded(image) for name, image in zip(names, images, strict=True)}
    return dict(sorted(files.items(), key=lambda file: hashlib.md5(file[0].encode()).digest()))


def chrabaszcz_arrays(images: NDArray[np.uint8], labels: list[int]) -> dict[str, Any]:
    """A batch of the downsampled ImageNet: rows of colours, labels from 1, the mean image."""
    data = np.stack([np.frombuffer(planes(image), np.uint8) for image in images])
    return {"data": data, "labels": labels, "mean": data.mean(axis=0)}


def npz(arrays: dict[str, Any], *, packed: bool = False) -> bytes:
    """An .npz."""
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()
