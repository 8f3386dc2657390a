"""The lines of a file of answers (items/*.jsonl) as typed rows, for whoever shows single answers.

Does: define and read them. Does not: write them, or make items of them again (item_files.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter

from igakulm.files import read_jsonl
from igakulm.stored import Figure, Part, Text, parse

BATCH = 1000


class AnswerRow(Part):
    """One item: what was shown and answered, the reading of it (None: unread), the gold answer, the score (0 to 1)."""

    model_config = ConfigDict(extra="ignore")

    id: Text = ""
    prompt: Text = ""
    answer: Text = ""
    failure: Text = ""
    parsed: tuple[str, ...] | None = None
    gold: tuple[str, ...] = ()
    score: Figure = None


_ROWS: TypeAdapter[list[AnswerRow]] = TypeAdapter(list[AnswerRow])


def read_answers(path: Path) -> Iterator[AnswerRow]:
    """The rows of a file.

    Raises:
        InputError: a damaged line or field.
    """
    lines = read_jsonl(path)
    while rows := list(islice(lines, BATCH)):
        yield from parse(rows, _ROWS, str(path))
