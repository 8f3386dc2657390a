"""Standard input to ids and back, for the command line.

Does: encode lines of any length in constant memory, decode lists of ids, name the line of a mistake.
Does not: encode text itself (encode.py).

A line ends at LF and nowhere else: CR, NUL, U+2028 and a byte-order mark are text, are encoded and come back. Input is
UTF-8 whatever the terminal's encoding; anything else (lone surrogates are no UTF-8 either) is an error with its line,
since guessing would change text silently. Memory holds one sentence (up to 。) or a few mebibytes of lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from igakulm.errors import InputError
from igakulm.tokenizer.encoder import Encoder
from igakulm.tokenizer.open import load_any_encoder

CHUNK = 2**20
"""Bytes that are read at once; a longer line is encoded in parts, where its tokenizer says that it can be cut."""


class _Lists:
    """JSON lists, one a line, written in parts."""

    def __init__(self) -> None:
        self._open = self._filled = False

    def part(self, ids: list[int]) -> str:
        before = ("" if self._open else "[") + (", " if self._filled and ids else "")
        self._open, self._filled = True, self._filled or bool(ids)
        return before + ", ".join(map(str, ids))

    def end(self) -> str:
        after = "]\n" if self._open else "[]\n"
        self._open = self._filled = False
        return after


def encode_stream(folder: Path, stream: BinaryIO, runtime: str | None = None) -> Iterator[str]:
    """One JSON list of ids a line of UTF-8 text, as text to print; an empty line gives `[]`.

    Args:
        folder: the tokenizer's.
        stream: needs `read1`; what has arrived is encoded without waiting for more.
        runtime: as in `load_any_encoder`.

    Raises:
        InputError: a line that is not UTF-8, with its number, after the lines before it were given.
    """
    encoder = load_any_encoder(folder, runtime)
    lists, number = _Lists(), 1
    for block, complete in _blocks(stream, encoder.cut_after.encode()):
        lines, broken = _decoded(block.split(b"\n"), number)
        number += len(lines) - (not complete)
        if len(block) <= 2 * CHUNK:
            yield "".join(lists.part(ids) + (lists.end() if complete else "") for ids in encoder.encode_batch(lines))
        else:
            yield from _in_parts(encoder, lines, complete, lists)
        if broken is not None:
            raise broken


def _in_parts(encoder: Encoder, lines: list[str], complete: bool, lists: _Lists) -> Iterator[str]:
    for line in lines:
        for ids in encoder.encode_in_parts(line):
            yield lists.part(ids)
        if complete:
            yield lists.end()


def _blocks(stream: BinaryIO, cut: bytes) -> Iterator[tuple[bytes, bool]]:
    """Blocks of whole lines (True), or the beginning of a long line up to `cut`, the end of a sentence (False).

    A block without its last newline follows its line's parts; the end of input ends a line that is not empty.
    """
    kept: list[bytes] = []
    size, open_line = 0, False
    while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield b"".join([*kept, head]), True
            kept, size, open_line = [], 0, False
        kept.append(tail)
        size += len(tail)
        end = tail.rfind(cut) + len(cut)
        if cut and size >= CHUNK and end >= len(cut):
            yield b"".join([*kept[:-1], tail[:end]]), False
            kept, size, open_line = [tail[end:]], len(tail) - end, True
    if size or open_line:
        yield b"".join(kept), True


def _decoded(lines: list[bytes], number: int) -> tuple[list[str], InputError | None]:
    """The lines as text, up to the first that is not UTF-8, and the message about that one."""
    texts: list[str] = []
    for line in lines:
        try:
            texts.append(line.decode())
        except UnicodeDecodeError as error:
            hint = "convert the text first, for example: iconv -f CP932 -t UTF-8"
            what = f"this line is not UTF-8: {error.reason}"
            return texts, InputError(what, where=f"line {number + len(texts)} of standard input", hint=hint)
    return texts, None


def decode_stream(folder: Path, lines: Iterable[bytes]) -> Iterator[str]:
    """Text of each line that holds a JSON list of ids; a blank line gives an empty text.

    Control ids give nothing, bytes that are no UTF-8 give U+FFFD. A newline id gives a line break, so that such a list
    gives several lines. Memory holds one line.

    Raises:
        InputError: a line that is no list of ids of this vocabulary, with its number.
    """
    encoder = load_any_encoder(folder)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield "\n"
            continue
        try:
            ids = json.loads(line)
            if not isinstance(ids, list) or not all(type(token) is int for token in ids):
                raise ValueError("not a list of whole numbers")
            yield encoder.decode(ids) + "\n"
        except (ValueError, RecursionError) as error:
            hint = "give one JSON list of ids a line, such as [260, 3, 412]"
            where = f"line {number} of standard input"
            raise InputError(f"this line cannot be decoded: {error}", where=where, hint=hint) from error
