"""Bytes and lines of plain, gzip, bzip2 and zstd files, with broken compression always an error.

Does: decompress while reading, count what was read, notice a file that ends too early (a plain zstd reader calls that
the end), hand on text of other encodings as UTF-8. Does not: find encodings (encodings.py), or parse.
"""

from __future__ import annotations

import bz2
import mmap
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from igakulm.corpus.encodings import HEAD, UTF_16, as_utf8, encoding_of
from igakulm.errors import InputError
from igakulm.files import explain_os_error

Advance = Callable[[int], None]
"""Called with the number of bytes of the file (compressed, if it is) that were read since the last call."""

_CHUNK = 1 << 20
_PACKED = 1 << 15  # of compressed bytes; zstd unpacks whatever it is given at once
_ZLIB = type(zlib.decompressobj())
_BOM = b"\xef\xbb\xbf"


def nothing(_: int) -> None:
    """An `Advance` that tells nobody."""


Span = tuple[int, int]
"""First byte and end of a range of a file."""


def chunks(path: Path, advance: Advance = nothing, span: Span | None = None) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file (.gz, .bz2, .zst, anything else is plain) without its byte-order mark.

    Args:
        path: the file.
        advance: told the bytes read.
        span: read this range only; of a plain file or, at the borders of streams, a .bz2 of several.

    Raises:
        InputError: the file is missing, truncated or not what its suffix says.
    """
    first = span is None or span[0] == 0
    for chunk in _decompressed(path, advance, span):
        if first:
            chunk, first = chunk.removeprefix(_BOM), False
        yield chunk


def _decompressed(path: Path, advance: Advance, span: Span | None) -> Iterator[bytes]:
    try:
        if path.suffix == ".zst":
            yield from _frames(path, advance, span, _zstd)
        elif path.suffix == ".gz":
            yield from _frames(path, advance, span, lambda: zlib.decompressobj(wbits=31))
        elif path.suffix == ".bz2":
            yield from _frames(path, advance, span, bz2.BZ2Decompressor)
        else:
            yield from _raw(path, advance, span)
    except OSError as error:
        raise explain_os_error(error, path) from error


def _raw(path: Path, advance: Advance, span: Span | None, size: int = _CHUNK) -> Iterator[bytes]:
    first, end = span or (0, None)
    with path.open("rb") as file:
        file.seek(first)
        while chunk := file.read(size if end is None else min(size, end - first)):
            first += len(chunk)
            advance(len(chunk))
            yield chunk


def _zstd() -> object:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj()


def _frames(path: Path, advance: Advance, span: Span | None, start: Callable[[], object]) -> Iterator[bytes]:
    """Decompress frame after frame; a file that ends inside a frame is truncated."""
    import zstandard

    frame: Any = None
    try:
        for chunk in _raw(path, advance, span, _PACKED):
            rest = chunk
            while rest:
                frame = frame or start()
                yield from _unpacked(frame, rest)
                if not frame.eof:
                    break
                rest, frame = frame.unused_data, None
    except (zlib.error, zstandard.ZstdError) as error:
        raise InputError(f"the compressed file is broken: {error}", where=str(path), hint="get it again") from error
    if frame is not None:
        raise InputError("the compressed file ends too early", where=str(path), hint="get it again, it was cut off")


def _unpacked(frame: Any, data: bytes) -> Iterator[bytes]:
    """What a decompressor makes of some bytes, in pieces of bounded size: text of few words shrinks a thousandfold."""
    if isinstance(frame, bz2.BZ2Decompressor):
        try:
            piece = frame.decompress(data, _CHUNK)
            while piece:
                yield piece
                piece = b"" if frame.eof or frame.needs_input else frame.decompress(b"", _CHUNK)
        except OSError as error:  # broken data; elsewhere an OSError is about the disk
            raise zlib.error(str(error)) from error
    elif isinstance(frame, _ZLIB):
        piece = frame.decompress(data, _CHUNK)
        while piece:
            yield piece
            # A full piece may have more behind it, even with all input taken.
            more = frame.unconsumed_tail or len(piece) == _CHUNK
            piece = frame.decompress(frame.unconsumed_tail, _CHUNK) if more and not frame.eof else b""
    elif piece := frame.decompress(data):
        yield piece


def bz2_ranges(path: Path, size: int) -> Iterator[Span]:
    """Cut a .bz2 of several streams, as multistream dumps are, into ranges of about `size` bytes.

    A file of one stream is one range. Streams begin at a whole byte with ten bytes that compressed data holds by
    chance once in 2^80 places.
    """
    end = path.stat().st_size
    with path.open("rb") as file:
        start_mark = file.read(4) + b"1AY&SY"
        if end < len(start_mark):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = 0
            while start < end:
                found = data.find(start_mark, start + max(size, 1))
                yield start, end if found < 0 else found
                start = end if found < 0 else found


def text_encoding(path: Path) -> str:
    """The encoding of a file of text, by its first bytes."""
    pieces: list[bytes] = []
    for chunk in _decompressed(path, nothing, None):
        pieces.append(chunk)
        if sum(map(len, pieces)) >= HEAD:
            break
    return encoding_of(b"".join(pieces)[:HEAD])


def text_chunks(path: Path, advance: Advance = nothing, span: Span | None = None) -> Iterator[bytes]:
    """The bytes of a file of text as UTF-8, whatever Japanese encoding or UTF-16 it is in.

    Lines of UTF-16 do not end at a byte: the first range of such a file is all of it, and the others are empty.
    """
    encoding = text_encoding(path)
    if encoding == "utf-8":
        yield from chunks(path, advance, span)
    elif encoding not in UTF_16:
        yield from as_utf8(_decompressed(path, advance, span), encoding)
    elif span is None or span[0] == 0:
        for chunk in as_utf8(_decompressed(path, advance, None), encoding):
            yield chunk.removeprefix(_BOM)  # its mark, in UTF-8


def lines(path: Path, advance: Advance = nothing, span: Span | None = None) -> Iterator[bytes]:
    r"""Yield the lines of a file of text, or of a range of it, as UTF-8 and without their \n.

    Memory holds one chunk and one line.

    Raises:
        InputError: see `chunks`.
    """
    kept: list[bytes] = []
    for chunk in text_chunks(path, advance, span):
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            kept.append(chunk)
            continue
        yield from (b"".join(kept) + head).split(b"\n")
        kept = [tail]
    if last := b"".join(kept):
        yield last
