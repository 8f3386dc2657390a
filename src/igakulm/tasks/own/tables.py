"""What a table is, whatever file it came from: named columns, and rows of texts with their places in the file.

Does: hold the table, name columns, bring cells and columns together. Does not: read files (read.py), or know what a
column means (guess.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from igakulm.errors import InputError

ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
"""What Excel shows, and writes into CSV, in place of a value that it does not have."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its number as the user counts in the file (a sheet's row, a file's line), and the text of its cells.

    `problem`: why the row cannot be read as it should; "" = nothing.
    """

    number: int
    cells: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One file or folder as rows.

    Attributes:
        source: its path, and of a workbook the sheet.
        columns: names, in order.
        notes: what was decided while reading (a hidden sheet left out, an encoding), in English sentences.
    """

    source: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = field(default=())


def named_columns(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Names of columns: white space at the ends dropped, empty names numbered.

    Raises:
        InputError: a name that stands twice.

    >>> named_columns([" 本文 ", "", "備考"], "a.csv")
    ('本文', 'column 2', '備考')
    """
    found = tuple(" ".join(name.split()) or f"column {number}" for number, name in enumerate(names, 1))
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two columns are named {twice!r}", where=where, hint="give them different names")
    return found


def rows_under(
    columns: tuple[str, ...], rows: Iterable[tuple[int, list[str]]], problem: Callable[[int], str] = lambda _: ""
) -> tuple[TableRow, ...]:
    """Rows of cells with the names of their columns.

    Rows without any text are left out, error values of Excel are no value, and cells beyond the last column are a
    problem of their row.
    """
    found = []
    for number, given in rows:
        cells = ["" if cell.strip() in ERRORS else cell for cell in given]
        if not any(cell.strip() for cell in cells):
            continue
        beyond = [cell for cell in cells[len(columns) :] if cell.strip()]
        said = problem(number)
        if beyond:
            said = said or f"{len(cells)} cells under {len(columns)} columns"
        padded = [*cells, *[""] * (len(columns) - len(cells))]
        found.append(TableRow(number, dict(zip(columns, padded, strict=False)), said))
    return tuple(found)


def text_of_json(value: object) -> str:
    """A value of JSON as the text of a cell: strings as they are, null as nothing, whole numbers without a point.

    >>> text_of_json("咳"), text_of_json(None), text_of_json(3.0), text_of_json(["咳", "熱"])
    ('咳', '', '3', '["咳", "熱"]')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
