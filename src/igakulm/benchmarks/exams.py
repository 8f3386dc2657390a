"""Examinations in JSON Lines: one multiple-choice question a line, 2 to 10 options, one or several right ones.

Does: read and check the rows. Does not: know IgakuQA's files (igakuqa.py) or score anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.benchmarks.items import LETTERS, Item
from igakulm.errors import InputError
from igakulm.files import read_jsonl

MAX_CHOICES = 10


def read_exam(path: Path, task: str) -> list[Item]:
    """Items of a file with rows `id, question, choices, answer` and, if wanted, `text_only, points, exam, year`.

    `answer` is a list of letters (a = first option). Rows with `"text_only": false` are left out: no text model can
    answer them. `exam` becomes `Item.tag`, `year` becomes `Item.group`.

    Raises:
        InputError: a wrong row, with file and row; an id that occurs twice; no row at all.
    """
    rows = unique_rows(path)
    return [exam_item(row, task, where) for row, where in rows if row.get("text_only", True) is not False]


def unique_rows(path: Path, key: str = "id") -> list[tuple[dict[str, Any], str]]:
    """All rows of a JSON Lines file with their place, the ids (field `key`) checked.

    Raises:
        InputError: an empty file, a missing id, or an id that occurs twice.
    """
    found: list[tuple[dict[str, Any], str]] = []
    first: dict[str, int] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        where = f"{path}, row {number}"
        identifier = text_field(row, key, where)
        if identifier in first:
            raise InputError(
                f"the id {identifier!r} occurs twice (first in row {first[identifier]})",
                where=where,
                mend="give every row an id of its own",
            )
        first[identifier] = number
        found.append((row, where))
    if not found:
        raise InputError("the file holds no rows", where=str(path), mend="give at least one row")
    return found


def exam_item(row: Mapping[str, Any], task: str, where: str) -> Item:
    """One checked multiple-choice item; `document` is the question.

    Raises:
        InputError: a missing or wrong field, with its place.
    """
    question = text_field(row, "question", where)
    choices = choices_field(row, where)
    points = row.get("points", 1)
    if not isinstance(points, (int, str)) or isinstance(points, bool) or not re.fullmatch(r"\d{1,3}", str(points)):
        raise InputError(f"points must be a small whole number, not {points!r}", where=where)
    answer = letters_field(row, len(choices), where)
    return Item(
        id=text_field(row, "id", where),
        task=task,
        kind="choice",
        question=question,
        choices=choices,
        answer=answer,
        document=question,
        tag=str(row.get("exam") or ""),
        wanted=len(answer),
        points=int(points),
        group=str(row.get("year") or ""),
    )


def text_field(row: Mapping[str, Any], name: str, where: str) -> str:
    """A filled string field.

    Raises:
        InputError: missing, not a string, or empty.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        problem = f"the field {name!r} is missing" if name not in row else f"the field {name!r} is not a filled text"
        raise InputError(problem, where=where, mend=f'write "{name}": "…"')
    return value.strip()


def strings_field(row: Mapping[str, Any], name: str, where: str, *, blank: bool = False) -> tuple[str, ...]:
    """A field that is a list of strings (possibly an empty list); with `blank`, strings may be empty too.

    Raises:
        InputError: missing or another form.
    """
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, str) and (blank or entry.strip()) for entry in value):
        raise InputError(f"the field {name!r} is not a list of texts", where=where, mend=f'write "{name}": ["…", "…"]')
    return tuple(entry.strip() for entry in value)


def choices_field(row: Mapping[str, Any], where: str, *, blank: bool = False) -> tuple[str, ...]:
    """The options: 2 to 10 texts; with `blank`, some may be empty (they were pictures).

    Raises:
        InputError: fewer or more.
    """
    choices = strings_field(row, "choices", where, blank=blank)
    if not 2 <= len(choices) <= MAX_CHOICES:
        raise InputError(f"{len(choices)} choices; a question has 2 to {MAX_CHOICES}", where=where)
    return choices


def letters_field(row: Mapping[str, Any], choices: int, where: str) -> tuple[str, ...]:
    """The field `answer` as sorted capital letters, each of them one of the `choices` options.

    Raises:
        InputError: no letter, a letter twice, or one beyond the options.
    """
    letters = [letter.upper() for letter in strings_field(row, "answer", where)]
    known = LETTERS[:choices]
    wrong = next((letter for letter in letters if len(letter) != 1 or letter not in known), None)
    if wrong is not None:
        raise InputError(f"the answer {wrong!r} is not one of the options {known[0]} to {known[-1]}", where=where)
    if not letters or len(set(letters)) != len(letters):
        raise InputError("the answer must name at least one option, each once", where=where)
    return tuple(sorted(letters))
