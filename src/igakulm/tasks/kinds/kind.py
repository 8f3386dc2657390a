"""What a kind of task is on the side of its rows: its name, its titles, and how it is recognised in a row.

Does: hold what all kinds share. Does not: ask a model (`answering/kinds/` has the request, the answer and the form).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from igakulm.tasks.items import Item, ItemKind


class Layout(NamedTuple):
    """What stands around the user's text in a row, and the labels below it."""

    kind: str
    tag: str = ""
    prefix: str = ""
    between: str = ""
    suffix: str = ""
    labels: tuple[str, ...] = ()


class Kind(ABC):
    """Base of the kinds.

    Attributes:
        NAME: in tasks.json and in the path `/api/NAME`.
        TITLES: in Japanese and English, where the words of a task give none.
        DOES: what a task of this kind does, for English sentences about it: "no task that extracts".
        ITEM: the kind of item that its rows are; it decides how a message is laid out (tasks/prompts.py) and by which
            metrics answers are scored (evaluation/metrics.py).
        CUT: texts longer than all in the rows are asked in pieces, so that a task keeps the length of the longest.
    """

    NAME: ClassVar[str]
    TITLES: ClassVar[tuple[str, str]]
    DOES: ClassVar[str]
    ITEM: ClassVar[ItemKind] = "choice"
    CUT: ClassVar[bool] = False

    @abstractmethod
    def layout(self, item: Item, labels: tuple[str, ...]) -> Layout | None:
        """The layout of a row of this kind; None for rows of other kinds, and where the text cannot be told apart.

        Args:
            item: the row.
            labels: its choices as the message shows them.
        """

    def what(self, tag: str) -> str:
        """What an answer's strings are called; "" where answers are no strings of the text."""
        return ""

    def titles(self, what: str) -> tuple[str, str] | None:
        """Japanese and English titles that are better than the words of the question."""
        return None


def around(kind: str, item: Item, labels: tuple[str, ...]) -> Layout | None:
    """The layout of a question that quotes its document; None where it does not."""
    start = item.question.find(item.document)
    if not item.document or item.sentences or start < 0:
        return None
    end = start + len(item.document)
    return Layout(kind, item.tag, item.question[:start], "", item.question[end:], labels)
