"""The README as it stands: each of its commands is run, its sweep planned, its links followed.

What is run is parsed from the text, so a command that is written there without a test here fails.
Commands run in a folder that looks like a checkout, with the project's own sweep and Makefile
and with presets of tiny networks in the place of the real ones.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from studies import run
from studies.analyses.judge import CLAIMS
from studies.execute.slurm.settle import CAUSES
from studies.execute.worker import CHECKPOINT_EVERY, IMAGES_PER_PASS
from studies.plan.plan import expand
from studies.spec.evaluations import SamplesConfig
from studies.spec.sweep import SWEEPS, read_sweep
from tests.witness import hurried
from tests.witness.published_files import cifar_files, pixels_of, write_tar

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
README = "\n".join(path.read_text() for path in DOCUMENTS)
"""With the manuals that it leads to."""
SCORECARD = (ROOT / "reports" / "examples" / "scorecard.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SWEEP = "sweeps/sigma_ablation.yaml"
RUN = f"python -m studies.run {SWEEP}"

OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MARKERS", "ARGS", "SWEEP")
"""What a make that runs these tests passes on to the makes in them, and must not."""

PRESET = """
description: hardly trained, and sampled for ten steps alone
data: {data}
train:
  diffusion: {{steps: 1000}}
  network: {{model_channels: 4, channel_mult: [1], res_blocks: 1, attention_resolutions: [], \
heads: 1, groups: 2}}
  batch_size: 4
  ema_decays: [0.9]
  steps: 3
evaluate:
  likelihood: {{images: 2, block_size: 2, steps: 10, ema_decay: 0.9}}
  samples:
    images: 6
    block_size: 6
    shard_blocks: 1
    ema_decay: 0.9
    extractor: {extractor}
    reference: {{images: 16}}
    exclude: [{{steps: 25}}, {{steps: 50}}, {{steps: 100}}, {{steps: 250}}, {{steps: 1000}}]
sweeps:
  sigma_ablation: {{seeds: [11, 12, 13], "blocks[2].train.steps": 2}}
"""
EXTRACTORS = {
    "digits": "{classifier: {channels: 4, features: 4, steps: 3}}",
    "photos": "{random: {channels: 4, features: 4}}",
}

# ---------------------------------------------------------------------------- what is written there


def blocks(text: str, language: str = "") -> list[str]:
    """The fenced blocks of a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for found, content in fenced if found == language]


def commands(text: str) -> list[str]:
    """Every line of the blocks that name no language, without its remark."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    return [line.split("  #")[0].rstrip() for line in lines]


def spoken(text: str) -> list[str]:
    """Every command within a sentence."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`((?:make|python) [^`]*)`", prose)


def table_of_options() -> str:
    """The table below `Further options of run`."""
    return README[README.index("Further options") :].split("\n\n")[1]


def options() -> list[str]:
    """The options of the table, an alternative value as an option of its own."""
    rows = re.findall(r"^\| (`--.*?) \|", table_of_options(), re.MULTILINE)
    found = []
    for row in rows:
        first, *others = re.findall(r"`([^`]*)`", row)
        found += [first, *(f"{first.split()[0]} {value}" for value in others)]
    return found


COMMANDS = dict.fromkeys([*commands(README), *spoken(README)])
CLUSTER = [c for c in COMMANDS if c.startswith("python ") and ("slurm" in c or "cancel" in c)]
"""Run by tests/slurm/test_readme.py."""
PYTHON = [c for c in COMMANDS if c.startswith("python ") and c not in CLUSTER]
MAKE = [command for command in COMMANDS if command.startswith("make ")]


def words(text: str) -> int:
    """How many a reader meets in prose and tables: links by their text, no blocks of code."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    return sum(bool(re.search(r"\w", word)) for word in shown.split())


# ------------------------------------------------------------------------------- where it is typed


def written(key: str) -> str:
    """The YAML of the README that begins with this key."""
    return next(text for text in blocks(README, "yaml") if text.startswith(f"{key}:"))


def tiny_checkout(folder: Path) -> Path:
    """A folder with the real sweep, tiny presets and data, the Makefile and an environment."""
    presets = folder / "sweeps" / "presets"
    presets.mkdir(parents=True)
    for name, extractor in EXTRACTORS.items():
        (presets / f"{name}.yaml").write_text(PRESET.format(data=name, extractor=extractor))
    shutil.copy(ROOT / SWEEP, folder / SWEEP)
    cifar = cifar_files(pixels_of(60, 32, 32, 3), binary=False)
    write_tar(folder / "cifar-10-python.tar.gz", cifar)
    (folder / "sweeps" / "x.yaml").write_text(written("study"))
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / "installed").touch()
    return folder


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command as a person types it in that folder, with the environment active."""
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**inherited, "PATH": path, "PYTHONPATH": hurried.after(ROOT)},
        capture_output=True,
        text=True,
        timeout=1500,  # beside other work the slowest took more than ten times as long
    )


