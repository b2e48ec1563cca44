"""SVGs: paths by steps are the same paths, and figures that share a page draw the same shapes."""

import base64
import io
import random
import re
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from studies.drawing import style, vector

LETTERS = {"m": 1, "l": 1, "q": 2, "c": 3}


def walked(path: str) -> list[tuple[str, list[tuple[float, float]]]]:
    """A path by steps as letters with absolute points, as the SVG standard reads it."""
    read: list[tuple[str, list[tuple[float, float]]]] = []
    letter, at, begun = "", (0.0, 0.0), (0.0, 0.0)
    tokens = re.findall(r"[a-z]|-?(?:\d+\.?\d*|\.\d+)", path)
    while tokens:
        if tokens[0].isalpha():
            letter = tokens.pop(0)
            if letter == "z":
                at = begun
                read.append(("z", []))
                continue
        points = []
        for _ in range(LETTERS[letter]):
            points.append((at[0] + float(tokens.pop(0)), at[1] + float(tokens.pop(0))))
        read.append((letter, points))
        at = points[-1]
        if letter == "m":
            begun, letter = at, "l"
    return read


def test_a_path_is_written_by_steps() -> None:
    absolute = "M 10 20.5 \nL 10.25 20 \nQ 11 20 11 -3 \nz\nM 1 1 \nC 1 2 3 4 0.5 6 \nL 1 6 \n"
    assert vector.steps(absolute) == "m10 20.5 .25-.5q.75 0 .75-23zm-9-19.5c0 1 2 3-.5 5l.5 0"


@pytest.mark.parametrize("seed", range(20))
def test_a_path_by_steps_goes_through_the_same_points(seed: int) -> None:
    draw = random.Random(seed)
    whole = [("M", [(draw.uniform(-500, 500), draw.uniform(-1, 1))])]
    for _ in range(200):
        letter = draw.choice("MLLLQCz")
        count = LETTERS.get(letter.lower(), 0)
        whole.append((letter, [(draw.gauss(0, 100), draw.gauss(0, 0.1)) for _ in range(count)]))
        if letter == "z":
            whole.append(("M", [(1.0, 2.0)]))
    text = " \n".join(
        f"{letter} {' '.join(f'{x:.6f} {y:.6f}' for x, y in p)}" for letter, p in whole
    )
    again = walked(vector.steps(text))
    assert [letter for letter, _ in again] == [letter.lower() for letter, _ in whole]
    for (_, there), (_, points) in zip(again, whole, strict=True):
        for one, other in zip(there, points, strict=True):
            assert one == pytest.approx(other, abs=0.00501)  # a hundredth is not seen


def drawn(title: str) -> Figure:
    figure, axes = style.new(2)
    axes.plot([0, 1], [0, 1])
    axes.set(xlabel="sampling steps", title=title)
    return figure


def test_figures_on_a_page_share_shapes_and_texts_and_no_other_id() -> None:
    one, other = (vector.svg(drawn(title)) for title in ("<one>", "other"))
    first, second = vector.inlined([("<one>", one), ("other", other)])
    assert 'aria-label="&lt;one&gt;"' in first
    ids = re.findall(r' id="([^"]+)"', first + second)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', first + second)) == set(ids)
    glyph = r'<path id="[^"]*" d="([^"]*)" transform="scale'
    shapes = [set(re.findall(glyph, whole)) for whole in (one, other)]
    assert sorted(re.findall(glyph, first + second)) == sorted(shapes[0] | shapes[1])
    assert second.count("<use") < vector.inlined([("other", other)])[0].count("<use")


def test_a_file_of_its_own_is_whole_looks_the_same_and_is_shorter() -> None:
    raw = vector.svg(drawn("a & b"))
    alone = vector.alone(raw, "a & b")
    root = ElementTree.fromstring(alone)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"] == "a & b"
    ids = re.findall(r' id="([^"]+)"', alone)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', alone)) == set(ids)
    rules = dict(re.findall(r"\.(k0-\d+){([^}]*)}", alone))
    looks = [
        re.sub(r"; clip-path: .*", "", rules[one] if one else look)
        for look, one in re.findall(r' style="([^"]*)"| class="([^"]*)"', alone)
    ]
    assert looks == re.findall(r' style="([^"]*)"', raw)
    assert Counter(re.findall(r' d="([^"]*)"', alone)) <= Counter(re.findall(r' d="([^"]*)"', raw))
    assert len(alone) < 0.8 * len(raw)


def test_what_a_group_says_stays() -> None:
    svg = '<g><g class="a"><g><path d="m0 0"/></g></g><g transform="b"><g></g></g></g>'
    left = '<g class="a"><path d="m0 0"/></g><g transform="b"></g>'
    assert vector._ungrouped(svg) == left


def test_an_empty_group_is_no_open_one() -> None:
    svg = '<g><g clip-path="a"/><g class="b"><path/></g><g class="c"/></g>'
    assert vector._ungrouped(svg) == '<g class="b"><path/></g>'


@pytest.mark.parametrize(("channels", "kept"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_keeps_its_pixels_and_only_channels_that_say_something(
    channels: int, kept: str
) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(6, 9, channels), dtype=np.uint8)
    shown = pixels if channels > 1 else np.broadcast_to(pixels, (6, 9, 3))
    figure = Figure()
    figure.add_subplot().imshow(shown, interpolation="none")
    (text,) = re.findall(r'data:image/png;base64,([^"]+)', vector.svg(figure))
    picture = Image.open(io.BytesIO(base64.b64decode(text)))
    assert picture.mode == kept
    assert np.array_equal(np.asarray(picture).reshape(pixels.shape), pixels)
