"""A tree of a document read as the frozen dataclasses of `iddpm.config`, and nothing else.

The type says how a value is read: a dataclass field by field, a union of dataclasses by its
`kind`, anything else by pydantic, strictly. A choice may be written `ddim`, `{ddim: {eta: 0.5}}`
or `{kind: ddim, eta: 0.5}`; `spelled_out` turns the first two into the last, after which layers
of settings can be laid upon one another and single settings compared.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import lru_cache, partial, reduce
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from iddpm.bounds import ConfigError
from iddpm.config_fields import kinds, written
from studies.spec.documents import Node, Scalar, fault, nearest, number_in, shown

LONGEST_NUMBER = 40
"""How long a text may be that a hint takes for a number."""

Keys = tuple[str, ...]
"""Field names from a config down to one setting: ("objective", "vlb_weight")."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    """In Python; a file may call it otherwise."""
    hint: Any
    default: Any
    """MISSING: the field must be given."""


# ------------------------------------------------------------------------------- public things


def read(hint: Any, node: Node, path: str) -> Any:
    """The value of type `hint` that `node` (spelled out) describes.

    Raises:
        ConfigError: At the first thing wrong: file and line, dotted path, expected, found, hint.
    """
    members = _members(hint)
    if not members or _is_no_choice(hint, node):
        return _leaf(hint, node, path)
    if not isinstance(node.value, dict):
        raise _no_such_choice(members, node, path)
    return _build(_member(members, node, path), node, path)


def spelled_out(hint: Any, node: Node, path: str) -> Node:
    """`node` with every choice written as a mapping with its `kind`; otherwise as it was.

    Raises:
        ConfigError: If the settings of a choice are not a mapping, or name a kind once more.
    """
    members = _members(hint)
    if not members:
        return node
    by_kind = _by_kind(members)
    value = node.value
    if isinstance(value, str) and value in by_kind:
        return Node({"kind": node}, node.place)
    if not isinstance(value, dict):
        return node
    if len(value) == 1 and (name := next(iter(value))) in by_kind:
        settings = _settings(value[name], f"{path}.{name}", by_kind[name])
        value = {"kind": Node(name, node.place), **settings}
    known = _fields_of(members)
    return Node(
        {
            key: spelled_out(known[key].hint, child, f"{path}.{key}") if key in known else child
            for key, child in value.items()
        },
        node.place,
    )


def nested(keys: Keys, node: Node) -> Node:
    """`node` under the given keys: what a dotted key stands for."""
    for key in reversed(keys):
        node = Node({key: node}, node.place)
    return node


def leaves(hint: Any, node: Node, path: str) -> Iterator[tuple[Keys, Any]]:
    """Every setting that `node` (spelled out, perhaps partial) names, with its typed value.

    Raises:
        ConfigError: If a name or a value cannot be one of the type's.
    """
    members = _members(hint)
    if not members or _is_no_choice(hint, node):
        yield (), _leaf(hint, node, path)
        return
    if not isinstance(node.value, dict):
        raise _no_such_choice(members, node, path)
    if "kind" in node.value:
        members = (_member(members, node, path),)
    known = _fields_of(members)
    for key, child in node.value.items():
        if key not in known:
            if len(members) > 1 and len(node.value) == 1:
                raise _no_such_choice(members, node, path)
            raise _no_such_field(key, child, path, known)
        for rest, value in leaves(known[key].hint, child, f"{path}.{key}"):
            yield (key, *rest), value


def refuse_nameless(hint: Any, node: Node, path: str) -> None:
    """Refuse settings of a choice that nothing names, since naming one later would replace them.

    Raises:
        ConfigError: At the first such choice in a partial config (spelled out).
    """
    members = _members(hint)
    if not members or not isinstance(node.value, dict):
        return
    if _by_kind(members) and "kind" not in node.value:
        raise _no_such_choice(members, node, path)
    known = _fields_of(members)
    for key, child in node.value.items():
        refuse_nameless(known[key].hint, child, f"{path}.{key}")


def setting(hint: Any, node: Node, keys: Keys) -> Any:
    """The setting at `keys` of the config that `node` describes, given or default; None if absent.

    Only what lies on the way is read, so a config that is wrong elsewhere can be asked.
    """
    for depth, key in enumerate(keys):
        member = next(iter(_matching(_members(hint), node)), None)
        known = _fields_of((member,)) if member else {}
        if key not in known:
            return None
        if not isinstance(node.value, dict) or key not in node.value:
            return _within(known[key].default, keys[depth + 1 :])
        hint, node = known[key].hint, node.value[key]
    return node.plain if _members(hint) else _leaf(hint, node, ".".join(keys))


@dataclass(frozen=True, slots=True)
class Written:
    """A config as it was written, so that a check on its values can say where."""

    hint: Any
    """The config's type."""
    node: Node
    path: str

    def read(self) -> Any:
        """The config.

        Raises:
            ConfigError: As `read` of this module.
        """
        return read(self.hint, self.node, self.path)

    def below(self, name: str) -> "Written":
        """The setting of this name; the config itself, if it has none of this name."""
        known = _fields_of(_members(self.hint))
        if name not in known:
            return self
        given = self.node.value if isinstance(self.node.value, dict) else {}
        node = given.get(name, Node(None, self.node.place))
        return Written(known[name].hint, node, f"{self.path}.{name}")

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Gives the error of a check on the config the place and path of the setting it names.

        A check knows its config, not the file, and may say "objective.hybrid.vlb_weight" where the
        file has `train.objective.vlb_weight`: names that are no fields are passed over.
        """
        try:
            yield
        except ConfigError as error:
            found = reduce(Written.below, error.path.split("."), self)
            path = f"{self.path}: {error.path}" if found is self else found.path
            raise replace(error, path=path, place=found.node.place) from error


# ------------------------------------------------------------------------------------- choices


@lru_cache
def _members(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a type is made of; none for a plain type."""
    options = (hint,) if isinstance(hint, type) else get_args(hint)
    return tuple(o for o in options if isinstance(o, type) and is_dataclass(o))


