"""One of several options for a text.

Does: ask and answer with probabilities. Does not: weigh (`answering/options.py`).
"""

from __future__ import annotations

from igakulm.answering.kinds.form import Form, FormField
from igakulm.answering.kinds.kind import NamedTaskRequest, Text
from igakulm.answering.kinds.options import ChoiceAnswer, chosen
from igakulm.answering.tasks import classify
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task


class ClassifyRequest(NamedTaskRequest):
    """A text that a task puts into one of its classes."""

    KIND = "classify"
    SUMMARY = "How probable each option is for a text"
    FORM = Form(
        tab="分類",
        heading="文章を分類する",
        fields=(FormField("text", "文章"),),
        choose="分類のしかた",
        example={"text": "インフルエンザと診断され、今日から仕事を休んでいます。"},
        shows="options",
        place=20,
    )
    ANSWER = ChoiceAnswer

    text: Text

    def answer(self, model: Model, task: Task, new_tokens: int) -> ChoiceAnswer:
        return chosen(classify(model, task, self.text))


REQUEST = ClassifyRequest
