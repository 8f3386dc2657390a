"""Rows of an Excel workbook, read as a person sees them.

Does: leave hidden sheets out and say so, fill merged cells, write dates as dates and whole numbers without a point,
tell cells whose formula was never calculated. Does not: calculate formulas, or read .xls files.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igakulm.errors import InputError, did_you_mean
from igakulm.tasks.own.headers import find_header, joined_header
from igakulm.tasks.own.tables import Table, named_columns, rows_under

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet


@dataclass(frozen=True, slots=True)
class _Grid:
    """Texts of a sheet's cells by row number, and what is wrong in a row."""

    rows: list[tuple[int, list[str]]]
    problems: dict[int, str]


def read_workbook(path: Path, sheet: str | None, header_rows: int) -> Table:
    """Read one sheet.

    Raises:
        InputError: openpyxl is missing, a broken workbook, no such sheet, no visible sheet with rows.
    """
    values, formulas = _load(path, data_only=True), _load(path, data_only=False)
    chosen, notes = _choose(values, sheet, path)
    grid = _read(values[chosen], formulas[chosen])
    where = f"{path}, sheet {chosen}"
    start, end = find_header([cells for _, cells in grid.rows], header_rows)
    columns = named_columns(_trimmed(joined_header([cells for _, cells in grid.rows[start:end]])), where)
    rows = rows_under(columns, grid.rows[end:], lambda number: grid.problems.get(number, ""))
    return Table(where, columns, rows, tuple(notes))


def _load(path: Path, *, data_only: bool) -> Workbook:
    try:
        import openpyxl
    except ImportError as error:
        hint = "pip install 'igakulm[excel]', or save the sheet as CSV"
        raise InputError("reading workbooks needs the package openpyxl", where=str(path), hint=hint) from error
    try:
        return openpyxl.load_workbook(path, data_only=data_only)
    except OSError:
        raise
    except Exception as error:  # openpyxl documents no exceptions for broken files (zip, XML and key errors)
        hint = "open it in a spreadsheet program and save it again as .xlsx (one with a password cannot be read)"
        raise InputError("the workbook cannot be read", where=str(path), hint=hint) from error


def _choose(workbook: Workbook, wanted: str | None, path: Path) -> tuple[str, list[str]]:
    visible = [sheet.title for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    hidden = [sheet.title for sheet in workbook.worksheets if sheet.sheet_state != "visible"]
    if wanted is not None:
        names = [sheet.title for sheet in workbook.worksheets]
        if wanted not in names:
            close = did_you_mean(wanted, names)
            hint = f"did you mean {close!r}?" if close else f"the sheets are {', '.join(names)}"
            raise InputError(f"there is no sheet {wanted!r}", where=str(path), hint=hint)
        return wanted, []
    filled = [name for name in visible if workbook[name].max_row > 1]
    if not filled:
        raise InputError("no visible sheet has rows", where=str(path), hint="name a sheet with the key 'sheet'")
    notes = [f"the sheet {name!r} is hidden and was left out" for name in hidden]
    notes += [f"the sheet {name!r} was left out: the first one is read" for name in visible if name != filled[0]]
    return filled[0], notes


def _read(values: Worksheet, formulas: Worksheet) -> _Grid:
    merged = {
        (row, column): (area.min_row, area.min_col)
        for area in values.merged_cells.ranges
        for row in range(area.min_row, area.max_row + 1)
        for column in range(area.min_col, area.max_col + 1)
    }
    rows: list[tuple[int, list[str]]] = []
    problems: dict[int, str] = {}
    for number, cells in enumerate(_cells(values), 1):
        texts = []
        for column, cell in enumerate(cells, 1):
            row, place = merged.get((number, column), (number, column))
            value = cell if (row, place) == (number, column) else values.cell(row, place).value
            if value is None and formulas.cell(row, place).data_type == "f":
                problems[number] = f"the formula in {formulas.cell(row, place).coordinate} was never calculated"
            texts.append(cell_text(value))
        rows.append((number, texts))
    return _Grid(rows, problems)


def _cells(sheet: Worksheet) -> Iterator[Sequence[object]]:
    yield from sheet.iter_rows(values_only=True)


def _trimmed(names: list[str]) -> list[str]:
    while names and not names[-1].strip():
        names.pop()
    return names


def cell_text(value: object) -> str:
    """A cell's value as a person reads it.

    >>> import datetime
    >>> cell_text(3.0), cell_text(datetime.datetime(2024, 4, 1)), cell_text(True), cell_text(None)
    ('3', '2024-04-01', 'TRUE', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ", "minutes")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    # Excel writes a carriage return inside a cell as _x000D_.
    return str(value).replace("_x000D_", "").replace("\r\n", "\n")
