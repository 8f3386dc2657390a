"""One of several options for two texts.

Does: ask and answer with probabilities. Does not: weigh (`answering/options.py`).
"""

from __future__ import annotations

from igakulm.answering.kinds.form import Form, FormField
from igakulm.answering.kinds.kind import NamedTaskRequest, Text
from igakulm.answering.kinds.options import ChoiceAnswer, chosen
from igakulm.answering.tasks import compare
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task


class CompareRequest(NamedTaskRequest):
    """Two texts that a task compares."""

    KIND = "compare"
    SUMMARY = "How probable each option is for two texts"
    FORM = Form(
        tab="二文の比較",
        heading="二つの文の意味を比べる",
        fields=(FormField("first", "一つ目の文", rows=3), FormField("second", "二つ目の文", rows=3)),
        choose="比べ方",
        beside=True,
        example={"first": "発熱と咳嗽がみられた。", "second": "咳と熱を認めた。"},
        shows="options",
        place=30,
    )
    ANSWER = ChoiceAnswer

    first: Text
    second: Text

    def answer(self, model: Model, task: Task, new_tokens: int) -> ChoiceAnswer:
        return chosen(compare(model, task, self.first, self.second))


REQUEST = CompareRequest
