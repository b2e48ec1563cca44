"""What a sweep's diffusion models stand beside: a GAN trained here, or images from elsewhere.

A rival is no block. A block is a training of a diffusion model times what is asked of it; a rival
has no chain, objective or bound, and as an evaluation it would be asked once per network. It is
scored as the samples of the preset are (number of images, blocks, features, reference,
neighbours), so that its numbers have the recipe of the arms' numbers; a `samples:` of its own may
adjust that, and knows no sampler to misread.

A plan gives a GAN one cell per seed under the role `gan`, so that `train` always means a diffusion
network. Images from elsewhere were drawn once: they have one cell, no interval, and decide no
claim. Their address holds the digest of their content, neither path nor name; the task keeps a
copy, so that their files may go afterwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

from iddpm.config import ExternalConfig, GanConfig
from studies.spec.combinations import Override, checked, laid, layers_over, refuse_seed, with_data
from studies.spec.documents import Node, children, fault, items, only
from studies.spec.evaluations import RIVAL_TYPES, RivalSamples
from studies.spec.naming import MOST_LETTERS, composed, unseen
from studies.spec.reading import Written, nested, spelled_out

SAMPLES = "samples"
GAN = "GAN"
"""What a page calls a GAN that is trained here; several are told apart by their settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One rival; its configs hold no seed."""

    config: GanConfig | ExternalConfig
    samples: RivalSamples
    path: str = field(compare=False)
    """The dotted path of its entry: `rivals[0]`."""
    origin: Written = field(compare=False, repr=False)
    """Where its config was written."""
    samples_origin: Written = field(compare=False, repr=False)

    @property
    def kind(self) -> str:
        """The kind of rival: `gan` or `external`."""
        return "gan" if isinstance(self.config, GanConfig) else "external"


def read_rivals(
    node: Node, *, data: Node, gan: Node, samples: Node, overrides: Sequence[Override]
) -> tuple[Rival, ...]:
    """The `rivals` of a sweep.

    Args:
        node: A list of `{gan: {...}}` and `{external: {...}}`, each perhaps with `samples: {...}`.
        data: What the diffusion models are trained on.
        gan: What the preset gives a GAN.
        samples: What the preset says of samples; settings of a chain are passed over.
        overrides: The overrides that hold in the whole sweep.

    Raises:
        ConfigError: At the first thing that is wrong.
    """
    listed = items(node, "rivals", "a list of at least one rival", "write - gan: {}")
    rivals = tuple(
        _rival(item, f"rivals[{i}]", data, gan, samples, overrides) for i, item in enumerate(listed)
    )
    for i, rival in enumerate(rivals):
        if rival in rivals[:i]:
            raise fault(listed[i], rival.path, "each rival once", found="two alike")
        _refuse_name(rival, rivals[:i])
    return rivals


def _refuse_name(rival: Rival, before: Sequence[Rival]) -> None:
    """Refuse a name by which images from elsewhere would be taken for something else.

    Raises:
        ConfigError: If a GAN of ours or another file has the name, or it cannot be seen.
    """
    if not isinstance(rival.config, ExternalConfig):
        return
    name, own = rival.config.name, rival.origin.below("name").node
    path = f"{rival.path}.external.name"
    if letter := unseen(name):
        expected = "a line of characters that can be seen"
        raise fault(own, path, expected, found=letter, hint="leave it out")
    if len(name) > MOST_LETTERS:
        expected = f"a name of at most {MOST_LETTERS} characters"
        raise fault(own, path, expected, found=str(len(name)))
    if name.strip().casefold() == GAN.casefold():
        hint = "say whose it is, such as 'GAN of the authors'"
        raise fault(own, path, f"another name than {GAN}, which one trained here has", hint=hint)
    for other in before:
        theirs = other.config
        if isinstance(theirs, ExternalConfig) and theirs.name == name and theirs != rival.config:
            raise fault(own, path, "a name of its own", found=f"that of {other.path}")


def _rival(
    node: Node, path: str, data: Node, gan: Node, samples: Node, overrides: Sequence[Override]
) -> Rival:
    if isinstance(node.value, str):
        node = Node({node.value: Node({}, node.place)}, node.place)
    found = only(node, path, (*RIVAL_TYPES, SAMPLES))
    kinds = [kind for kind in RIVAL_TYPES if kind in found]
    if len(kinds) != 1:
        raise fault(node, path, f"one of {' or '.join(RIVAL_TYPES)}")
    kind = kinds[0]
    own = checked(kind, found[kind], f"{path}.{kind}")
    tree = laid(Node({"data": data}, node.place), [gan] if kind == "gan" else [])
    tree = laid(tree, [own, *layers_over(Node({}, node.place), kind, overrides)])
    if kind == "gan":
        refuse_seed(tree, f"{path}.gan")
    scored = laid(_of_no_chain(samples), [*_own(found, path), *_overrides(overrides)])
    scored = with_data(scored, children(tree, path)["data"])
    origin = Written(RIVAL_TYPES[kind], tree, f"{path}.{kind}")
    samples_origin = Written(RivalSamples, scored, f"{path}.{SAMPLES}")
    return Rival(
        config=_composed(origin.read()),
        samples=samples_origin.read(),
        path=path,
        origin=origin,
        samples_origin=samples_origin,
    )


def _composed(config: GanConfig | ExternalConfig) -> GanConfig | ExternalConfig:
    if isinstance(config, GanConfig):
        return config
    return replace(config, name=composed(config.name))


def _own(found: dict[str, Node], path: str) -> Iterator[Node]:
    if SAMPLES in found:
        yield spelled_out(RivalSamples, found[SAMPLES], f"{path}.{SAMPLES}")


def _overrides(overrides: Sequence[Override]) -> Iterator[Node]:
    for item in overrides:
        scope, *keys = item.key.split(".")
        if scope == SAMPLES:
            layer = _of_no_chain(nested(tuple(keys), item.node))
            yield spelled_out(RivalSamples, layer, SAMPLES)


def _of_no_chain(samples: Node) -> Node:
    known = {item.name for item in fields(RivalSamples)}
    kept = {key: child for key, child in children(samples, SAMPLES).items() if key in known}
    return Node(kept, samples.place)
