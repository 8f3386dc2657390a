"""Strings that a text contains: findings, medicines, doses.

Does: recognise a question whose answer is a list of strings; name what they are. Does not: ask.
"""

from __future__ import annotations

from typing import ClassVar

from igakulm.tasks.items import Item, ItemKind
from igakulm.tasks.kinds.kind import Kind, Layout, around

KINDS_OF_ITEM = {"d": "finding", "m-key": "medicine", "m-val": "dose"}
"""What an entity of a tag is called; other tags keep their name."""
EXTRACT_TITLES = {
    "finding": ("症状・所見を取り出す", "Extract findings"),
    "medicine": ("薬の名前を取り出す", "Extract medicines"),
    "dose": ("薬の量・用法を取り出す", "Extract doses"),
}
"""Titles in Japanese and English, by what the items are."""


class Extract(Kind):
    """One text, a JSON list of strings."""

    NAME = "extract"
    TITLES = ("抽出", "Extract")
    DOES = "extracts"
    ITEM: ClassVar[ItemKind] = "entities"
    CUT = True

    def layout(self, item: Item, labels: tuple[str, ...]) -> Layout | None:
        return around(self.NAME, item, labels) if item.kind == "entities" else None

    def what(self, tag: str) -> str:
        return KINDS_OF_ITEM.get(tag, tag or "item")

    def titles(self, what: str) -> tuple[str, str] | None:
        # The words of a question are a good title, but for lists: there they say how to answer.
        return EXTRACT_TITLES.get(what)


KIND = Extract()
