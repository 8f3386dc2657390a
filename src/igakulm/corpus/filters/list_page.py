"""Menus and lists of links.

Does: judge the share of short lines. Does not: look at marked-up pages.
"""

from __future__ import annotations

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters

_PREDICATES = ("なし", "あり", "する", "した", "める", "ない", "いる", "ます", "です", "った")
"""Short lines of notes end so (「排便なし」), lines of menus do not."""
_SHORT_LINE = 12
_FEW_LINES = 6


def judge(document: Document, filters: Filters) -> Finding | None:
    """Menus and lists of links: most lines, or parts between | and ■, are short and hold most of the text."""
    text = document.text
    breaks = text.count("\n") + text.count("|") + text.count("■")
    if breaks + 1 < _FEW_LINES or (breaks + 1) * (_SHORT_LINE - 1) <= 0.4 * len(text):
        return None  # the lines cannot be short
    lines = [line for line in text.replace("|", "\n").replace("■", "\n").split("\n") if line]
    if len(lines) < _FEW_LINES:
        return None
    short = [
        len(line)
        for line in lines
        if len(line) < _SHORT_LINE and line[-1] not in "。、!?」" and not line.endswith(_PREDICATES)
    ]
    if len(short) > filters.max_short_line_share * len(lines) and sum(short) > 0.4 * len(text):
        return "list_page", f"short lines {len(short) / len(lines):.2f}"
    return None


FILTER = Filter(("list_page",), ("max_short_line_share",), judge, order=60)
