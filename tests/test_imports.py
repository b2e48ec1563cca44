"""Who imports whom, read from the source of every file: the arrows of the design, held."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HOMES = {
    "torch": (
        "iddpm/",
        "studies/runners/",
        "studies/execute/worker.py",
        "studies/store/provenance.py",
    ),
    "yaml": ("studies/spec/documents.py",),
    "urllib": ("iddpm/images/downloads.py",),  # no task fetches anything
    "pydantic": ("studies/spec/reading.py", "studies/tasks/task.py"),
    "submitit": ("studies/execute/slurm/job.py",),
    "pandas": (
        "studies/tables/",
        "studies/judging/",
        "studies/drawing/",
        "studies/analyses/",
        "studies/opened.py",
        "studies/exporting/",
        "studies/report/",
    ),
    "matplotlib": (
        "studies/drawing/",
        "studies/analyses/",
        "studies/report/",
        "studies/opened.py",
    ),
    "seaborn": ("studies/drawing/", "studies/analyses/"),
    "jinja2": ("studies/report/",),
    "rich": ("studies/run.py", "studies/preview.py", "studies/execute/console.py"),
    "sklearn": ("iddpm/data.py",),
    "lmdb": ("iddpm/images/trees.py",),
    "safetensors": ("iddpm/exporting.py",),
    "diffusers": (),
    **dict.fromkeys(
        ("tensorboard", "pyarrow", "wandb", "mlflow", "trackio"), ("studies/exporting/sinks.py",)
    ),
}
"""Each heavy library and the only places that may import it."""

TORCH_FREE = (
    "iddpm.evaluation.config",
    "iddpm.networks.official",
    "iddpm.evaluation.frechet_bias",
    "iddpm.networks.size",
    "iddpm.released",
    "iddpm.exported",
    "iddpm.images.archives",
    "iddpm.images.families",
    "iddpm.running.blocks",
    "iddpm.config",
    "iddpm.field_types",
    "iddpm.checks",
    "iddpm.data",
    "iddpm.running.draws",
    "iddpm.images.external",
    "iddpm.images.sets",
    "iddpm.running.files",
    "iddpm.running.strip_file",
    "iddpm.running.hashing",
    "iddpm.images.folders",
    "iddpm.images.decoding",
    "iddpm.running.interruption",
    "iddpm.images.packing",
    "iddpm.schedules",
    "iddpm.strides",
    "iddpm.evaluation.weights_file",
)
"""What planning needs of iddpm."""


FLOORS = (
    "door",
    "tasks",
    "spec",
    "plan",
    "store",
    "runners",
    "execute",
    "published",
    "tables",
    "exporting",
    "drawing",
    "judging",
    "analyses",
    "report",
    "bundling",
    "opened",
    "cancel",
    "export",
    "bundle",
    "merge",
    "diff",
    "data",
    "score",
    "status",
    "prune",
    "decide",
    "preview",
    "run",
)
"""Packages and files of studies, each above all that it imports."""


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def names(path: Path) -> list[tuple[str, ...]]:
    """Every imported thing by its dotted path; of `from a.b import c` that is a, b, c."""
    found: list[tuple[str, ...]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += ((*node.module.split("."), alias.name) for alias in node.names)
    return found


def test_iddpm_never_imports_studies() -> None:
    assert [p for p in sources("iddpm") for name in names(p) if name[0] == "studies"] == []


@pytest.mark.parametrize("floor", FLOORS)
def test_a_package_of_studies_imports_only_those_below_it(floor: str) -> None:
    at_most = FLOORS.index(floor)
    files = sources(f"studies/{floor}") or [ROOT / "studies" / f"{floor}.py"]
    imported = {
        name[1] for path in files for name in names(path) if name[0] == "studies" and name[1:]
    }
    assert imported <= set(FLOORS[: at_most + 1])


def test_every_package_of_studies_has_a_floor() -> None:
    found = {path.relative_to(ROOT / "studies").parts[0] for path in sources("studies")}
    assert {Path(name).stem for name in found} - {"__init__", "__main__"} == set(FLOORS)


def test_an_analysis_imports_of_another_only_what_the_paper_shows() -> None:
    """Their figures and claims stay apart: what two of them need belongs to a room below."""
    rooms = {path.parent.name for path in (ROOT / "studies/analyses").glob("*/paper.py")}
    offenders = [
        (path.relative_to(ROOT).as_posix(), ".".join(name))
        for room in rooms
        for path in sources(f"studies/analyses/{room}")
        for name in names(path)
        if name[:2] == ("studies", "analyses") and name[2] in rooms - {room}
        if name[3] != "paper"
    ]
    assert offenders == []


@pytest.mark.parametrize("library", HOMES)
def test_each_heavy_library_has_one_home(library: str) -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for package in ("iddpm", "studies")
        for path in sources(package)
        for name in names(path)
        if name[0] == library
    }
    assert {path for path in importers if not path.startswith(HOMES[library])} == set()


def test_planning_loads_no_torch_pandas_or_matplotlib() -> None:
    modules = ["iddpm", *TORCH_FREE, "studies", "studies.plan.plan", "studies.analyses.index"]
    check_loaded(modules, {"torch", "pandas", "matplotlib", "scipy.optimize"})


def test_what_a_run_prints_at_its_end_loads_no_torch_or_matplotlib() -> None:
    modules = ["studies.run", "studies.report.summary", "studies.status"]
    check_loaded(modules, {"torch", "matplotlib", "seaborn", "scipy.optimize"})


def check_loaded(modules: list[str], without: set[str]) -> None:
    """A process that imports these one after another has none of those after any."""
    script = (
        "import importlib, sys\n"
        "for module in sys.argv[1:]: importlib.import_module(module); print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, *modules]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""
    loaded = [set(line.split()) & without for line in done.stdout.splitlines()]
    assert dict(zip(modules, loaded, strict=True)) == {module: set() for module in modules}


UNPICKLING = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
UNPICKLES = "iddpm/images/unpickling.py"
"""The one place: it subclasses `pickle._Unpickler` so that nothing that a pickle names is found."""


@pytest.mark.parametrize("package", ["iddpm", "studies"])
def test_nothing_is_loaded_by_unpickling_code(package: str) -> None:
    for path in sources(package):
        is_the_place = path.relative_to(ROOT).as_posix() == UNPICKLES
        assert is_the_place or not {name[0] for name in names(path)} & set(UNPICKLING), path
        for call in ast.walk(tree(path)):
            if not isinstance(call, ast.Call):
                continue
            options = {item.arg: ast.unparse(item.value) for item in call.keywords}
            assert options.get("allow_pickle", "False") == "False", path
            if ast.unparse(call.func) == "torch.load":
                assert options.get("weights_only") == "True", path


def test_the_one_unpickler_looks_nothing_up() -> None:
    """Of `pickle` it takes a class to begin from, whose lookups it replaces by a table.

    It is the one written in Python: its memory follows what a pickle holds, and its orders can be
    replaced. What changes an object is replaced too.
    """
    used = {
        ast.unparse(node)
        for node in ast.walk(tree(ROOT / UNPICKLES))
        if isinstance(node, ast.Attribute)
    }
    assert {name for name in used if name.startswith("pickle.")} == {
        "pickle._Unpickler",
        "pickle._Unpickler.dispatch",
        "pickle.BUILD",
        "pickle.BYTEARRAY8",
    }
    (reader,) = (
        node
        for node in ast.walk(tree(ROOT / UNPICKLES))
        if isinstance(node, ast.ClassDef) and "pickle._Unpickler" in map(ast.unparse, node.bases)
    )
    replaced = {node.name for node in reader.body if isinstance(node, ast.FunctionDef)}
    assert replaced == {"find_class", "persistent_load", "load_build", "load_bytearray8"}
    assert "super" not in {node.id for node in ast.walk(reader) if isinstance(node, ast.Name)}