def _is_no_choice(hint: Any, node: Node) -> bool:
    """Whether nothing is chosen, and the type has room for that."""
    return node.value is None and NoneType in get_args(hint)


@lru_cache
def _fields_of(members: tuple[type, ...]) -> dict[str, _Field]:
    """Name to type and default of every field that one of the dataclasses has."""
    known: dict[str, _Field] = {}
    for member in members:
        hints = get_type_hints(member)
        for item in fields(member):
            made = item.default_factory
            default = item.default if made is MISSING else made()
            known.setdefault(written(item), _Field(item.name, hints[item.name], default))
    return known


@lru_cache
def _by_kind(members: tuple[type, ...]) -> dict[str, type]:
    return {name: member for member in members for name in kinds(member)}


def _matching(members: tuple[type, ...], node: Node) -> tuple[type, ...]:
    by_kind = _by_kind(members)
    if not by_kind:
        return members
    kind = node.value.get("kind") if isinstance(node.value, dict) else None
    name = kind.value if kind else None
    return (by_kind[name],) if isinstance(name, str) and name in by_kind else ()


def _member(members: tuple[type, ...], node: Node, path: str) -> type:
    found = _matching(members, node)
    if len(found) != 1:
        raise _no_such_choice(members, node, path)
    return found[0]


def _settings(node: Node, path: str, member: type) -> dict[str, Node]:
    """What stands below the name of a choice: `{}`, nothing, or a mapping of its fields.

    A type may have a `short`: the field that a text alone stands for.
    """
    if node.value is None:
        return {}
    if isinstance(node.value, str) and (only := getattr(member, "short", "")):
        return {only: node}
    if not isinstance(node.value, dict):
        raise fault(node, path, "a mapping of settings")
    if "kind" in node.value:
        raise fault(node.value["kind"], f"{path}.kind", "no kind below the name of a choice")
    return node.value


def _no_such_choice(members: tuple[type, ...], node: Node, path: str) -> ConfigError:
    by_kind = _by_kind(members)
    if not by_kind:
        return fault(node, path, "a mapping of settings")
    names = list(by_kind)
    value = node.value
    if isinstance(value, dict):
        child = value.get("kind")
        written = child.value if child else next(iter(value), None) if len(value) == 1 else None
    else:
        written = value
    found = repr(written) if isinstance(written, str) else ""
    hint = nearest(written, names) if isinstance(written, str) else f"write {names[0]}: {{...}}"
    for name, member in by_kind.items():
        if isinstance(written, str) and written in _fields_of((member,)):
            hint = f"name the choice as well, as in {name}: {{{written}: ...}}"
    return fault(node, path, _one_of(names), found=found, hint=hint)


def _no_such_field(key: str, child: Node, path: str, known: dict[str, Any]) -> ConfigError:
    names = [name for name in known if name != "kind"]
    hint = nearest(key, names) if names else "this choice has no settings"
    return ConfigError(f"{path}.{key}", "", "no such field", hint, child.place)


