"""One of several options for two texts.

Does: ask and answer with probabilities. Does not: weigh (`answering/options.py`).
"""

from __future__ import annotations

from igakulm.answering.kinds.kind import NamedTaskRequest, Text
from igakulm.answering.kinds.options import ChoiceAnswer, chosen
from igakulm.answering.tasks import compare
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task


class CompareRequest(NamedTaskRequest):
    """Two texts that a task compares."""

    KIND = "compare"
    SUMMARY = "How probable each option is for two texts"
    ANSWER = ChoiceAnswer

    first: Text
    second: Text

    def answer(self, model: Model, task: Task, new_tokens: int) -> ChoiceAnswer:
        return chosen(compare(model, task, self.first, self.second))


REQUEST = CompareRequest
