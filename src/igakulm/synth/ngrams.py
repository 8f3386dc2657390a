"""Hashes of character n-grams: what loops, near-duplicates and overlaps are found by.

Does: hash all n-grams of a text, several lengths in one pass. Does not: keep anything, or decide what a repeat means.
The hash of a window is a polynomial of its mixed code points, so that a long window is the sum of two short ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

BASE = 0x9E3779B97F4A7C15  # odd, so that powers of it keep their bits
_WORD = 2**64


def ngram_hashes(text: str, length: int) -> Hashes:
    """Hashes of all character n-grams, in order; empty for a text that is shorter."""
    return hashes_by_length(text, (length,))[length]


def hashes_by_length(text: str, lengths: Iterable[int]) -> dict[int, Hashes]:
    """Hashes of all n-grams of each length (positive).

    >>> found = hashes_by_length("あいうあいう", (3, 5))
    >>> bool(found[3][0] == found[3][3]), found[3].size, found[5].size
    (True, 4, 2)
    """
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    doubled = {1: spread(codes)}
    return {length: spread(_windows(doubled, length)) for length in lengths}


def _windows(doubled: dict[int, Hashes], length: int) -> Hashes:
    """Sums over all windows of a length, put together from windows of 1, 2, 4, … characters."""
    found: Hashes | None = None
    done = 0
    for power in (1 << bit for bit in range(length.bit_length())):
        if power not in doubled:
            doubled[power] = _joined(doubled[power // 2], power // 2, doubled[power // 2])
        if length & power:
            found = doubled[power] if found is None else _joined(found, done, doubled[power])
            done += power
    assert found is not None
    return found


def _joined(first: Hashes, length: int, second: Hashes) -> Hashes:
    """Windows of `first`, which have a length, followed by those of `second`."""
    size = max(second.size - length, 0)
    return first[:size] + second[length:] * np.uint64(pow(BASE, length, _WORD))


def spread(values: Hashes) -> Hashes:
    """Mix the bits (finaliser of splitmix64)."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
