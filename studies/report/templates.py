"""How templates become HTML: what people wrote is escaped, symbols are set as the paper sets them.

Every page needs nothing beside itself: no network, no fonts, and no script that it cannot be read
without.
"""

from functools import cache

import jinja2
from markupsafe import Markup, escape

from studies.tables.labels import BETA_TILDE, LOSS

MATH_BETA_TILDE = (
    '<math><mover accent="true"><mi mathvariant="normal">β</mi>'
    '<mo stretchy="false">~</mo></mover></math>'
)
"""Few fonts place a combining tilde where it is seen; every browser knows an accent in MathML."""


def template(name: str) -> jinja2.Template:
    """A template of this folder, by its file."""
    return _environment().get_template(name)


def symbols(text: str) -> Markup:
    """The text, escaped, with its symbols set as the paper sets them."""
    named = LOSS.sub(r"<i>L</i><sub>\1</sub>", str(escape(text)))
    return Markup(named.replace(BETA_TILDE, MATH_BETA_TILDE))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("studies.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["symbols"] = symbols
    environment.filters["words"] = lambda name: name.replace("_", " ")
    return environment
