"""Settings behind a row: told by the path that holds them, or not at all."""

from pathlib import Path

import pytest

from studies.bundling import behind
from studies.store.store import Store, StoreError

TASK = {
    "needs": {},
    "config": {"seed": 1, "objective": {"kind": "vlb"}, "network": {"heads": 2, "at": [4]}},
}


def test_a_setting_is_told_where_the_config_says_it_and_rows_agree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(behind, "_identity", lambda store, address: TASK)
    row = {"evaluation": "train", "address": "train-0", "objective": "vlb", "seed": 1, "T": 1000}
    row |= {"train.network.heads": 2, "train.network.at": "4"}
    told = behind.settings_behind(Store(tmp_path), [row])
    assert told["train"] == {
        "seed": [[], ["seed"]],
        "objective": [[], ["objective", "kind"]],
        "train.network.heads": [[], ["network", "heads"]],
    }
    told = behind.settings_behind(Store(tmp_path), [row, row | {"train.network.heads": 3}])
    assert set(told["train"]) == {"seed", "objective"}
    with pytest.raises(StoreError, match=r"seed: expected what the tasks behind rows of train"):
        behind.settings_behind(Store(tmp_path), [row, row | {"seed": 3}])
