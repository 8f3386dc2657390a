"""Web pages in WARC files (.warc, .warc.gz; ISO 28500), as crawlers write them.

Does: stream the records, yield the HTML pages that were answered with status 200, report a page that is too large, and
notice a file that ends inside a record. Does not: find the main text (html.py), or fetch (crawl.py).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from igakulm.corpus.html import MAX_BYTES
from igakulm.corpus.streams import Advance, chunks, nothing
from igakulm.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from warcio.recordloader import ArcWarcRecord

HTML_TYPES = ("text/html", "application/xhtml+xml")
LICENCE_HEADER = "IgakuLM-Licence"
"""A header that our crawler adds to each record: the licence that the user gave for the site."""


@dataclass(frozen=True, slots=True)
class WarcPage:
    """One page. `problem` says why there is no body."""

    number: int
    id: str
    url: str
    date: str
    licence: str | None
    content_type: str
    body: bytes
    problem: str | None = None


class _Stream(io.RawIOBase):
    """Decompressed chunks as a file, since warcio itself takes a truncated .gz for a short one."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        given = memoryview(buffer).cast("B")
        count = min(len(given), len(self._rest))
        given[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def warc_pages(path: Path, advance: Advance = nothing) -> Iterator[WarcPage]:
    """Yield the HTML pages of a file; `number` counts all records from 1.

    Raises:
        InputError: the file is missing, cut off or no WARC, or the extra `html` is not installed.
    """
    try:
        from warcio.archiveiterator import ArchiveIterator
        from warcio.exceptions import ArchiveLoadFailed
    except ImportError as error:
        raise InputError("WARC files need the package warcio", hint="pip install 'igakulm[html]'") from error
    logging.getLogger("warcio").setLevel(logging.CRITICAL)
    number = 0
    try:
        for record in ArchiveIterator(io.BufferedReader(_Stream(chunks(path, advance)), 1 << 16)):
            number += 1
            page = _page(record, number)
            if _is_cut(record):
                raise InputError(
                    "the WARC file ends too early",
                    where=f"{path}, record {number:,}",
                    hint="get it again, it was cut off",
                )
            if page is not None:
                yield page
    except ArchiveLoadFailed as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"this is no WARC file: {reason}",
            where=f"{path}, after record {number:,}",
            hint="get it again, or set the source's `format` if it is none",
        ) from error


def _read_up_to(stream: BinaryIO, count: int) -> bytes:
    """At most about `count` bytes; a stream may give fewer at once than it was asked for."""
    pieces: list[bytes] = []
    while count > 0 and (piece := stream.read(min(count, 1 << 16))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _is_cut(record: ArcWarcRecord) -> bool:
    """Whether a record, which is read to its end, is shorter than its header says (or ends in the header)."""
    while record.raw_stream.read(1 << 16):
        pass
    length = record.rec_headers.get_header("Content-Length")
    return length is None or getattr(record.raw_stream, "limit", 0) > 0


def _page(record: ArcWarcRecord, number: int) -> WarcPage | None:
    """The page in a record, None for everything else (requests, images, redirects, errors)."""
    if record.rec_type not in ("response", "resource"):
        return None
    http = record.http_headers
    if http is not None and http.get_statuscode() != "200":
        return None
    headers = record.rec_headers
    kind = (http or headers).get_header("Content-Type") or ""
    if kind.partition(";")[0].strip().lower() not in HTML_TYPES:
        return None
    body, problem = b"", None
    try:
        body = _read_up_to(record.content_stream(), MAX_BYTES + 1)
    except Exception as error:  # warcio lets zlib's, brotli's and its own errors through
        problem = f"the body of record {number} cannot be unpacked: {error}"
    if len(body) > MAX_BYTES:
        body, problem = b"", f"the page of record {number} is larger than {MAX_BYTES >> 20} MiB"
    return WarcPage(
        number,
        (headers.get_header("WARC-Record-ID") or "").removeprefix("<urn:uuid:").removesuffix(">"),
        headers.get_header("WARC-Target-URI") or "",
        headers.get_header("WARC-Date") or "",
        headers.get_header(LICENCE_HEADER),
        kind,
        body,
        problem,
    )
