"""A sweep file and its preset, read: which arms are compared, over which seeds, and for what.

A sweep asks a question; a preset brings data, a network and budgets. Later layers win: preset,
its conditions, sweep, block, combination, what the preset says of this very sweep, `--set`. The
words of the files are typed and checked here, and nowhere later; what needs the data or a schedule
is checked by the plan.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from iddpm.bounds import MOST_SEED, ConfigError
from iddpm.config import Data
from studies.spec.arms import BLOCK_KEYS, ArmSpec, Asked, asked
from studies.spec.combinations import Override, override
from studies.spec.documents import Node, children, fault, nearest, only, parse, read_text, short
from studies.spec.halves import KEY as HALVES
from studies.spec.halves import Halves, read_halves
from studies.spec.naming import MOST_BYTES, composed, unseen
from studies.spec.presets import PRESET_KEYS, ForSweep, Preset, When, read_preset
from studies.spec.reading import read
from studies.spec.resources import resources
from studies.spec.rivals import Rival
from studies.spec.seeds import refuse_dependent

SWEEP_KEYS = (
    *("study", "question", "preset", "seeds", "data", *BLOCK_KEYS, "blocks", "figures"),
    *("claims", "rivals", "resources", "half_trained"),
)
SWEEPS = Path(__file__).parents[1] / "sweeps"
"""The project's own, also where it is installed from a wheel."""
PRESETS = SWEEPS / "presets"
"""Where presets lie when none stand beside the sweep."""


@dataclass(frozen=True, slots=True)
class SweepOrigin:
    """Where a sweep was written, so that a check on the whole of it can say so."""

    sweep: Node
    path: Path
    presets_dir: Path | str | None

    def names(self, key: str) -> Node:
        """The list of the figures or of the claims, `key`."""
        return children(self.sweep, "")[key]

    def name(self, key: str, index: int) -> Node:
        """One figure or claim of the list, at its own line."""
        listed = self.names(key).value
        assert isinstance(listed, list)
        return listed[index]

    def as_written(self) -> Asked | None:
        """What the sweep asks for by itself: nothing left out by a preset, nothing set by hand.

        It is None if the sweep cannot stand by itself.
        """
        try:
            name = _text(self.sweep, "preset")
            _, _, preset = _preset(name, _text(self.sweep, "study"), self.path, self.presets_dir)
            return asked(self.sweep, replace(preset, rules={}), ForSweep(), [], 1)
        except ConfigError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSpec:
    """A whole sweep under one preset."""

    study: str
    question: str
    preset: str
    description: str
    """How the preset describes itself."""
    tuned: bool
    """Whether the sweep is sized for the preset's scale: no, if the preset says nothing of it."""
    unheard: tuple[str, ...] = field(default=(), compare=False)
    """What the files say that changes nothing, a sentence each: of sweeps or arms that are not."""
    seeds: tuple[int, ...]
    parts: frozenset[str]
    """What it asks for, even if a preset leaves out its arms: evaluations, `TRAIN`, `RIVALS`."""
    arms: tuple[ArmSpec, ...]
    rivals: tuple[Rival, ...] = ()
    """What the arms stand beside: a GAN, or images from elsewhere."""
    figures: tuple[str, ...]
    claims: tuple[str, ...]
    half_trained: tuple[Halves, ...] = ()
    """The evaluations that are made of networks after half of their training too."""
    resources: tuple[Node, ...] = field(default=(), compare=False, repr=False)
    """What the preset and then the sweep ask of a cluster, as `studies.spec.resources` reads it: a
    layer of each, which is empty where it asks for nothing."""
    overrides: tuple[tuple[str, str], ...]
    sweep_text: str
    preset_text: str
    origin: SweepOrigin = field(compare=False, repr=False)

    @property
    def id(self) -> str:
        """The name of the study in a store."""
        return f"{self.study}-{self.preset}"

    @property
    def sweep_path(self) -> str:
        """Where the sweep was found."""
        return str(self.origin.path)


