"""Own rows as files for the stages: personal data replaced, sides divided, one file a task and side.

Does: replace personal data in texts and move the answers with them, write the rows, say what was done. Does not: choose
what is replaced (text/personal/), or train.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from igakulm.recipe.personal_data import deidentification
from igakulm.recipe.task_file import TaskFile
from igakulm.tasks.item_rows import write_item_rows
from igakulm.tasks.own.items import items_of
from igakulm.tasks.own.rows import OwnRow
from igakulm.tasks.own.splits import Sides
from igakulm.text.personal.key_file import deidentifier_of
from igakulm.text.personal.replacing import Deidentifier, Replaced


class Stored(TypedDict):
    """What was written. `rows` and `patients` by side; `personal_data`: what was done, None = nothing was."""

    tasks: list[str]
    rows: dict[str, int]
    patients: dict[str, int]
    personal_data: dict[str, object] | None


def store_sides(task_file: TaskFile, sides: Sides, folder: Path) -> Stored:
    """Write `TASK.train.jsonl` (validation rows are among them) and `TASK.test.jsonl` of every task.

    Args:
        task_file: says what is replaced.
        sides: the rows.
        folder: of the files; the caller makes it.

    Raises:
        InputError: dates are shifted or names invented without a key file.
    """
    config = deidentification(task_file.personal_data)
    replacer = deidentifier_of(config, "personal_data") if config else None
    written = frozenset(task.name for task in task_file.tasks if task.kind in ("question-answer", "free-text"))
    train, test = (
        [without_personal_data(row, replacer, written) for row in rows] if replacer else list(rows)
        for rows in ((*sides.train, *sides.validation), sides.test)
    )
    names: list[str] = []
    for task, items in items_of(task_file, train).items():
        names.append(task)
        write_item_rows(folder / f"{task}.train.jsonl", items)
    for task, items in items_of(task_file, test).items():
        write_item_rows(folder / f"{task}.test.jsonl", items)
    by_side = {"train": sides.train, "validation": sides.validation, "test": sides.test}
    return {
        "tasks": names,
        "rows": {side: len(rows) for side, rows in by_side.items()},
        "patients": {side: _patients(rows) for side, rows in by_side.items()},
        "personal_data": replacer.record() if replacer else None,
    }


def _patients(rows: Iterable[OwnRow]) -> int:
    return len({row.patient for row in rows if row.patient})


def without_personal_data(row: OwnRow, replacer: Deidentifier, written: frozenset[str] = frozenset()) -> OwnRow:
    """A row with its personal data replaced in the text, the other texts and the answers.

    All texts of the row are looked at together, so that a name of one is found in the others. A string of the text that
    a replaced span touches becomes what stands there now; answers of the tasks `written` are texts of their own.
    """
    own = {(task, place): part for task in written for place, part in enumerate(row.answers.get(task, ()))}
    texts = {("", 0): row.text, **{(task, -1): text for task, text in row.seconds.items()}, **own}
    replaced = replacer.replace_together(texts, row.patient or row.id)
    document = replaced["", 0]
    answers: dict[str, tuple[str, ...]] = {}
    for task, answer in row.answers.items():
        parts = (
            replaced[task, place].text if task in written else _moved(part, document)
            for place, part in enumerate(answer)
        )
        answers[task] = tuple(dict.fromkeys(parts))
    seconds = {task: replaced[task, -1].text for task in row.seconds}
    return replace(row, text=document.text, answers=answers, seconds=seconds)


def _moved(part: str, replaced: Replaced) -> str:
    start = replaced.original.find(part)
    if start < 0:
        return part  # a label
    first, last = replaced.moved(start, start + len(part))
    return replaced.text[first:last]
