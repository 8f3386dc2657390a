"""How vocabularies spell the bytes of their entries: `<0xE5>`, the letters of byte-level ones, `▁` for a space.

Does: turn a spelling into bytes, join the bytes of tokens to characters. Does not: read vocabularies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from igakulm.tokenizer.encoder import Part

METASPACE = "▁"
"""sentencepiece writes the space so (section 2.2.1). A real U+2581 in a text goes through byte pieces instead."""
_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]
BYTE_OF = {chr(byte): byte for byte in _VISIBLE} | {chr(256 + place): byte for place, byte in enumerate(_HIDDEN)}
"""The alphabet of byte-level vocabularies (GPT-2 and its descendants): a character for each byte."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def spelt_bytes(spelling: str, *, by_byte: bool) -> bytes:
    """The UTF-8 bytes that an entry stands for; `by_byte`: in a byte-level vocabulary.

    >>> spelt_bytes("▁a", by_byte=False), spelt_bytes("<0xE5>", by_byte=False), spelt_bytes("Ġa", by_byte=True)
    (b' a', b'\\xe5', b' a')
    """
    if by_byte:
        known = all(letter in BYTE_OF for letter in spelling)
        return bytes(BYTE_OF[letter] for letter in spelling) if known else spelling.encode("utf-8", "replace")
    found = _BYTE.fullmatch(spelling)
    return bytes([int(found[1], 16)]) if found else spelling.replace(METASPACE, " ").encode("utf-8", "replace")


def is_text(piece: bytes) -> bool:
    """Whether bytes are whole characters.

    >>> is_text("囊".encode()), is_text("囊".encode()[:2])
    (True, False)
    """
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def join_characters(pieces: Iterable[bytes]) -> list[Part]:
    """Tokens as text, those that share a character in one part.

    >>> join_characters([b"a", "囊".encode()[:1], "囊".encode()[1:]])
    [Part(text='a', tokens=1), Part(text='囊', tokens=2)]
    """
    parts: list[Part] = []
    held, tokens = b"", 0
    for piece in pieces:
        held, tokens = held + piece, tokens + 1
        if is_text(held):
            parts.append(Part(held.decode(), tokens))
            held, tokens = b"", 0
    return [*parts, Part(held.decode("utf-8", "replace"), tokens)] if held else parts
