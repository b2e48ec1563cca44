"""Published md5 sums of archives: whether a file is the one that everybody has.

From torchvision's `cifar.py` and `mnist.py` and from the md5sums of Debian's package
`dataset-fashion-mnist`; none was computed here.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from iddpm.images.trees import File, Tree, told

PUBLISHED: dict[str, dict[str, tuple[str, ...]]] = {
    "cifar10": {
        "cifar-10-python.tar.gz": ("c58f30108f718f92721af3b95e74349a",),
        "cifar-10-binary.tar.gz": ("c32a1d4ab5d03f1284b67883e8d87530",),
        "data_batch_1": ("c99cafc152244af753f735de768cd75f",),
        "data_batch_2": ("d4bba439e000b95fd0a9bffe97cbabec",),
        "data_batch_3": ("54ebc095f3ab1f0389bbae665268c751",),
        "data_batch_4": ("634d18415352ddfa80567beed471001a",),
        "data_batch_5": ("482c414d41f54cd18b22e5b47cb7c3cb",),
        "test_batch": ("40351d587109b95175f43aff81a1287e",),
    },
    "mnist": {
        "train-images-idx3-ubyte.gz": ("f68b3c2dcbeaaa9fbdd348bbdeb94873",),
        "train-labels-idx1-ubyte.gz": ("d53e105ee54ea40749a09fcbcd1e9432",),
        "t10k-images-idx3-ubyte.gz": ("9fb629c4189551a2d022fa330f9573f3",),
        "t10k-labels-idx1-ubyte.gz": ("ec29112dd5afa0611ce80d1b7f02629c",),
    },
    "fashion": {
        "train-images-idx3-ubyte.gz": (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "cf8536b0aa1a6ac5fa3f23001093305c",
        ),
        "train-labels-idx1-ubyte.gz": (
            "25c81989df183df01b3e8a0aad5dffbe",
            "10bea18fdb374794d4bb42e356e600c9",
        ),
        "t10k-images-idx3-ubyte.gz": (
            "bef4ecab320f06d8554ea6380940ec79",
            "f78720b4224f21cce2f2ccf2d7a94c9a",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "bb300cfdad3c16e7a12a480ee83cd310",
            "0d30e22e447f3c33dab9ed536400ac01",
        ),
    },
}
"""By family and name of the file; Debian has the files of Fashion-MNIST compressed anew."""

CONTENT = "content"
"""What an account calls the answer."""


def provenance(
    family: str, trees: Iterable[Tree], files: Iterable[File], *, where: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Whether what was given is what is published, for the account, and a line where it is not.

    Args:
        family: Its name in `PUBLISHED`.
        trees: What was given. An archive as a whole may be known.
        files: What is used of it, each of which may be known where no archive was given.
        where: For an error.
    """
    known = PUBLISHED[family]
    archives = [tree.path for tree in trees if tree.path.is_file()]
    found = {path.name: _md5(path, where) for path in archives}
    found = found or {file.basename: _md5(file.path, where) for file in files}
    sums = {md5 for of_file in known.values() for md5 in of_file}
    if set(found.values()) <= sums:
        return {CONTENT: "published"}, ()
    name, md5 = next((name, md5) for name, md5 in found.items() if md5 not in sums)
    published = " or ".join(known[name]) if name in known else "none that is known"
    return {CONTENT: "unknown"}, (
        f"not the known content of {family}: {name} has the md5 {md5}, published is {published}",
    )


def _md5(path: Path, where: str) -> str:
    with told(path, where), path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
