"""Trainings ten times shorter: of ten steps one is computed, and the others are only counted.

`IDDPM_HURRY=10` runs tests so. One that hopes that a training is still under way when it looks,
stops or kills goes red then. What a step computes is no matter of such a run, so it leaves out the
tests of the mathematics: CONTRIBUTING has the command.
"""

import os
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "IDDPM_HURRY"
"""The variable that says of how many steps one is computed."""
MODULE = "iddpm.training"


def hurried(advance: Callable[[Any], None], share: int) -> Callable[[Any], None]:
    """A step of a training, computed if its number is a multiple of `share`."""

    def step(training: Any) -> None:
        if training.step % share == 0:
            advance(training)
        else:
            training.step += 1
            training.curve.append([0.0, 0.0, 0.0])

    return step


class _Patching(Loader):
    """Loads the module of trainings and hurries them."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.Training.advance = hurried(module.Training.advance, int(os.environ[NAME]))


class _Finder(MetaPathFinder):
    """Finds that module before anybody else does."""

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Patching(spec.loader)
        return spec


def install(folder: Path) -> None:
    """Hurry this process, which has not loaded that module, and every Python that it starts.

    Args:
        folder: An empty one, which is then first on Python's path: what lies there as
            `sitecustomize.py` is run by every Python as it starts.
    """
    assert MODULE not in sys.modules
    sys.meta_path.insert(0, _Finder())
    code = Path(__file__).read_text() + "\n\nsys.meta_path.insert(0, _Finder())\n"
    (folder / "sitecustomize.py").write_text(code)
    os.environ["PYTHONPATH"] = after(folder)


def after(folder: Path) -> str:
    """A path for Python to import from: this folder, then what was to be imported from before."""
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
