"""Japanese encodings as browsers read them, and what encoding a file of text is in.

Does: decode Shift_JIS, EUC-JP and ISO-2022-JP with the rows that NEC and IBM added (①Ⅱ㎎㈱), find the encoding of a
file by its first bytes, hand a file on as UTF-8. Does not: know about pages and their headers (html.py), or parse.

Source: https://encoding.spec.whatwg.org/#index-jis0208: its index of JIS X 0208 has the added rows, as code page 932 of
Windows has them; Python's codecs of the other two encodings have not.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

HEAD = 1 << 16
"""Bytes at the beginning of a file that its encoding is found by."""
TRIALS = ("utf-8", "cp932", "euc_jp")
UTF_16 = ("utf-16-le", "utf-16-be")
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_ADDED_ROWS = "igakulm-added-rows"
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_JAPANESE = re.compile("[ぁ-ヺ一-龠]")


class Decoded(NamedTuple):
    """Characters of a file; `broken` counts characters that could not be read and became U+FFFD."""

    text: str
    encoding: str
    broken: int


def decode(data: bytes, name: str) -> Decoded:
    """Decode what can be decoded.

    >>> decode(b"5\\xad\\xd3", "euc_jp").text, decode(b"\\x1b$B-!\\x1b(B1", "iso2022_jp_ext").text
    ('5㎎', '①1')
    """
    try:
        return Decoded(data.decode(name), name, 0)
    except UnicodeDecodeError:
        text = data.decode(name, _ADDED_ROWS)
        return Decoded(text, name, text.count("\ufffd"))


def _added_rows(error: UnicodeError) -> tuple[str, int]:
    """A character of the rows that NEC and IBM added, by way of code page 932; else U+FFFD."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    lowest = {"euc_jp": 0xA1, "iso2022_jp_ext": 0x21}.get(error.encoding)
    if lowest is not None and len(pair) == 2 and min(pair) >= lowest and max(pair) < lowest + 94:
        row, cell = pair[0] - lowest, pair[1] - lowest
        lead, trail = 0x81 + row // 2, cell + 94 * (row % 2)
        shifted = bytes((lead + 0x40 * (lead > 0x9F), trail + 0x40 + (trail > 0x3E)))
        try:
            return shifted.decode("cp932"), error.start + 2
        except UnicodeDecodeError:
            pass
    return "\ufffd", max(error.end, error.start + 1)


codecs.register_error(_ADDED_ROWS, _added_rows)


def likeliest(data: bytes, names: Iterable[str]) -> Decoded:
    """The decoding with the fewest broken characters.

    EUC-JP read as Shift_JIS breaks nothing, but is full of half-width katakana.
    """
    return min((decode(data, name) for name in names), key=lambda one: one.broken + len(_HALF_WIDTH.findall(one.text)))


def encoding_of(head: bytes) -> str:
    """The encoding of a file that begins so; "utf-8" unless another one is certain.

    >>> [encoding_of("熱がある。".encode(name)) for name in ("utf-8", "cp932", "euc_jp", "utf-16", "utf-16-be")]
    ['utf-8', 'cp932', 'euc_jp', 'utf-16-le', 'utf-16-be']
    """
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    if b"\x1b$" in head and decode(head, "iso2022_jp_ext").broken == 0:
        return "iso2022_jp_ext"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        is_utf8 = True
    except UnicodeDecodeError:
        is_utf8 = False
    if wide := _utf_16(head):
        return wide
    if is_utf8:
        return "utf-8"
    whole = head[: head.rfind(b"\n") + 1] or head
    best = likeliest(whole, TRIALS)
    certain = best.broken == 0 and len(_JAPANESE.findall(best.text)) > len(_HALF_WIDTH.findall(best.text))
    return best.encoding if certain else "utf-8"


def _utf_16(head: bytes) -> str | None:
    """UTF-16 without a mark: line ends, spaces and brackets have a zero byte, all on one side."""
    sides = head[0:4096:2], head[1:4096:2]
    zeros = [side.count(0) for side in sides]
    for name, (own, other) in (("utf-16-le", (zeros[1], zeros[0])), ("utf-16-be", (zeros[0], zeros[1]))):
        if own > 8 * other and own * 64 >= len(sides[0]) and _is_prose(head, name):
            return name
    # Japanese without a single ASCII character has no zero byte; then its first bytes tell.
    if not any(zeros):
        for name in UTF_16:
            kana = 0x30
            side = sides[1] if name == "utf-16-le" else sides[0]
            if side and side.count(kana) * 4 >= len(side) and _is_prose(head, name):
                return name
    return None


def _is_prose(head: bytes, name: str) -> bool:
    text = head[: len(head) & ~1].decode(name, "ignore")
    return (
        bool(text)
        and "\ufffd" not in text
        and len(_JAPANESE.findall(text)) + text.isascii() * len(text) > len(text) / 8
    )


def as_utf8(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The bytes of a file in another encoding as UTF-8; what cannot be read becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(_ADDED_ROWS if encoding not in UTF_16 else "replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