# -------------------------------------------------------------------------------- the whole file


def read_sweep(
    path: Path | str,
    *,
    preset: str | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    seeds: Sequence[int] | None = None,
    presets_dir: Path | str | None = None,
) -> SweepSpec:
    """The sweep in a file, under the preset that the caller or the sweep names.

    Args:
        path: The sweep file.
        preset: Name of a preset; None: the one that the sweep names.
        overrides: (dotted key, YAML text) that win over everything. For a key of a grid, they
            stand in for the grid's values.
        seeds: They stand in for the sweep's; None: the preset's or the sweep's own.
        presets_dir: Where presets lie; None: `presets` beside the sweep, else the project's own.

    Raises:
        ConfigError: At the first thing wrong in the two files or the overrides.
    """
    path = Path(path)
    sweep_text, written = _document(path, "a sweep file", SWEEP_KEYS)
    sweep = _with_own_data(written)
    name = composed(preset or _text(sweep, "preset"))
    study = _study(sweep, name)
    preset_text, base, layers = _preset(name, study, path, presets_dir)
    wishes = layers.sweeps.get(study, ForSweep())
    chosen = _seeds(sweep, seeds, wishes.seeds or layers.seeds)
    whole = asked(sweep, layers, wishes, [_override(*item) for item in overrides], len(chosen))
    refuse_dependent(whole.arms, len(chosen))
    half_trained = wishes.half_trained or layers.half_trained or children(sweep, "").get(HALVES)
    halves = read_halves(half_trained, whole.parts) if half_trained else ()
    return SweepSpec(
        study=study,
        question=_text(sweep, "question"),
        preset=name,
        description=_text(base, "description"),
        tuned=layers.scale == "laptop" or study in layers.sweeps,
        unheard=(*layers.unheard, *(told for one in halves for told in one.idle(whole.arms))),
        seeds=chosen,
        parts=whole.parts,
        arms=whole.arms,
        rivals=whole.rivals,
        figures=_names(sweep, "figures"),
        claims=_names(sweep, "claims"),
        half_trained=halves,
        resources=_resources(base, sweep, layers.whens),
        overrides=tuple(overrides),
        sweep_text=sweep_text,
        preset_text=preset_text,
        origin=SweepOrigin(sweep, path, presets_dir),
    )


def data_of_preset(name: str) -> Data | None:
    """The data that a preset of the project brings; None if there is no preset of this name.

    Raises:
        ConfigError: If something is wrong in its file.
    """
    path = PRESETS / f"{name}.yaml"
    if name not in preset_names():
        return None
    _, base = _document(path, "a preset", PRESET_KEYS)
    settings = children(_layers(base, path, "").train, "train")
    data: Data = read(Data, settings["data"], "data")
    return data


