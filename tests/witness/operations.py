"""What torch is told to do, operation by operation: on a GPU each one is launched by itself."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2")
"""Operations whose outcome the processor needs: it waits until the device has got so far."""

WITHOUT_KERNEL = {
    *("view", "_unsafe_view", "_reshape_alias", "reshape", "t", "transpose", "permute", "select"),
    *("slice", "split", "split_with_sizes", "unsqueeze", "squeeze", "expand", "detach", "alias"),
    *("unbind", "as_strided", "empty", "empty_like", "empty_strided", "new_empty_strided", "chunk"),
    *("new_empty", "promote_types"),
}
"""Operations that touch no number."""


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations inside it by name; those that touch no number are left out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """As it would be, and counted."""
        name = str(func).removeprefix("aten.").partition(".")[0]
        if name not in WITHOUT_KERNEL:
            self.counts[name] += 1
        if name == "index" and any(_is_mask(index) for index in args[1]):
            self.counts["nonzero"] += 1
        return func(*args, **kwargs or {})

    @property
    def total(self) -> int:
        """Of all operations."""
        return self.counts.total()

    @property
    def casts(self) -> int:
        """Copies to another type."""
        return self.counts["_to_copy"]

    @property
    def asked(self) -> dict[str, int]:
        """Operations for whose outcome the processor waits, by name."""
        return {name: self.counts[name] for name in ASKING if self.counts[name]}


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype == torch.bool
