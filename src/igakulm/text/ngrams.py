"""Hashes of character n-grams, for near-duplicates, loops, overlaps and decontamination.

Does: bring a batch of documents into the form in which texts are compared (letters and digits only) and hash all their
n-grams at once; hash the n-grams of one text as it is. Does not: decide anything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.text.mapped import codes_of

Hashes = NDArray[np.uint64]

BASE = 0x9E3779B97F4A7C15  # odd; its powers stay spread over 64 bits


class Letters(NamedTuple):
    """Letters and digits of several documents one after the other; document i is codes[offsets[i]:offsets[i + 1]]."""

    codes: NDArray[np.uint32]
    offsets: NDArray[np.int64]


@cache
def compared() -> NDArray[np.uint32]:
    """Code point to itself in lower case if it is a letter or a digit, else to 0."""
    table = np.zeros(0x110000, np.uint32)
    for code in (*range(0xD800), *range(0xF900, 0x20000)):
        character = chr(code)
        if unicodedata.category(character)[0] in "LN":
            lower = character.lower()
            table[code] = ord(lower) if len(lower) == 1 else code
    table[0x20000:0x323B0] = np.arange(0x20000, 0x323B0, dtype=np.uint32)
    return table


def letters_of(texts: Sequence[str]) -> Letters:
    """Strip cleaned documents to letters and digits, in lower case."""
    codes = compared()[codes_of("".join(texts))]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    kept = codes != 0
    running = np.concatenate(([0], np.cumsum(kept)))
    offsets = running[np.concatenate(([0], np.cumsum(lengths)))].astype(np.int64)
    return Letters(codes[kept], offsets)


class Grams(NamedTuple):
    """N-gram hashes of several documents; those of document i are hashes[offsets[i]:offsets[i + 1]], in order."""

    hashes: Hashes
    offsets: NDArray[np.int64]


def ngrams_of(letters: Letters, length: int) -> Grams:
    """Hash every n-gram of `length` characters that lies within one document."""
    windows = max(letters.codes.size - length + 1, 0)
    counts = np.maximum(np.diff(letters.offsets) - length + 1, 0)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    if windows == 0 or offsets[-1] == 0:
        return Grams(np.zeros(0, np.uint64), offsets)
    hashes = _windows({1: spread(letters.codes.astype(np.uint64))}, length)[:windows]
    if counts.size > 1:
        inside = np.ones(windows, bool)
        borders = letters.offsets[1:-1]
        for step in range(1, length):
            across = borders - step
            inside[across[(across >= 0) & (across < windows)]] = False
        hashes = hashes[inside]
    return Grams(spread(hashes), offsets)


def spread(values: Hashes) -> Hashes:
    """Mix the bits of 64-bit values (finaliser of splitmix64)."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def hashes_by_length(text: str, lengths: Iterable[int]) -> dict[int, Hashes]:
    """Hashes of all character n-grams of one text as it is, for several lengths (positive) in one pass.

    >>> found = hashes_by_length("あいうあいう", (3, 5))
    >>> bool(found[3][0] == found[3][3]), found[3].size, found[5].size, hashes_by_length("あ", [2])[2].size
    (True, 4, 2, 0)
    """
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    doubled = {1: spread(codes)}
    return {length: spread(_windows(doubled, length)) for length in lengths}


def ngram_hashes(text: str, length: int) -> Hashes:
    """Hashes of all character n-grams of one text as it is, in order; empty for a text that is shorter."""
    return hashes_by_length(text, (length,))[length]


def _windows(doubled: dict[int, Hashes], length: int) -> Hashes:
    """Polynomial hashes of all windows of a length, put together from windows of 1, 2, 4, … characters.

    H(2n) comes from two H(n), so that 20 characters cost 6 passes, not 20; `doubled` keeps them for other lengths.
    """
    found: Hashes | None = None
    done = 0
    for power in (1 << bit for bit in reversed(range(length.bit_length()))):
        for smaller in (1 << bit for bit in range(1, power.bit_length())):
            if smaller not in doubled:
                half = doubled[smaller // 2]
                doubled[smaller] = _joined(half, smaller // 2, half, smaller // 2)
        if length & power:
            found = doubled[power] if found is None else _joined(found, done, doubled[power], power)
            done += power
    assert found is not None
    return found


def _joined(first: Hashes, length: int, second: Hashes, more: int) -> Hashes:
    """Windows of `length` characters, each followed by the window of `more` characters that begins behind it."""
    size = max(second.size - length, 0)
    return first[:size] * np.uint64(pow(BASE, more, 1 << 64)) + second[length:]