def preset_names() -> list[str]:
    """Of the presets of the project, in their order."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _document(path: Path, what: str, keys: Sequence[str]) -> tuple[str, Node]:
    text = read_text(path, what)
    root = _parsed(path, text, what)
    if not isinstance(root.value, dict):
        raise fault(root, keys[0], f"{what} with keys such as {keys[0]}")
    only(root, "", keys)
    return text, root


@lru_cache(maxsize=64)  # sixteen sweeps have one preset
def _parsed(path: Path, text: str, what: str) -> Node:
    return parse(text, lambda line: f"{path}:{line}", what)


def _with_own_data(sweep: Node) -> Node:
    """The sweep with its `data`, which stand in for the preset's, among what all trainings share.

    Raises:
        ConfigError: If they are given twice.
    """
    found = dict(children(sweep, ""))
    if (data := found.pop("data", None)) is None:
        return sweep
    train = children(found.get("train", Node({}, sweep.place)), "train")
    if "data" in train:
        hint = "leave one of the two out"
        raise fault(data, "data", "data in one place", found="train.data too", hint=hint)
    found["train"] = Node({**train, "data": data}, sweep.place)
    return Node(found, sweep.place)


def _preset_path(name: str, sweep: Path, folder: Path | str | None) -> Path:
    beside = sweep.parent / "presets"
    presets = Path(folder) if folder else beside if beside.is_dir() else PRESETS
    known: dict[str, list[Path]] = {}
    for path in sorted(presets.glob("*.yaml")):
        known.setdefault(composed(path.stem), []).append(path)
    if (wanted := composed(name)) not in known:
        expected, hint = f"one in {presets}", nearest(name, known)
        raise ConfigError("preset", expected, short(name), hint, str(sweep))
    if letter := unseen(wanted):
        expected = "a name of characters that can be seen"
        raise ConfigError("preset", expected, letter, "rename its file", str(sweep))
    if len(alike := known[wanted]) > 1:
        expected = f"one file of this name in {presets}"
        found = f"{' and '.join(ascii(path.name) for path in alike)}, which look alike"
        raise ConfigError("preset", expected, found, "rename one of them", str(sweep))
    return alike[0]


def _preset(
    name: str, study: str, sweep: Path, folder: Path | str | None
) -> tuple[str, Node, Preset]:
    """The preset of this name beside a sweep: its text, its document, and what this study reads."""
    path = _preset_path(name, sweep, folder)
    text, base = _document(path, "a preset", PRESET_KEYS)
    return text, base, _layers(base, path, study)


def _layers(base: Node, path: Path, study: str) -> Preset:
    """The preset of a file, which knows this study and the sweeps beside its folder."""
    return read_preset(base, {study, *(file.stem for file in path.parent.parent.glob("*.yaml"))})


def _required(root: Node, key: str) -> Node:
    if key not in (found := children(root, "")):
        raise fault(root, key, "a value", found="none (it has no default)")
    return found[key]


def _text(root: Node, key: str) -> str:
    return str(read(str, _required(root, key), key))


def _study(sweep: Node, preset: str) -> str:
    """The name of the study; a folder is named after it and the preset."""
    node, name = _required(sweep, "study"), _text(sweep, "study")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        expected = "a name of letters, digits, _, - and . (it names a folder)"
        raise fault(node, "study", expected)
    if (found := len(f"{name}-{preset}".encode())) > MOST_BYTES:
        expected = f"a name that takes at most {MOST_BYTES} bytes with that of the preset"
        hint = "both name files; shorten one of them"
        raise fault(node, "study", expected, found=f"{found}", hint=hint)
    return name


def _names(root: Node, key: str) -> tuple[str, ...]:
    """The figures or claims that the sweep asks for; whether they exist is not known here."""
    if (node := children(root, "").get(key)) is None:
        return ()
    names: tuple[str, ...] = read(tuple[str, ...], node, key)
    for i, name in enumerate(names):
        if name in names[:i]:
            raise fault(node, key, "each name once", found=f"{name!r} twice")
    return names


def _resources(base: Node, sweep: Node, whens: Sequence[When]) -> tuple[Node, ...]:
    nothing = Node({}, base.place)
    under, over = (children(file, "").get("resources", nothing) for file in (base, sweep))
    for layer in [nothing, *(when.resources for when in whens if when.resources)]:
        resources([under, layer, over])  # refuses what is wrong in them
    return under, over


def _seeds(root: Node, given: Sequence[int] | None, wished: Node | None) -> tuple[int, ...]:
    node = wished or _required(root, "seeds")
    if given is not None:
        node = Node([Node(seed, "--seeds") for seed in given], "--seeds")
    seeds: tuple[int, ...] = read(tuple[int, ...], node, "seeds")
    if not seeds:
        raise fault(node, "seeds", "at least one seed", found="none")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise fault(node, "seeds", "whole numbers of at least 0, each once")
    if max(seeds) > MOST_SEED:
        raise fault(node, "seeds", f"whole numbers of at most {MOST_SEED}")
    return seeds


def _override(key: str, text: str) -> Override:
    place = f"--set {key}={text:.60}"
    return override(key, parse(text, lambda line: place, "a value"))
