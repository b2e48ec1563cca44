"""The script for a GPU, in small on a CPU: minutes of a GPU are not to be lost to a slip."""

from functools import partial
from pathlib import Path

import pytest
import torch

from tests.benchmarks import gpu


def test_a_machine_without_a_gpu_is_told_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(["--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert (said.out, list(tmp_path.iterdir())) == ("", [])
    assert said.err == (
        "tests.benchmarks.gpu: expected a GPU that torch sees, found none; --tiny runs every part "
        "in small on a CPU\n"
    )


@pytest.mark.slow
def test_every_part_works_in_small_on_a_cpu(tmp_path: Path) -> None:
    assert gpu.main(["--tiny", "--out", str(tmp_path)]) == 0
    (page,) = tmp_path.iterdir()
    text = page.read_text()
    assert [f"## {name}" for name, _ in gpu.PARTS] == [
        line for line in text.splitlines() if line.startswith("## ")
    ]
    assert not [word for word in ("failed", "left out", "**no**") if word in text]
    trained = [line for line in text.splitlines() if line.startswith("| ImageNet 64 | 2 |")]
    assert len(trained) == 4
    assert all(float(line.split("|")[6].replace(",", "")) > 0 for line in trained)


def bench(ends: float = float("inf")) -> gpu.Bench:
    return gpu.Bench(device=torch.device("cpu"), scale=gpu.TINY, folder=Path(), ends=ends)


def broken() -> tuple[str, ...]:
    raise RuntimeError("no kernel image | is available\nfor this device")


def test_what_fails_loses_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def part(found: gpu.Bench) -> None:
        found.table("what", "it is")
        found.row("first", measure=broken)
        found.row("second", measure=partial(tuple, ["2"]))

    def never(found: gpu.Bench) -> None:
        raise ValueError("no first row")

    monkeypatch.setattr(gpu, "PARTS", (("Bad", never), ("Good", part)))
    found = bench()
    gpu.written(found, tmp_path / "page.md", "Title")
    assert (tmp_path / "page.md").read_text().splitlines() == [
        *("# Title", "", "## Bad", "", "failed: ValueError: no first row"),
        *("", "## Good", "", "| what | it is |", "| --- | --- |"),
        "| first | failed: RuntimeError: no kernel image / is available |",
        "| second | 2 |",
    ]
    assert found.failures == 2


def test_no_row_begins_when_the_time_is_up() -> None:
    late = bench(ends=-float("inf"))
    late.row("first", measure=broken)
    assert late.lines == ["| first | left out: the time was up |"]
    assert late.failures == 0
