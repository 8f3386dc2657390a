"""What the files of each format hold: lines, table rows, pages or whole files, one after another.

Does: yield a `RawRow` for each, or one that says why it cannot be read; memory holds one batch. What is wrong with a
whole file (missing, cut off, without the column) is an InputError.
Does not: know what the fields mean (fields.py).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from igakulm.corpus.html import MAX_BYTES
from igakulm.corpus.mediawiki import pages
from igakulm.corpus.pdf import pdf_text
from igakulm.corpus.streams import Advance, chunks, lines, text_chunks
from igakulm.corpus.warc import warc_pages
from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.recipe.schema import Source
from igakulm.text.word_documents import word_text

LICENCE_FIELDS = ("licence", "license")
_AGAIN = "get it again, or set the source's `format` if it is none"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # bytes that `surrogateescape` let through


class RawRow(NamedTuple):
    """A line, a table row, a page or a file before its fields are looked up. `broken`: why there are no fields."""

    number: int
    fields: Mapping[str, Any]
    broken: str | None = None
    remains: str = ""


class Cut(NamedTuple):
    """Which part of a file is read; all of it without a `span`.

    `span` holds the row groups of Parquet from the first to before the second, a range of bytes that begins and ends at
    the border of a line, or one of `streams.bz2_ranges` of a dump; `before` is how many rows or lines come before, so
    that numbers are those of the file.
    """

    span: tuple[int, int] | None = None
    before: int = 0


def harmless(text: str) -> str:
    """Without lone surrogates and NUL, which no file format takes."""
    # Most ids and licences are ASCII, which holds no surrogate.
    known = text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")
    return known.replace("\0", "")


def _need(columns: Mapping[str, object] | list[str], names: list[str], path: Path, source: Source) -> None:
    for name in names:
        if name not in columns:
            raise InputError(
                f"source {source.name!r} has no column {name!r}",
                where=str(path),
                hint=f"the columns are {', '.join(map(str, columns))}; set text_field or id_field",
            )


def _wanted(source: Source) -> list[str]:
    """The columns that must be there; `id` is only a guess unless the recipe names it."""
    if source.format == "wiki40b" or source.format == "wikipedia":
        return ["text"]
    named = [source.id_field] if source.id_field not in (None, Source.model_fields["id_field"].default) else []
    return [source.text_field, *named]


def _jsonl_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    checked = source.format == "oscar"
    for number, line in enumerate(lines(path, advance, cut.span), cut.before + 1):
        if not line or line.isspace():
            continue
        raw = _json_row(number, line)
        if not checked and raw.broken is None:
            _need(raw.fields, _wanted(source), path, source)
            checked = True
        yield raw


def _json_row(number: int, line: bytes) -> RawRow:
    import orjson

    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            # The standard library takes what orjson refuses: lone surrogates in escapes, NaN.
            value = json.loads(line.decode("utf-8"))
            value = {key: harmless(one) if isinstance(one, str) else one for key, one in dict(value).items()}
        except (ValueError, TypeError, RecursionError) as error:
            kind = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
            return RawRow(number, {}, f"line {number} is {kind}: {error}", line[:4096].decode("utf-8", "replace"))
    if not isinstance(value, dict):
        return RawRow(number, {}, f"line {number} is no JSON object", str(value))
    return RawRow(number, value)


def _csv_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    csv.field_size_limit(2**31 - 1)
    decoded = (line.decode("utf-8", "surrogateescape") + "\n" for line in lines(path, advance))
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    table = csv.reader(decoded, delimiter=delimiter, strict=True)
    header = next(table, None)
    if header is None:
        return
    if _NOT_UTF8.search("".join(header)):
        raise InputError("the file is not UTF-8", where=f"{path}, line 1", hint="save it as CSV in UTF-8")
    _need(header, _wanted(source), path, source)
    for number, values in enumerate(_csv_values(table), 2):
        if not values:
            continue
        remains = values if isinstance(values, str) else delimiter.join(values)
        if isinstance(values, str):
            yield RawRow(number, {}, f"row {number}, which ends in line {table.line_num}, is broken: {values}")
        elif _NOT_UTF8.search(remains):
            yield RawRow(number, {}, f"row {number} is not UTF-8", remains.encode("utf-8", "replace").decode("utf-8"))
        elif len(values) != len(header):
            yield RawRow(number, {}, f"row {number} has {len(values)} fields, the header {len(header)}", remains)
        else:
            yield RawRow(number, dict(zip(header, values, strict=True)))


def _csv_values(table: Any) -> Iterator[list[str] | str]:
    """The fields of each row, or what is wrong with it: a lone quotation mark would swallow the rest of the file."""
    while True:
        try:
            yield next(table)
        except StopIteration:
            return
        except csv.Error as error:
            end = str(error) == "unexpected end of data"
            yield "a quotation mark is not closed" if end else str(error)


def _text_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    """A file is a document."""
    content = b"".join(text_chunks(path, advance))
    try:
        yield RawRow(1, {source.text_field: content.decode("utf-8"), "title": path.stem})
    except UnicodeDecodeError as error:
        yield RawRow(1, {}, f"the file is not UTF-8: {error}", content[:4096].decode("utf-8", "replace"))


def _parquet_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = cut.before
    try:
        with pq.ParquetFile(path) as file:
            names: list[str] = file.schema_arrow.names
            _need(names, _wanted(source), path, source)
            used = {*_wanted(source), source.id_field, "wikidata_id", "version_id", "title", "url", *LICENCE_FIELDS}
            columns = [name for name in names if name in used]
            size = path.stat().st_size
            groups = list(range(*cut.span)) if cut.span else None
            for batch in file.iter_batches(batch_size=128, row_groups=groups, columns=columns):
                for fields in _batch_rows(batch):
                    number += 1
                    yield RawRow(number, fields)
                advance(int(size * batch.num_rows / max(file.metadata.num_rows, 1)))
    except pa.ArrowException as error:
        raise InputError(f"the Parquet file is broken: {error}", where=str(path), hint=_AGAIN) from error
    except OSError as error:
        if error.errno is None:
            raise InputError(f"the Parquet file is broken: {error}", where=str(path), hint=_AGAIN) from error
        raise explain_os_error(error, path) from error


def _batch_rows(batch: Any) -> list[dict[str, object]]:
    import pyarrow as pa

    rows: list[dict[str, Any]]
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:  # a column that claims to be text and is not
        rows = [{} for _ in range(batch.num_rows)]
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            for row, value in zip(rows, (column.cast(pa.large_binary()) if text else column).to_pylist(), strict=True):
                row[name] = _decoded(value) if text else value
    return rows


def _decoded(value: bytes | None) -> str | None:
    try:
        return value.decode("utf-8") if value is not None else None
    except UnicodeDecodeError:
        return None


def _mediawiki_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    for page in pages(path, advance, cut.span):
        # The page's own id: its place in the file is unknown where a range of the file is read.
        number = int(page.id) if page.id.isdecimal() else page.number
        if page.broken:
            yield RawRow(number, {}, f"page {page.id} ({page.title}) is not UTF-8", page.wikicode[:4096])
        else:
            about = {"id": page.id, "title": page.title, "url": page.url, "date": page.timestamp}
            yield RawRow(number, {**about, "wikicode": page.wikicode})


def _html_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    """A file is a page."""
    body = b"".join(chunks(path, advance))
    if len(body) > MAX_BYTES:
        yield RawRow(1, {}, f"the page is larger than {MAX_BYTES >> 20} MiB")
    else:
        yield RawRow(1, {"body": body})


def _warc_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    for page in warc_pages(path, advance):
        if page.problem is not None:
            yield RawRow(page.number, {}, page.problem, page.url)
        else:
            about = {"id": page.id, "url": page.url, "date": page.date, "licence": page.licence}
            yield RawRow(page.number, {**about, "content_type": page.content_type, "body": page.body})


def _pdf_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    """A file is a document; the places of pages without text are counted."""
    try:
        found = pdf_text(b"".join(chunks(path, advance)), str(path))
    except ValueError as error:
        yield RawRow(1, {}, f"{path.name}: {error}")
        return
    yield RawRow(1, {"text": found.text, "title": path.stem, "pages_without_text": found.without_text or None})


def _docx_rows(path: Path, source: Source, advance: Advance, cut: Cut) -> Iterator[RawRow]:
    """A file is a document."""
    try:
        text = word_text(b"".join(chunks(path, advance)), str(path))
    except ValueError as error:
        yield RawRow(1, {}, f"{path.name}: {error}")
        return
    yield RawRow(1, {"text": text, "title": path.stem})


CAN_CUT = frozenset(("jsonl", "oscar", "parquet", "wiki40b", "wikipedia", "mediawiki"))
"""Formats of which a reader takes a `Cut`: lines only of plain files, pages only of multistream .bz2 dumps."""
READERS: dict[str, Callable[[Path, Source, Advance, Cut], Iterator[RawRow]]] = {
    "jsonl": _jsonl_rows,
    "oscar": _jsonl_rows,
    "csv": _csv_rows,
    "text": _text_rows,
    "parquet": _parquet_rows,
    "wiki40b": _parquet_rows,
    "wikipedia": _parquet_rows,
    "mediawiki": _mediawiki_rows,
    "html": _html_rows,
    "warc": _warc_rows,
    "pdf": _pdf_rows,
    "docx": _docx_rows,
}
