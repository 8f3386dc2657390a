"""An examination question with its choices.

Does: check the number of choices and of wanted answers, ask, answer with probabilities. Does not: weigh
(`answering/options.py`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from igakulm.answering.kinds.form import Form, FormField
from igakulm.answering.kinds.kind import Part, TaskRequest, Text, Usage, Written
from igakulm.answering.kinds.options import WeighedOption, weighed
from igakulm.answering.tasks import MOST_CHOICES, exam
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task


def _whole(value: object) -> object:
    """JSON Schema knows no difference between 1 and 1.0."""
    return int(value) if type(value) is float and value.is_integer() else value


class ExamAnswer(Part):
    """All choices, and the letters of the likeliest set of as many as were wanted."""

    options: list[WeighedOption]
    answer: list[str]
    usage: Usage


class ExamRequest(TaskRequest):
    """A question of its own: the model needs no layout for it."""

    KIND = "exam"
    SUMMARY = "How probable each choice of a question is"
    FORM = Form(
        tab="試験問題",
        heading="多肢選択の試験問題を解く",
        fields=(
            FormField("question", "問題文", rows=4),
            FormField(
                "choices", "選択肢", "（1行に一つ。先頭の「a.」や「1.」は除いて読みます）", sends="lines", least=2
            ),
            FormField(
                "wanted", "答えの数", sends="number", below="choices", options=((1, "一つ"), (2, "二つ"), (3, "三つ"))
            ),
        ),
        example={
            "question": "血糖値を下げるホルモンはどれか。",
            "choices": "a. インスリン\nb. グルカゴン\nc. アドレナリン\nd. コルチゾール\ne. 成長ホルモン",
        },
        refused="選択肢を1行に一つずつ、答えの数より多く書いてください。",
        shows="options",
        place=40,
    )
    ANSWER = ExamAnswer

    question: Text
    choices: Annotated[
        list[Written],
        Field(min_length=2, max_length=MOST_CHOICES, description=f"a list of 2 to {MOST_CHOICES} texts"),
    ]
    wanted: Annotated[
        Annotated[int, Field(ge=1, le=MOST_CHOICES - 1)] | None,
        BeforeValidator(_whole),
        Field(description="a whole number of at least 1 and less than there are choices"),
    ] = None

    @field_validator("wanted")
    @classmethod
    def _fewer_than_choices(cls, wanted: int | None, info: ValidationInfo) -> int | None:
        if wanted is not None and wanted >= len(info.data.get("choices", range(MOST_CHOICES))):
            raise ValueError("as many answers as choices")
        return wanted

    def answer(self, model: Model, task: Task, new_tokens: int) -> ExamAnswer:
        found = exam(model, self.question, self.choices, self.wanted or 1)
        return ExamAnswer(options=weighed(found), answer=found.answer.split(","), usage=Usage.of(found.prompt_tokens))


REQUEST = ExamRequest
