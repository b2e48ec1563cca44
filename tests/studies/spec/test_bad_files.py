"""Everything that can be wrong with the file of a sweep, and the sentence that says so."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from studies.spec import documents
from studies.spec.documents import MAX_BYTES
from studies.spec.sweep import read_sweep
from tests.witness.complaints import complaint
from tests.witness.sweep_files import write_sweep

BROKEN = {
    "study: x\n\tquestion: y\n": (
        "sweep.yaml:2: expected a sweep file, found a tab; YAML is indented with spaces"
    ),
    "study: x\ngrid:\n  \ttrain.steps: [1]\n": (
        "sweep.yaml:3: expected a sweep file, found a tab; YAML is indented with spaces"
    ),
    "study: x\nseeds: [0, 1\ngrid: {}\n": (
        "sweep.yaml:3: expected a sweep file, found broken YAML (expected ',' or ']', but got ':')"
    ),
    "study: 'x\n": (
        "sweep.yaml:2: expected a sweep file, found broken YAML (found unexpected end of stream)"
    ),
    "study: x\nstudy: y\n": "sweep.yaml:2: study: expected each key once, found it on line 1 too",
    "train:\n  steps: 1\n  seed: 1\n  steps: 1\n": (
        "sweep.yaml:4: train.steps: expected each key once, found it on line 2 too"
    ),
    "1: x\n": "sweep.yaml:1: key: expected a name as key, found 1",
    "? [a]\n: x\n": "sweep.yaml:1: key: expected a name as key, found a collection",
    "train: {? [a] : x}\n": "sweep.yaml:1: train: expected a name as key, found a collection",
    "study: !!python/name:os.system x\n": (
        "sweep.yaml:1: study: expected a plain value, found 'x' tagged "
        "tag:yaml.org,2002:python/name:os.system"
    ),
    "study: !!int x\n": (
        "sweep.yaml:1: study: expected a plain value, found 'x' tagged tag:yaml.org,2002:int"
    ),
    "study: *x\n": (
        "sweep.yaml:1: expected a sweep file, found broken YAML (found undefined alias 'x')"
    ),
    "study: &x [*x]\n": (
        "sweep.yaml:1: expected a sweep file, found values nested without end; an alias may stand "
        "inside what it names"
    ),
    "[" * 500: (
        "sweep.yaml:1: expected a sweep file, found values nested without end; an alias may stand "
        "inside what it names"
    ),
    "study: x\n---\nstudy: y\n": (
        "sweep.yaml:2: expected a sweep file, found broken YAML (but found another document)"
    ),
    "study: \x07\n": "sweep.yaml:1: expected a sweep file, found the character U+0007: not text",
    "": "sweep.yaml:1: expected a sweep file, found an empty document",
    "- study\n": (
        "sweep.yaml:1: study: expected a sweep file with keys such as study, found ['study']"
    ),
}
TOO_MANY = (
    "expected at most 20000 values in a file, found more (an alias counts as often as it is "
    "used); split the sweep into several"
)


@pytest.mark.parametrize("sweep", BROKEN, ids=BROKEN.get)
def test_broken_yaml_is_refused_with_its_line(tmp_path: Path, sweep: str) -> None:
    assert complaint(tmp_path, sweep) == BROKEN[sweep]


def test_a_few_aliases_that_stand_for_millions_of_values_are_refused(tmp_path: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefgh")]
    assert complaint(tmp_path, "\n".join(lines)).endswith(TOO_MANY)


def test_more_values_than_a_sweep_can_mean_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_VALUES", 50)
    assert complaint(tmp_path, f"seeds:\n  [{'1,' * 60}]\n") == (
        f"sweep.yaml:2: {TOO_MANY.replace('20000', '50')}"
    )


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    sweep = "a: &a [1]\n" + "b: *a\n" * (50_000_000 // 6)
    assert complaint(tmp_path, sweep) == (
        "sweep.yaml: expected a sweep file of at most 1 MB, found 50 MB"
    )
    assert MAX_BYTES == 1_000_000


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "sweep.npz", np.arange(9))
    with pytest.raises(ConfigError, match=r"expected a sweep file in UTF-8 text, found binary dat"):
        read_sweep(tmp_path / "sweep.npz")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"expected a sweep file, found a directory; name a \.yaml"
    ):
        read_sweep(tmp_path)


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="found something that is not a file"):
        read_sweep("/dev/null")


def test_a_missing_sweep_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    with pytest.raises(ConfigError) as refusal:
        read_sweep(tmp_path / "swep.yaml")
    assert str(refusal.value) == (
        f"{tmp_path}/swep.yaml: expected a sweep file, found no such file; did you mean '{path}'?"
    )


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found no such file; there are none"):
        read_sweep(tmp_path / "no" / "sweep.yaml")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sweep(tmp_path)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match="found one unreadable: Permission denied"):
        read_sweep(path)
