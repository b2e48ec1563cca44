"""How a figure becomes a file, the same bytes every time, and how SVGs share a page."""

import base64
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import matplotlib as mpl
import numpy as np
from markupsafe import escape
from matplotlib.figure import Figure
from PIL import Image

from studies.drawing.style import PNG_DPI, RC

PLACES = re.compile(r'(?<= )(?:x|y|width|height|points)="[^"]*"|translate\([^)]*\)')
"""Where an SVG says where something is, its paths apart; factors of scale stand elsewhere."""
PATH = re.compile(r'(?<= d=")[^"]*')
STEP = re.compile(r"([MLQCz])|(-?\d+(?:\.\d+)?)")
POINTS = {"M": 1, "L": 1, "Q": 2, "C": 3}
"""How many points each letter of a path takes."""
GLYPH = re.compile(r'<path id="([^"]+)" ((?:d="[^"]*" )?transform="scale\([^)]*\)"/>)')
"""The shape of a character, of which figures in one font have the same."""

PICTURE = re.compile(r'(?<=data:image/png;base64,)[^"]+')
"""Each picture that stands in a drawing."""
TEXT = re.compile(r'(?:<use href="#l\d+"[^>]*/>){2,}')
"""The characters of a text, each a shape that the page knows."""


def svg(figure: Figure) -> str:
    """The figure as an SVG element, without XML declaration, date or maker."""
    text = io.StringIO()
    unsaid = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with mpl.rc_context(RC):
        figure.savefig(text, format="svg", metadata=unsaid)
    whole = text.getvalue()
    placed = PLACES.sub(_rounded, whole[whole.index("<svg") :])
    stepped = PATH.sub(lambda found: steps(found[0]), placed)
    return PICTURE.sub(lambda found: _fewer_channels(found[0]), stepped)


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as `svg`, `png` or `pdf`, without date or maker."""
    if kind == "svg":
        return svg(figure).encode()
    whole = io.BytesIO()
    unsaid = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None}}[kind]
    with mpl.rc_context(RC):
        figure.savefig(whole, format=kind, metadata=unsaid, dpi=PNG_DPI)
    return whole.getvalue()


def _rounded(found: re.Match[str]) -> str:
    """The places to a hundredth of a point, which nobody sees: half of a file was their digits."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", found[0])


def _fewer_channels(picture: str) -> str:
    """A PNG in base64 of the same pixels: grey ones by one number, opaque ones without opacity."""
    pixels = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA")
    channels = np.moveaxis(np.asarray(pixels), -1, 0)
    if not (channels[3] == 255).all():
        return picture
    is_grey = (channels[0] == channels[1:3]).all()
    whole = io.BytesIO()
    pixels.convert("L" if is_grey else "RGB").save(whole, format="png", optimize=True)
    return base64.b64encode(whole.getvalue()).decode()


def steps(path: str) -> str:
    """The same path in steps from point to point, which take half the letters.

    Args:
        path: As matplotlib writes the attribute `d`: M, L, Q, C and z, every point absolute. Points
            are rounded to a hundredth before steps are taken, so that no error adds up.
    """
    written, begun, at, before = [], (0, 0), (0, 0), ""
    for letter, numbers in _commands(path):
        if letter == "z":
            written.append("z")
            at, before = begun, ""
            continue
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        moved = [value - at[axis] for point in points for axis, value in enumerate(point)]
        written += ["" if letter == before else letter.lower(), *map(_shortest, moved)]
        at, before = points[-1], letter
        begun = at if letter == "M" else begun
        if letter == "M":
            before = "L"  # which points after a move are, without a letter
    return re.sub(r" ?([a-z]) ?| (?=-)", r"\1", " ".join(filter(None, written)))


def _commands(path: str) -> Iterator[tuple[str, list[int]]]:
    """Each letter of a path with its numbers, in hundredths."""
    letter, numbers = "", list[int]()
    for found in STEP.finditer(path):
        if found[1]:
            letter, numbers = found[1], []
        else:
            numbers.append(round(float(found[2]) * 100))
        if len(numbers) == 2 * POINTS.get(letter, 0):
            yield letter, numbers
            numbers = []


