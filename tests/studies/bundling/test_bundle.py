"""A stranger's program works a study out again from its bundle, and finds what was changed."""

import ast
import io
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
from scipy import stats

from studies import bundle as door
from studies.analyses.judge import judge
from studies.bundling import verifier
from studies.bundling.archive import bundle, packed
from studies.judging.families import adjusted
from studies.judging.looks import BY_LOOKS, LOOKS, spent
from studies.store.checksums import write_record
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness.corruptions import Files, derived, files_of, leaves
from tests.witness.made_up_store import ARMS, variant
from tests.witness.pages import SMALL
from tests.witness.vouched_store import write_vouched

STUDY = variant(steps=(10, 200), arms=(ARMS[0], ARMS[1], ARMS[5]), figures=())
SOURCE = Path(verifier.__file__)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vouched(tmp_path_factory.mktemp("bundled") / "store", STUDY)


@pytest.fixture(scope="module")
def archive(store: Path) -> bytes:
    return bundle(Store(store), STUDY.study)


@pytest.fixture(scope="module")
def files(archive: bytes) -> Files:
    return files_of(archive)


# ------------------------------------------------------------------------------- what it says


def test_the_verifier_is_short_and_takes_numpy_and_scipy_alone() -> None:
    source = SOURCE.read_text()
    assert len(source.splitlines()) <= 300
    nodes = list(ast.walk(ast.parse(source)))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    rest = {name.partition(".")[0] for name in found} - sys.stdlib_module_names
    assert rest == {"numpy", "scipy"}


