"""Rows out of CSV, TSV and JSON Lines, in the encodings that Japanese programs write.

Does: recognise UTF-8, UTF-16 and cp932, and the sign between cells; number rows by the line on which they begin.
Does not: guess beyond that: bytes of none of these encodings are refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from igakulm.errors import InputError
from igakulm.tasks.own.headers import find_header, joined_header
from igakulm.tasks.own.tables import Table, TableRow, named_columns, rows_under, text_of_json

LONGEST_CELL = 2**30
_DELIMITERS = ",\t;"


def decoded(data: bytes, encoding: str | None, where: str) -> tuple[str, str]:
    """The text of a file and the name of its encoding.

    Raises:
        InputError: bytes that are not in the named encoding, or in none of those that are tried.

    >>> decoded("発熱".encode("cp932"), None, "a.csv")
    ('発熱', 'cp932')
    >>> decoded("発熱".encode("utf-16"), None, "a.csv")[1]
    'utf-16'
    """
    tried = [encoding] if encoding else _candidates(data)
    for name in tried:
        try:
            return data.decode(name), name.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
        except LookupError as error:
            hint = "the usual ones are utf-8, cp932 (Excel in Japan) and utf-16"
            raise InputError(f"there is no text encoding {name!r}", where=where, hint=hint) from error
    hint = "save it as UTF-8, or name its encoding"
    raise InputError(f"the file is not in {' or '.join(tried)}", where=where, hint=hint)


def _candidates(data: bytes) -> list[str]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    if b"\0" in data:  # no character of UTF-8 or cp932 text; in UTF-16 every ASCII character has one
        little = data[1::2].count(0) >= data[::2].count(0)
        return ["utf-16-le", "utf-16-be"] if little else ["utf-16-be", "utf-16-le"]
    return ["utf-8-sig", "cp932"]


def read_delimited(path: Path, encoding: str | None, header_rows: int) -> Table:
    """CSV or TSV; the sign between cells is the commonest of comma, tab and semicolon in the first line.

    Raises:
        InputError: an unknown encoding, a quotation mark that is not closed.
    """
    text, name = decoded(path.read_bytes(), encoding, str(path))
    first = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
    rows = list(_csv_rows(text, delimiter, path))
    start, end = find_header([cells for _, cells in rows], header_rows)
    columns = named_columns(joined_header([cells for _, cells in rows[start:end]]), str(path))
    notes = () if name == "utf-8" else (f"read as {name}",)
    return Table(str(path), columns, rows_under(columns, rows[end:]), notes)


def _csv_rows(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "look for a quotation mark that is not closed or not doubled; save it again as CSV"
        raise InputError(f"the file is not valid CSV: {error}", where=f"{path}, line {line}", hint=hint) from error


def read_json_lines(path: Path) -> Table:
    """JSON Lines: the fields of all objects are the columns, in the order in which they first occur."""
    columns: dict[str, None] = {}
    found: list[TableRow] = []
    for number, data in enumerate(path.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        if not data.strip():
            continue
        try:
            value = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            found.append(TableRow(number, {}, "no JSON object in UTF-8"))
            continue
        cells = {str(key): text_of_json(entry) for key, entry in value.items()}
        columns.update(dict.fromkeys(cells))
        found.append(TableRow(number, cells))
    names = tuple(columns)
    rows = tuple(TableRow(row.number, {name: row.cells.get(name, "") for name in names}, row.problem) for row in found)
    return Table(str(path), names, rows)
