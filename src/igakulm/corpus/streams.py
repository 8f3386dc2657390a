"""Bytes and lines of plain, gzip and zstd files, with broken compression always an error.

Does: decompress while reading, count what was read, notice a file that ends too early (a plain zstd reader calls that
the end). Does not: decode or parse.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error

Advance = Callable[[int], None]
"""Called with the number of bytes of the file (compressed, if it is) that were read since the last call."""

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"


def nothing(_: int) -> None:
    """An `Advance` that tells nobody."""


def chunks(path: Path, advance: Advance = nothing) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file (.gz, .zst, anything else is plain) without its byte-order mark.

    Raises:
        InputError: the file is missing, truncated or not what its suffix says.
    """
    first = True
    for chunk in _decompressed(path, advance):
        if first:
            chunk, first = chunk.removeprefix(_BOM), False
        yield chunk


def _decompressed(path: Path, advance: Advance) -> Iterator[bytes]:
    try:
        if path.suffix == ".zst":
            yield from _frames(path, advance, _zstd)
        elif path.suffix == ".gz":
            yield from _frames(path, advance, lambda: zlib.decompressobj(wbits=31))
        else:
            yield from _raw(path, advance)
    except OSError as error:
        raise explain_os_error(error, path) from error


def _raw(path: Path, advance: Advance) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            advance(len(chunk))
            yield chunk


def _zstd() -> object:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj()


def _frames(path: Path, advance: Advance, start: Callable[[], object]) -> Iterator[bytes]:
    """Decompress frame after frame; a file that ends inside a frame is truncated."""
    import zstandard

    frame: object | None = None
    try:
        for chunk in _raw(path, advance):
            rest = chunk
            while rest:
                frame = frame or start()
                if data := frame.decompress(rest):  # type: ignore[attr-defined]
                    yield data
                if not frame.eof:  # type: ignore[attr-defined]
                    break
                rest, frame = frame.unused_data, None  # type: ignore[attr-defined]
    except (zlib.error, zstandard.ZstdError) as error:
        raise InputError(f"the compressed file is broken: {error}", where=str(path), mend="get it again") from error
    if frame is not None:
        raise InputError("the compressed file ends too early", where=str(path), mend="get it again, it was cut off")


def lines(path: Path, advance: Advance = nothing) -> Iterator[bytes]:
    r"""Yield the lines of a file without their \n; memory holds one chunk and one line.

    Raises:
        InputError: see `chunks`.
    """
    kept: list[bytes] = []
    for chunk in chunks(path, advance):
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            kept.append(chunk)
            continue
        yield from (b"".join(kept) + head).split(b"\n")
        kept = [tail]
    if last := b"".join(kept):
        yield last
