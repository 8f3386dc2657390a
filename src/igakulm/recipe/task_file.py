"""`task.yaml`: a hospital's own rows and what a model is to do with them.

Does: define the keys, read the file. Does not: open the data (tasks/own/), or know models.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from igakulm.errors import InputError
from igakulm.recipe.keys import Count, Positive, Section, Share
from igakulm.recipe.loading import load_yaml
from igakulm.recipe.personal_data import PersonalData

MOST_LABELS = 26
"""One capital letter each."""
OwnTaskKind = Literal["classify", "extract", "compare", "question-answer", "free-text"]
TaskName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class ColumnsSection(Section):
    """Which columns of the data hold what, by the names in their header."""

    text: str
    id: str | None = None
    patient: str | None = None
    date: str | None = None


class OwnSplitSection(Section):
    """How rows are divided into tuning, validation and test rows; one group never stands on two sides."""

    by: Literal["patient", "document", "date"] = "document"
    test: Share = 0.2
    validation: Share = 0.1
    folds: Count = 0
    seed: Count = 0


class OwnTaskSection(Section):
    """One task on the rows.

    `column` holds the answer: labels (classify), strings of the text (extract), a degree or label (compare), the
    answer (question-answer), the written text (free-text). `second` is the other text of `compare`, or the question of
    `question-answer`. `separator` divides several labels or strings in one cell; none = a JSON list, or one value.
    """

    name: TaskName
    kind: OwnTaskKind
    column: str
    second: str | None = None
    title: str = ""
    question: str = ""
    labels: tuple[str, ...] = ()
    multiple: bool = False
    separator: str | None = None
    item: str = ""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> OwnTaskSection:
        if self.kind in ("classify", "compare") and not 2 <= len(self.labels) <= MOST_LABELS:
            raise ValueError(f"the kind {self.kind} has 2 to {MOST_LABELS} labels")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label stands twice")
        if self.kind in ("compare", "question-answer") and not self.second:
            raise ValueError(f"the kind {self.kind} needs the key 'second': the column of the other text")
        return self


class TaskFile(Section):
    """All of `task.yaml`."""

    version: Literal[1] = 1
    name: TaskName
    data: Annotated[tuple[str, ...], Field(min_length=1)]
    sheet: str | None = None
    header_rows: Annotated[int, Field(ge=0, le=3)] = 0
    encoding: str | None = None
    columns: ColumnsSection
    personal_data: PersonalData = "replace"
    split: OwnSplitSection = OwnSplitSection()
    longest_text: Positive = 200_000
    decisions: str | None = None
    tasks: Annotated[tuple[OwnTaskSection, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> TaskFile:
        names = [task.name for task in self.tasks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two tasks are named {twice!r}")
        if self.split.by == "patient" and self.columns.patient is None:
            raise ValueError("a split by patient needs the key columns.patient")
        if self.split.by == "date" and self.columns.date is None:
            raise ValueError("a split by date needs the key columns.date")
        return self


def load_task_file(path: Path) -> TaskFile:
    """Read `task.yaml`; paths start at its folder, and decisions stand beside it unless it names another file.

    Raises:
        InputError: no such file, bad YAML, an unknown key (with a suggestion), a wrong value.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        hint = f"igakulm task init {path.name} --out task.yaml writes one"
        raise InputError("this is no task file", where=str(path), hint=hint)
    hint = "`igakulm task init FILE --out task.yaml` writes one"
    loaded = load_yaml(path, TaskFile, "task file", hint)
    folder = path.resolve().parent
    decisions = os.path.normpath(folder / (loaded.decisions or f"{path.stem}.decisions.jsonl"))
    data = tuple(os.path.normpath(folder / name) for name in loaded.data)
    return loaded.model_copy(update={"data": data, "decisions": decisions})
