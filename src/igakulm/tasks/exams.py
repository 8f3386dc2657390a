"""Examinations in JSON Lines: one multiple-choice question a line, 2 to 10 options, one or several right ones.

Does: read and check the rows. Does not: know IgakuQA's files (igakuqa.py) or score anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, read_jsonl
from igakulm.tasks.items import LETTERS, Item

MAX_CHOICES = 10
MAX_ID = 200
"""Characters of an id: it stands in every result and message."""


def read_exam(path: Path, task: str) -> list[Item]:
    """Items of a file with rows `id, question, choices, answer` and, if wanted, `text_only, points, exam, year`.

    `answer` is a list of letters (a = first option), small, capital or full-width. Rows with `"text_only": false` are
    checked and left out: no text model can answer them. `exam` becomes `Item.tag`, `year` becomes `Item.group`.

    Raises:
        InputError: a wrong row, with file and row; an id that occurs twice; no row, or none that text answers.
    """
    items = [(exam_item(row, task, where), _text_only(row, where)) for row, where in unique_rows(path)]
    found = [item for item, text_only in items if text_only]
    if not found:
        raise InputError("every row is marked as not text_only", where=str(path), hint="give a row without a picture")
    return found


def _text_only(row: Mapping[str, Any], where: str) -> bool:
    value = row.get("text_only", True)
    if not isinstance(value, bool):
        raise InputError(f"text_only must be true or false, not {str(value)[:40]!r}", where=where)
    return value


def unique_rows(path: Path, key: str = "id") -> list[tuple[dict[str, Any], str]]:
    """All rows of a JSON Lines file with their place, the ids (field `key`) checked.

    Raises:
        InputError: another format, an empty file, a missing or overlong id, or an id that occurs twice.
    """
    _check_format(path)
    found: list[tuple[dict[str, Any], str]] = []
    first: dict[str, int] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        where = f"{path}, row {number}"
        identifier = text_field(row, key, where)
        if len(identifier) > MAX_ID:
            what = f"the id has {len(identifier):,} characters; at most {MAX_ID} are allowed"
            raise InputError(what, where=where, hint="give the row a short name")
        if identifier in first:
            raise InputError(
                f"the id {identifier!r} occurs twice (first in row {first[identifier]})",
                where=where,
                hint="give every row an id of its own",
            )
        first[identifier] = number
        found.append((row, where))
    if not found:
        raise InputError("the file holds no rows", where=str(path), hint="give at least one row")
    return found


def _check_format(path: Path) -> None:
    """Say so when the first line is that of a table or of one long list, not a JSON object."""
    try:
        with path.open("rb") as file:
            start = next((line[:4096] for line in file if line.strip()), b"")
    except OSError as error:
        raise explain_os_error(error, path) from error
    text = start.decode("utf-8-sig", "replace").strip()
    hint = 'write one JSON object a line: {"id": "…", …}'
    if text.startswith("["):
        raise InputError("this is one JSON list, not JSON Lines", where=str(path), hint=hint)
    if text and not text.startswith("{") and ("," in text or "\t" in text):
        raise InputError("this looks like a CSV table, not JSON Lines", where=str(path), hint=hint)


def exam_item(row: Mapping[str, Any], task: str, where: str) -> Item:
    """One checked multiple-choice item; `document` is the question.

    Raises:
        InputError: a missing or wrong field, with its place.
    """
    question = text_field(row, "question", where)
    choices = choices_field(row, where)
    points = row.get("points", 1)
    if not isinstance(points, (int, str)) or isinstance(points, bool) or not re.fullmatch(r"[0-9]{1,3}", str(points)):
        raise InputError(f"points must be a small whole number, not {str(points)[:40]!r}", where=where)
    answer = letters_field(row, len(choices), where)
    return Item(
        id=text_field(row, "id", where),
        task=task,
        kind="choice",
        question=question,
        choices=choices,
        answer=answer,
        document=question,
        tag=label_field(row, "exam", where),
        wanted=len(answer),
        points=int(points),
        group=label_field(row, "year", where),
    )


def text_field(row: Mapping[str, Any], name: str, where: str) -> str:
    """A filled string field.

    Raises:
        InputError: missing, not a string, or empty.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        problem = f"the field {name!r} is missing" if name not in row else f"the field {name!r} is not a filled text"
        raise InputError(problem, where=where, hint=f'write "{name}": "…"')
    return _whole(value, name, where).strip()


def _whole(text: str, name: str, where: str) -> str:
    r"""The text, which must hold no half of a character (an escape such as \ud800 alone): no file could keep it."""
    if re.search("[\ud800-\udfff]", text):
        raise InputError(f"the field {name!r} holds half a character (a lone surrogate)", where=where)
    return text


def label_field(row: Mapping[str, Any], name: str, where: str) -> str:
    """A field that may be missing: a text or a whole number, as text.

    Raises:
        InputError: another type.
    """
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"the field {name!r} is neither a text nor a whole number", where=where)
    return _whole(str(value), name, where)


def strings_field(row: Mapping[str, Any], name: str, where: str, *, blank: bool = False) -> tuple[str, ...]:
    """A field that is a list of strings (possibly an empty list); with `blank`, strings may be empty too.

    Raises:
        InputError: missing or another form.
    """
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, str) and (blank or entry.strip()) for entry in value):
        raise InputError(f"the field {name!r} is not a list of texts", where=where, hint=f'write "{name}": ["…", "…"]')
    return tuple(_whole(entry, name, where).strip() for entry in value)


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
    """The field `answer` (letters of any case or width) as sorted capitals, each of them one of the `choices` options.

    Raises:
        InputError: no letter, a letter twice, or one beyond the options.
    """
    letters = [unicodedata.normalize("NFKC", letter).upper() for letter in strings_field(row, "answer", where)]
    known = LETTERS[:choices]
    wrong = next((letter for letter in letters if len(letter) != 1 or letter not in known), None)
    if wrong is not None:
        raise InputError(f"the answer {wrong[:40]!r} is not one of the options {known[0]} to {known[-1]}", where=where)
    if not letters or len(set(letters)) != len(letters):
        raise InputError("the answer must name at least one option, each once", where=where)
    return tuple(sorted(letters))
