"""Counts far beyond anything possible: refused with their bound, also before a mere look."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from iddpm.bounds import MOST_SEED, ConfigError
from iddpm.config_fields import written
from studies import run
from studies.plan import checks
from studies.plan.plan import expand
from studies.spec.documents import parse
from studies.spec.evaluations import RIVAL_TYPES, SCOPES
from studies.spec.reading import _members
from studies.spec.resources import Resources, resources
from studies.spec.sweep import read_sweep
from tests.witness.sweep_files import SWEEP, write_sweep

HUGE = [str(10**11), "1" + "0" * 400, "1e300"]


def count_keys(hint: Any, path: str) -> Iterator[str]:
    """Dotted names of all settings that are whole numbers."""
    for member in _members(hint):
        hints = get_type_hints(member)
        choice = get_args(hints["kind"])[0] if "kind" in hints else ""
        for item in fields(member):
            inner, name = hints[item.name], written(item)
            if int in (inner, *get_args(inner)) and get_origin(inner) is not tuple:
                yield f"{path}{f'.{choice}' if choice else ''}.{name}"
            yield from count_keys(inner, f"{path}{f'.{choice}' if choice else ''}.{name}")


KEYS = sorted(
    key
    for scope in SCOPES
    if scope not in RIVAL_TYPES
    for key in count_keys(SCOPES[scope], scope)
    if not re.search(r"\.(digits|declared|objective|timesteps|data\.npz)\.|seed", f"{key}.")
)


def test_the_settings_that_are_counts_are_found() -> None:
    assert {"train.steps", "train.diffusion.steps", "samples.reference.keep"} < set(KEYS)
    assert {"samples.extractor.classifier.channels", "train.data.photos.train_images"} < set(KEYS)


CHOICES = {
    "folder": "path: x, size: 8",
    "photos": "",
    "classifier": "",
    "random": "",
    "npz": "",
    "openai": "path: x",
    "safetensors": "path: x",
    "diffusers": "path: x",
}
"""Those that a key may name, with what they need."""


def setting(key: str, value: str) -> tuple[str, str]:
    """The setting as an option: below the name of a choice, as the mapping that chooses it."""
    *names, last = key.split(".")
    if names[-1] not in CHOICES:
        return key, value
    needs = [need for need in CHOICES[names[-1]].split(", ") if not need.startswith(last)]
    settings = ", ".join([*filter(None, needs), f"{last}: {value}"])
    return ".".join(names[:-1]), f"{{{names[-1]}: {{{settings}}}}}"


@pytest.mark.parametrize("key", KEYS)
def test_every_count_is_refused_with_its_bound(tmp_path: Path, key: str) -> None:
    scope = key.partition(".")[0]
    evaluation = {"train": "likelihood", "samples": "samples: {steps: 10}"}.get(scope, scope)
    sweep = f"{SWEEP[: SWEEP.index('evaluate:')]}evaluate: [{evaluation}]\n".replace(
        "[samples: {steps: 10}]", "[{samples: {steps: 10}}]"
    )
    path = write_sweep(tmp_path, sweep)
    for huge in HUGE:
        with pytest.raises(ConfigError) as refusal:
            expand(read_sweep(path, overrides=[setting(key, huge)]), outlined=True)
        assert len(str(refusal.value)) < 400
        assert re.search("expected (at most|a divisor|from 2 to)", str(refusal.value)), key


@pytest.mark.parametrize("name", [item.name for item in fields(Resources)])
def test_every_count_of_a_resource_is_refused_with_its_bound(name: str) -> None:
    hint = get_type_hints(Resources)[name]
    if hint not in (int, float):
        return
    layer = parse(f"train: {{{name}: {10**11}}}", lambda line: "r.yaml", "resources")
    with pytest.raises(ConfigError, match=rf"resources.train.{name}: expected at most \d+, found"):
        resources([layer])


def test_seeds_beyond_what_tables_hold_are_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    read_sweep(path, seeds=[MOST_SEED])
    with pytest.raises(ConfigError, match=rf"seeds: expected whole numbers of at most {MOST_SEED}"):
        read_sweep(path, seeds=[2**64])
    for key in ("train.seeds.weights", "samples.noise_seed"):
        with pytest.raises(ConfigError, match=rf"{key}: expected at most {MOST_SEED}, found"):
            read_sweep(path, seeds=[0], overrides=[(key, str(MOST_SEED + 1))])


def test_a_plan_of_too_many_tasks_is_refused_where_most_of_them_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sweep(tmp_path)
    with pytest.raises(ConfigError) as refusal:
        expand(read_sweep(path, overrides=[("samples.images", "100000000")]))
    assert str(refusal.value).replace(f"{tmp_path}/", "") == (
        "presets/tiny.yaml:11: evaluate[1].samples.shard_blocks: expected at most 50000 tasks in a "
        "plan, found about 12500004; ask for fewer images or arms, or give each task more blocks"
    )
    expand(read_sweep(path))
    monkeypatch.setattr(checks, "MAX_TASKS", 10)
    with pytest.raises(ConfigError, match="at most 10 tasks in a plan, found about 20;"):
        expand(read_sweep(path))


OPTIONS = {
    ("--workers", "-1"): "expected a number of at least 1, found '-1'",
    ("--workers", "0"): "expected a number of at least 1, found '0'",
    ("--workers", "1e9"): "expected a number of at least 1, found '1e9'",
    ("--workers", "1000000000"): "expected a number of at most 10000, found '1000000000'",
    ("--workers", "9" * 5000): f"expected a number of at most 10000, found '{'9' * 56}...",
    ("--max-parallel", "10001"): "expected a number of at most 10000, found '10001'",
    ("--max-gpu-hours", "nan"): "expected a number of at least 0, found 'nan'",
    ("--pack", "inf"): "expected a number of at least 0, found 'inf'",
    ("--pack", "1e10"): "expected a number of at most 1000000000, found '1e10'",
    ("--seeds", "1e3"): "expected a whole number, found '1e3'",
    ("--seeds", "9" * 5000): f"expected a whole number, found '{'9' * 56}...",
    (
        "--seeds",
        "-1",
    ): "--seeds: seeds: expected whole numbers of at least 0, each once, found [-1]",
    ("--seeds", str(2**64)): f"--seeds: seeds: expected whole numbers of at most {MOST_SEED}",
}


@pytest.mark.parametrize(("option", "value"), OPTIONS)
def test_options_are_refused_with_their_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    path = write_sweep(tmp_path)
    code: object
    try:
        code = run.main([str(path), "--store", str(tmp_path / "s"), "--dry-run", option, value])
    except SystemExit as end:
        code = end.code
    told = capsys.readouterr().err
    assert code == 2
    assert OPTIONS[option, value] in told
    assert len(told) < 2000
