"""A table of results in the form that its file's ending names: .xlsx, .csv, .tsv or .jsonl.

Does: write rows with named columns, the same bytes for the same rows. Does not: know what a column says.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import atomic_path

FORMS = (".xlsx", ".csv", ".tsv", ".jsonl")
LONGEST_CELL = 32_767
"""Characters of a cell in Excel."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so would be calculated by a spreadsheet program that opens a CSV file."""
_NO_CELL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CHANGED = re.compile(rb"<dcterms:(created|modified)([^>]*)>[^<]*<")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def check_form(path: Path) -> None:
    """Refuse an ending that is no form of a table.

    Raises:
        InputError: another ending, or a folder.
    """
    if path.suffix.lower() not in FORMS:
        raise InputError("results are not written in this form", where=str(path), hint=f"use {', '.join(FORMS)}")
    if path.is_dir():
        raise InputError("the result is a file, and this is a folder", where=str(path), hint="name a file in it")


def write_results(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> int:
    """Write the rows; the file appears when all are written. The number of rows.

    Raises:
        InputError: an ending that is no form, a cell that is too long for a workbook, openpyxl is missing.
    """
    check_form(path)
    form = path.suffix.lower()
    with atomic_path(path) as temporary:
        if form == ".jsonl":
            return _json_lines(temporary, columns, rows)
        if form == ".xlsx":
            return _workbook(temporary, columns, rows)
        return _delimited(temporary, columns, rows, "\t" if form == ".tsv" else ",")


def _json_lines(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps({name: row.get(name, "") for name in columns}, ensure_ascii=False) + "\n")
    return count


def _delimited(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]], sign: str) -> int:
    """With a byte-order mark, so that Excel reads it as UTF-8."""
    count = 0
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        writer = csv.writer(file, delimiter=sign)
        writer.writerow(map(harmless, columns))
        for count, row in enumerate(rows, 1):  # noqa: B007
            writer.writerow([harmless(row.get(name, "")) for name in columns])
    return count


def harmless(cell: str) -> str:
    """A cell that no spreadsheet program takes for a formula.

    >>> harmless("=1+1"), harmless("-5℃"), harmless("咳")
    ("'=1+1", "'-5℃", '咳')
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _workbook(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> int:
    try:
        import openpyxl
        from openpyxl.cell import WriteOnlyCell
    except ImportError as error:
        hint = "pip install 'igakulm[excel]', or name a .csv file"
        raise InputError("writing workbooks needs the package openpyxl", where=str(path), hint=hint) from error
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("結果")
    sheet.freeze_panes = "A2"

    def cell(text: str, row: int, name: str) -> WriteOnlyCell:
        if len(text) > LONGEST_CELL:
            hint = "name a .csv or .jsonl file"
            what = f"a cell of {len(text):,} characters is longer than a workbook holds"
            raise InputError(what, where=f"row {row}, column {name}", hint=hint)
        made = WriteOnlyCell(sheet, value=_NO_CELL.sub("\ufffd", text))
        made.data_type = "s"  # a text, also where it looks like a formula
        return made

    sheet.append([cell(name, 1, name) for name in columns])
    count = 0
    for count, row in enumerate(rows, 1):
        sheet.append([cell(row.get(name, ""), count + 1, name) for name in columns])
    whole = io.BytesIO()
    workbook.save(whole)
    path.write_bytes(without_clock(whole.getvalue()))
    return count


def without_clock(workbook: bytes) -> bytes:
    """The same workbook without the times of its making: equal rows give equal bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":
                data = _CHANGED.sub(rb"<dcterms:\1\2>1980-01-01T00:00:00Z<", data)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, data)
    return made.getvalue()
