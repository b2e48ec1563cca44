"""A store from Python: what it gives is what the tables, claims and files of the store say."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import studies
from iddpm import exporting
from iddpm.running.files import STATE_FILE
from studies import execute, export
from studies.analyses.judge import judge
from studies.opened import Studies
from studies.store.checksums import StoreError
from studies.store.store import Store
from studies.tables.tables import tables
from tests.witness import runs
from tests.witness.made_up_store import MadeUp, write_store
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

STUDY = MadeUp()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("library") / "store", STUDY)


@pytest.fixture(scope="module")
def opened(root: Path) -> Studies:
    return studies.open(root)


def test_a_store_is_a_mapping_of_its_studies(opened: Studies) -> None:
    assert list(opened) == [STUDY.study]
    assert len(opened) == 1
    assert STUDY.study in repr(opened)
    with pytest.raises(KeyError, match=f"no such study; did you mean '{STUDY.study}'"):
        opened[STUDY.study[:-1]]
    assert 3 not in opened  # type: ignore[comparison-overlap]
    with pytest.raises(KeyError, match="0: no such study; there are: "):
        opened[0]  # type: ignore[index]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="stroe: expected a store, found no such folder; name"):
        studies.open(tmp_path / "stroe")
    assert not (tmp_path / "stroe").exists()


def test_a_study_is_shown_without_being_read(tmp_path: Path) -> None:
    write_store(tmp_path, STUDY)
    (tmp_path / "studies" / f"{STUDY.study}.json").write_text("{")
    study = studies.open(tmp_path)[STUDY.study]
    assert repr(study) == f"<study {STUDY.study} in {tmp_path}>"
    with pytest.raises(StoreError):
        study.results()


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(StoreError):
        studies.open(tmp_path)


def test_results_are_the_tables_and_a_sampler_without_sigma_says_none(
    opened: Studies, root: Path
) -> None:
    found, table = opened[STUDY.study].results(), tables(Store(root), STUDY.study).results
    assert "settings" not in found
    assert found["value"].tolist() == pytest.approx(table["value"].tolist(), nan_ok=True)
    ddim = found[found["sampler"] == "ddim"]
    assert len(ddim)
    assert set(ddim["variance"]) == {"none"}
    distances = found[found["metric"] == "frechet_distance"]
    pivot = distances.pivot_table(index=["objective", "variance"], columns="steps", values="value")
    assert ("simple", "none") in pivot.index


def test_verdicts_are_those_of_the_claims(opened: Studies, root: Path) -> None:
    found, table = opened[STUDY.study].verdicts(), tables(Store(root), STUDY.study)
    assert list(dict.fromkeys(found["claim"])) == list(table.record["claims"])
    for name, rows in found.groupby("claim"):
        finding = judge(str(name), table)
        assert set(rows["verdict"]) == {finding.verdict}
        deciding = [m.interval.mean for m in finding.measurements if m.decides]
        assert rows["mean"].dropna().tolist() == pytest.approx(deciding)


def test_verdicts_say_what_the_seeds_could_tell_and_how_many_would_decide(opened: Studies) -> None:
    found = opened[STUDY.study].verdicts()
    is_open = found["verdict"] == "inconclusive"
    assert set(found[is_open]["seeds_to_decide"]) == {19.0}
    assert found[~is_open]["seeds_to_decide"].isna().all()
    half_widths = (found["high"] - found["low"]) / 2
    expected = (5.65349 / 4.302653 * half_widths).where(found["seeds"] > 0)  # of three seeds
    tenth = found["claim"] == "learned_sigma_keeps_quality_at_few_steps"  # of no spread: it matters
    expected = expected.mask(tenth, math.log(1.1))
    assert found["smallest_effect"].tolist() == pytest.approx(
        expected.tolist(), rel=1e-5, abs=1e-12, nan_ok=True
    )


def test_a_claim_of_a_newer_version_is_told_as_one(tmp_path: Path) -> None:
    write_store(tmp_path, replace(STUDY, claims=("a_claim_to_come",)))
    with pytest.raises(StoreError, match="found 'a_claim_to_come'; a newer version"):
        studies.open(tmp_path)[STUDY.study].verdicts()


def test_arms_are_compared_seed_by_seed(opened: Studies) -> None:
    study = opened[STUDY.study]
    found = study.compare(
        "frechet_distance",
        baseline={"objective": "simple", "variance": "beta"},
        against=[{"objective": "simple", "variance": "beta_tilde"}],
        along="steps",
    )
    results = study.results()
    rows = results[(results["metric"] == "frechet_distance") & (results["objective"] == "simple")]
    for _, row in found.iterrows():
        at = rows[rows["steps"] == row["at"]].set_index("seed")
        ours, theirs = (at[at["variance"] == v]["value"] for v in ("beta_tilde", "beta"))
        logs = np.log((ours / theirs).dropna())
        assert row["estimate"] == pytest.approx(np.exp(logs.mean()))


def test_a_sampler_without_sigma_is_compared_as_results_show_it(opened: Studies) -> None:
    study = opened[STUDY.study]
    beta, ddim = ({"objective": "simple", "variance": name} for name in ("beta", "none"))
    there, back = (
        study.compare(
            "frechet_distance",
            baseline=one,
            against=[other],
            along="steps",
            beside=("sampler", "eta", "stride"),
        )
        for one, other in ((beta, ddim), (ddim, beta))
    )
    assert there["at"].tolist() == list(STUDY.steps)
    assert set(there["arm"]) == set(back["baseline"]) == {"L_simple, DDIM"}
    assert there["estimate"].tolist() == pytest.approx((1 / back["estimate"]).tolist())


@pytest.mark.parametrize("which", ["baseline", "against"])
def test_an_arm_that_the_study_has_not_is_refused_with_the_values_there_are(
    opened: Studies, which: str
) -> None:
    arms: dict[str, Any] = {"baseline": {"variance": "beta"}, "against": [{"variance": "range"}]}
    mistyped = {"objective": "simple", "variance": "beta_tilda"}
    arms[which] = mistyped if which == "baseline" else [mistyped]
    known = "there are: 'beta', 'beta_tilde', 'none'$"
    with pytest.raises(ValueError, match=f"no arm with variance 'beta_tilda'; {known}"):
        opened[STUDY.study].compare("frechet_distance", **arms)


def test_columns_beside_are_refused_where_there_are_none(opened: Studies) -> None:
    with pytest.raises(ValueError, match="no such column 'samplr'; did you mean 'sampler'"):
        opened[STUDY.study].compare("precision", baseline={}, beside=["samplr"])


@pytest.mark.parametrize(
    ("metric", "baseline", "complaint"),
    [
        ("frechet", {"variance": "beta"}, "metric: no such metric 'frechet'; did you mean"),
        ("precision", {"varience": "beta"}, "no such column 'varience'; did you mean 'variance'"),
    ],
)
def test_what_the_study_has_not_is_refused_with_the_nearest(
    opened: Studies, metric: str, baseline: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        opened[STUDY.study].compare(metric, baseline=baseline)


def test_figures_are_drawn_by_their_names(opened: Studies) -> None:
    study = opened[STUDY.study]
    assert isinstance(study.figure("quality_vs_steps"), Figure)
    with pytest.raises(ValueError, match="did you mean 'quality_vs_steps'"):
        study.figure("quality_vs_step")
    with pytest.raises(ValueError, match="has no result that it shows"):
        study.figure("model_size")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a tiny sweep was run for one seed."""
    return runs.ran(tmp_path_factory.mktemp("ran"), SWEEP.replace("[0, 1]", "[0]")).root


