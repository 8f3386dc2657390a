"""Jinja2 templates to text: the one place where markup is made.

Does: fill a template of `templates/` with what its section gives it; every value is escaped. Does not: read files of a
run, or know what a stage is. Templates call `t(key)` for words, and filters (numbers.py) for numbers.
"""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from igakulm.report import numbers
from igakulm.report.charts import bar_span
from igakulm.report.items import one_line
from igakulm.report.numbers import Language
from igakulm.report.words import words

if TYPE_CHECKING:
    from jinja2 import Environment

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def render(template: str, language: Language, **values: object) -> Markup:
    """A template's text; control characters, direction overrides and lone surrogates of any value become U+FFFD."""
    text = _environment(language).get_template(template).render(**values)
    return Markup(_UNPRINTABLE.sub("\ufffd", text).strip())


@cache
def _environment(language: Language) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"t": words(language), "bar_span": bar_span}
    named = ("count", "decimal", "figure", "signed", "interval", "percent", "tiny", "probability", "points", "size")
    environment.filters |= {name: getattr(numbers, name) for name in (*named, "moment", "shortened")}
    environment.filters |= {
        "large": partial(numbers.large, language=language),
        "duration": partial(numbers.duration, language=language),
        "one_line": one_line,
    }
    return environment
