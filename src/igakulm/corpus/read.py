"""Streaming readers of raw sources: JSON Lines, Parquet, CSV, text, OSCAR, wiki40b and Wikipedia.

Does: yield one `Row` for each document, in the order of the sorted files and of their lines, with a unique id, its
licence and its metadata; report a line that cannot be read as a row with an error, and go on.
Does not: clean or judge text. What is wrong with a whole file (missing, cut off, without the column) is an InputError.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from igakulm.corpus.streams import Advance, chunks, lines, nothing
from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.recipe.loading import data_files
from igakulm.recipe.schema import Source

LICENCE_FIELDS = ("licence", "license")
_SHOWN = 1000  # characters of an unreadable line that are kept for the report
_SUFFIXES = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "oscar": (".jsonl", ".json"),
    "csv": (".csv", ".tsv"),
    "text": (".txt", ".md"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One raw document, or (`error` set) one line that could not be read and what is left of its text."""

    id: str
    text: str
    licence: str
    meta: str
    error: str | None = None


class _Raw(NamedTuple):
    """A line, a table row or a file before its fields are looked up. `broken` says why there are no fields."""

    number: int
    fields: Mapping[str, Any]
    broken: str | None = None
    remains: str = ""


class _Parts(NamedTuple):
    """What a format makes of the fields of one row."""

    text: object
    id: object
    meta: dict[str, Any]


def source_files(source: Source) -> list[Path]:
    """The files of a source, sorted; of a folder only those whose suffix fits the format.

    Raises:
        InputError: nothing is there.
    """
    found = data_files(source.path)
    if not Path(source.path).is_dir():
        return found
    suffixes = _SUFFIXES.get(source.format, (".parquet",))
    fitting = [path for path in found if path.name.removesuffix(".gz").removesuffix(".zst").endswith(suffixes)]
    if not fitting:
        here = ", ".join(path.name for path in found[:5])
        raise InputError(
            f"the folder of source {source.name!r} holds no {source.format} file",
            where=source.path,
            mend=f"it has {here}",
        )
    return fitting


def read_source(source: Source, advance: Advance = nothing) -> Iterator[Row]:
    """Yield the rows of a source, at most `max_documents` readable ones.

    Args:
        source: where and what to read.
        advance: told the bytes read of the files on disk.

    Raises:
        InputError: no file, a broken file, a column that is not there, a document without a licence.
    """
    seen: set[int] = set()
    left = source.max_documents
    for path in source_files(source):
        reader = _READERS[source.format]
        for raw in reader(path, source, advance):
            if left == 0:
                return
            row = _row(raw, path, source)
            identity = _identity(row.id)
            if identity in seen:
                row = Row(f"{row.id}#{path.name}:{raw.number}", row.text, row.licence, row.meta, row.error)
            seen.add(identity)
            yield row
            if left is not None and row.error is None:
                left -= 1


