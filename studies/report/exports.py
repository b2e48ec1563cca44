"""Tables of a page for elsewhere: as CSV, and as LaTeX with the lines of booktabs."""

import re

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