def printed(command: str, folder: Path) -> str:
    """What a command prints that ends well."""
    done = typed(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def results(store: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in store.glob("tasks/*/result.json")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first command of the README was run to its end."""
    folder = tiny_checkout(tmp_path_factory.mktemp("checkout"))
    printed(RUN, folder)
    return folder


# ---------------------------------------------------------------------------------------- commands

SAYS = {
    RUN: (r"sigma_ablation-digits: mean over seeds", r"(\d+) tasks: \1 done"),
    f"{RUN} --dry-run": (r"(?m)^sigma_ablation-digits: (\d+) tasks: \1 done$",),
    f"{RUN} --preset photos": (r"sigma_ablation-photos: mean over seeds", r"(\d+) tasks: \1 done"),
    "python -m studies.run sweeps/*.yaml --dry-run": (r"(?m)^\d+ studies: \d+ tasks: ",),
    "python -m studies.data prepare cifar10 cifar-10-python.tar.gz": (
        r"data/cifar10\.npz: 50 training and 10 test images of 32x32x3, 10 classes",
    ),
    f"{RUN} --preset cifar10 --dry-run": (r"days\) with \d+ at once", r"data/cifar10\.npz"),
    "python -m studies.status": (r"(?m)^sigma_ablation-digits: (\d+) tasks: \1 done$",),
    "python -m studies.status sigma_ablation-digits": (
        r"(?m)^train-[0-9a-f]{16}  done  in \d+ s  \(.* training, seed \d+\)$",
    ),
    "python -m studies.status --watch": (r"(?m)^sigma_ablation-digits: (\d+) tasks: \1 done$",),
    "python -m studies.status --verify": (r"(?m)^0 damaged files in \d+ tasks$",),
    "python -m studies.score digits:test digits --extractor classifier": (
        r"(?m)^FD\[digits-256-levels-classifier:[0-9a-f]{8}\]@297: \d",
        r"(?m)^recall \(k = 3\): 0\.\d",
    ),
    "python -m studies.report --formats png pdf": (r"reports/index\.html",),
    "python -m studies.bundle sigma_ablation-digits": (
        r"(?m)^bundles/sigma_ablation-digits\.zip: \d+\.\d MB$",
        r"python -I verifier\.py bundles/sigma_ablation-digits\.zip",
    ),
    "python -m studies.prune": (r"(?m)^moments +\d+\.\d MB in +\d+ tasks: ",),
}
"""What each command shows, as the README says."""

MAKES = {
    "make study": ("python -m studies.run sweeps/sigma_ablation.yaml", "python -m studies.report"),
    'make study SWEEP=sweeps/x.yaml ARGS="--preset photos"': (
        "python -m studies.run sweeps/x.yaml --preset photos",
        "python -m studies.report",
    ),
    "make test": ('pytest -m "not slow and not gpu and not slurm"',),
    'make test MARKERS="not gpu and not slurm"': ('pytest -m "not gpu and not slurm"',),
    "make check": ("ruff check .", "ruff format --check .", "mypy"),
    "make cluster": ("-m tests.cluster up",),
    "make cluster-down": ("-m tests.cluster down",),
    "make examples": (
        f"{RUN} --preset photos",
        "python -m studies.report --out reports/examples --brief",
    ),
}
"""What each target starts once the environment is set up."""


BARE = ("make cluster", "make cluster-down")
"""Targets that need Python and nothing installed."""


def test_every_command_of_the_readme_has_a_test() -> None:
    assert set(COMMANDS) == {*PYTHON, *CLUSTER, *MAKE}
    assert set(PYTHON) == set(SAYS)
    assert set(MAKE) <= set(MAKES)


@pytest.mark.slow
@pytest.mark.parametrize("command", PYTHON)
def test_a_command_of_the_readme_does_what_it_says(checkout: Path, command: str) -> None:
    shown = printed(command, ROOT if "--preset cifar10" in command else checkout)
    assert [words for words in SAYS[command] if not re.search(words, shown)] == []


@pytest.mark.slow
def test_what_is_done_is_not_done_again(checkout: Path) -> None:
    before = results(checkout / "store")
    assert "started" not in printed(RUN, checkout)
    assert results(checkout / "store") == before


@pytest.mark.parametrize("command", dict.fromkeys([*MAKE, *spoken(CONTRIBUTING)]))
def test_a_target_sets_up_what_is_missing_and_starts_what_it_says(
    tmp_path: Path, command: str
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    shown = printed(command.replace("make", "make -n", 1), tmp_path)
    if command not in BARE:
        assert "-m venv .venv" in shown
        assert "pip install --quiet --constraint constraints.txt --editable" in shown
    assert [words for words in MAKES[command] if words not in shown] == []


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in MAKE if "study" in command])
def test_make_study_runs_a_sweep_and_prints_where_its_page_is(checkout: Path, command: str) -> None:
    shown = printed(command, checkout).splitlines()
    assert "reports/index.html" in shown
    study = "my_question-photos" if "x.yaml" in command else "sigma_ablation-digits"
    assert (checkout / "reports" / study / "index.html").exists()


# ----------------------------------------------------------------------------------------- options

OPTIONS = {
    "--set train.steps=500": "a setting is changed",
    "--seeds 11 12 13 14": "the old seeds stay",
    "--store FOLDER": "results live elsewhere",
    "--executor local": "the same bytes",
    "--executor inline": "the same bytes",
    "--workers N": "the same bytes",
    "--resource train.gpus=N": "GPUs share a training",
    "--retry failed": "failed tasks are run again",
    **dict.fromkeys(("--retry oom", "--retry timeout", "--retry lost"), "run has that choice"),
    "--retry diverged": "failed tasks are run again",
    "--preset NAME": "run by name in the commands",
    "--dry-run": "run by name in the commands",
    "--verbose": "told where a setting is changed",
    **dict.fromkeys(("--measure", "--devices"), "a dry run tells more"),
    "--no-training": "only networks that are there",
    "--decide": "decisions have a budget",
    **dict.fromkeys(("--budget 30m", "--budget 2h"), "decisions have a budget"),
    "--checkpoint-every 10m": "trainings save so often",
    "--images-per-pass N": "processes are told",
}
"""What is tested of each option of the table."""


def with_(claim: str) -> list[str]:
    return [option for option in options() if OPTIONS[option] == claim]


def test_every_option_of_the_table_has_a_test() -> None:
    assert set(options()) == set(OPTIONS)


def test_the_readme_tells_every_option_of_run() -> None:
    flags = [flag for action in run._parser()._actions for flag in action.option_strings]
    told = README.replace("`", " ").split()
    assert [flag for flag in flags if flag not in ("-h", "--help") and flag not in told] == []


@pytest.mark.parametrize("option", with_("a setting is changed"))
def test_a_setting_of_the_preset_is_changed(tmp_path: Path, option: str) -> None:
    folder = tiny_checkout(tmp_path)
    steps = 500 * 3 * 3 + 3  # of three networks under three seeds, and of the classifier
    told = printed(f"{RUN} {option} --dry-run --verbose", folder)
    assert re.search(rf"total .* {steps:,} ", told)


@pytest.mark.parametrize("option", with_("trainings save so often"))
def test_processes_of_a_run_are_told_how_often_trainings_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv(CHECKPOINT_EVERY, "60")
    sweep = str(SWEEPS / "noise_schedules.yaml")
    store = str(tmp_path / "store")
    assert run.main([sweep, "--store", store, "--dry-run", *option.split()]) == 0
    assert os.environ[CHECKPOINT_EVERY] == "600"


@pytest.mark.parametrize("option", with_("processes are told"))
def test_processes_of_a_run_are_told_how_many_images_share_a_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv(IMAGES_PER_PASS, "1")
    words = [str(SWEEPS / "noise_schedules.yaml"), "--store", str(tmp_path / "store"), "--dry-run"]
    assert run.main([*words, *option.replace("N", "64").split()]) == 0
    assert os.environ[IMAGES_PER_PASS] == "64"


@pytest.mark.parametrize("option", with_("GPUs share a training"))
def test_so_many_gpus_of_this_machine_share_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    words = [str(SWEEPS / "noise_schedules.yaml"), "--store", str(tmp_path / "store"), "--dry-run"]
    assert run.main([*words, "--executor", "local", *option.replace("N", "2").split()]) == 0
    assert "with 4 at once, of which 2 do a training together." in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("option", with_("only networks that are there"))
def test_only_networks_that_are_there_are_asked(tmp_path: Path, option: str) -> None:
    folder = tiny_checkout(tmp_path)
    refused = typed(f"{RUN} {option} --seeds 0", folder)
    assert refused.returncode == 2
    assert re.search(r"--no-training: expected networks .* that it lacks, such as ", refused.stderr)
    printed(f"{RUN} --seeds 0", folder)
    printed(f"{RUN} {option} --seeds 0", folder)


@pytest.mark.slow
@pytest.mark.parametrize("option", with_("results live elsewhere"))
def test_a_store_lies_where_it_is_asked_for(checkout: Path, option: str) -> None:
    usual = results(checkout / "store")
    printed(f"{RUN} {option} --seeds 11", checkout)
    elsewhere = results(checkout / "FOLDER")
    assert elsewhere == {address: usual[address] for address in elsewhere} != {}
    assert results(checkout / "store") == usual


@pytest.mark.slow
@pytest.mark.parametrize("option", with_("the old seeds stay"))
def test_other_seeds_add_to_what_the_old_ones_computed(checkout: Path, option: str) -> None:
    before = results(checkout / "store")
    shown = printed(f"{RUN} {option}", checkout)
    after = results(checkout / "store")
    assert before.items() < after.items()
    started = re.findall(r"(\S+): started", shown)
    assert set(started) == after.keys() - before.keys()


@pytest.mark.slow
@pytest.mark.parametrize("option", with_("the same bytes"))
def test_however_tasks_are_run_their_results_are_the_same(
    checkout: Path, tmp_path: Path, option: str
) -> None:
    store = tmp_path / "store"
    printed(f"{RUN} --seeds 11 --store {store} {option.replace('N', '1')}", checkout)
    found, usual = results(store), results(checkout / "store")
    assert found == {address: usual[address] for address in found} != {}


@pytest.mark.parametrize("option", with_("run has that choice"))
def test_a_class_of_failures_can_be_tried_again(option: str) -> None:
    assert run._parser().parse_args(["x.yaml", *option.split()]).retry == option.split()[1]


@pytest.mark.parametrize("option", with_("decisions have a budget"))
def test_the_budget_of_decisions_is_told_in_minutes_or_hours(option: str) -> None:
    told = run._parser().parse_args(["x.yaml", "--decide", *option.split()])
    assert told.decide
    assert told.budget == {"30m": 30 * 60, "2h": 2 * 3600}.get(option.split()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("option", with_("failed tasks are run again"))
def test_failed_tasks_are_run_again_when_asked(checkout: Path, tmp_path: Path, option: str) -> None:
    diverging = "--set train.optimizer.learning_rate=1e30 --set train.steps=40 --seeds 0"
    command = f"{RUN} --store {tmp_path / 'store'} --executor inline {diverging}"
    assert typed(command, checkout).returncode == 1
    assert "started" not in typed(command, checkout).stdout
    assert "started" in typed(f"{command} {option}", checkout).stdout


# -------------------------------------------------------------------------------- the rest of it


def test_the_sweep_of_the_readme_is_read_and_planned(tmp_path: Path) -> None:
    path = tmp_path / "my_question.yaml"
    path.write_text(written("study"))
    plan = expand(read_sweep(path))
    schedules, seeds, steps = ("linear", "cosine"), (0, 1, 2), (10, 50, 250)
    arms = [(cell.arm["schedule"], cell.seed, cell.arm["steps"]) for cell in plan.cells
            if cell.arm["evaluation"] == "samples"]  # fmt: skip
    assert sorted(arms) == sorted((a, b, c) for a in schedules for b in seeds for c in steps)
    assert len(plan.cells) == len(arms) + len(schedules) * len(seeds)
    assert plan.study == "my_question-digits"


def test_the_preset_of_the_readme_means_what_is_said(tmp_path: Path) -> None:
    preset = PRESET.format(data="digits", extractor=EXTRACTORS["digits"])
    preset = preset[: preset.index("sweeps:")] + written("when")
    preset = preset.replace("diffusion: {steps: 1000}", "diffusion: {steps: 4000}")
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "digits.yaml").write_text(
        re.sub(r"    exclude: \[\{steps.*\n", "", preset)
    )
    path = tmp_path / "my_question.yaml"
    path.write_text(written("study"))
    spec = read_sweep(path)
    assert spec.seeds == (0,)
    assert {(arm.train.diffusion.schedule, arm.train.network.dropout) for arm in spec.arms} == {
        ("linear", 0.1),
        ("cosine", 0.3),
    }
    sampled = {
        (arm.train.steps, arm.evaluation.steps)
        for arm in spec.arms
        if isinstance(arm.evaluation, SamplesConfig)
    }
    lengths = (200_000, 500_000)
    every = {(length, steps) for length in lengths for steps in (25, 100, 1000, 4000)}
    assert sampled == every - {(200_000, 4000)}


def test_the_readme_is_read_in_five_minutes() -> None:
    assert words("Two [words](and/no/address)\n\n```\nnone of these\n```\n| -- | here |\n") == 3
    assert 800 < words((ROOT / "README.md").read_text()) <= 950


def test_the_readme_says_which_jobs_do_not_go_on_by_themselves() -> None:
    paragraphs = (ROOT / "README.md").read_text().split("\n\n")
    (told,) = (" ".join(one.split()) for one in paragraphs if "go on where they were" in one)
    alone, _, others = told.partition(";")
    assert not re.search("killed|cancelled|memory", alone)
    assert not CAUSES["CANCELLED"].final
    assert "cancelled ones with the next run" in others
    asked = [cause.error for cause in CAUSES.values() if cause.final]
    assert re.findall(r"`--retry (\w+)`", others) == asked


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for path in (*DOCUMENTS, ROOT / "reports" / "examples" / "scorecard.md"):
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
        missing = [
            link for link in links if "://" not in link and not (path.parent / link).exists()
        ]
        assert missing == [], path


ROW = re.compile(
    r"^\| \[([\w-]+)\]\((\S+)#(\w+)\) \| ([a-z ]+)(?:, alone)? \| (.*?) \| (.*) \| [^|]* \|$",
    re.MULTILINE,
)
"""Of the scorecard: study, page, claim, verdict, what the claim says and what was measured."""


def judged(page: Path) -> list[str]:
    """The verdicts that a page shows, or a summary in Markdown."""
    shown = r'<td><span class="tag [a-z-]+">([a-z ]+)</span>'
    if page.suffix == ".md":
        shown = r'(?m)^\| <a id="\w+"></a>([a-z ]+) \|'
    return re.findall(shown, page.read_text())


def test_the_scorecard_is_that_of_the_committed_pages() -> None:
    rows = ROW.findall(SCORECARD)
    assert rows
    for path in dict.fromkeys(path for _, path, *_ in rows):
        shown = judged(ROOT / "reports" / "examples" / path)
        assert [verdict for _, other, _, verdict, *_ in rows if other == path] == shown


def test_the_scorecard_holds_every_claim_of_every_sweep_and_the_readme_counts_them() -> None:
    rows = [row for row in ROW.findall(SCORECARD) if row[0].endswith("-digits")]
    specs = [read_sweep(path) for path in (ROOT / "sweeps").glob("*.yaml")]
    asked = {(f"{spec.study}-digits", claim) for spec in specs for claim in spec.claims}
    assert len(rows) == len(asked)
    assert {(study, claim) for study, _, claim, *_ in rows} == asked
    assert all(says == CLAIMS[claim].says for _, _, claim, _, says, _ in rows)
    counts = Counter(verdict for *_, verdict, _, _ in rows)
    told = re.search(r"(\d+) of (\d+) verdicts are supported, (\d+) contradicted", README)
    assert told is not None
    numbers = [counts["supported"], len(rows), counts["contradicted"]]
    assert [int(number) for number in told.groups()] == numbers
    kinds = ("supported", "contradicted", "inconclusive")
    table = re.findall(r"^\| \[(\w+)\].* \[(\d+) / (\d+) / (\d+)\]", README, re.M)
    assert len(table) == 16
    for sweep, *shown in table:
        own = Counter(verdict for study, _, _, verdict, *_ in rows if study == f"{sweep}-digits")
        assert [int(number) for number in shown] == [own[kind] for kind in kinds], sweep


def test_a_network_that_is_named_is_one_of_the_study() -> None:
    told = re.findall(r"T=4000, seed=(\d+)|STUDY .*--seed (\d+)", README)
    assert len(told) == 4
    assert {int("".join(seed)) for seed in told} <= set(read_sweep(ROOT / SWEEP).seeds)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(checkout: Path) -> None:
    code = "\n".join(blocks(README, "python"))
    done = typed(f"python -c {shlex.quote(code)}", checkout)
    assert done.returncode == 0, done.stderr


def test_the_verdicts_of_the_readme_are_those_of_the_committed_page() -> None:
    table = README[README.index("| claim of the paper") :].split("\n\n")[0]
    told = [row.split("|")[2].strip() for row in table.splitlines()[2:]]
    page = (ROOT / "reports/examples/sigma_ablation-digits/index.html").read_text()
    shown = re.findall(r'<td><span class="tag [a-z-]+">([a-z ]+)</span>', page)
    assert told == shown[: len(told)]
