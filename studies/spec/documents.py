"""YAML text as a tree of values that know where they were written.

The tree holds plain values only (mappings with text keys, lists, text, numbers, true, false,
null), so a message about any of them can say its file and line. Numbers are read as YAML 1.2 and
people mean them: `1e-4` is a number, `010` is ten, and `on` is text.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iddpm.bounds import ConfigError
from iddpm.registry import nearest as nearest
from iddpm.running.files import REMEDIES_OF_READING

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
"""How many values a document may hold, each alias counted as often as it is used."""

MAX_DIGITS = 1000
"""How many digits a whole number may have; more take Python ever longer to read."""

MAX_KEY = 200
"""How many letters a key may have."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value and the place where it was written: `file:line`, or the option of a command."""

    value: "Scalar | list[Node] | dict[str, Node]"
    place: str
    written: str = ""
    """How nothing was written, `~` or `null`; empty: it was not written at all."""

    @property
    def plain(self) -> Any:
        """The value alone; lists as tuples."""
        if isinstance(self.value, dict):
            return {key: child.plain for key, child in self.value.items()}
        if isinstance(self.value, list):
            return tuple(child.plain for child in self.value)
        return self.value


def fault(node: Node, path: str, expected: str, *, found: str = "", hint: str = "") -> ConfigError:
    """The error that says what is wrong with `node`, to be raised by the caller."""
    return ConfigError(path, expected, found or shown(node), hint, node.place)


def children(node: Node, path: str) -> dict[str, Node]:
    """The keys of a mapping, each with its value; nothing at all is an empty mapping.

    Raises:
        ConfigError: If it is anything else.
    """
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise fault(node, path, "a mapping")
    return node.value


def only(node: Node, path: str, known: Iterable[str]) -> dict[str, Node]:
    """The keys of a mapping, each with its value, if all of them are known.

    Raises:
        ConfigError: If it is no mapping, or has a key that is not known; names the nearest.
    """
    for key, child in (found := children(node, path)).items():
        if key not in (names := list(known)):
            where = f"{path}.{key}" if path else key
            raise ConfigError(where, "", "no such key", nearest(key, names), child.place)
    return found


def items(node: Node, path: str, expected: str, hint: str = "") -> list[Node]:
    """The entries of a list that has at least one.

    Raises:
        ConfigError: If it is no list, or has none; `expected` says of what.
    """
    if not isinstance(node.value, list) or not node.value:
        raise fault(node, path, expected, hint=hint)
    return node.value


def shown(node: Node) -> str:
    """A value as a message shows it: short, and spelled as in YAML."""
    if isinstance(node.value, dict):
        return f"a mapping of {', '.join(map(repr, list(node.value)[:5]))}" if node.value else "{}"
    if isinstance(node.value, list):
        items = f"[{', '.join(map(shown, node.value[:8]))}]"
        return items if len(items) <= 40 else f"a list of {len(node.value)}"
    if node.value is None:
        return f"nothing ({node.written})" if node.written else "nothing"
    return "true" if node.value is True else "false" if node.value is False else short(node.value)


def short(value: object) -> str:
    """A value as Python writes it, cut where that is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def number_in(text: str) -> int | float | None:
    """The number that a plain scalar of this spelling is; None: it is none."""
    for name in ("int", "float"):
        spelling, _, value = _SCALARS[name]
        if re.fullmatch(spelling, text):
            found = value(text)
            assert isinstance(found, int | float)
            return found
    return None


def layered(under: Node, over: Node) -> Node:
    """`over` laid upon `under`: mappings key by key, all else replaced.

    A mapping that names its `kind` replaces too: another choice starts from its own defaults.
    """
    if not (isinstance(under.value, dict) and isinstance(over.value, dict)):
        return over
    if "kind" in over.value:
        return over
    value = dict(under.value)
    for key, child in over.value.items():
        value[key] = layered(value[key], child) if key in value else child
    return Node(value, over.place if over.value else under.place)


def completed(tree: Node, usual: Node) -> Node:
    """`tree` with what it leaves out taken from `usual`, except the settings of another choice."""
    if not (isinstance(tree.value, dict) and isinstance(usual.value, dict)):
        return tree
    value, others = dict(tree.value), usual.value
    ours, theirs = (kind and kind.value for kind in (value.get("kind"), others.get("kind")))
    if ours != theirs:
        return tree
    for key, child in others.items():
        value[key] = completed(value[key], child) if key in value else child
    return Node(value, tree.place)


# ----------------------------------------------------------------------------------- from files


def read_text(path: Path, what: str, *, siblings: str = "*.yaml") -> str:
    """The text of a file.

    Raises:
        ConfigError: If it is missing (the nearest of its siblings is named), not a file, larger
            than MAX_BYTES, not text, or not readable.
    """
    place = str(path)
    try:
        if not path.is_file() and path.lstat():
            found = "a directory" if path.is_dir() else "something that is not a file"
            found = "a link that leads to no file" if path.is_symlink() else found
            raise ConfigError("", what, found, "name a .yaml file", place)
        if (size := path.stat().st_size) > MAX_BYTES:
            expected = f"{what} of at most {MAX_BYTES / 1e6:g} MB"
            raise ConfigError("", expected, f"{size / 1e6:.3g} MB", place=place)
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        others = [str(other) for other in sorted(path.parent.glob(siblings))]
        raise ConfigError("", what, "no such file", nearest(place, others), place) from None
    except OSError as error:
        found = f"one unreadable: {error.strerror or error}"
        remedy = REMEDIES_OF_READING.get(error.errno or 0, "look there")
        raise ConfigError("", what, found, remedy, place) from error
    except UnicodeDecodeError as error:
        found = f"binary data at byte {error.start}"
        hint = "if it is text, save it as UTF-8"
        raise ConfigError("", f"{what} in UTF-8 text", found, hint, place) from error
    return text


def parse(text: str, place: Callable[[int], str], what: str) -> Node:
    """The tree of one YAML document.

    Args:
        text: The document.
        place: From a line number, counted from 1, to the place that messages name.
        what: What the document is, in the words of a message.

    Raises:
        ConfigError: If it is broken (with the line), empty, repeats a key, nests too deeply or
            holds, once its aliases are written out, more than MAX_VALUES values.
    """
    try:
        root = _Loader(text, place).get_single_node()
        if root is None:
            raise ConfigError("", what, "an empty document", place=place(1))
        return _Converter(place).convert(root, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = place(mark.line + 1 if mark else 1)
        raise ConfigError("", what, _broken(error), place=where) from error
    except yaml.reader.ReaderError as error:
        where = place(text.count("\n", 0, error.position) + 1)
        raise ConfigError("", what, _no_text(error.character), place=where) from error
    except RecursionError:
        found = "values nested without end; an alias may stand inside what it names"
        raise ConfigError("", what, found, place=place(1)) from None


def _no_text(character: int) -> str:
    return f"the character U+{character:04X}: not text"


def _broken(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join((error.problem or error.context or "no reason given").split())
    if "'\\t'" in problem:
        return "a tab; YAML is indented with spaces"
    return f"broken YAML ({problem})"


class _Count:
    """Values met so far, refused beyond MAX_VALUES."""

    def __init__(self, place: Callable[[int], str]) -> None:
        self._place = place
        self._values = 0

    def one_more(self, line: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            expected = f"at most {MAX_VALUES} values in a file"
            found = "more (an alias counts as often as it is used)"
            hint = "split the sweep into several"
            raise ConfigError("", expected, found, hint, self._place(line))


class _Loader(yaml.SafeLoader):
    """Reads plain scalars by YAML 1.2's core schema, and `1e-4` as the number it means."""

    def __init__(self, text: str, place: Callable[[int], str]) -> None:
        super().__init__(text)
        self._count = _Count(place)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        node = super().compose_node(parent, index)
        self._count.one_more(node.start_mark.line + 1 if node else 1)
        return node


