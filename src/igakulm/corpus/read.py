"""Streaming readers of raw sources: JSON Lines, Parquet, CSV, text, OSCAR, wiki40b, Wikipedia, saved pages and WARC.

Does: yield one `Row` for each document, in the order of the sorted files and of their lines, with a unique id, its
licence and its metadata; report a line that cannot be read as a row with an error, and go on.
Does not: clean or judge text. What is wrong with a whole file (missing, cut off, without the column) is an InputError.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from igakulm.corpus.fields import PARTS, Unusable
from igakulm.corpus.rows import CAN_CUT, LICENCE_FIELDS, READERS, Cut, RawRow, harmless
from igakulm.corpus.streams import Advance, nothing
from igakulm.errors import InputError
from igakulm.recipe.loading import data_files
from igakulm.recipe.schema import Source

_SHOWN = 1000  # characters of an unreadable line that are kept for the report
_SUFFIXES = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "oscar": (".jsonl", ".json"),
    "csv": (".csv", ".tsv"),
    "text": (".txt", ".md"),
    "mediawiki": (".xml",),
    "html": (".html", ".htm", ".xhtml"),
    "warc": (".warc",),
    "pdf": (".pdf",),
    "docx": (".docx",),
}
_ARCHIVES = (".zip", ".7z", ".rar", ".lzh", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.zst", ".xz")
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
_COMPRESSED = (".gz", ".zst", ".bz2")


@dataclass(frozen=True, slots=True)
class Row:
    """One raw document, or (`error` set) one line that could not be read and what is left of its text."""

    id: str
    text: str
    licence: str
    meta: str
    error: str | None = None


def source_files(source: Source) -> list[Path]:
    """The files of a source, sorted; of a folder only those whose suffix fits the format.

    Raises:
        InputError: nothing is there.
    """
    found = [path for path in data_files(source.path) if not path.name.startswith("~$")]  # Word's marks of open files
    if not Path(source.path).is_dir():
        for path in found:
            if is_archive(path.name):
                hint = "unpack it, and name the folder or the files"
                raise InputError(f"source {source.name!r} is an archive, which is not read", where=str(path), hint=hint)
        return found
    fitting = [path for path in found if _fits(path, source)]
    if not fitting:
        here = ", ".join(path.name for path in found[:5])
        raise InputError(
            f"the folder of source {source.name!r} holds no {source.format} file",
            where=source.path,
            hint=f"it has {here}",
        )
    return fitting


def files_left_out(source: Source) -> Counter[str]:
    """Files of a source's folder whose suffix does not fit its format, by suffix."""
    if not Path(source.path).is_dir():
        return Counter()
    others = (path.name.lower() for path in data_files(source.path) if not _fits(path, source))
    return Counter(_ending(name) for name in others if not name.startswith("~$"))


def is_archive(name: str) -> bool:
    """Whether a file of this name holds other files, which must be unpacked first.

    >>> is_archive("2024.zip"), is_archive("a.tar.gz"), is_archive("a.jsonl.gz")
    (True, True, False)
    """
    return name.lower().endswith(_ARCHIVES)


def _ending(name: str) -> str:
    """The suffix by which files are counted; of an archive all of it.

    >>> _ending("a.tar.gz"), _ending("a.pdf"), _ending("readme")
    ('.tar.gz', '.pdf', 'readme')
    """
    archive = max((one for one in _ARCHIVES if name.endswith(one)), key=len, default="")
    return archive or Path(name).suffix or name


def describe_left_out(source: Source) -> str:
    """What a folder holds beside the files that are read, with what to do about archives; empty if nothing."""
    left_out = files_left_out(source)
    listed = ", ".join(f"{suffix} {number:,}" for suffix, number in sorted(left_out.items()))
    archives = any(is_archive(suffix) for suffix in left_out)
    return listed + (" (archives are not read: unpack them)" if archives else "")


def _fits(path: Path, source: Source) -> bool:
    return _plain_name(path).endswith(_SUFFIXES.get(source.format, (".parquet",)))


def _plain_name(path: Path) -> str:
    """The file's name in small letters without the suffix of a compression."""
    name = path.name.lower()
    return name.rpartition(".")[0] if name.endswith(_COMPRESSED) else name


def read_source(
    source: Source, advance: Advance = nothing, span: tuple[int, int] | None = None, before: int = 0
) -> Iterator[Row]:
    """Yield the rows of a source, at most `max_documents` readable ones.

    Args:
        source: where and what to read.
        advance: told the bytes read of the files on disk.
        span: read this range of the source's only file: row groups of Parquet, bytes of plain JSON Lines that begin
            and end at the border of a line, or of a multistream dump (`streams.bz2_ranges`).
        before: rows or lines of the file before the range, so that ids are those of the whole file.

    Raises:
        InputError: no file, a broken file, a column that is not there, a document without a licence.
    """
    seen: set[int] = set()
    left = source.max_documents
    files = source_files(source)
    if span is not None and (len(files) != 1 or source.format not in CAN_CUT):
        raise ValueError(f"a range is read of one file of {', '.join(sorted(CAN_CUT))}")
    for path in files:
        reader = READERS[source.format]
        for raw in reader(path, source, advance, Cut(span, before)):
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


def _row(raw: RawRow, path: Path, source: Source) -> Row:
    place = f"{source.name}:{path.name}:{raw.number}"
    if raw.broken is not None:
        return Row(place, harmless(raw.remains[:_SHOWN]), source.licence or "", "{}", raw.broken)
    try:
        parts = PARTS[source.format](raw.fields, source)
    except Unusable as error:
        about = {key: raw.fields.get(key) for key in ("title", "url", "date")}
        return Row(place, "", source.licence or "", _meta(about), f"{path.name}, {raw.number}: {error}")
    if not isinstance(parts.text, str):
        found = "nothing" if parts.text is None else type(parts.text).__name__
        what = f"{path.name}, {raw.number}: no text (found {found})"
        return Row(place, "", source.licence or "", "{}", what)
    name = f"{source.name}:{parts.id}" if parts.id not in (None, "") else place
    licence = source.licence or next((str(raw.fields[key]) for key in LICENCE_FIELDS if raw.fields.get(key)), None)
    if licence is None:
        raise InputError(
            f"a document of source {source.name!r} has no licence",
            where=f"{path}, row {raw.number}",
            hint="give the source a `licence`, or each row a field `licence`",
        )
    text = parts.text.replace("\0", "") if "\0" in parts.text else parts.text
    return Row(harmless(name), text, harmless(licence), _meta(parts.meta))


def _meta(known: Mapping[str, object]) -> str:
    """Metadata as JSON text, without what is unknown."""
    kept = {key: value for key, value in known.items() if value not in (None, "", [], {}) and value == value}  # NaN
    return harmless(_encode(kept)) if kept else "{}"
