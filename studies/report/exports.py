"""Tables of a page for elsewhere: as CSV, and as LaTeX with the lines of booktabs."""

import gzip
import re
from collections.abc import Mapping

import pandas as pd

from studies.report.tabulation import Table
from studies.tables.labels import BETA_TILDE, LOSS

SYMBOLS = {
    BETA_TILDE: r"$\tilde{\beta}$",
    "β": r"$\beta$",
    "Σ": r"$\Sigma$",
    "η": r"$\eta$",
    "ᾱ": r"$\bar{\alpha}$",
    " ± ": r" $\pm$ ",
    "−": "$-$",
    "–": "--",
}
"""As LaTeX writes them with its usual fonts."""
BOLD = "\x01", "\x02"
"""Around the best of a column, until nothing is escaped any more."""


CSV, PACKED = ".csv", ".gz"
LARGE = 50_000
"""Bytes from which a CSV is compressed where files are to be small."""


def packed_names(files: Mapping[str, str | bytes]) -> dict[str, str]:
    """The large CSV files of these, each with the name that it has when it is compressed."""
    return {
        name: f"{name}{PACKED}"
        for name, content in files.items()
        if name.endswith(CSV) and len(_bytes(content)) >= LARGE
    }


def packed(files: Mapping[str, str | bytes], names: Mapping[str, str]) -> dict[str, str | bytes]:
    """The files, of which those with a name in `names` are compressed under it.

    Nothing is lost: `pandas.read_csv` reads such a file as it is.
    """
    return {
        names.get(name, name): gzip.compress(_bytes(content), mtime=0) if name in names else content
        for name, content in files.items()
    }


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def frame(table: Table) -> pd.DataFrame:
    """The numbers of a table: for each column mean, half of the 95% interval and seeds."""
    rows = []
    for row in table.rows:
        held: dict[str, object] = dict(zip(table.heads, row.settings, strict=True))
        for title, cell in zip(table.columns, row.cells, strict=True):
            of = f"{title}: " if title else ""
            held[f"{of}mean"] = None if cell is None else cell.mean
            held[f"{of}half of its 95% interval"] = None if cell is None else cell.half_width
            held[f"{of}seeds"] = 0 if cell is None else cell.n
        rows.append(held)
    return pd.DataFrame(rows)


def latex(table: Table) -> str:
    """The table as it is shown, for `\\usepackage{booktabs}`: what is best is bold."""
    first, last = BOLD
    text = table.frame(BOLD).to_latex(
        index=False,
        escape=True,
        column_format="l" * len(table.heads) + "r" * len(table.columns),
        caption=_symbols(_escaped(table.title)),
        label=f"tab:{table.name.removeprefix('table-')}",
    )
    return _symbols(text.replace(first, r"\textbf{").replace(last, "}"))


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text)


def _symbols(text: str) -> str:
    named = re.sub(LOSS.pattern.replace("L_", r"L\\_"), r"$L_{\\mathrm{\1}}$", text)
    for symbol, said in SYMBOLS.items():
        named = named.replace(symbol, said)
    return named
