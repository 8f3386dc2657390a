"""The files in which people keep their records: workbooks, CSV, JSON Lines, folders of documents.

Does: choose the reader by the file's ending. Does not: know what a column means (guess.py), or drop a row without
saying so.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.tasks.own.folders import read_folder
from igakulm.tasks.own.tables import Table
from igakulm.tasks.own.text_tables import read_delimited, read_json_lines
from igakulm.tasks.own.workbooks import read_workbook

ENDINGS = (".xlsx", ".xlsm", ".csv", ".tsv", ".txt", ".jsonl", ".ndjson")


def read_table(path: Path, *, sheet: str | None = None, header_rows: int = 0, encoding: str | None = None) -> Table:
    """Read one file, or a folder of .txt and .docx files (one row a file, columns `file` and `text`).

    Args:
        path: .xlsx, .xlsm, .csv, .tsv, .jsonl, or a folder.
        sheet: of a workbook; None = its first visible one with rows.
        header_rows: how many rows hold the names of the columns; 0 = they are looked for.
        encoding: of text files; None = recognised among UTF-8, UTF-16 and cp932.

    Raises:
        InputError: no such file, another format, nothing in it, a structure that cannot be read.
    """
    if not path.exists():
        raise InputError("there is no such file", where=str(path))
    try:
        if path.is_dir():
            table = read_folder(path)
        elif path.suffix.lower() in (".xlsx", ".xlsm"):
            table = read_workbook(path, sheet, header_rows)
        elif path.suffix.lower() in (".jsonl", ".ndjson"):
            table = read_json_lines(path)
        elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
            table = read_delimited(path, encoding, header_rows)
        else:
            hint = f"these are read: {', '.join(ENDINGS)}, and a folder of .txt and .docx files"
            raise InputError(
                f"files of type {path.suffix or 'without ending'!r} are not read", where=str(path), hint=hint
            )
    except OSError as error:
        raise explain_os_error(error, path) from error
    if not table.rows:
        raise InputError("there is no row", where=table.source)
    return table
