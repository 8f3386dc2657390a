"""A copy of an Excel workbook with changed cells.

Does: hand every row of every sheet as a record, comments on cells too, and clear who made the workbook.
Does not: look into pictures, charts or embedded objects; a workbook that has them is refused.
"""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from igakulm.errors import InputError

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

_OPAQUE = ("xl/media/", "xl/embeddings/", "xl/activeX/")


def deidentify_workbook(
    path: Path, out: Path, change: Callable[[Mapping[str, str]], dict[str, str]], needed: Sequence[str]
) -> None:
    """Write a workbook whose rows went through `change`.

    Raises:
        InputError: not installed, not a workbook, no such column, or a workbook with pictures or embedded files.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise InputError("Excel files need openpyxl", hint='install it with: pip install "igakulm[excel]"') from error
    try:
        with zipfile.ZipFile(path) as archive:
            hidden = [name for name in archive.namelist() if name.startswith(_OPAQUE)]
        if hidden:
            hint = "take pictures and embedded files out first: nobody looks into them"
            raise InputError(f"the workbook holds {hidden[0]}", where=str(path), hint=hint)
        workbook = openpyxl.load_workbook(path)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"this is not an Excel workbook: {error}", where=str(path)) from error
    for sheet in workbook.worksheets:
        _sheet(sheet, change, needed, path)
    workbook.properties.creator = "igakulm"
    workbook.properties.lastModifiedBy = None
    for name in ("title", "subject", "description", "keywords", "category"):
        setattr(workbook.properties, name, None)
    with out.open("wb") as file:
        workbook.save(file)


def _sheet(
    sheet: Worksheet, change: Callable[[Mapping[str, str]], dict[str, str]], needed: Sequence[str], path: Path
) -> None:
    rows = sheet.iter_rows()
    header = [_shown(cell.value) for cell in next(rows, ())]
    for name in needed:
        if name not in header:
            raise InputError(f"there is no column {name!r}", where=f"{path}, sheet {sheet.title}")
    for cells in rows:
        record: dict[str, str] = {}
        keys: dict[str, Cell] = {}
        for place, cell in enumerate(cells):
            if cell.value is None:
                continue
            name = header[place] if place < len(header) else ""
            key = name if name and header.count(name) == 1 else f"{name}\0{place}"
            record[key], keys[key] = _shown(cell.value), cell
            if cell.comment is not None:
                record[f"{key}\0comment"] = cell.comment.text
        changed = change(record)
        for key, cell in keys.items():
            if changed[key] != record[key]:
                cell.value = changed[key]
            if cell.comment is not None:
                cell.comment.text, cell.comment.author = changed[f"{key}\0comment"], ""


def _shown(value: object) -> str:
    """A cell as text: a day as 2024-01-05, a whole number without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
