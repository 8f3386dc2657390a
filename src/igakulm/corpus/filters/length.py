"""Documents that are too short or too long.

Does: judge the number of characters. Does not: shorten.
"""

from __future__ import annotations

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters


def judge(document: Document, filters: Filters) -> Finding | None:
    """Characters after cleaning, white space included."""
    length = len(document.text)
    if length < filters.min_characters:
        return "too_short", f"{length} characters"
    if length > filters.max_characters:
        return "too_long", f"{length:,} characters"
    return None


FILTER = Filter(("too_short", "too_long"), ("min_characters", "max_characters"), judge, order=0)
