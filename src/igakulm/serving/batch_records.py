"""Records of a file, one text each: CSV, TSV or JSON Lines, read twice with the same result.

Does: find the columns, number the records, say for each what is wrong with it and on which line; refuse a file whose
structure is broken before anything is asked. Does not: guess an encoding (it suggests one), or ask a model.

What is decided: a broken structure (an open quotation mark, no such column) stops everything, because the records
behind it would be misread. A broken record (wrong number of cells, bytes of another encoding, no text, too long) is
kept as a record with a `problem`.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from igakulm.errors import InputError, did_you_mean
from igakulm.files import explain_os_error

LONGEST_TEXT = 200_000
"""Characters of a record; about 300 pages."""
LONGEST_CELL = 2**30
_UNDECODED = re.compile("[\ud800-\udfff]")
_JAPANESE_OF_WINDOWS = "cp932"


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        number: from 1, in the order of the file; blank lines do not count.
        line: of the file, on which the record begins.
        id: of the id column, else the number.
        problem: why it cannot be asked about; "" = nothing.
    """

    number: int
    line: int
    id: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Records:
    """A checked file.

    Attributes:
        column: that holds the texts; id_column: that names the records, None = they are numbered.
        count: how many records; broken: how many of them have a problem.
    """

    path: Path
    encoding: str
    column: str
    id_column: str | None
    count: int = 0
    broken: int = 0

    def __iter__(self) -> Iterator[Record]:
        """All records, in order; one in memory at a time."""
        rows = _of_jsonl(self) if _is_jsonl(self.path) else _of_csv(self)
        try:
            yield from rows
        except OSError as error:
            raise explain_os_error(error, self.path) from error


def open_records(
    path: Path, *, column: str | None = None, id_column: str | None = None, encoding: str = "utf-8"
) -> Records:
    """Check a file from its beginning to its end.

    Args:
        path: `.jsonl` holds one JSON object a line, `.tsv` cells between tabs, everything else is CSV with a header.
        column: of the texts; None = "text", or the only column.
        id_column: None = "id" where there is such a column.
        encoding: any of Python's; Excel in Japan writes "cp932" where it is not told otherwise.

    Raises:
        InputError: no such file or column, an unknown encoding, a broken structure, no record at all, a file in another
            encoding.
    """
    encoding = _known(encoding)
    if _is_jsonl(path):
        records = Records(path, encoding, column or "text", id_column or "id")
    else:
        header = _header(path, encoding)
        chosen = _chosen_column(header, column, path)
        if id_column is not None and header.count(id_column) != 1:
            raise _no_column(id_column, header, path)
        named = id_column or ("id" if header.count("id") == 1 and chosen != "id" else None)
        records = Records(path, encoding, chosen, named)
    count = broken = undecoded = 0
    for record in records:
        count, broken = count + 1, broken + bool(record.problem)
        undecoded += record.problem.startswith(_not_in(encoding))
    if not count:
        raise InputError("the file holds no record", where=str(path))
    if undecoded * 2 > count:
        _suggest_encoding(path, encoding)
    return Records(path, encoding, records.column, records.id_column, count, broken)


def _known(encoding: str) -> str:
    try:
        "a".encode(encoding)  # unlike `codecs.lookup`, this knows that base64 is none
        found = codecs.lookup(encoding)
    except (LookupError, ValueError) as error:
        hint = "the usual ones are utf-8, cp932 (Excel in Japan) and utf-16"
        raise InputError(f"there is no text encoding {encoding!r}", where="--encoding", hint=hint) from error
    # Excel marks UTF-8 with three bytes at the beginning.
    return "utf-8-sig" if found.name == "utf-8" else found.name


def _not_in(encoding: str) -> str:
    return f"bytes that are not {encoding.removesuffix('-sig')}"


def _suggest_encoding(path: Path, encoding: str) -> None:
    try:
        path.read_bytes().decode(_JAPANESE_OF_WINDOWS)
        hint = f"--encoding {_JAPANESE_OF_WINDOWS}"
    except UnicodeDecodeError:
        hint = "save it as UTF-8, or name its --encoding"
    raise InputError(f"the file is not {encoding.removesuffix('-sig')}", where=str(path), hint=hint)


