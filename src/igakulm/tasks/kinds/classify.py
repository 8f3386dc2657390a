"""One of several options for a text.

Does: recognise a question that quotes a document and has choices. Does not: ask.
"""

from __future__ import annotations

from igakulm.tasks.items import Item
from igakulm.tasks.kinds.kind import Kind, Layout, around


class Classify(Kind):
    """One text, one label."""

    NAME = "classify"
    TITLES = ("分類", "Classify")
    DOES = "classifies"

    def layout(self, item: Item, labels: tuple[str, ...]) -> Layout | None:
        quoted = item.kind == "choice" and item.document != item.question
        return around(self.NAME, item, labels) if quoted else None


KIND = Classify()