def _identity(name: str) -> int:
    """Eight bytes in place of a name, so that millions of names fit in memory; a false repeat only adds a suffix."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8"), digest_size=8).digest())


def _row(raw: _Raw, path: Path, source: Source) -> Row:
    place = f"{source.name}:{path.name}:{raw.number}"
    if raw.broken is not None:
        return Row(place, _harmless(raw.remains[:_SHOWN]), source.licence or "", "{}", raw.broken)
    parts = _PARTS[source.format](raw.fields, source)
    if not isinstance(parts.text, str):
        what = f"{path.name}, {raw.number}: no text (found {type(parts.text).__name__})"
        return Row(place, "", source.licence or "", "{}", what)
    name = f"{source.name}:{parts.id}" if parts.id not in (None, "") else place
    licence = source.licence or next((str(raw.fields[key]) for key in LICENCE_FIELDS if raw.fields.get(key)), None)
    if licence is None:
        raise InputError(
            f"a document of source {source.name!r} has no licence",
            where=f"{path}, row {raw.number}",
            mend="give the source a `licence`, or each row a field `licence`",
        )
    meta = {key: value for key, value in parts.meta.items() if value}
    text = parts.text.replace("\0", "") if "\0" in parts.text else parts.text
    return Row(_harmless(name), text, _harmless(licence), _harmless(json.dumps(meta, ensure_ascii=False)))


def _harmless(text: str) -> str:
    """Without lone surrogates and NUL, which no file format takes."""
    return text.encode("utf-8", "ignore").decode("utf-8").replace("\0", "")


def _need(columns: Mapping[str, Any] | list[str], names: list[str], path: Path, source: Source) -> None:
    for name in names:
        if name not in columns:
            raise InputError(
                f"source {source.name!r} has no column {name!r}",
                where=str(path),
                mend=f"the columns are {', '.join(map(str, columns))}; set text_field or id_field",
            )


def _wanted(source: Source) -> list[str]:
    """The columns that must be there; `id` is only a guess unless the recipe names it."""
    if source.format == "wiki40b" or source.format == "wikipedia":
        return ["text"]
    named = [source.id_field] if source.id_field and "id_field" in source.model_fields_set else []
    return [source.text_field, *named]


# ---- what the formats make of a row


def _plain_parts(fields: Mapping[str, Any], source: Source) -> _Parts:
    identifier = fields.get(source.id_field) if source.id_field else None
    return _Parts(fields.get(source.text_field), identifier, {key: fields.get(key) for key in ("title", "url")})


def _oscar_parts(fields: Mapping[str, Any], source: Source) -> _Parts:
    """23.01 and 22.01: `content` and `warc_headers`; the hub's form: `id`, `text`, `meta`."""
    details = fields.get("meta")
    outer = details if isinstance(details, dict) else fields
    headers = outer.get("warc_headers") or {}
    about = fields.get("metadata") or {}
    identifier = fields.get("id") if "content" not in fields else None
    identifier = headers.get("warc-record-id", identifier)
    if isinstance(identifier, str):
        identifier = identifier.removeprefix("<urn:uuid:").removesuffix(">")
    meta = {
        "url": headers.get("warc-target-uri"),
        "warnings": about.get("quality_warnings") or about.get("annotation") or outer.get("annotations"),
    }
    return _Parts(fields.get("content", fields.get("text")), identifier, meta)


def _wiki40b_parts(fields: Mapping[str, Any], source: Source) -> _Parts:
    text = fields.get("text")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "ignore")
    if isinstance(text, str) and text[:2] in ("b'", 'b"'):
        text = _bytes_of_repr(text)
    if not isinstance(text, str):
        return _Parts(None, fields.get("wikidata_id"), {})
    title, body = wiki40b_body(text)
    return _Parts(body, fields.get("wikidata_id"), {"title": title, "version": fields.get("version_id")})


def _bytes_of_repr(text: str) -> str | None:
    try:
        value = ast.literal_eval(text)
        return value.decode("utf-8") if isinstance(value, bytes) else None
    except (ValueError, SyntaxError, UnicodeDecodeError, MemoryError, RecursionError):
        return None


def wiki40b_body(text: str) -> tuple[str, str]:
    r"""Title and paragraphs of an article; headings are left out (section 2.2.1 uses the body only).

    >>> wiki40b_body("\n_START_ARTICLE_\n梅雨\n_START_SECTION_\n概要\n_START_PARAGRAPH_\n雨が降る。_NEWLINE_続く。")
    ('梅雨', '雨が降る。\n続く。')
    """
    title = marker = ""
    body: list[str] = []
    for line in text.split("\n"):
        if line in ("_START_ARTICLE_", "_START_SECTION_", "_START_PARAGRAPH_"):
            marker = line
        elif marker == "_START_ARTICLE_":
            title = title or line.strip()
        elif marker != "_START_SECTION_" and line.strip():
            body.append(line.replace("_NEWLINE_", "\n"))
    return title, "\n".join(body)


# ---- what the files hold