def test_a_network_is_found_by_what_tells_it_from_others(ran: Path, tmp_path: Path) -> None:
    study, store = studies.open(ran)["tiny-tiny"], Store(ran)
    (address,) = {
        cell["tasks"]["train"]
        for cell in study.tables.record["cells"]
        if cell["arm"]["objective"] == "hybrid"
    }
    state = store.folder(address) / STATE_FILE
    saved = torch.load(state, weights_only=True)["weights"]
    for decay, role in ((0.9, "0.9"), (None, "raw")):
        network = study.network(objective="hybrid", seed=0, ema_decay=decay)
        assert not network.training
        for name, weights in network.state_dict().items():
            torch.testing.assert_close(weights, saved[role][name], rtol=0, atol=0)
    out = study.export_network(
        tmp_path / "out", to="safetensors", objective="hybrid", seed=0, ema_decay=0.9
    )
    exported: Any = exporting.read(out).network
    for name, weights in exported.state_dict().items():
        assert torch.equal(weights, saved["0.9"][name])
    assert "their average of decay 0.9 |" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(ValueError, match=r"found 2 of seed 0, {}; say which by objective"):
        study.network(seed=0)
    with pytest.raises(ValueError, match="has no trained one of seed 7"):
        study.network(seed=7)
    with pytest.raises(ValueError, match="no such column 'objectve'; did you mean 'objective'"):
        study.network(seed=0, objectve="hybrid")
    with pytest.raises(ValueError, match="network: no such column 'foo'; there are: "):
        study.network(seed=0, foo=None)


HYBRID = ["--seed", "0", "--arm", "objective=hybrid"]


def exported(ran: Path, out: Path, *words: str) -> int:
    return export.main(["network", "tiny-tiny", *words, "--store", str(ran), "--out", str(out)])


