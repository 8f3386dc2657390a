"""Beside the corpus stage: the cleaning as a filter for a pipe.

Does: `igakulm corpus clean`. Does not: build a corpus, or tell what became of a document (explain.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from igakulm.errors import InputError
from igakulm.recipe.schema import Privacy
from igakulm.text.cleaning import clean_texts
from igakulm.text.personal.masking import mask_texts

_STREAM_LINES = 64  # few, so that a pipe flows


def clean_stream(
    lines_in: Iterable[bytes | str],
    field: str | None,
    privacy: Privacy | None = None,
    report: Callable[[InputError], None] | None = None,
) -> Iterator[str]:
    """Clean documents, one a line, and delete personal data; the filter of `igakulm corpus clean`.

    Args:
        lines_in: lines with or without their newline.
        field: None for plain text; else the lines are JSON objects, and this field of each is cleaned.
        privacy: which personal data is deleted (default: as in a recipe that says nothing).
        report: told what is wrong with a line that cannot be read, which then comes out blank.

    Yields:
        One line for each line in, without its newline; a blank line stays blank.

    Raises:
        InputError: without `report`, a line that is not UTF-8, no JSON object, or without the field.
    """
    config = privacy or Privacy()
    numbered = enumerate(lines_in, 1)
    while group := list(islice(numbered, _STREAM_LINES)):
        rows = [_row_or_report(line, number, field, report) for number, line in group]
        texts = mask_texts(clean_texts([text for text, _ in rows]), config).texts
        for text, (_, value) in zip(texts, rows, strict=True):
            if field is None or value is None:
                yield text
            else:
                yield json.dumps({**value, field: text}, ensure_ascii=False)


def _row_or_report(
    line: bytes | str, number: int, field: str | None, report: Callable[[InputError], None] | None
) -> tuple[str, dict[str, object] | None]:
    try:
        return _stream_row(line, number, field)
    except InputError as error:
        if report is None:
            raise
        report(error)
        return "", None


def _stream_row(line: bytes | str, number: int, field: str | None) -> tuple[str, dict[str, object] | None]:
    """The text to clean, and the object that it comes from."""
    try:
        text = (line.decode("utf-8") if isinstance(line, bytes) else line).rstrip("\r\n")
        if field is None or not text.strip():
            return text, None
        value = json.loads(text)
    except ValueError as error:
        kind = "UTF-8" if isinstance(error, UnicodeDecodeError) else "JSON"
        raise InputError(f"this line is not {kind}: {error}", where=f"standard input, line {number}") from error
    if not isinstance(value, dict) or not isinstance(value.get(field), str):
        known = ", ".join(value) if isinstance(value, dict) else type(value).__name__
        raise InputError(
            f"this line has no text field {field!r}", where=f"standard input, line {number}", hint=f"it has {known}"
        )
    return value[field], value
