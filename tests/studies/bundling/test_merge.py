"""Stores and bundles are brought together whole, or not at all."""

import fcntl
import json
import os
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from iddpm.running.files import STATE_FILE
from studies import merge as door
from studies.bundling import merging
from studies.bundling.archive import bundle
from studies.bundling.merging import merge
from studies.store.checksums import StoreError, write_record
from studies.store.store import Store
from studies.store.verification import damages
from studies.tables.tables import tables
from tests.witness.made_up_store import ARMS, MadeUp, variant
from tests.witness.vouched_store import write_vouched


def study(*seeds: int) -> MadeUp:
    return variant(steps=(10, 200), arms=(ARMS[0], ARMS[5]), figures=(), seeds=seeds)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    """One of seeds 0 and 1, one of 1 and 2."""
    return tuple(write_vouched(tmp_path / str(s[0]), study(*s)) for s in ((0, 1), (1, 2)))  # type: ignore[return-value]


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def values(root: Path) -> dict[tuple[str, int, str], float]:
    results = tables(Store(root), study(0).study).results
    keys = zip(results["address"], results["seed"], results["metric"], strict=True)
    return dict(zip(keys, results["value"], strict=True))


def test_two_stores_of_other_seeds_make_the_study_of_all(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    found = merge(stores, tmp_path / "both")
    whole = write_vouched(tmp_path / "whole", study(0, 1, 2))
    assert values(tmp_path / "both") == values(whole)
    assert found.tasks == len(Store(whole).addresses())
    assert Store(tmp_path / "both").study(study(0).study)["seeds"] == [0, 1, 2]
    assert list(damages(Store(tmp_path / "both"), None, lambda done, total: None)) == []


def test_a_merge_run_twice_is_the_same_as_once(stores: tuple[Path, Path], tmp_path: Path) -> None:
    merge(stores, tmp_path / "both")
    before = files(tmp_path / "both")
    assert merge(stores, tmp_path / "both") == merging.Merged(tasks=0, studies=0)
    assert files(tmp_path / "both") == before


def test_a_store_takes_in_another(stores: tuple[Path, Path], tmp_path: Path) -> None:
    merge(stores, tmp_path / "both")
    merge(stores, stores[0])
    assert values(stores[0]) == values(tmp_path / "both")


def test_results_that_differ_are_named_and_nothing_is_changed(
    stores: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = set(Store(stores[0]).addresses()) & set(Store(stores[1]).addresses())
    address = next(one for one in sorted(shared) if one.startswith("score-"))
    folder = stores[1] / "tasks" / address
    result = json.loads((folder / "result.json").read_text())
    del result["checksum"]
    write_record(folder / "result.json", result | {"precision": 0.125})
    before = [files(store) for store in stores]
    words = [*map(str, stores), "--into", str(tmp_path / "both")]
    assert door.main(words) == 2
    said = capsys.readouterr().err
    assert f"{stores[0] / 'tasks' / address / 'result.json'} and {folder / 'result.json'}" in said
    assert "nothing was changed" in said
    assert [files(store) for store in stores] == before
    assert not (tmp_path / "both").exists()


def test_equal_weights_may_lie_in_states_of_other_bytes(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    for folder in (root / "tasks" for root in stores):
        for note in folder.glob("train-*/provenance.json"):
            record = json.loads(note.read_text())
            del record["checksum"]
            state = f"as {folder} continued it".encode()
            (note.parent / STATE_FILE).write_bytes(state)
            its = {"sha256": sha256(state).hexdigest(), "bytes": len(state)}
            write_record(note, record | {"files": {**record["files"], STATE_FILE: its}})
    assert merge(stores, tmp_path / "both").studies == 1


def test_nothing_is_copied_while_a_task_is_worked_at(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = (Store(root) for root in stores)
    last = [a for a in other.addresses() if not one.is_done(a)][-1]
    one.create(other.task(last))
    claim = one.claim(last)
    assert claim
    before = files(stores[0])
    with pytest.raises(StoreError, match="found a claim; merge later"):
        merge(stores, stores[0])
    assert files(stores[0]) == before


def test_a_task_that_is_claimed_while_it_is_copied_stays_whose_it_is(
    stores: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Store(root) for root in stores)
    last = [a for a in other.addresses() if not one.is_done(a)][-1]
    one.create(other.task(last))
    copy = merging._copy

    def claimed_meanwhile(source: Path, there: Path) -> None:
        copy(source, there)
        if last in source.parts and one.claim_of(last) is None:
            assert one.claim(last)

    monkeypatch.setattr(merging, "_copy", claimed_meanwhile)
    with pytest.raises(StoreError, match="found a claim; merge later"):
        merge(stores, stores[0])
    assert one.claim_of(last) is not None
    assert not one.is_done(last)


def test_the_lock_of_a_task_is_held_while_another_takes_its_place(
    stores: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Store(root) for root in stores)
    planned = [a for a in other.addresses() if not one.is_done(a)]
    for address in planned:
        one.create(other.task(address))
    rename, held = os.rename, []

    def watched(source: Path, there: Path) -> None:
        if source.name in planned:
            with (source / "lock").open("a") as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(source.name)
        rename(source, there)

    monkeypatch.setattr(os, "rename", watched)
    merge(stores, stores[0])
    assert sorted(held) == sorted(planned)
    assert all(one.is_done(address) for address in planned)
    assert not list((stores[0] / "tasks").glob(".*"))


def with_texts(root: Path, sweep: str, preset: str) -> None:
    path = root / "studies" / f"{study(0).study}.json"
    record = json.loads(path.read_text())
    del record["checksum"]
    write_record(path, record | {"sweep_text": sweep, "preset_text": preset})


SWEEP, PRESET = "study: x\n{}train: {{seeds: {{}}}}\n", "{}train: {{steps: 3}}\n"


def test_seeds_that_were_written_in_the_files_are_no_other_question(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    one = (
        SWEEP.format("seeds: [0, 1]\n"),
        PRESET.format("seeds: [0, 1]\nsweeps: {x: {seeds: [0]}}\n"),
    )
    other = SWEEP.format("# of more\nseeds: [1, 2]\n"), PRESET.format("sweeps: {x: {seeds: [1]}}\n")
    for root, texts in zip(stores, (one, other), strict=True):
        with_texts(root, *texts)
    merge(stores, tmp_path / "both")
    merge(stores[::-1], tmp_path / "turned")
    records = [Store(tmp_path / name).study(study(0).study) for name in ("both", "turned")]
    assert [record["seeds"] for record in records] == [[0, 1, 2]] * 2
    assert records[0]["sweep_text"] == records[1]["sweep_text"]
    before = files(tmp_path / "both")
    merge(stores[::-1], tmp_path / "both")
    assert files(tmp_path / "both") == before


@pytest.mark.parametrize(
    ("sweep", "preset", "differs"),
    [
        (SWEEP.format("").replace("{}", "{data: 1}"), PRESET.format(""), "sweep_text"),
        (SWEEP.format(""), PRESET.format("sweeps: {x: {include: []}}\n"), "preset_text"),
        ("seeds: [", PRESET.format(""), "sweep_text"),
    ],
)
def test_anything_else_in_the_files_is_another_question(
    stores: tuple[Path, Path], tmp_path: Path, sweep: str, preset: str, differs: str
) -> None:
    with_texts(stores[0], SWEEP.format(""), PRESET.format(""))
    with_texts(stores[1], sweep, preset)
    with pytest.raises(StoreError, match=f"found other {differs}; nothing was changed"):
        merge(stores, tmp_path / "both")


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([0, 1, 2], [3, 4], [0, 1, 2, 3, 4]),
        ([5, 1, 2], [5, 1, 2, 7], [5, 1, 2, 7]),
        ([9, 1], [4, 9], [1, 4, 9]),
    ],
)
def test_seeds_stand_in_one_order_whichever_store_is_named_first(
    one: list[int], other: list[int], both: list[int]
) -> None:
    assert merging._in_order(one, other) == merging._in_order(other, one) == both


def test_studies_that_ask_something_else_under_one_name_are_refused(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    path = stores[1] / "studies" / f"{study(0).study}.json"
    record = json.loads(path.read_text())
    del record["checksum"]
    write_record(path, record | {"sweep_text": "another"})
    with pytest.raises(StoreError, match="found other sweep_text; nothing was changed"):
        merge(stores, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_damaged_file_is_not_copied(stores: tuple[Path, Path], tmp_path: Path) -> None:
    features = next(stores[0].glob("tasks/features-*/features.npz"))
    raw = bytearray(features.read_bytes())
    raw[len(raw) // 2] ^= 1
    features.write_bytes(raw)
    with pytest.raises(StoreError, match=r"features\.npz: expected the bytes that its task left"):
        merge(stores[:1], tmp_path / "both")
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("copies", [1, 2, 7, 50])
def test_a_merge_that_is_cut_short_leaves_no_half_task_and_is_gone_on_with(
    stores: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    """It ends at the n-th file that it copies."""
    left = iter(range(copies - 1))
    copy = merging._copy

    def cut_short(source: Path, there: Path) -> None:
        if next(left, None) is None:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(source.read_bytes()[:10])
            raise KeyboardInterrupt
        copy(source, there)

    monkeypatch.setattr(merging, "_copy", cut_short)
    with pytest.raises(KeyboardInterrupt):
        merge(stores, tmp_path / "both")
    begun = Store(tmp_path / "both")
    assert list(damages(begun, None, lambda done, total: None)) == []
    assert all(begun.is_done(address) for address in begun.addresses())
    assert begun.studies() == []
    monkeypatch.setattr(merging, "_copy", copy)
    merge(stores, tmp_path / "both")
    merge(stores, tmp_path / "at_once")
    assert files(tmp_path / "both") == files(tmp_path / "at_once")


@pytest.mark.slow
def test_bundles_merge_with_what_they_hold(stores: tuple[Path, Path], tmp_path: Path) -> None:
    archives = []
    for store in stores:
        archives.append(tmp_path / f"{store.name}.zip")
        archives[-1].write_bytes(bundle(Store(store), study(0).study))
    merge(archives, tmp_path / "both")
    merge(stores, tmp_path / "stores")
    assert values(tmp_path / "both") == values(tmp_path / "stores")
    assert list(damages(Store(tmp_path / "both"), None, lambda done, total: None)) == []


def test_an_archive_that_is_cut_short_and_a_path_to_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.zip").write_bytes(b"PK")
    assert door.main([str(tmp_path / "cut.zip"), "--into", str(tmp_path / "none")]) == 2
    assert "cut.zip: expected a store or a whole bundle" in capsys.readouterr().err
    with zipfile.ZipFile(tmp_path / "list.zip", "w") as archive:
        archive.writestr("manifest.json", "[]")
    assert door.main([str(tmp_path / "list.zip"), "--into", str(tmp_path / "none")]) == 2
    assert "list.zip: expected a store or a whole bundle" in capsys.readouterr().err
    assert door.main([str(tmp_path / "nothing"), "--into", str(tmp_path / "none")]) == 2
    assert "nothing: cannot be read or written" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
