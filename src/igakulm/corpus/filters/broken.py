"""Documents with characters that could not be read.

Does: count U+FFFD that no neighbour explains. Does not: mend them (`text/replacement.py`).
"""

from __future__ import annotations

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters
from igakulm.text.replacement import unreadable


def judge(document: Document, filters: Filters) -> Finding | None:
    """Looks at the document before cleaning, which deletes these characters."""
    lost = unreadable(document.read)
    return ("broken_characters", f"{lost:,} characters") if lost > filters.max_broken_characters else None


FILTER = Filter(("broken_characters",), ("max_broken_characters",), judge, order=10)