def _is_jsonl(path: Path) -> bool:
    return path.suffix.lower() in (".jsonl", ".ndjson")


def _rows(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which the row begins, cells); blank lines are left out."""
    csv.field_size_limit(LONGEST_CELL)  # the default is a long record; longer ones get a message of ours
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    first = 1
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for cells in reader:
                if cells:
                    yield first, cells
                first = reader.line_num + 1
    except csv.Error as error:
        hint = "look for a quotation mark that is not closed or not doubled; save it again as CSV"
        raise InputError(f"the file is not valid CSV: {error}", where=f"{path}, line {first}", hint=hint) from error
    except UnicodeError as error:
        raise InputError(f"the file is not {encoding}", where=str(path), hint="name its --encoding") from error
    except OSError as error:
        raise explain_os_error(error, path) from error


def _header(path: Path, encoding: str) -> list[str]:
    for line, cells in _rows(path, encoding):
        if any(_UNDECODED.search(cell) for cell in cells):
            _suggest_encoding(path, encoding)
        if not any(cell.strip() for cell in cells):
            raise InputError("the first row has no names of columns", where=f"{path}, line {line}")
        return [cell.strip() for cell in cells]
    raise InputError("the file is empty", where=str(path), hint="a CSV file begins with the names of its columns")


def _chosen_column(header: list[str], wanted: str | None, path: Path) -> str:
    column = wanted or ("text" if "text" in header or len(header) > 1 else header[0])
    if header.count(column) != 1:
        raise _no_column(column, header, path)
    return column


def _no_column(column: str, header: list[str], path: Path) -> InputError:
    if column in header:
        return InputError(f"{header.count(column)} columns are named {column!r}", where=str(path))
    close = did_you_mean(column, header)
    listed = ", ".join(header)[:300]
    hint = f"did you mean {close!r}?" if close else f"--column takes one of: {listed}"
    return InputError(f"there is no column {column!r}", where=str(path), hint=hint)


def _of_csv(records: Records) -> Iterator[Record]:
    rows = _rows(records.path, records.encoding)
    header = [cell.strip() for cell in next(rows)[1]]
    place = header.index(records.column)
    named = header.index(records.id_column) if records.id_column else None
    for number, (line, cells) in enumerate(rows, 1):
        if len(cells) != len(header):
            problem = f"{len(cells)} cells instead of {len(header)}"
            yield Record(number, line, str(number), "", f"{problem} (line {line})")
            continue
        identifier = cells[named].strip() if named is not None else ""
        yield _record(number, line, identifier, cells[place], records.encoding)


def _of_jsonl(records: Records) -> Iterator[Record]:
    number = 0
    with records.path.open("rb") as file:
        for line, data in enumerate(file, 1):
            if not data.strip():
                continue
            number += 1
            value = _object(data.removeprefix(codecs.BOM_UTF8) if line == 1 else data)
            text = value.get(records.column) if value is not None else None
            if value is None or not isinstance(text, str):
                problem = "no JSON object in UTF-8" if value is None else f"no text in {records.column!r}"
                yield Record(number, line, str(number), "", f"{problem} (line {line})")
                continue
            identifier = value.get(records.id_column or "id", "")
            plain = isinstance(identifier, (str, int)) and not isinstance(identifier, bool)
            yield _record(number, line, str(identifier) if plain else "", text, "utf-8")


def _object(data: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _record(number: int, line: int, identifier: str, text: str, encoding: str) -> Record:
    problem = ""
    if _UNDECODED.search(text) or _UNDECODED.search(identifier):
        problem = f"{_not_in(encoding)} (line {line})"
    elif not text.strip():
        problem = f"no text (line {line})"
    elif len(text) > LONGEST_TEXT:
        problem = f"{len(text):,} characters, more than {LONGEST_TEXT:,} (line {line})"
    identifier = str(number) if not identifier or _UNDECODED.search(identifier) else identifier
    return Record(number, line, identifier, "" if problem else text, problem)
