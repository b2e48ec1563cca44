"""Ten thousand sweeps and presets, and three thousand options, as nobody should write them.

All of it takes about two and a half minutes on two idle cores; `IDDPM_FUZZ=SHARE` asks for
another share of the cases than all of them.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.witness import fuzz

ROOT = Path(__file__).parents[2]
SHARE = float(os.environ.get("IDDPM_FUZZ", "1"))
BATCH = 500
MOST_MB = 300
"""Of memory that a process may hold at its most."""


def outcome(sort: str, first: int, count: int) -> dict[str, object]:
    command = [sys.executable, "-m", "tests.witness.fuzz", sort, str(first), str(first + count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("sort", "cases"), [("sweeps", 10_000), ("options", 3_000)])
def test_no_case_ends_in_a_traceback_or_takes_more_than_2_s_or_300_mb(
    sort: str, cases: int
) -> None:
    count = round(cases * SHARE)
    starts = range(0, count, BATCH)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda at: outcome(sort, at, min(BATCH, count - at)), starts))
    assert [batch["faults"] for batch in found if batch["faults"]] == []
    assert max(int(str(batch["megabytes"])) for batch in found) < MOST_MB
    assert sum(int(str(batch["fine"])) for batch in found) > count / 100  # not all are refused


def test_a_case_that_raises_or_goes_on_for_ever_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever() -> int:
        while True:
            pass

    def broken() -> int:
        raise OverflowError("a door")

    def made(call: fuzz.Call, folder: Path, draw: object) -> fuzz.Call:
        return call

    fuzz.limit_time()
    monkeypatch.setattr(fuzz, "SECONDS", 0.1)
    for case, told in ((forever, "TooLongError"), (broken, "OverflowError: a door")):
        monkeypatch.setitem(fuzz.SORTS, "x", partial(made, case))
        assert told in fuzz.outcome("x", 0, tmp_path)[1]
    monkeypatch.setitem(fuzz.SORTS, "x", partial(made, lambda: 3))
    assert fuzz.outcome("x", 0, tmp_path)[1].startswith("ended with 3")
