"""Bundles with one thing changed that their own hashes do not tell: these are made to fit."""

import html
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studies.bundling import verifier
from studies.bundling.archive import bundle, packed
from studies.store.store import Store
from tests.witness.made_up_store import MadeUp
from tests.witness.vouched_store import write_vouched

PAGE = "page/index.html"
Files = dict[str, bytes]


def files_of(content: bytes) -> Files:
    """What a bundle holds, without the list of its hashes."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist() if name != "manifest.json"}


def bundled(root: Path, study: MadeUp) -> Files:
    """What the bundle of a made-up study holds, whose store is written at `root`."""
    return files_of(bundle(Store(write_vouched(root, study)), study.study))


def edited(files: Files, name: str, change: Callable[[str], str]) -> Files:
    """The files with one of them changed; it must be."""
    text = files[name].decode()
    new = change(text)
    assert new != text
    return {**files, name: new.encode()}


def with_digit(files: Files, name: str, pattern: str, most: int, draw: random.Random) -> Files:
    """One number of a file, matched by a pattern, with another of its first significant digits."""

    def change(text: str) -> str:
        match = draw.choice([*re.finditer(pattern, text)])
        number = match[0]
        zeros = len(number) - len(number.lstrip("−-0.,"))
        first = zeros if zeros < len(number) else 0
        places = [i for i in range(first, len(number)) if number[i].isdigit()][:most]
        place = match.start() + draw.choice(places)
        digit = draw.choice([d for d in "123456789" if d != text[place]])
        return text[:place] + digit + text[place + 1 :]

    return edited(files, name, change)


DIGITS = {
    "value": ("page/index.html", r'(?<=<data value=")-?[\d.]*[1-9][\d.]*(?=")', 9),
    "shown": ("page/index.html", r'(?<=">)−?\d[\d.,]*(?=</data>)', 9),
    "row": ("page/results.csv", r'(?<=,)-?\d+\.\d+(?=,[\d.e-]*,"|,,")', 5),
    "result": ("", r"(?<=: )\d+(?=[.,\n])", 9),
    "identity": ("identities.json", r"(?<=:)\d+(?=[,}])", 9),
    "half": ("half_trained.csv", r'(?<=,)-?\d+\.\d+(?=,[\d.e-]*,"|,,")', 5),
    "csv": ("page/table-bits_per_dim.csv", r"(?<=,)\d+\.\d+", 9),
    "latex": ("page/table-bits_per_dim.tex", r"(?<=[& ])\d+\.\d+(?= )", 9),
}
"""Where numbers stand: the file, how they are found there, and how many digits are held."""


def a_digit(files: Files, draw: random.Random) -> Files:
    """Of the page, in full or as it is shown, of its tables, of a row, or of a task's files."""
    name, pattern, most = DIGITS[draw.choice([*DIGITS])]
    results = [name for name in files if name.endswith("/result.json")]
    return with_digit(files, name or draw.choice(results), pattern, most, draw)


def derived(files: Files, change: Callable[[Any], None]) -> Files:
    how = json.loads(files["derivations.json"])
    change(how)
    return {**files, "derivations.json": json.dumps(how).encode()}


def quantity(how: Any, draw: random.Random, *, of: str = "") -> Any:
    found = [
        q for claim in how["claims"] for q in claim["quantities"] if of in json.dumps(q["made"])
    ]
    return draw.choice(found)


def a_unit(files: Files, draw: random.Random) -> Files:
    if draw.random() < 0.5:
        units = re.compile("<td>(log ratio|bits/dim|%|ratio|percentage points)</td>")

        def change(page: str) -> str:
            one = draw.choice([*units.finditer(page)])
            other = "bits/dim" if one[1] != "bits/dim" else "log ratio"
            return f"{page[: one.start()]}<td>{other}</td>{page[one.end() :]}"

        return edited(files, "page/index.html", change)

    def change_unit(how: Any) -> None:
        one = quantity(how, draw)
        one["unit"] = "bits/dim" if one["unit"] == "log odds" else "log odds"

    return derived(files, change_unit)


def leaves(made: Any) -> list[Any]:
    if made[0] == "rows":
        return [made]
    return [leaf for part in made[1:] if isinstance(part, list) for leaf in leaves(part)]


def pairs(made: Any) -> list[Any]:
    """The operations on two arms whose order counts."""
    own = [made] if made[0] in ("difference", "ratio", "log_ratio_of_means") else []
    return own + [one for part in made[1:] if isinstance(part, list) for one in pairs(part)]


def two_arms(files: Files, draw: random.Random) -> Files:
    """Swapped in the names of a table's rows, in how a quantity is made, or in the results."""
    kind = draw.choice(["page", "made", "rows"])
    if kind == "page":

        def change(page: str) -> str:
            heads = [
                *re.finditer(r'<th scope="row">([^\n]*?)</th><td class="number[^"]*"><data', page)
            ]
            one, two = draw.sample(heads, 2)
            while one[1] == two[1]:
                one, two = draw.sample(heads, 2)
            one, two = sorted((one, two), key=lambda match: match.start())
            middle = page[one.end(1) : two.start(1)]
            return page[: one.start(1)] + two[1] + middle + one[1] + page[two.end(1) :]

        return edited(files, "page/index.html", change)
    if kind == "made":

        def swap(how: Any) -> None:
            one = draw.choice(pairs(quantity(how, draw, of='"rows"')["made"]))
            one[1], one[2] = one[2], one[1]

        return derived(files, swap)

    def swapped(csv: str) -> str:
        lines = csv.splitlines(keepends=True)
        one, two = draw.sample(range(1, len(lines)), 2)
        lines[one], lines[two] = lines[two], lines[one]
        return "".join(lines)

    return edited(files, "page/results.csv", swapped)


