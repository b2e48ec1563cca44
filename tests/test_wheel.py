"""The project as a wheel: it runs from any folder, with its sweeps and templates inside."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from studies import __main__ as doors
from tests.witness.tiny_sweep import PRESET, SWEEP

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what belongs to it, so that nothing is left in the checkout."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in ("iddpm", "studies", "sweeps"):
        shutil.copytree(ROOT / name, source / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
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
    text = (ROOT / "apptainer.def").read_text()
    sections = {
        part.split(maxsplit=1)[0]: part.split(maxsplit=1)[1] for part in text.split("\n%")[1:]
    }
    copied = [line.split() for line in sections["files"].splitlines() if line.strip()]
    for source, target in copied:
        assert (ROOT / source).exists()
        assert target == f"/opt/iddpm-studies/{source}"
    assert "--constraint constraints.txt" in sections["post"]
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert [sections["runscript"].split()[1]] == list(script)
