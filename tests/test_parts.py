"""CI runs a part of the slow tests each day: together the parts are all of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import pytest_collection_modifyitems


def kept(part: str | None, files: str = "abcdefg") -> list[str]:
    """What a part keeps of two tests in each of some files."""
    items: list[Any] = [SimpleNamespace(path=Path(name), name=n) for name in files for n in "12"]
    dropped: list[Any] = []
    hook = SimpleNamespace(pytest_deselected=lambda items: dropped.extend(items))
    config: Any = SimpleNamespace(getoption=lambda name: part, hook=hook)
    both = list(items)
    pytest_collection_modifyitems(config, items)
    assert [one for one in both if one not in dropped] == items
    return [f"{item.path}{item.name}" for item in items]


@pytest.mark.parametrize("parts", [1, 2, 4, 9])
def test_the_parts_are_all_tests_once_and_no_file_is_cut(parts: int) -> None:
    found = [kept(f"{k}/{parts}") for k in range(1, parts + 1)]
    assert sorted(name for part in found for name in part) == kept(None)
    files = [{name[0] for name in part} for part in found]
    assert sum(map(len, files)) == 7
    assert max(map(len, files)) - min(map(len, files)) <= 1


@pytest.mark.parametrize("part", ["0/2", "3/2", "2", "1/x"])
def test_there_is_no_other_part(part: str) -> None:
    with pytest.raises(pytest.UsageError, match="K from 1 to N"):
        kept(part)
