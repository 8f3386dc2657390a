"""Beside the corpus stage: what became of one document, and the cleaning as a filter for a pipe.

Does: `igakulm corpus explain` and `igakulm corpus clean`. Does not: build a corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from igakulm.corpus.clean import clean_texts
from igakulm.corpus.privacy import mask_texts
from igakulm.errors import InputError
from igakulm.recipe.schema import Privacy

_STREAM_LINES = 64  # few, so that a pipe flows


def explain(corpus_dir: Path, identifier: str) -> dict[str, Any]:
    """What became of one document.

    Args:
        corpus_dir: a finished corpus folder.
        identifier: the document's id (`source:id`).

    Returns:
        `kept`, `id`, `source` and `text`; of a dropped document also `reason`, `detail`, for filtered ones the text
        `before` cleaning, for duplicates the text of the `survivor`.

    Raises:
        InputError: the corpus has no such document.
    """
    found = _look_up(corpus_dir / "documents", identifier)
    if found is not None:
        return {"kept": True, **found}
    found = _look_up(corpus_dir / "dropped", identifier)
    if found is None:
        raise InputError(
            f"the corpus has no document {identifier!r}",
            where=str(corpus_dir),
            mend="ids are `source:id`, or `source:file:line` for rows without one",
        )
    if not found.get("before"):
        found.pop("before", None)
    if found["reason"] in ("exact_duplicate", "near_duplicate"):
        survivor = _look_up(corpus_dir / "documents", found["detail"]) or _look_up(
            corpus_dir / "dropped", found["detail"]
        )
        found["survivor"] = survivor["text"] if survivor else None
    return {"kept": False, **found}


def _look_up(folder: Path, identifier: str) -> dict[str, Any] | None:
    import pyarrow.parquet as pq

    for path in sorted(folder.glob("*.parquet")):
        rows: list[dict[str, Any]] = pq.read_table(path, filters=[("id", "==", identifier)]).to_pylist()
        if rows:
            return rows[0]
    return None


def clean_stream(lines_in: Iterable[bytes | str], field: str | None, privacy: Privacy | None = None) -> Iterator[str]:
    """Clean documents, one a line, and delete personal data; the filter of `igakulm corpus clean`.

    Args:
        lines_in: lines with or without their newline.
        field: None for plain text; else the lines are JSON objects, and this field of each is cleaned.
        privacy: which personal data is deleted (default: as in a recipe that says nothing).

    Yields:
        One line for each line in, without its newline; a blank line stays blank.

    Raises:
        InputError: a line that is not UTF-8, no JSON object, or without the field.
    """
    config = privacy or Privacy()
    numbered = enumerate(lines_in, 1)
    while group := list(islice(numbered, _STREAM_LINES)):
        rows = [_stream_row(line, number, field) for number, line in group]
        texts = mask_texts(clean_texts([text for text, _ in rows]), config).texts
        for text, (_, value) in zip(texts, rows, strict=True):
            if field is None or value is None:
                yield text
            else:
                yield json.dumps({**value, field: text}, ensure_ascii=False)


def _stream_row(line: bytes | str, number: int, field: str | None) -> tuple[str, dict[str, Any] | None]:
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
            f"this line has no text field {field!r}", where=f"standard input, line {number}", mend=f"it has {known}"
        )
    return value[field], value
