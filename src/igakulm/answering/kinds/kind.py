"""What a kind of task is: a request with its fields, its answer, and the way from one to the other.

Does: hold what all kinds share. Does not: know HTTP; the server's routes and its OpenAPI document are made from these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from igakulm.answering.kinds.form import Form
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task


def _written(text: str) -> str:
    if not text.strip():
        raise ValueError("there is no text")
    return text


Written = Annotated[str, AfterValidator(_written)]
"""A text with at least one character that is no white space."""
Text = Annotated[Written, Field(description="a text with at least one character")]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """An object of an answer: every field is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(Part):
    """Tokens that were read and written."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count

    @classmethod
    def of(cls, prompt: int, completion: int = 0) -> Usage:
        """The counts with their sum."""
        return cls(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


class TaskRequest(BaseModel, ABC):
    """Base of the kinds. A description of a field completes the sentence "FIELD is …", which a refusal says.

    A subclass with a field `task` is answered with that task of the model; one without needs no layout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    KIND: ClassVar[str]
    SUMMARY: ClassVar[str]
    ANSWER: ClassVar[type[Part]]
    FORM: ClassVar[Form | None] = None
    """On the page; None = over HTTP only."""

    @abstractmethod
    def answer(self, model: Model, task: Task, new_tokens: int) -> Part:
        """Ask the model.

        Args:
            model: answers.
            task: the layout that `task` names, of this kind.
            new_tokens: longest answer.

        Raises:
            InputError: what the model cannot be asked.
            EngineFailed: the model's process is gone.
        """


class NamedTaskRequest(TaskRequest):
    """A request for one of the model's tasks."""

    task: Annotated[str, Field(description="the name of a task; see /api/tasks")]
