"""What the columns of a table hold, guessed from their names and cells: a proposal that a person looks at.

Does: propose the text, identifiers, patients, dates, labels and strings of the text, with the reason of each guess.
Does not: read files, or decide: every guess can be replaced by naming the column.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from igakulm.recipe.task_file import MOST_LABELS
from igakulm.tasks.own.tables import Table
from igakulm.tasks.own.values import divided, label_form, marks_of, read_date, separator_of

Role = Literal["text", "id", "patient", "date", "label", "entities", "written", "none"]
LOOKED_AT = 2000
LONGEST_LABEL = 40
MOST_GRADES = 7
_NAMES: Mapping[str, re.Pattern[str]] = {
    "patient": re.compile(r"患者|カルテ|patient|症例|mrn", re.IGNORECASE),
    "id": re.compile(r"^(id|no\.?|番号|通番|連番|記録.*(id|番号)|.*_id|文書.*)$", re.IGNORECASE),
    "date": re.compile(r"日付|日時|年月日|.*日$|date", re.IGNORECASE),
    "text": re.compile(r"本文|記録|所見|テキスト|text|note|document|文章|内容|経過", re.IGNORECASE),
    "written": re.compile(r"要約|サマリ|summary|言い換え|回答|answer", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A column's part, why, and up to three of its values."""

    column: str
    role: Role
    why: str
    examples: tuple[str, ...]
    separator: str | None = None


def guess_columns(table: Table) -> list[Guess]:
    """One guess a column, in their order; one column at most is the text, the id, the patient and the date."""
    cells = {name: [row.cells.get(name, "") for row in table.rows[:LOOKED_AT]] for name in table.columns}
    text = _text_column(cells)
    taken: set[str] = set()
    found = []
    for name in table.columns:
        guess = _guess(name, cells[name], cells.get(text, []), taken, is_text=name == text)
        if guess.role in ("id", "patient", "date"):
            taken.add(guess.role)
        found.append(guess)
    return found


def _text_column(cells: Mapping[str, Sequence[str]]) -> str:
    """The column with the longest cells; a name that says so counts double, a written answer's half."""

    def weight(name: str) -> float:
        lengths = [len(cell) for cell in cells[name] if cell.strip()]
        if not lengths:
            return -1
        factor = (2 if _NAMES["text"].search(name) else 1) * (0.25 if _NAMES["written"].search(name) else 1)
        return median(lengths) * factor

    return max(cells, key=weight)


def _guess(name: str, cells: Sequence[str], texts: Sequence[str], taken: set[str], *, is_text: bool) -> Guess:
    filled = [cell.strip() for cell in cells if cell.strip()]
    examples = tuple(dict.fromkeys(filled))[:3]
    if is_text:
        return Guess(name, "text", "the longest cells", examples)
    if not filled:
        return Guess(name, "none", "no value", examples)
    unique = len(set(filled)) == len(filled)
    if "patient" not in taken and _NAMES["patient"].search(name) and not is_long(filled):
        return Guess(name, "patient", "the column's name", examples)
    if "date" not in taken and _dates(name, filled):
        return Guess(name, "date", "the values are dates", examples)
    if "id" not in taken and _NAMES["id"].search(name.strip()) and (unique or name.strip().lower() == "id"):
        return Guess(name, "id", "the column's name, every value once" if unique else "the column's name", examples)
    separator = separator_of(filled)
    if _strings_of(cells, texts, separator):
        return Guess(name, "entities", "the values stand in the text", examples, separator)
    labels = Counter(label_form(cell) for cell in filled)
    if _are_labels(labels, len(filled)):
        return Guess(name, "label", f"{len(labels)} values in {len(filled)} rows", examples)
    if separator is not None:
        parts = Counter(label_form(part) for cell in filled for part in divided(cell, separator))
        if _are_labels(parts, len(filled)):
            why = f"{len(parts)} values, several in one cell"
            return Guess(name, "label", why, examples, separator)
    if _NAMES["written"].search(name):
        return Guess(name, "written", "the column's name", examples)
    if "id" not in taken and unique and not is_long(filled) and _NAMES["id"].search(name):
        return Guess(name, "id", "every value once", examples)
    return Guess(name, "none", "neither labels nor strings of the text", examples)


def is_long(cells: Sequence[str]) -> bool:
    """Whether cells are texts rather than names or numbers."""
    return median(len(cell) for cell in cells) > LONGEST_LABEL


def _dates(name: str, cells: Sequence[str]) -> bool:
    dates = sum(read_date(cell) is not None for cell in cells)
    plain = sum(cell.isdecimal() for cell in cells)
    return dates >= 0.9 * len(cells) and (plain < len(cells) or bool(_NAMES["date"].search(name)))


def _are_labels(values: Counter[str], rows: int) -> bool:
    """Few short values that come again; numbers are labels only where they are very few (grades, 0 and 1)."""
    if len(values) > MOST_GRADES and all(value.replace(".", "", 1).isdecimal() for value in values):
        return False
    return (
        1 <= len(values) <= MOST_LABELS
        and max(map(len, values)) <= LONGEST_LABEL
        and (len(values) <= max(2, rows // 2) or sum(count > 1 for count in values.values()) * 2 > len(values))
    )


def _strings_of(cells: Sequence[str], texts: Sequence[str], separator: str | None) -> bool:
    """Whether nearly all values of the cells are parts of their rows' texts."""
    inside = whole = 0
    for cell, text in zip(cells, texts, strict=False):
        if not cell.strip():
            continue
        try:
            marks = marks_of(cell, text)
        except ValueError:
            marks = None
        if marks is not None:
            inside, whole = inside + len(marks), whole + len(marks)
            continue
        for part in divided(cell, separator):
            whole += 1
            inside += len(part) > 1 and part in text
    return whole > 0 and inside >= 0.8 * whole