def test_the_command_exports_the_network_that_python_does(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("safetensors")
    study = studies.open(ran)["tiny-tiny"]
    words = ["--to", "safetensors", *HYBRID, "--ema-decay", "0.9"]
    assert exported(ran, tmp_path / "exports", *words) == 0
    expected = study.export_network(
        tmp_path / "python", to="safetensors", objective="hybrid", seed=0, ema_decay=0.9
    )
    file = Path(capsys.readouterr().out.strip())
    address = study.training(seed=0, objective="hybrid")
    assert file.parent == tmp_path / "exports" / f"tiny-tiny.{address}.ema-0.9.safetensors"
    for path in expected.parent.iterdir():
        assert (file.parent / path.name).read_bytes() == path.read_bytes()
    average = file.read_bytes()
    assert exported(ran, tmp_path / "exports", "--to", "safetensors", *HYBRID) == 0
    other = Path(capsys.readouterr().out.strip())
    assert other.parent == tmp_path / "exports" / f"tiny-tiny.{address}.safetensors"
    assert other.read_bytes() != average == file.read_bytes()
    assert {path.name for path in (tmp_path / "exports").iterdir()} == {
        file.parent.name,
        other.parent.name,
    }


def test_an_export_that_is_there_is_never_written_over(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("safetensors")
    words = ["--to", "safetensors", *HYBRID, "--ema-decay", "0.9"]
    assert exported(ran, tmp_path, *words) == 0
    there = capsys.readouterr().out
    (folder,) = tmp_path.iterdir()
    assert exported(ran, tmp_path, *words) == 0
    assert capsys.readouterr().out == there
    weights = next(folder.rglob("*.safetensors"))
    weights.write_bytes(b"mine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert exported(ran, tmp_path, *words) == 2
    assert capsys.readouterr().err == (
        f"error: --out: expected no {folder.name} there, unless of the very same files, found "
        f"another at {folder}; move it away, or name another folder with --out\n"
    )
    assert weights.read_bytes() == b"mine"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    weights.unlink()
    assert exported(ran, tmp_path, *words) == 2
    assert not weights.exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--to", "safetensors"], "--seed: expected that of the training, found none; add --seed"),
        (["--to", "safetensors", "--seed", "0"], "found 2 of seed 0, {}; say which by objective"),
        (["--to", "safetensors", "--seed", "7"], "of these settings the seeds that are trained: 0"),
        (
            ["--to", "safetensors", "--seed", "0", "--arm", "objectve=hybrid"],
            "found objectve; did you mean 'objective'?",
        ),
        (
            ["--to", "safetensors", "--seed", "0", "--arm", "objective=hybird"],
            "--arm objective: expected one of simple, hybrid, found hybird",
        ),
        (
            ["--to", "safetensors", "--seed", "0", "--arm", "hybrid"],
            "--arm: expected settings such as objective=hybrid, found hybrid",
        ),
        (
            ["--to", "safetensors", *HYBRID, "ema_decay=0.9"],
            "--arm: expected settings that tell trainings apart, found ema_decay; use --ema-decay, "
            "without which the weights themselves are exported",
        ),
        (
            ["--to", "safetensors", *HYBRID, "--ema-decay", "0.5"],
            "ema_decay: expected one that the training kept, (0.9,), found 0.5",
        ),
        (
            ["--to", "parquet", *HYBRID],
            "--to: expected for network one of safetensors, diffusers, found parquet",
        ),
    ],
)
def test_a_network_that_cannot_be_exported_is_told(
    ran: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    assert exported(ran, tmp_path / "out", *words) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_tells_a_network_is_refused_of_curves(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["curves", "tiny-tiny", "--to", "parquet", "--seed", "0", "--store", str(ran)]
    assert export.main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "--seed: expected it beside network alone, found it beside curves" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_sweep_is_run_from_python_and_what_is_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = write_sweep(tmp_path, SWEEP, preset=PRESET)
    study = studies.run_sweep(
        sweep, store=tmp_path / "store", settings={"train.steps": 2}, seeds=[1]
    )
    results = study.results()
    assert set(results["seed"]) == {1}
    assert {"bits_per_dim", "frechet_distance"} <= set(results["metric"])
    trainings = [task.config for task in _tasks(tmp_path / "store") if task.kind == "train"]
    assert {config.steps for config in trainings} == {2}
    monkeypatch.setattr(execute, "execute", lambda store, tasks, **told: None)
    again = studies.run_sweep(
        sweep, store=tmp_path / "store", settings={"train.steps": 2}, seeds=[1]
    )
    assert again.results().equals(results)
    with pytest.raises(StoreError, match=r"tiny-tiny: expected every task done, found \d+ that"):
        studies.run_sweep(sweep, store=tmp_path / "store", seeds=[0])


def test_a_wrong_setting_is_refused_before_a_store_is_made(tmp_path: Path) -> None:
    with pytest.raises(studies.ConfigError, match="stps: no such field; did you mean 'steps'"):
        studies.run_sweep("skip_prefix", store=tmp_path / "store", settings={"train.stps": 2})
    assert not (tmp_path / "store").exists()


def _tasks(root: Path) -> list[Any]:
    store = Store(root)
    return [store.task(path.name) for path in sorted((root / "tasks").iterdir())]


@pytest.mark.parametrize(
    ("value", "word"), [(0.0, "0.0"), (1, "1"), (True, "true"), (None, "none"), ("beta", "beta")]
)
def test_a_setting_is_written_as_it_stands_in_a_sweep(value: object, word: str) -> None:
    """A dropout of 0 and a seed of 1 are numbers, though they equal False and True."""
    assert export._word(value) == word
