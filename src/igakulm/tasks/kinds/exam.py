"""An examination question with its choices.

Does: recognise a question that quotes nothing. Does not: ask.
"""

from __future__ import annotations

from igakulm.tasks.items import Item
from igakulm.tasks.kinds.kind import Kind, Layout


class Exam(Kind):
    """A question is its own message: its layout is empty."""

    NAME = "exam"
    TITLES = ("試験問題", "Examination question")
    DOES = "answers examination questions"

    def layout(self, item: Item, labels: tuple[str, ...]) -> Layout | None:
        alone = item.kind == "choice" and not item.sentences and item.document in ("", item.question)
        return Layout(self.NAME) if alone else None


KIND = Exam()