def _within(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = getattr(value, key, None)
    return None if value is MISSING else value


def _build(config: type, node: Node, path: str) -> Any:
    known = _fields_of((config,))
    assert isinstance(node.value, dict)
    for key, child in node.value.items():
        if key not in known:
            raise _no_such_field(key, child, path, known)
    for name, item in known.items():
        if item.default is MISSING and name not in node.value:
            raise fault(node, f"{path}.{name}", "a value", found="none (it has no default)")
    values = {
        known[key].name: read(known[key].hint, child, f"{path}.{key}")
        for key, child in node.value.items()
    }
    with Written(config, node, path).placing():
        return config(**values)


# ---------------------------------------------------------------------------------- plain values


def _leaf(hint: Any, node: Node, path: str) -> Any:
    try:
        value = _adapter(hint).validate_python(node.plain, strict=True)
    except ValidationError:
        words = _words(hint)
        if isinstance(node.value, str) and not _is_finite(_meant_number(node.value)):
            words = words.replace("a number", "a finite number")
        raise fault(node, path, words, hint=_advice(hint, node)) from None
    if not _is_finite(value):
        numbers = isinstance(value, tuple)
        raise fault(node, path, "finite numbers" if numbers else "a finite number")
    return value


def _is_finite(value: Any) -> bool:
    numbers = value if isinstance(value, tuple) else (value,)
    return all(math.isfinite(number) for number in numbers if isinstance(number, float))


@lru_cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _words(hint: Any) -> str:
    """What a type accepts, in the words of a message."""
    if get_origin(hint) is Literal:
        return _one_of([str(option) for option in get_args(hint)])
    if get_origin(hint) is tuple:
        item, *rest = get_args(hint)
        count = "" if rest == [...] else f"{1 + len(rest)} "
        words = _words(item)
        of = words if words.startswith("'") else f"{words.removeprefix('a ')}s"
        return f"a list of {count}{of}"
    if get_args(hint):
        return " or ".join(_words(option) for option in get_args(hint))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return {NoneType: "null", **names}[hint]


def _one_of(names: list[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} or {last}" if most else last


def _advice(hint: Any, node: Node) -> str:
    value = node.value
    options = [str(o) for part in (hint, *get_args(hint)) for o in _literals(part)]
    if isinstance(value, str) and options and value not in options:
        return nearest(value, options)
    for meant, words in _meanings(value):
        if _is_accepted(hint, meant):
            return words
    if value is None and node.written:
        return "leave the key out, or give it a value"
    return ""


def _literals(hint: Any) -> tuple[Scalar, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()


def _is_accepted(hint: Any, value: Any) -> bool:
    try:
        return _is_finite(_adapter(hint).validate_python(value, strict=True))
    except ValidationError:
        return False


_OTHERWISE = {
    **dict.fromkeys(("yes", "on", "y"), (True, "write true")),
    **dict.fromkeys(("no", "off", "n"), (False, "write false")),
    **dict.fromkeys(("none", "nil", "undefined"), (None, "write null")),
    "true": (True, "write it without quotes"),
    "false": (False, "write it without quotes"),
    "null": (None, "write it without quotes"),
    "~": (None, "write it without quotes"),
}
"""Words of other languages for a value that YAML writes otherwise, and what to write."""


def _meanings(value: Any) -> Iterator[tuple[Any, str]]:
    """What may be meant by a value that is not accepted, and how that is written."""
    if isinstance(value, str):
        number = _meant_number(value)
        if number is not None:
            plain = number_in(value.strip()) is not None
            yield number, "write it without quotes" if plain else f"write {number}"
        if isinstance(number, float) and number.is_integer():
            yield int(number), f"write {int(number)}"
        if value.lower() in _OTHERWISE:
            yield _OTHERWISE[value.lower()]
        yield (value,), "put it in [ ]"
    if isinstance(value, float) and value.is_integer():
        yield int(value), f"write {int(value)}"
    if isinstance(value, int) and value in (0, 1):
        yield bool(value), "write true" if value else "write false"
    if isinstance(value, int | float):
        yield str(value), "write it in quotes"
    if isinstance(value, list):
        numbers = [_in_list(node.value) for node in value]
        yield tuple(numbers), f"write {shown(Node([Node(n, '') for n in numbers], ''))}"


def _in_list(value: Any) -> Any:
    """The number that an entry of a list means, whole where it is, or the entry itself."""
    number = _meant_number(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return value if number is None else number


def _meant_number(text: str) -> int | float | None:
    """The number in a text, as YAML 1.1, Python or a person may write it: 1_000, 0x10, 1,000."""
    text = text.strip()
    if len(text) > LONGEST_NUMBER:
        return None
    if (plain := number_in(text)) is not None:
        return plain
    if re.fullmatch(r"[0-9]{1,4}(:[0-5]?[0-9]){1,3}", text):  # base 60 in YAML 1.1
        return reduce(lambda whole, part: 60 * whole + int(part), text.split(":"), 0)
    if re.fullmatch(r"[-+]?[0-9]{1,3}([, '][0-9]{3})+(\.[0-9]+)?", text):
        text = re.sub("[, ']", "", text)
    elif re.fullmatch(r"[-+]?[0-9]+,[0-9]+", text):
        text = text.replace(",", ".")
    for number in (partial(int, base=0), int, float):
        with suppress(ValueError):
            return number(text)
    return None
