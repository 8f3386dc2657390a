"""Menus and lists of links.

Does: judge the share of short lines. Does not: look at marked-up pages.

Verse and lists of words in sentences have short lines too, but most of their characters are hiragana: .46 to .55 in
five poems, .0 to .3 in 90 of 92 menus of OSCAR.
"""

from __future__ import annotations

import re

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters

PREDICATES = ("なし", "あり", "する", "した", "める", "ない", "いる", "ます", "です", "った")
"""Short lines of notes end so (「排便なし」), lines of menus do not."""
_SHORT_LINE = 12
_FEW_LINES = 6
_HIRAGANA = re.compile("[ぁ-ん]")
_OF_VERSE = 0.4  # hiragana among the characters of the short lines


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
        line
        for line in lines
        if len(line) < _SHORT_LINE and line[-1] not in "。、!?」" and not line.endswith(PREDICATES)
    ]
    listed = "".join(short)
    if len(short) > filters.max_short_line_share * len(lines) and len(listed) > 0.4 * len(text):
        if len(_HIRAGANA.findall(listed)) > _OF_VERSE * len(listed):
            return None
        return "list_page", f"short lines {len(short) / len(lines):.2f}"
    return None


FILTER = Filter(("list_page",), ("max_short_line_share",), judge, order=60)
