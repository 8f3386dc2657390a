"""The texts of a training file in JSON Lines, whatever trainer it was written for.

Does: read lines (plain, .gz or .zst) one by one and take the text out of the usual fields. Does not: judge the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from igakulm.corpus.streams import Advance, lines, nothing
from igakulm.errors import InputError

TEXT_FIELDS = (
    *("text", "messages", "conversations"),  # plain text; chat; chat as ShareGPT writes it
    *("system", "instruction", "input", "output", "history"),  # Alpaca and its relatives
    *("prompt", "completion", "response", "chosen", "rejected"),  # prompt and completion; preferences
    *("question", "answer"),
)
"""Fields whose texts are read, as many of them as a row has."""
MAX_DEPTH = 8


def training_texts(path: Path, field: str | None = None, advance: Advance = nothing) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text) for each row; the texts of several fields or messages are joined by newlines.

    Args:
        path: JSON Lines; blank lines are skipped.
        field: the one field to read; None = all of `TEXT_FIELDS` that a row has. A field holds a text, or lists of
            texts and of messages {"content": …} or {"value": …}.
        advance: called with the bytes of the file that were read.

    Raises:
        InputError: a line that is no JSON object or has no text field, with file and line; a file without rows.
    """
    empty = True
    for number, line in enumerate(lines(path, advance), 1):
        if not line or line.isspace():
            continue
        empty = False
        where = f"{path}, line {number}"
        row = _row(line, where)
        names = [field] if field is not None else [name for name in TEXT_FIELDS if name in row]
        if not names or names[0] not in row:
            what = f"this row has no field {field!r}" if field is not None else "this row has none of the usual fields"
            here = ", ".join(map(str, row))[:200] or "no field at all"
            raise InputError(
                what, where=where, hint=f"name the field that holds the text (--field); the row has {here}"
            )
        yield number, "\n".join(text for name in names for text in _texts(row[name], name, where))
    if empty:
        raise InputError("the file holds no rows", where=str(path), hint="give at least one row")


def _row(line: bytes, where: str) -> Mapping[str, Any]:
    import orjson

    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # the standard library takes what orjson refuses: lone surrogates in escapes, NaN
            value = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            kind = "UTF-8" if isinstance(error, UnicodeDecodeError) else "JSON"
            raise InputError(f"this line is not {kind}: {error}", where=where) from error
    if not isinstance(value, dict):
        raise InputError("this line is not a JSON object", where=where)
    return value


def _texts(value: object, name: str, where: str, depth: int = 0) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for entry in value:
            yield from _texts(entry, name, where, depth + 1)
    elif isinstance(value, dict) and depth < MAX_DEPTH:
        for key in ("content", "value", "text"):  # other keys are roles, types, tool calls
            yield from _texts(value.get(key), name, where, depth + 1)
    else:
        raise InputError(f"the field {name!r} holds neither texts nor messages", where=where)
