"""Letters of many texts at once, in the form in which documents are compared, with the places where sentences end.

Does: what `normalised_document` does (NFKC, letters and digits only), several times as fast; NFKC that keeps places.
Does not: compare.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.text.mapped import codes_of

SENTENCE_ENDS = "。!?\n\r\v\f\u2028\u2029"
QUOTATION = '「」『』“”":'
"""Between these, too, a whole sentence may stand in a training text ("S1: …", 「…」)."""
DROPPED, EDGE, SLOW = 0, 1, 2
"""What is no letter, in the tables of letters: below every code point of one."""


class ComparedTexts(NamedTuple):
    """Letters of several texts; text i is codes[offsets[i]:offsets[i + 1]], and edges[p] says that a sentence may begin
    or end before letter p."""

    codes: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    edges: NDArray[np.bool_]


def plain_characters(text: str) -> str:
    """NFKC character by character, so that places stay: what NFKC makes several characters of stays as it is.

    >>> plain_characters("ＣＲＰ㎎")
    'CRP㎎'
    """
    if text.isascii():
        return text
    single = (unicodedata.normalize("NFKC", character) for character in text)
    return "".join(wide if len(wide) == 1 else character for wide, character in zip(single, text, strict=True))


def compared_letters(texts: Sequence[str]) -> ComparedTexts:
    """The letters of all texts, as in `normalised_document`; a table does it, and NFKC only where it must."""
    before, after = _tables()
    raw = codes_of("".join(texts))
    kinds = before[raw]
    lengths = list(map(len, texts))
    slow = np.flatnonzero(kinds == SLOW)
    if slow.size:
        borders = np.cumsum(lengths)
        normal = list(texts)
        for number in np.unique(np.searchsorted(borders, slow, side="right")).tolist():
            normal[number] = _partly_normalised(normal[number])
        raw = codes_of("".join(normal))
        kinds = before[raw]
        kinds[kinds == SLOW] = after[raw[kinds == SLOW]]
        lengths = list(map(len, normal))
    is_letter = kinds > SLOW
    running = np.concatenate(([0], np.cumsum(is_letter)))
    offsets = running[np.cumsum([0, *lengths])]
    edges = np.zeros(running[-1] + 1, bool)
    edges[running[:-1][kinds == EDGE]] = True
    edges[offsets] = True
    return ComparedTexts(kinds[is_letter], offsets.astype(np.int64), edges)


def _partly_normalised(text: str) -> str:
    """NFKC of the slow characters, each run with the character before it; the others stay as they are."""
    places = np.flatnonzero(_tables()[0][codes_of(text)] == SLOW)
    ends = np.flatnonzero(np.diff(places, append=len(text) + 1) > 1)
    starts = np.concatenate(([0], ends[:-1] + 1))
    pieces = []
    done = 0
    for start, stop in zip(places[starts].tolist(), (places[ends] + 1).tolist(), strict=True):
        first = max(start - 1, done)
        pieces += [text[done:first], unicodedata.normalize("NFKC", text[first:stop])]
        done = stop
    return "".join([*pieces, text[done:]])


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Code point to the letter or digit that is compared, or to DROPPED or EDGE: before NFKC, and after it.

    The first is SLOW where NFKC gives several characters or may join a character to the one before it.
    """
    before, after = np.zeros(0x110000, np.uint32), np.zeros(0x110000, np.uint32)
    codes = (*range(0xD800), *range(0xF900, 0x323B0))  # beyond: no letters
    after[list(codes)] = [code if chr(code).isalnum() else DROPPED for code in codes]
    after[[ord(character) for character in SENTENCE_ENDS + QUOTATION]] = EDGE
    joined = _joined_to_the_left()
    for code in codes:
        normal = [ord(character) for character in unicodedata.normalize("NFKC", chr(code))]
        if code in joined or not joined.isdisjoint(normal):
            before[code] = SLOW
        else:
            kinds = after[normal]
            before[code] = kinds[0] if len(normal) == 1 else SLOW if kinds.any() else DROPPED
    return before, after


def _joined_to_the_left() -> frozenset[int]:
    """Characters that NFKC may join to the one before: marks, second halves of letters, parts of Korean syllables."""
    found = {code for code in range(0x20000) if unicodedata.combining(chr(code))} | set(range(0x1100, 0x1200))
    for code in range(0x20000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(int(parts[1], 16))
    return frozenset(found)
