"""The fields of rows in JSON Lines: read, checked, and every unknown one named.

Does: iterate over a file's rows with their places, ids once each; take texts, labels and lists from a row. Does not:
know what a task's rows mean (exams.py, rows.py), or how an examination writes its answers (exam_answers.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from igakulm.errors import InputError, did_you_mean
from igakulm.files import explain_os_error, tried_jsonl
from igakulm.tasks.left_out import OddRow, Screen

MAX_ID = 200
"""Characters of an id: it stands in every result and message."""
NOTES = frozenset({"comment", "explanation", "note", "source", "licence", "license", "url"})
"""Fields that any row may have and that no model sees."""
WRITTEN_HERE = frozenset({"messages", "task", "document_sha256", "answer_written"})
"""Fields that our own writers put beside a row, so that it can be tuned on as well (synth/exam_item.py)."""
T = TypeVar("T")
Row = Mapping[str, Any]


def unique_rows(path: Path, key: str = "id") -> list[tuple[dict[str, Any], str]]:
    """All rows of a JSON Lines file with their place, the ids (field `key`) checked.

    Raises:
        InputError: another format, an empty file, a missing or overlong id, or an id that occurs twice.
    """
    return rows_of(path, "", lambda row, where: (dict(row), where), Screen(strict=True), key)


def rows_of(path: Path, task: str, build: Callable[[Row, str], T], screen: Screen, key: str = "id") -> list[T]:
    """What `build(row, place)` makes of the rows of a file; odd rows go to the screen.

    Args:
        path: JSON Lines.
        task: the task's name, for the list of rows left out.
        build: raises `OddRow` for a row that it can make nothing of.
        screen: takes the rows left out.
        key: the field of the id, a text or a whole number, each once in the file.

    Raises:
        InputError: another format, a file without rows or with odd rows only, and what a strict screen raises.
    """
    check_format(path)
    found: list[T] = []
    first: dict[str, int] = {}
    odd: OddRow | None = None
    number = 0
    for number, (line, row) in enumerate(tried_jsonl(path), 1):
        identifier = ""
        try:
            if isinstance(row, InputError):
                raise OddRow("broken-line", row.what, where=f"{path}, line {line}", hint=row.hint)
            where = f"{path}, row {number}"
            identifier = id_field(row, key, where)
            if identifier in first:
                what = f"the id {identifier!r} occurs twice (first in row {first[identifier]})"
                raise OddRow("same-id", what, where=where, hint="give every row an id of its own")
            first[identifier] = number
            found.append(build(row, where))
        except OddRow as error:
            screen.leave_out(task, identifier, error)
            odd = odd or error
    if not number:
        raise InputError("the file holds no rows", where=str(path), hint="give at least one row")
    if not found:
        what = f"no row of the file can be asked; the first: {odd.what if odd else ''}"
        raise InputError(what, where=odd.where if odd else str(path), hint=odd.hint if odd else None)
    return found


def check_format(path: Path) -> None:
    """Say so when the first line is that of a table or of one long list, not a JSON object.

    Raises:
        InputError: it is, or the file cannot be read.
    """
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


def check_fields(row: Row, known: Collection[str], where: str, hints: Mapping[str, str] | None = None) -> None:
    """Refuse a field that nobody would read; `NOTES` may stand in any row.

    Raises:
        InputError: an unknown field, with a suggestion. It concerns the file, not this one row.
    """
    for name in row:
        if name not in known and name not in NOTES | WRITTEN_HERE:
            close = did_you_mean(name, known)
            hint = (hints or {}).get(name) or (f"did you mean {close!r}?" if close else "known: " + ", ".join(known))
            raise InputError(f"unknown field {name[:40]!r}", where=where, hint=hint)


def id_field(row: Row, name: str, where: str) -> str:
    """The id: a text or a whole number, as text.

    Raises:
        OddRow: missing, of another type, empty or overlong.
    """
    value = row.get(name)
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value.strip():
        problem = f"the field {name!r} is missing" if name not in row else f"the field {name!r} is not a filled text"
        raise OddRow("no-id", problem, where=where, hint=f'write "{name}": "…"')
    if len(value) > MAX_ID:
        what = f"the id has {len(value):,} characters; at most {MAX_ID} are allowed"
        raise OddRow("no-id", what, where=where, hint="give the row a short name")
    return whole(value, name, where).strip()


def text_field(row: Row, name: str, where: str, reason: str = "no-question") -> str:
    """A filled string field.

    Raises:
        OddRow: missing, not a string, or empty.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        problem = f"the field {name!r} is missing" if name not in row else f"the field {name!r} is not a filled text"
        raise OddRow(reason, problem, where=where, hint=f'write "{name}": "…"')
    return whole(value, name, where).strip()


def whole(text: str, name: str, where: str) -> str:
    r"""The text, which must hold no half of a character (an escape such as \ud800 alone): no file could keep it.

    Raises:
        OddRow: it does.
    """
    if re.search("[\ud800-\udfff]", text):
        raise OddRow("wrong-field", f"the field {name!r} holds half a character (a lone surrogate)", where=where)
    return text


def label_field(row: Row, name: str, where: str) -> str:
    """A field that may be missing: a text or a whole number, as text.

    Raises:
        OddRow: another type.
    """
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise OddRow("wrong-field", f"the field {name!r} is neither a text nor a whole number", where=where)
    return whole(str(value), name, where)


def labels(row: Row, names: Collection[str], where: str) -> tuple[tuple[str, str], ...]:
    """(field, value) of the fields by which scores are given apart; missing ones have the value "".

    Raises:
        OddRow: neither text nor whole number.
    """
    return tuple((name, label_field(row, name, where)) for name in names)


def strings_field(row: Row, name: str, where: str, *, blank: bool = False) -> tuple[str, ...]:
    """A field that is a list of strings (possibly an empty list); with `blank`, strings may be empty too.

    Raises:
        OddRow: missing or another form.
    """
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, str) and (blank or entry.strip()) for entry in value):
        what = f"the field {name!r} is not a list of texts"
        raise OddRow("wrong-field", what, where=where, hint=f'write "{name}": ["…", "…"]')
    return tuple(whole(entry, name, where).strip() for entry in value)
