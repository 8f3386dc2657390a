"""One of several options for two texts.

Does: recognise a question that quotes two sentences. Does not: ask.
"""

from __future__ import annotations

from igakulm.tasks.items import Item
from igakulm.tasks.kinds.kind import Kind, Layout


class Compare(Kind):
    """Two texts, one label."""

    NAME = "compare"
    TITLES = ("二つの文の比較", "Compare two texts")
    DOES = "compares"

    def layout(self, item: Item, labels: tuple[str, ...]) -> Layout | None:
        if len(item.sentences) != 2 or not all(item.sentences):
            return None
        first, second = item.sentences
        # The second sentence may be part of the first one: it is looked for from the end.
        start, again = item.question.find(first), item.question.rfind(second)
        if start < 0 or again < start + len(first):
            return None
        between, suffix = item.question[start + len(first) : again], item.question[again + len(second) :]
        return Layout(self.NAME, item.tag, item.question[:start], between, suffix, labels)


KIND = Compare()
