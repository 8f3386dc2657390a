"""Kept pages in WARC files (ISO 28500), one folder for each site; a kill leaves nothing half-written that counts.

Does: append one compressed record for each page, cut off what a killed crawl left behind the last page that counts,
begin a new file at a limit. Does not: decide what is kept. A file in work ends in `.part`, so that no reader takes it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from igakulm.corpus.crawl_state import Kept, State
from igakulm.corpus.warc import LICENCE_HEADER
from igakulm.errors import InputError

if TYPE_CHECKING:
    from warcio.recordloader import ArcWarcRecord
    from warcio.warcwriter import WARCWriter

_FILE_BYTES = 256 * 2**20
_HOP_BY_HOP = ("content-encoding", "transfer-encoding", "content-length", "connection", "keep-alive", "set-cookie")


class Store:
    """The WARC files of one site.

    Args:
        folder: gets `00000.warc.gz`, …
        site: the site's name in `state`.
        licence: written into every record.
        about: operator and user agent, for the first record of each file.
        state: knows how far the last file is valid.

    Raises:
        InputError: the extra `crawl` is not installed.
    """

    def __init__(self, folder: Path, site: str, licence: str, about: dict[str, str], state: State) -> None:
        try:
            import warcio  # noqa: F401
        except ImportError as error:
            raise InputError("crawling needs the package warcio", hint="pip install 'igakulm[crawl]'") from error
        self._folder, self._site, self._licence, self._about, self._state = folder, site, licence, about, state
        self._file: BinaryIO | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._go_on()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.warc.gz"

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:05d}.warc.gz.part"

    def _go_on(self) -> None:
        """Cut off what was written behind the last page that counts."""
        kept = self._state.kept(self._site)
        part = self._part(kept.number)
        if part.exists():
            if kept.length == 0:
                part.unlink()
            else:
                os.truncate(part, kept.length)
        elif self._path(kept.number).exists():
            self._state.start_file(self._site, Kept(kept.number + 1, 0, kept.pages, kept.bytes))

    def append(self, address: str, status: str, headers: Iterable[tuple[str, str]], body: bytes) -> Kept:
        """Write one page and sync it to the disk; the page counts once `State.finish` has taken what this returns."""
        kept = self._state.kept(self._site)
        if kept.length >= _FILE_BYTES:
            self.close()
            kept = self._state.kept(self._site)
        if self._file is None:
            self._file = self._part(kept.number).open("ab")
            if kept.length == 0:
                self._file.write(self._record(_file_header(self._about, self._path(kept.number).name)))
        self._file.write(self._record(self._page(address, status, headers, body)))
        self._file.flush()
        os.fsync(self._file.fileno())
        return Kept(kept.number, self._file.tell(), kept.pages + 1, kept.bytes + len(body))

    def close(self) -> None:
        """Give the file in work its final name; later pages go to another file."""
        kept = self._state.kept(self._site)
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._part(kept.number).exists() and kept.length:
            os.truncate(self._part(kept.number), kept.length)
            self._part(kept.number).replace(self._path(kept.number))
            self._state.start_file(self._site, Kept(kept.number + 1, 0, kept.pages, kept.bytes))

    def _page(self, address: str, status: str, headers: Iterable[tuple[str, str]], body: bytes) -> ArcWarcRecord:
        from warcio.statusandheaders import StatusAndHeaders

        kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
        http = StatusAndHeaders(status, [*kept, ("Content-Length", str(len(body)))], protocol="HTTP/1.1")
        own = {LICENCE_HEADER: self._licence, "WARC-Date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        return _writer().create_warc_record(
            address, "response", payload=io.BytesIO(body), http_headers=http, warc_headers_dict=own
        )

    def _record(self, record: ArcWarcRecord) -> bytes:
        target = io.BytesIO()
        _writer(target).write_record(record)
        return target.getvalue()


def _file_header(about: dict[str, str], name: str) -> ArcWarcRecord:
    return _writer().create_warcinfo_record(name, about)


def _writer(target: BinaryIO | None = None) -> WARCWriter:
    from warcio.warcwriter import WARCWriter

    return WARCWriter(target or io.BytesIO(), gzip=True)
