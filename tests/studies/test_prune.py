"""What a store gives up costs no number: pages stay, and what is made again is the same."""

import shutil
from pathlib import Path

import pytest

import studies
from iddpm.running.files import STATE_FILE, WEIGHTS_FILE
from studies import prune, run, status
from studies.store import pruning
from studies.store.integrity import check_file
from studies.store.store import FEATURES, SAMPLES, Store, StoreError
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.runs import drawing, ran, running
from tests.witness.stores import done
from tests.witness.tiny_sweep import SWEEP

GAN = """
rivals:
  - gan: {latent: 2, channels: 4, batch_size: 4, ema_decay: 0.5, steps: 3}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network and a GAN, two shards of images each."""
    folder = tmp_path_factory.mktemp("finished")
    text = SWEEP.replace("[simple, hybrid]", "[hybrid]").replace("[0, 1]", "[0]")
    text = text.replace("[quality_vs_steps]", "[sample_grid, quality_vs_steps]")
    ran(folder, text[: text.index("claims:")] + GAN)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, of whose images the first four are kept: they are the first of two shards.

    Its features of four dimensions count as many.
    """
    monkeypatch.setattr(pruning, "FIRST_IMAGES", 4)
    monkeypatch.setattr(pruning, "JUDGED_DIMENSIONS", 3)
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def pruned(folder: Path, *options: str) -> int:
    return prune.main(["--store", str(folder / "store"), *options])


def tasks(folder: Path, name: str) -> set[str]:
    """The kinds and addresses of the tasks that have a file of this name."""
    return {path.parent.name for path in (folder / "store").glob(f"tasks/*/{name}")}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def results(folder: Path) -> dict[str, bytes]:
    return {name: text for name, text in contents(folder).items() if name.endswith("result.json")}


ALL = ("--free", "moments", "--free", "samples", "--free", "features")


def test_what_can_be_given_up_is_told_and_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    capsys.readouterr()
    assert pruned(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["moments", "samples", "features"]
    assert [line.split("MB in")[1].split()[0] for line in lines[:3]] == ["2", "2", "2"]
    assert lines[3].startswith("Nothing was removed.")
    assert contents(folder) == before


def test_giving_all_up_moves_no_result_and_no_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, addresses = results(folder), tasks(folder, SAMPLES)
    assert running(folder) == 0  # the page names the sweep's file
    assert drawing(folder) == 0
    pages = contents(folder / "reports")
    size = sum(map(len, contents(folder / "store").values()))
    capsys.readouterr()
    assert pruned(folder, *ALL) == 0
    assert capsys.readouterr().out.endswith("MB freed in 6 tasks\n")
    assert tasks(folder, STATE_FILE) == set()
    assert {address.split("-")[0] for address in tasks(folder, WEIGHTS_FILE)} == {"train", "gan"}
    assert len(addresses) == 4
    assert len(tasks(folder, SAMPLES)) == 2
    assert len(tasks(folder, FEATURES)) == 1  # of the real images
    assert sum(map(len, contents(folder / "store").values())) < size
    assert status.main(["--verify", "--store", str(folder / "store")]) == 0
    assert running(folder) == 0
    assert results(folder) == before
    assert drawing(folder) == 0
    assert contents(folder / "reports") == pages
    assert pruned(folder, *ALL) == 0
    assert capsys.readouterr().out.endswith("0.0 MB freed in 0 tasks\n")


def test_features_that_claims_are_judged_from_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FEATURES in {spare.name for spare in spares(folder)}
    monkeypatch.setattr(pruning, "JUDGED_DIMENSIONS", 4)
    assert {spare.name for spare in spares(folder)} == {STATE_FILE, SAMPLES}


@pytest.mark.parametrize("sort", ["moments", "samples", "features"])
def test_a_prune_that_was_killed_is_finished_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    before = len(spares(folder))
    addresses = {spare.address for spare in spares(folder) if spare.sort == sort}

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            pruned(folder, "--free", sort)
    assert status.main(["--verify", "--store", str(folder / "store")]) == 0
    assert len(spares(folder)) == before
    assert running(folder) == 0
    assert pruned(folder, "--free", sort) == 0
    assert addresses.isdisjoint(spare.address for spare in spares(folder))


def test_a_study_gives_up_what_is_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pruned(folder, "tiny-tiny", "--free", "moments") == 0
    assert tasks(folder, STATE_FILE) == set()
    assert pruned(folder, "tiny-tinny") == 2
    assert "no study 'tiny-tinny'; did you mean 'tiny-tiny'?" in capsys.readouterr().err


MORE = ("--set", "samples.metrics=[kid]")


def test_what_a_new_score_needs_is_made_again(
    folder: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = Path(shutil.copytree(finished, tmp_path / "undisturbed"))
    assert running(undisturbed, *MORE) == 0
    assert pruned(folder, *ALL) == 0
    capsys.readouterr()
    assert running(folder, *MORE, "--dry-run") == 0
    # two new scores, the features and the second shard of each
    assert "6 planned" in capsys.readouterr().out
    assert running(folder, *MORE) == 0
    assert results(folder) == results(undisturbed)
    assert len(tasks(folder, SAMPLES)) == 4


def test_a_sweep_from_python_makes_again_what_a_new_score_needs(
    folder: Path, finished: Path, tmp_path: Path
) -> None:
    undisturbed = Path(shutil.copytree(finished, tmp_path / "undisturbed"))
    assert running(undisturbed, *MORE) == 0
    assert pruned(folder, *ALL) == 0
    more = {"samples.metrics": ["kid"]}
    studies.run_sweep(folder / "sweep.yaml", store=folder / "store", settings=more)
    assert results(folder) == results(undisturbed)


def test_a_cluster_is_asked_for_what_is_needed_again(
    folder: Path, slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pruned(folder, *ALL) == 0
    sweep = [str(folder / "sweep.yaml"), "--store", str(folder / "store"), *MORE]
    for last in (["--dry-run"], []):
        capsys.readouterr()
        assert run.main([*sweep, "--executor", "slurm", "--pack", "0", *last]) == 0
        assert "8 done, 6 new" in capsys.readouterr().out
    assert len(slurm.rows()) == 6


def test_a_longer_training_begins_anew_where_the_state_is_gone(
    folder: Path, finished: Path, tmp_path: Path
) -> None:
    undisturbed = Path(shutil.copytree(finished, tmp_path / "undisturbed"))
    assert pruned(folder, "--free", "moments") == 0
    for place in (folder, undisturbed):
        assert running(place, "--set", "train.steps=5") == 0
    assert results(folder) == results(undisturbed)
    assert steps_before(folder) == [0]
    assert steps_before(undisturbed) == [0, 3]


def steps_before(folder: Path) -> list[int]:
    """For each training with its state: the steps of another that it continues."""
    store = Store(folder / "store")
    trainings = [a for a in tasks(folder, STATE_FILE) if a.startswith("train-")]
    return sorted((store.provenance(a) or {})["steps_before"] for a in trainings)


def lose(folder: Path, kind: str) -> None:
    """As if the tasks of a kind had not been done."""
    for result in (folder / "store").glob(f"tasks/{kind}-*/result.json"):
        result.unlink()


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("score", {FEATURES}), ("features", {SAMPLES, FEATURES}), ("likelihood", set())],
)
def test_what_an_open_task_needs_is_kept(folder: Path, kind: str, kept: set[str]) -> None:
    lose(folder, kind)
    names = {spare.name for spare in spares(folder)}
    assert names == {STATE_FILE, SAMPLES, FEATURES} - kept


def test_an_imported_network_is_all_that_its_task_has(tmp_path: Path) -> None:
    store, task = Store(tmp_path / "store"), tiny.imported(tmp_path / "network.pt")
    done(store, task)
    assert (store.folder(task.address) / STATE_FILE).is_file()
    assert spares(tmp_path) == []


def spares(folder: Path) -> list[pruning.Spare]:
    store = Store(folder / "store")
    return list(pruning.spares(store, store.addresses()))


def test_the_state_of_a_trajectory_that_goes_on_is_kept(folder: Path) -> None:
    assert running(folder, "--set", "train.steps=5") == 0
    assert len([spare for spare in spares(folder) if spare.sort == "moments"]) == 3
    store = Store(folder / "store")
    for result in (folder / "store").glob("tasks/train-*/result.json"):
        if (store.result(result.parent.name) or {})["steps"] == 5:
            result.unlink()
    left = {spare.address.split("-")[0] for spare in spares(folder) if spare.sort == "moments"}
    assert left == {"gan"}


def test_a_network_that_is_lacking_is_not_trained_where_none_may_be(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert running(folder, "--no-training") == 0
    for kind, label in (("gan", "GAN"), ("train", "hybrid")):
        lose(folder, kind)
        assert running(folder, "--no-training") == 2
        told = capsys.readouterr().err
        assert f"--no-training: expected networks that {folder / 'store'} has, found 1" in told
        assert f"that it lacks, such as {label}" in told
        assert running(folder) == 0


def test_a_damaged_state_is_named_and_not_thinned_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for state in (folder / "store").glob("tasks/train-*/state.pt"):
        content = bytearray(state.read_bytes())
        content[len(content) // 2] ^= 1
        state.write_bytes(content)
    assert pruned(folder, "--free", "moments") == 1
    told = capsys.readouterr()
    assert "state.pt: expected the bytes that its task left" in told.err
    assert told.out.endswith("MB freed in 1 tasks\n")
    assert {address.split("-")[0] for address in tasks(folder, WEIGHTS_FILE)} == {"gan"}


def test_a_file_that_is_gone_does_not_keep_others(folder: Path) -> None:
    for state in (folder / "store").glob("tasks/train-*/state.pt"):
        state.unlink()
    assert {spare.name for spare in spares(folder)} == {STATE_FILE, SAMPLES, FEATURES}


def test_a_store_that_is_not_there_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prune.main(["--store", str(folder / "stroe")]) == 2
    assert "stroe: expected a store, found no such folder; name another" in capsys.readouterr().err
    assert not (folder / "stroe").exists()


def test_whoever_reads_what_was_given_up_is_told_so(folder: Path) -> None:
    (gone, *_) = [spare for spare in spares(folder) if spare.sort == "samples"]
    assert pruned(folder, "--free", "samples") == 0
    path = folder / "store" / "tasks" / gone.address / SAMPLES
    with pytest.raises(StoreError) as told:
        check_file(path, "images")
    assert str(told.value) == (
        f"{path}: expected images, found that it was given up to free space; delete the "
        f"result.json beside it, and run the sweep again: rm {path.with_name('result.json')}"
    )
