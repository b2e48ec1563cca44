"""The project as a wheel: it runs from any folder, with its sweeps and templates inside."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from studies import __main__ as doors
from studies import run
from tests.witness.tiny_sweep import PRESET, SWEEP

ROOT = Path(__file__).parents[1]
DEFINITION = (ROOT / "apptainer.def").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def sections() -> dict[str, str]:
    """The parts of the container's definition by name; the header under none."""
    header, *parts = DEFINITION.split("\n%")
    return {"": header} | {part.split(maxsplit=1)[0]: part.split(maxsplit=1)[1] for part in parts}


def copied() -> dict[str, str]:
    """What is copied into the container, and whereto."""
    lines = [line.split() for line in sections()["files"].splitlines() if line.strip()]
    return {line[0]: line[1] for line in lines}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what the container's definition copies: the checkout stays as it is."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)  # Apptainer follows links, too
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(out),
        str(source),
    ]
    subprocess.run(build, check=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
def test_a_wheel_holds_every_sweep_preset_and_template(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"studies/{path.relative_to(ROOT)}" for path in (ROOT / "sweeps").rglob("*.yaml")} | {
        path.relative_to(ROOT).as_posix()
        for package in ("iddpm", "studies")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".j2", ".css", ".typed")
    }
    assert wanted - names == set()


@pytest.mark.slow
def test_a_wheel_runs_a_sweep_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(installed)
    (elsewhere / "presets").mkdir(parents=True)
    (elsewhere / "presets" / "tiny.yaml").write_text(PRESET)
    (elsewhere / "sweep.yaml").write_text(SWEEP)
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}

    def said(*words: str) -> str:
        command = [sys.executable, "-m", "studies", *words]
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "sigma_ablation-digits" in said("run", "sigma_ablation", "--dry-run")
    assert "tasks: " in said("run", "sweep.yaml", "--executor", "inline", "--seeds", "0")
    if find_spec("pyarrow"):
        assert "runs: " in said("export", "results", "tiny-tiny", "--to", "parquet")
    said("score", "--help")
    said("report")
    assert "Does anything matter?" in (elsewhere / "reports" / "index.html").read_text()


def test_every_door_goes_by_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert doors.main([]) == 0
    listed = capsys.readouterr().out
    for name in doors.DOORS:
        assert f"  {name} " in listed
        with pytest.raises(SystemExit) as left:
            doors.main([name, "--help"])
        assert left.value.code == 0
        assert "usage: " in capsys.readouterr().out
    assert doors.main(["rnu"]) == 2
    assert "expected one of these commands, found 'rnu'" in capsys.readouterr().err
    assert doors.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("iddpm-studies ")


def test_the_container_holds_what_its_definition_copies_and_runs() -> None:
    """It is not built here: Debian has no package of Apptainer, and its base comes from afar."""
    part = sections()
    assert all((ROOT / name).exists() for name in copied())
    assert {name: f"/opt/iddpm-studies/{name}" for name in copied()} == copied()
    assert {PROJECT["readme"], *PROJECT["license-files"], "constraints.txt"} < copied().keys()
    folder, install = (line.strip() for line in part["post"].strip().splitlines())
    assert folder == "cd /opt/iddpm-studies"
    assert re.fullmatch(r"pip install .*--constraint constraints\.txt \.", install)
    minor = re.search(r"^From: python:3\.(\d+)-slim$", part[""], re.M)
    assert minor is not None
    assert int(minor[1]) >= int(PROJECT["requires-python"].removeprefix(">=3."))
    assert part["runscript"].split() == ["exec", *PROJECT["scripts"], '"$@"']
    assert part["test"].split() == [*PROJECT["scripts"], "--version"]


def test_commands_for_the_container_are_the_same_in_its_definition_and_the_manual() -> None:
    commands = re.findall(r"apptainer (?:build|run --nv) [^`\n]*", DEFINITION)
    manual = " ".join((ROOT / "docs" / "cluster.md").read_text().split())
    assert len(commands) == 2
    assert [command for command in commands if f"`{command}`" not in manual] == []
    door, *words = commands[1].split("iddpm-studies.sif ")[1].split()
    assert door == "run"
    options = run._parser().parse_args(words)
    assert options.executor == "inline"
    assert options.sweeps == [Path("sweeps") / "sigma_ablation.yaml"]


def test_every_place_that_says_a_version_says_the_same() -> None:
    """What `git tag v...` would name: metadata, citation and the newest part of the changelog."""
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation is not None
    assert newest is not None
    assert citation[1] == newest[1] == PROJECT["version"]
