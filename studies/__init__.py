"""Which runs, where, and what they add up to.

`studies.open("store")` reads the studies of a store from Python; see `studies.opened`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studies.opened import Studies

__all__ = ["open"]


def open(store: "Path | str" = "store") -> "Studies":
    """The studies of a store by their ids.

    Args:
        store: Its folder.

    Raises:
        StoreError: If there is no such folder, or it is no store.
    """
    from studies.opened import Studies  # pandas: not needed by whoever plans a sweep

    return Studies(store)
