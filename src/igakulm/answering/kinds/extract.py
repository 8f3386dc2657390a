"""Strings that a text contains: findings, medicines, doses.

Does: ask and answer with the places of what was found. Does not: cut long texts (`answering/pieces.py`).
"""

from __future__ import annotations

from igakulm.answering.extraction import ANSWER_TOKENS
from igakulm.answering.kinds.form import Form, FormField
from igakulm.answering.kinds.kind import Count, NamedTaskRequest, Part, Text, Usage
from igakulm.answering.tasks import extract
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task

LONGEST_ANSWERS = 8
"""All pieces of one text together may have so many times the tokens that one answer may."""


class ExtractedItem(Part):
    """One string with its place in the text, in characters."""

    text: str
    start: Count
    end: Count
    kind: str


class ExtractAnswer(Part):
    """What was found. `unplaced` does not stand in the text; `cut`, `unreadable`: something may be missing."""

    items: list[ExtractedItem]
    unplaced: list[str]
    raw: str
    cut: bool
    unreadable: Count
    usage: Usage


class ExtractRequest(NamedTaskRequest):
    """A text out of which a task takes strings."""

    KIND = "extract"
    SUMMARY = "Findings, medicines and doses in a text"
    FORM = Form(
        tab="取り出す",
        heading="記録から所見や薬剤を取り出す",
        fields=(FormField("text", "看護記録や検査報告の文章", rows=7),),
        choose="取り出すもの",
        several=True,
        example={
            "text": "（架空の例）75歳女性。昨夜より38.5℃の発熱と咳嗽があり、痰に血液が少量混じる。呼吸困難はない。"
            "アセトアミノフェン500mgを1回内服し、発熱は軽快した。"
            "今朝は食欲不振と倦怠感が続くため、点滴を開始した。"
        },
        shows="marks",
        place=10,
    )
    ANSWER = ExtractAnswer

    text: Text

    def answer(self, model: Model, task: Task, new_tokens: int) -> ExtractAnswer:
        longest, together = min(new_tokens, ANSWER_TOKENS), LONGEST_ANSWERS * new_tokens
        found = extract(model, task, self.text, max_new_tokens=longest, most_tokens=together)
        return ExtractAnswer(
            items=[ExtractedItem(text=one.text, start=one.start, end=one.end, kind=one.kind) for one in found.items],
            unplaced=list(found.unplaced),
            raw=found.raw,
            cut=found.cut,
            unreadable=found.unreadable,
            usage=Usage.of(found.prompt_tokens, found.completion_tokens),
        )


REQUEST = ExtractRequest
