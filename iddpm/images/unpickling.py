"""Arrays out of pickles that anybody may have written: nothing that a pickle asks for is run.

A pickle is a program. This reader knows what a dictionary, a list, a number, a text and an array
of numbers are written as, and gives stand-ins for NumPy's own functions, which only note what they
are told; whatever else a pickle names is refused before it is looked up. The same reader lists the
tensors of a checkpoint of torch, whose numbers lie beside its pickle. It is the reader that
Python has beside its fast one, which takes memory for as many references as a pickle claims.
"""

import codecs
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

KINDS = "biuf"
"""Of the arrays that are taken: numbers."""


class RefusedError(ValueError):
    """A pickle asks for more than numbers in plain containers: says for what."""


class _Dtype:
    """Stands for `numpy.dtype`: its name and its byte order."""

    __slots__ = ("_order", "_text")

    def __init__(self, text: Any, align: Any = False, copy: Any = True) -> None:
        self._text, self._order = _text(text), "="

    def take(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1:
            self._order = _text(state[1])

    def real(self) -> np.dtype[Any]:
        found = np.dtype(self._text)
        if self._order in "<>":
            found = found.newbyteorder("<" if self._order == "<" else ">")
        if found.kind not in KINDS:
            raise RefusedError(f"an array of {found}, where numbers are expected")
        return found


class _NoArray:
    """Stands for `numpy.ndarray`, which is only ever named."""


class _Array:
    """Stands for an array: what its state is."""

    __slots__ = ("_state",)

    def __init__(self, *_: Any) -> None:
        self._state: Any = None

    def take(self, state: Any) -> None:
        self._state = state

    def real(self) -> NDArray[Any]:
        match self._state:
            case (_, tuple() as shape, _Dtype() as dtype, is_fortran, bytes() as content):
                numbers = np.frombuffer(content, dtype.real())
                return numbers.reshape(shape, order="F" if is_fortran else "C")
        raise RefusedError("an array without its numbers")


class _Buffered(_Array):
    """Stands for an array as newer pickles write it: its bytes, dtype, shape and order."""

    def __init__(self, content: Any, dtype: Any, shape: Any, order: Any) -> None:
        super().__init__()
        self._state = (0, shape, dtype, order == "F", bytes(content))


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes, as Python 3 writes them into a pickle of Python 2."""
    if not isinstance(text, str) or codecs.lookup(_text(encoding)).name != "iso8859-1":
        raise RefusedError(f"text in the encoding {encoding!r:.40}")
    return text.encode("latin1")


class _Named(dict[Any, Any]):
    """Stands for `collections.OrderedDict`; what else torch hangs on it is not looked at."""

    def take(self, state: Any) -> None:
        pass


_CORES = ("numpy.core", "numpy._core")

ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _NoArray,
    **{(f"{core}.multiarray", "_reconstruct"): _Array for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _Buffered for core in _CORES},
    ("_codecs", "encode"): _encode,
}
"""What a pickle may name, and what it gets for it."""


class _Unpickler(pickle._Unpickler):
    stack: list[Any]
    read: Callable[[int], bytes]
    allowed: ClassVar[Mapping[tuple[str, str], Any]] = ALLOWED

    def find_class(self, module: str, name: str, /) -> Any:
        """A stand-in; nothing is imported."""
        if (module, name) not in self.allowed:
            raise RefusedError(f"it asks for {module}.{name}"[:80])
        return self.allowed[module, name]

    def persistent_load(self, pid: Any, /) -> Any:
        """There is nothing beside the pickle."""
        raise RefusedError("it refers to what lies beside it")

    def load_build(self) -> None:
        """A stand-in takes its state; nothing else of this process is changed."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, _Dtype | _Array | _Named):
            raise RefusedError("it changes what is no array")
        target.take(state)

    def load_bytearray8(self) -> None:
        """Bytes, for which no memory is taken before they are there."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.stack.append(self.read(size))

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }


def unpickled(file: IO[bytes]) -> dict[str, Any]:
    """The dictionary of a pickle: its arrays, lists, texts and numbers by their names.

    Args:
        file: At the beginning of the pickle; of Python 2 or 3.

    Raises:
        RefusedError: If it asks for anything else, or is no whole pickle of a dictionary.
    """
    found = _loaded(_Unpickler(file, encoding="bytes"))
    if type(found) is not dict:
        raise RefusedError(f"a {type(found).__name__}, where a dictionary is expected")
    with _refusing():
        return {_text(key): _real(value) for key, value in found.items()}


def _loaded(unpickler: _Unpickler) -> Any:
    with _refusing():
        return unpickler.load()


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever the reader of foreign bytes raises is a refusal of them."""
    try:
        yield
    except RefusedError:
        raise
    except (EOFError, IndexError, KeyError, struct.error) as error:
        raise RefusedError("it is cut short or damaged") from error
    except Exception as error:
        raise RefusedError(str(error) or type(error).__name__) from error


def _real(value: Any) -> Any:
    return value.real() if isinstance(value, _Array) else value


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise RefusedError(f"a {type(value).__name__}, where a text is expected")
    return value


# ------------------------------------------------------------------------- checkpoints of torch


class Storage(NamedTuple):
    """Numbers that lie beside a pickle."""

    name: str
    dtype: str
    size: int
    """How many."""


class Tensor(NamedTuple):
    """A tensor as a pickle describes it."""

    shape: tuple[int, ...]
    storage: Storage


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, gradient: Any, hooks: Any
) -> Tensor:
    """What `torch._utils._rebuild_tensor_v2` is told."""
    sizes = (*shape, *strides, offset)
    if not isinstance(storage, Storage) or not all(type(n) is int and n >= 0 for n in sizes):
        raise RefusedError("a tensor without its numbers")
    steps = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    if 0 not in shape and offset + sum(steps) >= storage.size:
        raise RefusedError("a tensor larger than its numbers")
    return Tensor(tuple(shape), storage)


class _TensorUnpickler(_Unpickler):
    allowed: ClassVar[Mapping[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): _Named,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        **{("torch", f"{name}Storage"): name for name in ("Float", "Half", "BFloat16", "Double")},
        **{("torch", f"{name}Storage"): name for name in ("Long", "Int", "Bool", "Byte")},
    }

    def persistent_load(self, pid: Any, /) -> Any:
        """What lies beside the pickle, as it is called."""
        match pid:
            case ("storage", str() as dtype, str() as name, _, int() as count, *_):
                return Storage(name, dtype, count)
        raise RefusedError("it refers to what is no tensor")


def listed_tensors(file: IO[bytes], *, before: int = 0) -> dict[str, Tensor]:
    """The tensors of a pickled state dict by their names, without their numbers.

    Args:
        file: At the beginning of the pickle.
        before: How many other pickles come first, which are passed over.

    Raises:
        RefusedError: If it holds or asks for anything else, or is no whole pickle.
    """
    for _ in range(before):
        _loaded(_TensorUnpickler(file))
    found = _loaded(_TensorUnpickler(file))
    if not isinstance(found, dict):
        raise RefusedError(f"a {type(found).__name__}, where a state dict is expected")
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise RefusedError(f"{key!r:.40} of it is no tensor")
    return found
