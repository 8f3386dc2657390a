"""Single answers in the report: passages of a document marked by what a model found, missed and added.

Does: choose rows and cut texts into marked pieces. Does not: read files, or parse or score answers again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from igakulm.evaluation.answer_rows import AnswerRow
from igakulm.report.numbers import shortened

SHOWN_ITEMS = 4
MAX_TEXT = 1500
"""Characters of a document that are shown."""
MAX_QUESTION = 400
MAX_ANSWER = 160
MAX_ENTITIES = 200
"""Entities of an answer that are looked for in the document: a runaway answer can hold thousands."""
MARKS = ("hit", "missed", "wrong", "edge")
"""Right, missed, not asked for, and places where the last two overlap."""


def choose_items(rows: Iterable[AnswerRow], wanted: int = SHOWN_ITEMS) -> list[AnswerRow]:
    """A few items of different outcome: partly right, fully right, all missed, unreadable; then the next of each."""
    groups: dict[str, list[AnswerRow]] = {"part": [], "right": [], "missed": [], "unread": []}
    for row in rows:
        outcome = _outcome(row)
        if len(groups[outcome]) < wanted:
            groups[outcome].append(row)
    ranked = sorted(
        ((place, order, row) for order, rows in enumerate(groups.values()) for place, row in enumerate(rows)),
        key=lambda entry: entry[:2],
    )
    return [row for _, _, row in ranked[:wanted]]


def _outcome(row: AnswerRow) -> str:
    if row.parsed is None:
        return "unread"
    gold, said = set(row.gold), set(row.parsed)
    return "right" if gold == said else "part" if gold & said else "missed"


def one_line(text: str) -> str:
    """The beginning of what a model wrote, on one line."""
    return shortened(re.sub(r"\s+", " ", text[: 4 * MAX_ANSWER]).strip(), MAX_ANSWER)


def split_document(prompt: str, *, last: bool = False) -> tuple[str, str]:
    """Question and document of a prompt: the document stands between the first 「 that begins a line and the last 」.

    Args:
        prompt: what the model was shown.
        last: take the last 「 that begins a line, behind which no example of a few-shot prompt follows.

    >>> split_document("症状を挙げてください。\\n「発熱と「咳」を認めた。」")
    ('症状を挙げてください。', '発熱と「咳」を認めた。')
    >>> split_document("発熱あり")
    ('', '発熱あり')
    """
    start, end = prompt.rfind("\n「") if last else prompt.find("\n「"), prompt.rfind("」")
    if 0 <= start < end:
        return prompt[:start].strip(), prompt[start + 2 : end]
    return "", prompt


def marked(text: str, gold: Sequence[str], said: Sequence[str]) -> list[tuple[str, str]]:
    """The text in pieces, each with its mark (empty: none); of entities every occurrence is marked.

    >>> marked("発熱と咳。", ["発熱"], ["咳"])
    [('missed', '発熱'), ('', 'と'), ('wrong', '咳'), ('', '。')]
    """
    wanted, given = set(gold), set(said[:MAX_ENTITIES])
    labels: list[set[str]] = [set() for _ in text]
    for kind, entities in (("hit", wanted & given), ("missed", wanted - given), ("wrong", given - wanted)):
        for entity in entities:
            for start in occurrences(text, entity):
                for place in range(start, start + len(entity)):
                    labels[place].add(kind)
    runs = groupby(zip(text, labels, strict=True), key=lambda pair: _one_label(pair[1]))
    return [(label, "".join(character for character, _ in run)) for label, run in runs]


def _one_label(labels: set[str]) -> str:
    if "hit" in labels:
        return "hit"
    return "edge" if len(labels) > 1 else next(iter(labels), "")


def occurrences(text: str, part: str) -> Iterator[int]:
    """Where a part begins in a text, without overlaps.

    >>> list(occurrences("咳と咳", "咳"))
    [0, 2]
    """
    start = text.find(part) if part else -1
    while start >= 0:
        yield start
        start = text.find(part, start + len(part))