def _number(text: str) -> int | float:
    """The number of a text: 1e5 is a whole one, 1.0e5 and 1e-5 are not."""
    if text.lower().endswith((".inf", ".nan")):
        return float(text.replace(".", ""))
    value = float(text)
    return int(value) if "." not in text and value.is_integer() else value


_DIGITS = "0123456789"
_SCALARS: dict[str, tuple[str, str, Callable[[str], Scalar]]] = {
    "null": (r"|~|null|Null|NULL", "~nN", lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]+", "-+" + _DIGITS, int),
    "float": (
        r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN)",
        "-+." + _DIGITS,
        _number,
    ),
}
"""How the plain scalars of each type are spelled, how they begin, and how they are read."""

_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {}
for _name, (_spelling, _first, _) in _SCALARS.items():
    _letters = ["", *_first] if _name == "null" else list(_first)
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_spelling})$"), _letters)


class _Converter:
    """YAML nodes to a tree of Nodes; aliases are written out and counted."""

    def __init__(self, place: Callable[[int], str]) -> None:
        self._place = place
        self._count = _Count(place)

    def convert(self, node: yaml.Node, path: str) -> Node:
        line = node.start_mark.line + 1
        self._count.one_more(line)
        place = self._place(line)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return Node(dict(self._items(node, path)), place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            items = enumerate(node.value)
            return Node([self.convert(item, f"{path}[{i}]") for i, item in items], place)
        value = _scalar(node, place, path)
        return Node(value, place, node.value if value is None else "")

    def _items(self, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, Node]]:
        lines: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            place = self._place(line)
            key = _key(key_node, place, path or "key")
            inner = f"{path}.{key}" if path else key
            if key == "<<":
                found = "a merge key (<<), which is not read"
                hint = "write the settings here once more"
                raise ConfigError(inner, "settings by their names", found, hint, place)
            if key in lines:
                found = f"it on line {lines[key]} too"
                raise ConfigError(inner, "each key once", found, place=place)
            lines[key] = line
            yield key, self.convert(value, inner)


def _key(node: yaml.Node, place: str, path: str) -> str:
    if node.tag != f"{_TAG}str":
        found = node.value if isinstance(node.value, str) else "a collection"
        raise ConfigError(path, "a name as key", f"{found:.60}", place=place)
    key = _text(node.value, place, path)
    if len(key) > MAX_KEY:
        expected = f"a key of at most {MAX_KEY} letters"
        raise ConfigError(path, expected, f"one of {len(key)}", place=place)
    return key


def _scalar(node: yaml.Node, place: str, path: str) -> Scalar:
    if node.tag == f"{_TAG}str":
        return _text(node.value, place, path)
    spelling, _, value = _SCALARS.get(node.tag.removeprefix(_TAG), (None, "", str))
    if spelling is None or not re.fullmatch(spelling, node.value):
        found = f"{short(node.value)} tagged {short(node.tag)[1:-1]}"
        raise ConfigError(path, "a plain value", found, place=place)
    if len(node.value) > MAX_DIGITS:
        expected = f"a number of at most {MAX_DIGITS} digits"
        raise ConfigError(path, expected, f"one of {len(node.value)}", place=place)
    return value(node.value)


def _text(text: str, place: str, path: str) -> str:
    """The text, if it can be written to a file and be the name of one."""
    for letter in text:
        if letter == "\0" or "\ud800" <= letter <= "\udfff":
            raise ConfigError(path, "text", _no_text(ord(letter)), place=place)
    return text