def test_a_process_that_has_nothing_else_verifies_a_bundle(
    tmp_path: Path, archive: bytes, files: dict[str, bytes]
) -> None:
    site = Path(scipy.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "scipy", "scipy.libs"):
        if (site / name).exists():
            (tmp_path / name).symlink_to(site / name)
    (tmp_path / "verifier.py").write_bytes(files["verifier.py"])
    (tmp_path / "bundle.zip").write_bytes(archive)
    script = (
        "import runpy, sys; sys.path.append('.'); sys.argv = ['verifier.py', 'bundle.zip']; "
        "runpy.run_path('verifier.py', run_name='__main__')"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "supported: Learning Σ with the hybrid objective gives fewer bits/dim" in done.stdout
    assert "Not recomputed:\n" in done.stdout


def test_intervals_verdicts_and_p_values_are_those_of_scipy_and_of_the_page(
    store: Path, archive: bytes
) -> None:
    claims = verifier.verified(io.BytesIO(archive)).how["claims"]
    read = tables(Store(store), STUDY.study)
    findings = [judge(claim["name"], read) for claim in claims]
    assert [claim["verdict"] for claim in claims] == [one.verdict for one in findings]
    among = [claim.get("among", np.nan) for claim in claims]
    np.testing.assert_allclose(among, adjusted(findings), rtol=1e-9)
    (lower,) = (claim for claim in claims if claim["name"] == "learned_sigma_lowers_nll")
    bits = read.results[read.results["metric"] == "bits_per_dim"]
    ours, theirs = (
        bits["value"][(bits["objective"] == objective) & (bits["variance"] == variance)].tolist()
        for objective, variance in (("hybrid", "range"), ("simple", "beta"))
    )
    interval = stats.ttest_1samp(np.subtract(ours, theirs), 0).confidence_interval()
    found = (lower["quantities"][0]["from"], lower["quantities"][0]["to"])
    assert found == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_looks_are_those_of_the_claims() -> None:
    assert verifier.LOOKS == LOOKS
    np.testing.assert_allclose(np.cumsum(verifier.SHARES), [spent(look) for look in LOOKS])


# -------------------------------------------------------------------------------- look by look


@pytest.fixture(scope="module")
def by_looks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose study has eight seeds, added look by look; its first look decides a claim."""
    few = {"beta": 3.0, "beta_tilde": 2.9, "range": 2.0}
    made = replace(
        STUDY,
        seeds=tuple(range(8)),
        bound=lambda objective, variance, seed: (
            few[variance] + (0.02 if seed < 3 else 0.5) * (seed * len(objective) % 3)
        ),
    )
    root = write_vouched(tmp_path_factory.mktemp("looks") / "store", made)
    path = root / "studies" / f"{made.study}.json"
    record = json.loads(path.read_text())
    del record["checksum"]
    write_record(path, record | BY_LOOKS)
    return root


def test_verdicts_of_looks_are_worked_out_from_what_each_look_saw(by_looks: Path) -> None:
    read = tables(Store(by_looks), STUDY.study)
    claims = verifier.verified(io.BytesIO(bundle(Store(by_looks), STUDY.study))).how["claims"]
    findings = [judge(claim["name"], read) for claim in claims]
    assert [claim["verdict"] for claim in claims] == [one.verdict for one in findings]
    among = [claim.get("among", np.nan) for claim in claims]
    np.testing.assert_allclose(among, adjusted(findings), rtol=1e-9, atol=1e-15)
    told = {one.look for one in findings}
    assert 3 in told
    assert len(told) > 1


def test_what_is_changed_of_a_look_is_found(by_looks: Path) -> None:
    files = files_of(bundle(Store(by_looks), STUDY.study))

    def change(how: Any, number: int) -> None:
        claim = next(one for one in how["claims"] if len(one["looks"]) > 1)
        first = claim["looks"][0]
        rows = leaves(first["quantities"][0]["made"])[0][1]
        changes: list[Callable[[], Any]] = [
            lambda: how.update(by_looks=False),
            lambda: claim["looks"].pop(),
            rows.pop,
        ]
        changes[number]()

    for number in range(3):
        changed = derived(files, partial(change, number=number))
        with pytest.raises(SystemExit, match="DIFFERS: "):
            verifier.verified(io.BytesIO(packed(changed)))


@pytest.mark.parametrize("change", [list.pop, lambda names: names.append(None)])
def test_a_text_with_a_number_more_or_less_is_told_as_such(
    files: Files, change: Callable[[list[Any]], Any]
) -> None:
    def change_names(how: Any) -> None:
        change(how["printed"]["page/index.html"][-1][1])

    with pytest.raises(SystemExit, match="DIFFERS: how many numbers"):
        verifier.verified(io.BytesIO(packed(derived(files, change_names))))


def test_what_is_exact_keeps_its_verdict_where_looks_decide_and_others_are_measured(
    files: Files,
) -> None:
    def change(how: Any) -> None:
        how["by_looks"] = True
        claim = next(one for one in how["claims"] if one["quantities"])
        first, *_ = claim["quantities"]
        aside = first | {"asked": False}
        known = first | {"made": ["given", [["", -1.0]]], "low": -2.0, "high": 0.0, "matters": 0.0}
        known |= {"asked": True, "held": False}
        claim |= {"quantities": [known, aside], "missing": [], "untold": []}
        how["claims"] = [claim]

    opened = verifier.Bundle(io.BytesIO(packed(derived(files, change))))
    opened.judge()
    assert [claim["verdict"] for claim in opened.how["claims"]] == ["supported"]


def test_a_byte_that_the_hashes_are_not_made_to_fit_is_found_anywhere(archive: bytes) -> None:
    draw = random.Random(0)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    for name in draw.sample(sorted(content), 20):
        if not content[name]:
            continue
        place = draw.randrange(len(content[name]))
        flipped = bytearray(content[name])
        flipped[place] ^= 1
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as out:
            for one, data in content.items():
                out.writestr(one, bytes(flipped) if one == name else data)
        with pytest.raises(SystemExit, match="DIFFERS: "):
            verifier.verified(buffer)


# ------------------------------------------------------------------------------------ the door


def test_the_door_writes_the_same_bytes_again_and_says_how_to_check_them(
    store: Path, archive: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [STUDY.study, "--store", str(store), "--out", str(tmp_path / "a" / "b")]
    assert door.main(words) == 0
    file = tmp_path / "a" / "b" / f"{STUDY.study}.zip"
    assert file.read_bytes() == archive
    assert f"python -I verifier.py {file}" in capsys.readouterr().out


def test_a_study_that_is_not_there_and_a_record_of_an_older_version_are_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert door.main(["nobody", "--store", str(store), "--out", str(tmp_path)]) == 2
    assert "no study 'nobody'" in capsys.readouterr().err
    older = write_vouched(tmp_path / "older", SMALL)
    (older / "store.json").write_text('{"format": 1}\n')
    assert door.main([SMALL.study, "--store", str(older), "--out", str(tmp_path)]) == 2
    assert "expected a record with a checksum, found one of an older version" in (
        capsys.readouterr().err
    )
