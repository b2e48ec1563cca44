"""The families of files that researchers have, by name: what each is, and who reads it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from iddpm.bounds import ConfigError
from iddpm.images.arrays import npz
from iddpm.images.cifar import cifar10
from iddpm.images.imagenet64 import imagenet64_npz, imagenet64_vdo
from iddpm.images.mnist import fashion, mnist
from iddpm.images.pictures import Kind, pictures
from iddpm.images.sources import Request, Source

ORDER = "order of images"
"""What an account calls it: part of the file, and so of its digest."""

PICTURES = frozenset({"size", "resize", "test_labels"})
IDX = "four idx files, or their folder or archive, packed by gzip or not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One layout of files."""

    about: str
    """What it is read from, for a person."""
    read: Callable[[Request], Source]
    takes: frozenset[str] = frozenset()
    """Settings of a request that mean something here."""
    file: str | None = None
    """What presets call the .npz, where not as the family; empty: no preset reads it."""


def folder(request: Request) -> Source:
    """Image files of anything: as `pictures`."""
    return pictures(request, Kind(name="folder"))


def imagenet(request: Request) -> Source:
    """The photographs of ImageNet, labelled by their folders: as `pictures`."""
    return pictures(request, Kind(name="imagenet", size=64, labels="folders", usual_test="val"))


def lsun(request: Request) -> Source:
    """Scenes of LSUN, without labels: as `pictures`."""
    return pictures(request, Kind(name="lsun", size=256, labels="none", usual_test="val"))


FAMILIES = {
    "cifar10": Family(
        about="the python or the binary version of CIFAR-10, packed or not", read=cifar10
    ),
    "imagenet64_vdo": Family(
        about="train_64x64 and valid_64x64 of van den Oord et al., each a tar, zip or folder",
        read=imagenet64_vdo,
        takes=frozenset({"size"}),
        file="imagenet64",
    ),
    "imagenet64_npz": Family(
        about="train_data_batch_1 ... and val_data of Chrabaszcz et al., pickles or .npz",
        read=imagenet64_npz,
        takes=frozenset({"size"}),
        file="imagenet64_labelled",
    ),
    "imagenet": Family(
        about="ImageNet: a folder or tar of each class for training, validation images flat or not",
        read=imagenet,
        takes=PICTURES,
        file="imagenet64_labelled",
    ),
    "lsun": Family(
        about="LSUN: the lmdb databases of training and validation, or what they were exported to",
        read=lsun,
        takes=frozenset({"size", "resize"}),
        file="lsun256",
    ),
    "folder": Family(
        about="image files in folders, tars or zips; --labels, --test-share, --size",
        read=folder,
        takes=PICTURES | {"test_share", "labels"},
        file="",
    ),
    "npz": Family(
        about="arrays of uint8 images called train and test, x_train and x_test, images, arr_0 ...",
        read=npz,
        takes=frozenset({"size", "test_share", "first_label"}),
        file="",
    ),
    "mnist": Family(
        about=f"MNIST and what has its layout (KMNIST, EMNIST): {IDX}",
        read=mnist,
        takes=frozenset({"size", "first_label"}),
    ),
    "fashion": Family(about=f"Fashion-MNIST: {IDX}", read=fashion, takes=frozenset({"size"})),
}


def file_name(name: str) -> str:
    """What the .npz of a family is called, where presets look for it.

    Raises:
        ConfigError: If there is no such family, or no preset reads it.
    """
    family = _family(name)
    if family.file == "":
        raise ConfigError(
            name,
            "the path of an .npz",
            "a family that no preset reads",
            "add --out FILE where it is prepared, and name that file",
        )
    return f"{family.file or name}.npz"


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise ConfigError("", f"one of {', '.join(FAMILIES)}", f"{name!r}")
    return FAMILIES[name]


def source(name: str, request: Request) -> Source:
    """The images of the files of a family.

    Raises:
        ConfigError: If there is no such family, it does not take a setting that is asked for, or
            the files are not what it is read from.
    """
    family = _family(name)
    for setting in fields(Request):
        is_asked = getattr(request, setting.name) != setting.default
        if setting.name != "paths" and is_asked and setting.name not in family.takes:
            option = setting.name.replace("_", "-")
            raise ConfigError(name, "", f"takes no --{option}", "leave it out")
    found = family.read(request)
    return replace(found, about={**found.about, ORDER: "a fixed permutation"})