def _jsonl_rows(path: Path, source: Source, advance: Advance) -> Iterator[_Raw]:
    checked = source.format == "oscar"
    for number, line in enumerate(lines(path, advance), 1):
        if not line or line.isspace():
            continue
        raw = _json_row(number, line)
        if not checked and raw.broken is None:
            _need(raw.fields, _wanted(source), path, source)
            checked = True
        yield raw


def _json_row(number: int, line: bytes) -> _Raw:
    import orjson

    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            # The standard library takes what orjson refuses: lone surrogates in escapes, NaN.
            value = json.loads(line.decode("utf-8"))
            value = {key: _harmless(one) if isinstance(one, str) else one for key, one in dict(value).items()}
        except (ValueError, TypeError, RecursionError) as error:
            kind = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
            return _Raw(number, {}, f"line {number} is {kind}: {error}", line[:4096].decode("utf-8", "replace"))
    if not isinstance(value, dict):
        return _Raw(number, {}, f"line {number} is no JSON object", str(value))
    return _Raw(number, value)


def _csv_rows(path: Path, source: Source, advance: Advance) -> Iterator[_Raw]:
    csv.field_size_limit(2**31 - 1)
    decoded = (line.decode("utf-8", "surrogateescape") + "\n" for line in lines(path, advance))
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    table = csv.reader(decoded, delimiter=delimiter)
    header = next(table, [])
    _need(header, _wanted(source), path, source)
    for number, values in enumerate(table, 2):
        if not values:
            continue
        remains = delimiter.join(values)
        if not remains.isascii() and any("\udc80" <= character <= "\udcff" for character in remains):
            yield _Raw(number, {}, f"row {number} is not UTF-8", remains.encode("utf-8", "replace").decode("utf-8"))
        elif len(values) != len(header):
            yield _Raw(number, {}, f"row {number} has {len(values)} fields, the header {len(header)}", remains)
        else:
            yield _Raw(number, dict(zip(header, values, strict=True)))


def _text_rows(path: Path, source: Source, advance: Advance) -> Iterator[_Raw]:
    """A file is a document."""
    content = b"".join(chunks(path, advance))
    try:
        yield _Raw(1, {source.text_field: content.decode("utf-8"), "title": path.stem})
    except UnicodeDecodeError as error:
        yield _Raw(1, {}, f"the file is not UTF-8: {error}", content[:4096].decode("utf-8", "replace"))


def _parquet_rows(path: Path, source: Source, advance: Advance) -> Iterator[_Raw]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names: list[str] = file.schema_arrow.names
            _need(names, _wanted(source), path, source)
            used = {*_wanted(source), source.id_field, "wikidata_id", "version_id", "title", "url", *LICENCE_FIELDS}
            columns = [name for name in names if name in used]
            size = path.stat().st_size
            for batch in file.iter_batches(batch_size=512, columns=columns):
                for fields in _batch_rows(batch):
                    number += 1
                    yield _Raw(number, fields)
                advance(int(size * batch.num_rows / max(file.metadata.num_rows, 1)))
    except pa.ArrowException as error:
        raise InputError(f"the Parquet file is broken: {error}", where=str(path), mend="get it again") from error
    except OSError as error:
        if error.errno is None:
            raise InputError(f"the Parquet file is broken: {error}", where=str(path), mend="get it again") from error
        raise explain_os_error(error, path) from error


def _batch_rows(batch: Any) -> list[dict[str, Any]]:
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


_READERS: dict[str, Callable[[Path, Source, Advance], Iterator[_Raw]]] = {
    "jsonl": _jsonl_rows,
    "oscar": _jsonl_rows,
    "csv": _csv_rows,
    "text": _text_rows,
    "parquet": _parquet_rows,
    "wiki40b": _parquet_rows,
    "wikipedia": _parquet_rows,
}
_PARTS: dict[str, Callable[[Mapping[str, Any], Source], _Parts]] = {
    "jsonl": _plain_parts,
    "oscar": _oscar_parts,
    "csv": _plain_parts,
    "text": _plain_parts,
    "parquet": _plain_parts,
    "wiki40b": _wiki40b_parts,
    "wikipedia": _plain_parts,
}
