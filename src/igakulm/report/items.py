"""Single answers in the report: passages of a document marked by what a model found, missed and added.

Does: show rows of answer files. Does not: read files, or parse or score answers again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from igakulm.report.board import listed
from igakulm.report.page import Child, Html, decimal, el, finite, join
from igakulm.report.words import shortened

Row = Mapping[str, Any]

SHOWN_ITEMS = 4
MAX_TEXT = 1500
"""Characters of a document that are shown."""
MAX_QUESTION = 400
MAX_ANSWER = 160
MAX_ENTITIES = 200
"""Entities of an answer that are looked for in the document: a runaway answer can hold thousands."""
MAX_ELSEWHERE = 8
MARKS = {"hit": "正答", "missed": "見落とし", "wrong": "余分", "edge": "範囲の食い違い"}


def marks_legend() -> Html:
    """What the marks mean."""
    return el("p", [el("span", el("mark", name, class_=kind)) for kind, name in MARKS.items()], class_="legend")


def choose_items(rows: Iterable[Row], wanted: int = SHOWN_ITEMS) -> list[Row]:
    """A few items of different outcome: partly right, fully right, all missed, unreadable; then the next of each."""
    groups: dict[str, list[Row]] = {"part": [], "right": [], "missed": [], "unread": []}
    for row in rows:
        gold, said = set(strings(row.get("gold"))), set(strings(row.get("parsed")))
        if row.get("parsed") is None:
            outcome = "unread"
        elif gold == said:
            outcome = "right"
        else:
            outcome = "part" if gold & said else "missed"
        if len(groups[outcome]) < wanted:
            groups[outcome].append(row)
    ranked = sorted(
        ((place, order, row) for order, rows in enumerate(groups.values()) for place, row in enumerate(rows)),
        key=lambda entry: entry[:2],
    )
    return [row for _, _, row in ranked[:wanted]]


def entity_item(row: Row, *, with_question: bool, few_shot: bool = False) -> Html:
    """One document with its marks, its score, and what the model named that is not in it."""
    question, text = split_document(prompt_of(row), last=few_shot)
    said = strings(row.get("parsed"))[:MAX_ENTITIES]
    elsewhere = [shortened(entity) for entity in dict.fromkeys(said) if entity not in text]
    remarks = [shortened(str(row.get("id") or ""))]
    score = finite(row.get("score"))
    if score is not None:
        remarks.append(f"部分一致F1 {decimal(score, 2)}")
    if row.get("parsed") is None:
        remarks.append(f"答えを読み取れない：{raw_answer(row)}")
    if elsewhere:
        more = f"、ほか {len(elsewhere) - MAX_ELSEWHERE}" if len(elsewhere) > MAX_ELSEWHERE else ""
        remarks.append(f"本文にない答え：{listed(elsewhere[:MAX_ELSEWHERE])}{more}")
    line = el("p", [el("span", remark) for remark in remarks if remark], class_="meta")
    asked = el("p", shortened(question, MAX_QUESTION), class_="asked") if with_question and question else None
    return el("div", asked, el("p", marked(clipped(text), strings(row.get("gold")), said)), line, class_="item")


def prompt_of(row: Row) -> str:
    """What the model was shown."""
    return str(row.get("prompt") or row.get("question") or "")


def raw_answer(row: Row) -> str:
    """The beginning of what the model wrote, on one line; or why there is no answer."""
    text = re.sub(r"\s+", " ", str(row.get("answer") or "")[: 4 * MAX_ANSWER]).strip()
    if text:
        return shortened(text, MAX_ANSWER)
    failure = str(row.get("failure") or "")
    return f"（答えなし：{shortened(failure, MAX_ANSWER)}）" if failure else "（空の答え）"


def clipped(text: str) -> str:
    """The beginning of a document."""
    return shortened(text, MAX_TEXT)


def strings(value: object) -> list[str]:
    """The strings of a JSON list; a single string is a list of one, anything else is empty."""
    if isinstance(value, str):
        return [value]
    return [str(entry) for entry in value] if isinstance(value, list) else []


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


def marked(text: str, gold: Sequence[str], said: Sequence[str]) -> Html:
    """The text with every occurrence of the entities marked: right, missed, wrong, or both of the last two.

    >>> marked("発熱と咳。", ["発熱"], ["咳"])
    '<mark class="missed" title="見落とし">発熱</mark>と<mark class="wrong" title="余分">咳</mark>。'
    """
    labels: list[set[str]] = [set() for _ in text]
    for kind, entities in _kinds(gold, said).items():
        for entity in entities:
            for start in occurrences(text, entity):
                for place in range(start, start + len(entity)):
                    labels[place].add(kind)
    pieces: list[Child] = []
    for label, run in groupby(range(len(text)), key=lambda place: _one_label(labels[place])):
        places = list(run)
        piece = text[places[0] : places[-1] + 1]
        pieces.append(el("mark", piece, class_=label, title=MARKS[label]) if label else piece)
    return join(*pieces)


def _kinds(gold: Sequence[str], said: Sequence[str]) -> dict[str, set[str]]:
    wanted, given = set(gold), set(said)
    return {"hit": wanted & given, "missed": wanted - given, "wrong": given - wanted}


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