def _shortest(hundredths: int) -> str:
    """A number without zeros that say nothing: `-.5`, `12`."""
    whole = f"{abs(hundredths) / 100:.2f}".rstrip("0").rstrip(".")
    return f"{'-' if hundredths < 0 else ''}{whole.removeprefix('0') or '0'}"


def inlined(figures: Iterable[tuple[str, str]]) -> list[str]:
    """SVGs for one page: named for readers who cannot see them, each with ids and looks of its own.

    What a character looks like, and a text that recurs, stand where they are drawn first. Ids that
    nothing refers to are left out: equal images would share one.

    Args:
        figures: Title and SVG of each, in the order of the page.
    """
    known: dict[str, str] = {}
    alone = [_inline(svg, title, place, known) for place, (title, svg) in enumerate(figures)]
    recur = {text for text, n in Counter(TEXT.findall("".join(alone))).items() if n > 1}

    def once(found: re.Match[str]) -> str:
        if found[0] not in recur:
            return found[0]
        is_known = found[0] in known
        own = known.setdefault(found[0], f"l{len(known)}")
        return f'<use href="#{own}"/>' if is_known else f'<g id="{own}">{found[0]}</g>'

    return [TEXT.sub(once, one) for one in alone]


def alone(svg: str, title: str) -> str:
    """The SVG as a file of its own: named for readers who cannot see it, and a third shorter.

    Args:
        svg: As `svg` gives it.
        title: What it shows.
    """
    return inlined([(title, svg)])[0]


def _inline(svg: str, title: str, place: int, shapes: dict[str, str]) -> str:
    """One of them.

    Args:
        svg: As `svg` gives it.
        title: What it shows.
        place: On the page, by which its ids and looks are called.
        shapes: The id of each shape of a character that the page has already; is added to.
    """
    bare = re.sub(r"(?<=>)\s*\n\s*(?=<)", "", re.sub(r"<!--.*?-->", "", svg))
    used = dict.fromkeys(re.findall(r'(?:url\(|href=")#([^)"]+)', bare))
    ids = {one: f"f{place}-{number}" for number, one in enumerate(used)}

    def shape(found: re.Match[str]) -> str:
        is_known = found[2] in shapes
        ids[found[1]] = shapes.setdefault(found[2], f"l{len(shapes)}")
        return "" if is_known else found[0]

    own = GLYPH.sub(shape, bare).replace("<defs></defs>", "")
    own = re.sub(r' id="([^"]+)"', lambda m: f' id="{ids[m[1]]}"' if m[1] in ids else "", own)
    own = re.sub(r'(url\(#|href="#)([^)"]+)', lambda m: m[1] + ids[m[2]], own)
    own = re.sub(r' xmlns:xlink="[^"]*"|xlink:(?=href=)', "", own)
    own = re.sub(r'(<use [^>]*)transform="translate\(([^ )]+) 0\)"', r'\1x="\2"', own)
    own = re.sub(r'clip-path="([^"]*)" style="([^"]*)"', r'style="\2; clip-path: \1"', own)
    return _classed(_ungrouped(own), f"k{place}", f'role="img" aria-label="{escape(title)}"')


def _ungrouped(svg: str) -> str:
    """The SVG without groups that say nothing of what is in them."""
    kept: list[bool] = []

    def tag(found: re.Match[str]) -> str:
        if found[0] != "</g>":
            kept.append(found[0] != "<g>")
            return found[0] if kept[-1] else ""
        return found[0] if kept.pop() else ""

    full = re.sub(r"<g(?: [^>]*)?/>", "", svg)  # of something that lies outside of its frame
    return re.sub(r"</?g(?: [^>]*)?>", tag, full)


def _classed(svg: str, name: str, attributes: str) -> str:
    """The SVG with attributes, each look that it repeats written once, to be shorter."""
    counts = Counter(re.findall(r' style="([^"]*)"', svg))
    classes = {look: f"{name}-{i}" for i, look in enumerate(counts) if counts[look] > 1}
    rules = "".join(f".{own}{{{look}}}" for look, own in classes.items())
    short = re.sub(
        r' style="([^"]*)"',
        lambda found: f' class="{classes[found[1]]}"' if found[1] in classes else found[0],
        svg,
    )
    whole = short.replace("<svg ", f"<svg {attributes} ", 1)
    return whole.replace(">", f"><style>{rules}</style>", 1)
