"""One flipped bit in a finished store: noticed before a number comes from it, named, and mended.

Every kind of task is in the store. What a sentence asks for is done to the letter.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from iddpm.running.files import read_json, write_json
from studies import status
from studies.store.checksums import StoreError
from studies.store.integrity import PROVENANCE, RESULT
from studies.store.store import Store
from studies.store.verification import damages
from tests.witness.records import edit
from tests.witness.runs import drawing, ran_every_kind, running


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran_every_kind(tmp_path_factory.mktemp("finished")).root.parent


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def flip(path: Path, place: float) -> None:
    """Flip one bit, at a share of the file's length."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << int(place * 8)
    path.write_bytes(content)


def products(folder: Path) -> dict[str, bytes]:
    """What the tasks came to, by its place in the store."""
    names = ("result.json", "*.npy", "*.npz", "shard/*")
    paths = [path for name in names for path in (folder / "store").glob(f"tasks/*/{name}")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def one_of_each(store: Path) -> list[Path]:
    """A file of each name and kind of task, and the records beside the tasks."""
    files = [p for p in store.rglob("*") if p.is_file() and p.name not in ("lock", "log.txt")]
    found = {}
    for path in files:
        if path != store / "store.json":
            kind = path.relative_to(store).parts[1].rpartition("-")[0]
            found[kind, path.name] = path
    return list(found.values())


def found_by_reading(store: Path) -> list[str]:
    return list(damages(Store(store), None, lambda done, total: None))


def test_a_whole_store_has_no_damage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found_by_reading(folder / "store") == []
    assert status.main(["--verify", "--store", str(folder / "store")]) == 0
    assert capsys.readouterr().out.startswith("0 damaged files in ")


def every_flip_is_named(folder: Path, places: list[float]) -> None:
    for path in one_of_each(folder / "store"):
        whole = path.read_bytes()
        for place in places:
            flip(path, place)
            sentences = found_by_reading(folder / "store")
            assert sentences, (path, place)
            assert all(str(path) in sentence for sentence in sentences), (path, place)
            path.write_bytes(whole)


def test_a_flipped_bit_in_any_kind_of_file_is_named(folder: Path) -> None:
    every_flip_is_named(folder, [0.61])


@pytest.mark.slow
def test_a_bit_flipped_anywhere_in_any_kind_of_file_is_named(folder: Path) -> None:
    every_flip_is_named(folder, list(np.linspace(0, 0.9999, 40)))


def test_a_format_with_a_flipped_bit_is_named(folder: Path) -> None:
    path = folder / "store" / "store.json"
    whole = path.read_bytes()
    for place in np.linspace(0, 0.999, 60):
        flip(path, place)
        with pytest.raises(StoreError, match=r"store\.json: expected"):
            Store(folder / "store")
        path.write_bytes(whole)


def test_verifying_names_each_damaged_file_in_a_line_and_exits_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = sorted((folder / "store").glob("tasks/sample-*/samples.npy"))[0]
    score = sorted((folder / "store").glob("tasks/score-*/result.json"))[0]
    flip(samples, 0.9)
    flip(score, 0.1)
    capsys.readouterr()
    (study,) = Store(folder / "store").studies()
    for words in ([], [study]):
        assert status.main([*words, "--verify", "--store", str(folder / "store")]) == 1
        *lines, last = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert any(line.startswith(f"{samples}: expected the bytes that its") for line in lines)
        assert any(line.startswith(f"{score}: expected") for line in lines)
        assert last.startswith("2 damaged files in ")


def obey(sentence: str) -> None:
    """Do what a sentence about a damaged file asks for, apart from running again."""
    (path,) = re.findall(r"(?:^|error: |StoreError: )(/\S+?): ", sentence)[:1]
    if command := re.search(r": (rm -rf .*)$", sentence):
        subprocess.run(command[1], shell=True, check=True)
    elif "delete it and result.json" in sentence:
        Path(path).unlink()
        Path(path).with_name(RESULT).unlink()
    elif "delete it" in sentence:
        Path(path).unlink()
    else:
        assert "again, which writes it anew" in sentence, sentence


def forget(folder: Path, *kinds: str) -> None:
    """As if these kinds of tasks had not been done, so that what they read is read again."""
    for kind in kinds:
        for task in (folder / "store" / "tasks").glob(f"{kind}-????????????????"):
            shutil.rmtree(task)


READ_BY = {
    "extractor-*/extractor.pt": ("features", "score"),
    "train-*/state.pt": ("sample", "features", "score"),
    "gan-*/state.pt": ("gan_sample", "features", "score"),
    "sample-*/samples.npy": ("features", "score"),
    "gan_sample-*/samples.npy": ("features", "score"),
    "external-*/samples.npy": ("features", "score"),
    "features-*/features.npz": ("score",),
    "features-*/result.json": ("score",),
    "radii-*/radii.npy": ("score",),
    "train-*/result.json": ("likelihood_shard", "likelihood_merge"),
    "likelihood_shard-*/shard/*.npz": ("likelihood_merge",),
    "likelihood_shard-*/provenance.json": ("likelihood_merge",),
}
"""Files of finished tasks, and what is to be done anew so that they are read."""


@pytest.mark.slow
@pytest.mark.parametrize("pattern", READ_BY)
def test_a_damaged_file_fails_what_reads_it_and_doing_as_told_mends_it(
    folder: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    expected = products(folder)
    forget(folder, *READ_BY[pattern])
    paths = list((folder / "store" / "tasks").glob(pattern))
    for path in paths:
        flip(path, 0.9)
    capsys.readouterr()
    assert running(folder) in (1, 2)
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert not set(products(folder)) >= set(expected)
    assert any(str(path) in told.out + told.err for path in paths)
    for sentence in found_by_reading(folder / "store"):
        obey(sentence)
    assert running(folder, "--retry", "failed") == 0
    assert products(folder) == expected


SHOWN = (
    *("score-*/result.json", "likelihood_merge-*/result.json", "latents-*/latents.npy"),
    *("latents-*/result.json", "train-*/provenance.json", "train-*/task.json"),
    *("sample-*/samples.npy", "../studies/*.json"),
)
"""Files that a page is made from."""


@pytest.mark.slow
@pytest.mark.parametrize("pattern", SHOWN)
def test_no_page_shows_a_number_from_a_damaged_file_and_doing_as_told_mends_it(
    folder: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    expected = products(folder)
    for path in (folder / "store" / "tasks").glob(pattern):
        flip(path, 0.5)
    capsys.readouterr()
    assert drawing(folder) != 0
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert re.search(r"(json|npy): expected", told.out + told.err)
    for sentence in found_by_reading(folder / "store"):
        obey(sentence)
    assert running(folder, "--retry", "failed") == 0
    assert products(folder) == expected
    assert drawing(folder) == 0


Harm = Callable[[Path], object]


@pytest.mark.parametrize("harm", [lambda p: p.write_text(p.read_text()[:20]), Path.unlink])
def test_a_task_file_that_is_lost_is_written_anew_by_the_next_run(
    folder: Path, capsys: pytest.CaptureFixture[str], harm: Harm
) -> None:
    paths = list((folder / "store").glob("tasks/*/task.json"))
    before = {path: path.read_bytes() for path in paths}
    for path in paths:
        harm(path)
    capsys.readouterr()
    assert drawing(folder) != 0
    assert re.search("run (its|the) sweep again", capsys.readouterr().err.strip()), (
        "says what mends it"
    )
    assert running(folder) == 0
    assert {path: path.read_bytes() for path in paths} == before


def test_a_result_that_has_lost_its_checksum_is_refused(folder: Path) -> None:
    score = next((folder / "store").glob("tasks/score-*/result.json"))
    record = read_json(score)
    del record["checksum"]
    write_json(score, record)
    with pytest.raises(StoreError, match=r"result\.json: expected a checksum at its end, found no"):
        Store(folder / "store").result(score.parent.name)


def two_of(folder: Path, kind: str) -> tuple[Path, Path]:
    """Folders of two tasks of a kind with different results."""
    first, *rest = sorted((folder / "store").glob(f"tasks/{kind}-????????????????"))
    result = (first / RESULT).read_bytes()
    return first, next(task for task in rest if (task / RESULT).read_bytes() != result)


@pytest.mark.parametrize("names", [(RESULT,), (PROVENANCE,), (RESULT, PROVENANCE)], ids=" ".join)
@pytest.mark.parametrize("kind", ["score", "sample", "features"])
def test_records_of_another_task_are_refused_and_doing_as_told_mends_it(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, names: tuple[str, ...]
) -> None:
    expected = products(folder)
    theirs, ours = two_of(folder, kind)
    for name in names:
        shutil.copyfile(theirs / name, ours / name)
    sentences = found_by_reading(folder / "store")
    assert sentences
    assert all(str(ours) in sentence for sentence in sentences)
    if kind == "score":
        assert drawing(folder) != 0
        assert str(ours) in capsys.readouterr().err
    obey(sentences[0])
    assert running(folder, "--retry", "failed") == 0
    assert products(folder) == expected


def test_features_of_another_task_of_an_older_version_are_named(folder: Path) -> None:
    theirs, ours = two_of(folder, "features")
    for task in (theirs, ours):
        edit(task / RESULT)
    assert found_by_reading(folder / "store") == []
    shutil.copyfile(theirs / "features.npz", ours / "features.npz")
    (sentence,) = found_by_reading(folder / "store")
    assert sentence.startswith(f"{ours / 'features.npz'}: expected the array whose hash stands in ")


def test_a_record_under_the_name_of_another_study_is_named_and_not_drawn(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study,) = Store(folder / "store").studies()
    records = folder / "store" / "studies"
    shutil.copyfile(records / f"{study}.json", records / "other-tiny.json")
    assert drawing(folder) != 0
    said = "other-tiny.json: expected the record of a study, found one without the study and preset"
    assert said in capsys.readouterr().err
    assert not (folder / "reports" / "other-tiny" / "results.csv").exists()