def a_seed(files: Files, draw: random.Random) -> Files:
    """Dropped from a quantity, from a cell of a table, or from the results."""
    if draw.random() < 0.3:

        def dropped(csv: str) -> str:
            lines = csv.splitlines(keepends=True)
            del lines[draw.randrange(1, len(lines))]
            return "".join(lines)

        return edited(files, "page/results.csv", dropped)

    def drop(how: Any) -> None:
        of_tables = [other["made"] for other in how["others"].values()]
        made = draw.choice([quantity(how, draw, of='"rows"')["made"], draw.choice(of_tables)])
        rows = draw.choice(leaves(made))[1]
        del rows[draw.randrange(len(rows))]

    return derived(files, drop)


def a_verdict(files: Files, draw: random.Random) -> Files:
    words = ["supported", "contradicted", "inconclusive", "not run"]

    def change(page: str) -> str:
        one = draw.choice([*re.finditer(r'<span class="tag[^"]*">([a-z ]+)</span>', page)])
        other = draw.choice([word for word in words if word != one[1]])
        return page[: one.start(1)] + other + page[one.end(1) :]

    return edited(files, "page/index.html", change)


def told_alike(files: Files, said: str, number: int, draw: random.Random) -> Files:
    """The files with another number in a text of the page that has it, as in derivations.json."""
    how, page = json.loads(files["derivations.json"]), verifier.text_of(files[PAGE].decode())
    texts, start = how["printed"][PAGE], 0
    for place, (text, names) in enumerate(texts):
        start = page.index(text, start)
        if text == said:
            (a, b) = [*verifier.NUMBER.finditer(text)][number].span()
            new = text[:a] + with_another_digit(text[a:b], draw) + text[b:]
            texts[place] = [new, names]
            page = page[:start] + new + page[start + len(text) :]
            break
        start += len(text)
    body = f"<body>{html.escape(page)}</body>"
    return {**files, PAGE: body.encode(), "derivations.json": json.dumps(how).encode()}


def with_another_digit(number: str, draw: random.Random) -> str:
    """A number with another of its first four significant digits; of zero any."""
    digits = [i for i, one in enumerate(number.partition("e")[0]) if one.isdigit()]
    first = next((k for k, i in enumerate(digits) if number[i] != "0"), 0)
    place = draw.choice(digits[first : first + 4] if number[digits[first]] != "0" else digits)
    digit = draw.choice([d for d in "123456789" if d != number[place]])
    return number[:place] + digit + number[place + 1 :]


def a_number_told_alike(files: Files, draw: random.Random) -> Files:
    """On the page and where derivations.json says what it prints: what the verifier knows."""
    texts = json.loads(files["derivations.json"])["printed"][PAGE]
    known = [(text, i) for text, names in texts for i, name in enumerate(names) if name]
    finite = [one for one in known if "∞" not in [*verifier.NUMBER.finditer(one[0])][one[1]][0]]
    return told_alike(files, *draw.choice(finite), draw)


def a_half(files: Files, draw: random.Random) -> Files:
    """Of a training: another, none, or a seed less; or what it turns is not asked for."""

    def change(how: Any) -> None:
        of = [
            q for claim in how["claims"] for q in claim["quantities"] if q["made_half_trained"][1]
        ]
        one, turned = draw.choice(of), next(q for q in of if q["what"].endswith("L_simple, Σ = β̃"))
        changes: list[Callable[[], Any]] = [
            lambda: one.update(made_half_trained=["given", []]),
            lambda: one.update(made_half_trained=one["made"]),
            leaves(one["made_half_trained"])[0][1].pop,
            lambda: turned.update(asked=False),
        ]
        draw.choice(changes)()

    return derived(files, change)


def a_schedule(files: Files, draw: random.Random) -> Files:
    """Of an exact fact: another one, or with more steps."""

    def change(how: Any) -> None:
        made = quantity(how, draw, of='"left"')["made"]
        chain = chains(made)[-1]
        if draw.random() < 0.5:
            chain[1] = "linear" if chain[1] == "cosine" else "cosine"
        else:
            chain[2] *= 2

    return derived(files, change)


def chains(made: Any) -> list[Any]:
    """The schedules that a quantity is made of."""
    own = [made] if made[0] == "left" else []
    return own + [one for part in made[1:] if isinstance(part, list) for one in chains(part)]


KINDS = (
    *(a_digit, a_unit, two_arms, a_seed, a_verdict),
    *(a_number_told_alike, a_half, a_schedule),
)


def said_of(files: Files) -> str:
    """What the verifier says of a bundle of these files, whose hashes are made to fit."""
    try:
        verifier.verified(io.BytesIO(packed(files)))
    except SystemExit as end:
        return str(end.code)
    return ""


def corrupted(files: Files, number: int) -> Files:
    """The n-th corruption of these files."""
    return KINDS[number % len(KINDS)](files, random.Random(number))
