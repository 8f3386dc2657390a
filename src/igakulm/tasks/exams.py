"""Examinations in JSON Lines: one question a line, 2 to 15 options or a number, one or several right answers.

Does: turn rows into items, leave odd rows out. Does not: read the forms of right answers (exam_answers.py), know a
published benchmark's files (benchmarks/), or score anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import tried_jsonl
from igakulm.tasks.exam_answers import Answers, asks_for_all, choices_of, digits_of, right_answers
from igakulm.tasks.fields import Row, check_fields, id_field, label_field, labels, rows_of, text_field
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import OddRow, Screen

ALSO_CALLED = {
    "problem_id": "id",
    "problem_text": "question",
    "options": "choices",
    "accepted_answers": "accepted",
    "category": "exam",
    "tag": "exam",
}
"""Fields of published files, and what they are here."""
FIELDS = ("id", "question", "choices", "answer", "accepted", "text_only", "points", "exam", "year", "part")
HINTS = {"document": 'a question has no document: put the text into "question", or use the kind classification'}


def read_exam(
    path: Path,
    task: str,
    screen: Screen | None = None,
    by: Collection[str] = (),
    change: Callable[[Row], Row] = lambda row: row,
) -> list[Item]:
    """Items of a file with rows `id, question, choices, answer` and, if wanted, `text_only, points, exam, year, part`.

    `answer` is a list of letters (a = first option) or any form that `right_answers` reads; without `choices` it is a
    number. `accepted` lists further answers that count. `exam` becomes `Item.tag`, `year` becomes `Item.group`.
    Rows with `"text_only": false` are left out without being looked at: no text model can answer them.

    Args:
        path: the file.
        task: the task's name.
        screen: takes the rows left out; None = the first odd row is an error.
        by: further fields, for scores by subgroup.
        change: what is done to a row before an item is made of it.

    Raises:
        InputError: an unknown field, no row that can be asked, and what a strict screen raises.
    """
    screen = screen or Screen(strict=True)
    return rows_of(path, task, lambda row, where: exam_item(change(row), task, where, by), screen, key_of(path))


def key_of(path: Path) -> str:
    """The field that holds the id: `problem_id` where the first row has it, else `id`.

    Raises:
        InputError: the file cannot be read.
    """
    first = next((row for _, row in tried_jsonl(path)), {})
    return "problem_id" if isinstance(first, Mapping) and "problem_id" in first else "id"


def exam_item(row: Row, task: str, where: str, by: Collection[str] = ()) -> Item:
    """One item; `document` is the question.

    Raises:
        OddRow: a missing or wrong field, with its place; a question that needs a picture.
        InputError: an unknown field.
    """
    row = _renamed(row, where)
    check_fields(row, (*FIELDS, *by), where, HINTS)
    if not _flag(row, "text_only", where):
        raise OddRow("image", "text cannot answer it (text_only is false)", where=where)
    question = text_field(row, "question", where)
    numeric = row.get("choices") in (None, [], "")
    choices = () if numeric else choices_of(row["choices"], where)
    answers = _answers(row, choices, where)
    sizes = {len(answer) for answer in answers}
    return Item(
        id=id_field(row, "id", where),
        task=task,
        kind="number" if numeric else "choice",
        question=question,
        choices=choices,
        answer=answers[0],
        document=question,
        tag=label_field(row, "exam", where),
        wanted=0 if len(sizes) > 1 or (not numeric and asks_for_all(question)) else sizes.pop(),
        points=points_of(row.get("points", 1), where),
        group=label_field(row, "year", where),
        also=answers[1:],
        part=label_field(row, "part", where),
        labels=labels(row, by, where),
    )


def _renamed(row: Row, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        own = ALSO_CALLED.get(name, name)
        if own in found:
            raise InputError(f"the fields {own!r} and {name!r} mean the same", where=where, hint="keep one of them")
        found[own] = value
    return found


def _answers(row: Row, choices: tuple[str, ...], where: str) -> Answers:
    given = [row.get("answer")]
    if row.get("accepted") is not None:
        further = row["accepted"]
        given += further if isinstance(further, list) else [further]
    answers = [right_answers(value, choices, where) if choices else digits_of(value, where) for value in given]
    return tuple(dict.fromkeys(answer for ways in answers for answer in ways))


def _flag(row: Row, name: str, where: str) -> bool:
    """A field that is true when it is missing.

    Raises:
        OddRow: neither true nor false.
    """
    value = row.get(name)
    known = {"true": True, "1": True, "none": True, "false": False, "0": False}
    flag = known.get(str(value).strip().lower())
    if flag is None:
        raise OddRow("wrong-field", f"{name} must be true or false, not {str(value)[:40]!r}", where=where)
    return flag


def points_of(value: object, where: str) -> float:
    """The points of a question, as a whole number where they are one.

    Raises:
        OddRow: no small number.

    >>> points_of("1.0", ""), points_of(0.5, "")
    (1, 0.5)
    """
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3})?", str(value).strip()):
        raise OddRow("wrong-field", f"points must be a small number, not {str(value)[:40]!r}", where=where)
    points = float(str(value))
    return int(points) if points.is_integer() else points
