"""Checks over all kept texts: near-duplicates, overlap with the benchmarks, and the places of the right options.

Does: remember the kept texts as MinHash signatures (256 bytes a text, and one number a band), and look each new one up.
Does not: keep text, or take anything back: the earlier of two texts stays.

Near-duplicates: MinHash (Broder 1997) of character 5-grams of letters and digits; a candidate shares one of 16 bands
of 8 values and counts if 3 in 5 of all values agree. Of the pairs at Jaccard .8, which are texts with 2 % of the
characters edited, nineteen in twenty are found.

Benchmarks: a text overlaps if it shares a fifth of an item's 20-character n-grams, or 40 of them, or holds a short item
as a whole. N-grams of more than 20 items are stock phrases. The corpus stage looks again, after cleaning; rows for
tuning (`exams.jsonl`) are looked at only here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igakulm.benchmarks.items import LETTERS, Item, normalised_document
from igakulm.benchmarks.load import load_test_items
from igakulm.recipe.schema import BenchmarksSection

Hashes = NDArray[np.uint64]

NGRAM = 5
BANDS, ROWS = 16, 8
AGREEMENT = 0.6
SEED = 42
OVERLAP_NGRAM = 20
OVERLAP_SHARE = 0.2
OVERLAP_ENOUGH = 40
SHORT_ITEM = 10
STOCK_PHRASE = 20
SHORT_STOCK = 2
_BASE = 0x9E3779B97F4A7C15  # odd, so that powers of it keep their bits
_WORD = 2**64


class SetChecks:
    """All checks of one run over the texts that passed their own checks, in the order of the jobs.

    Raises:
        InputError: a benchmark's file is missing or wrong.
    """

    def __init__(self, benchmarks: BenchmarksSection | None) -> None:
        self._overlap = Overlap(load_test_items(benchmarks) if benchmarks is not None else {})
        self._near = NearDuplicates()

    def check(self, text: str) -> str | None:
        """`benchmark_overlap`, `near_duplicate`, or None: then the text is remembered."""
        letters = normalised_document(text).casefold()
        if self._overlap.holds_item(letters):
            return "benchmark_overlap"
        return None if self._near.add(letters) else "near_duplicate"


class NearDuplicates:
    """Signatures of the texts so far."""

    def __init__(self) -> None:
        self._signatures = np.zeros((1024, BANDS * ROWS), np.uint16)
        self._size = 0
        self._first: dict[int, int] = {}

    def add(self, letters: str) -> bool:
        """Remember a text (letters and digits only) unless it is near an earlier one; whether it is new."""
        signature = minhash(letters)
        keys = _band_keys(signature)
        candidates = sorted({self._first[key] for key in keys if key in self._first})
        if candidates:
            agreement = (self._signatures[candidates] == signature).mean(axis=1)
            if agreement.max() >= AGREEMENT:
                return False
        if self._size == len(self._signatures):
            self._signatures = np.concatenate((self._signatures, np.zeros_like(self._signatures)))
        self._signatures[self._size] = signature
        for key in keys:
            self._first.setdefault(key, self._size)
        self._size += 1
        return True


def minhash(letters: str) -> NDArray[np.uint16]:
    """Signature of BANDS * ROWS values, of which the low 16 bits are kept."""
    import rensa

    grams = ngram_hashes(letters, min(NGRAM, max(len(letters), 1)))
    offsets = np.array([0, grams.size], np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(grams, offsets, BANDS * ROWS, SEED)
    return (np.array(matrix.to_rows()[0], np.uint32) & np.uint32(0xFFFF)).astype(np.uint16)


def _band_keys(signature: NDArray[np.uint16]) -> list[int]:
    """One number for each band: its own place and its values, 128 bits folded to 60."""
    halves = signature.reshape(BANDS, ROWS).view(np.uint64)
    mixed = _spread(halves[:, 0] + np.uint64(_BASE) * np.arange(1, BANDS + 1, dtype=np.uint64))
    keys = _spread(mixed ^ halves[:, 1]) >> np.uint64(4)
    return [int(key) for key in keys]


def ngram_hashes(letters: str, length: int) -> Hashes:
    """Hashes of all character n-grams, in order; empty for a text that is shorter."""
    codes = np.frombuffer(letters.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    windows = codes.size - length + 1
    if windows <= 0:
        return np.zeros(0, np.uint64)
    values = _spread(codes)
    found = np.zeros(windows, np.uint64)
    for place in range(length):
        found += values[place : place + windows] * np.uint64(pow(_BASE, place, _WORD))
    return _spread(found)


def _spread(values: Hashes) -> Hashes:
    """Mix the bits (finaliser of splitmix64)."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class Overlap:
    """N-grams of all test items, and the short items as a whole."""

    def __init__(self, tasks: Mapping[str, Sequence[Item]]) -> None:
        texts = {
            normalised_document(text).casefold() for items in tasks.values() for item in items for text in _texts(item)
        }
        ordered = sorted(text for text in texts if len(text) >= SHORT_ITEM)
        grams = [np.unique(ngram_hashes(text, OVERLAP_NGRAM)) for text in ordered]
        owners = np.repeat(np.arange(len(ordered)), [part.size for part in grams])
        hashes = np.concatenate(grams) if grams else np.zeros(0, np.uint64)
        order = np.argsort(hashes, kind="stable")
        hashes, owners = hashes[order], owners[order]
        _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        telling = counts[inverse] <= STOCK_PHRASE
        self._hashes, self._owners = hashes[telling], owners[telling]
        sizes = np.bincount(self._owners, minlength=len(ordered))
        self._required = np.maximum(np.minimum(np.ceil(OVERLAP_SHARE * sizes), OVERLAP_ENOUGH), 1)
        self._short: dict[str, list[str]] = {}
        for text in _telling([text for text in ordered if len(text) < 2 * OVERLAP_NGRAM], ordered):
            self._short.setdefault(text[:SHORT_ITEM], []).append(text)

    def holds_item(self, letters: str) -> bool:
        """Whether a text (letters and digits only, lower case) holds a test item or enough of one."""
        for start in range(len(letters) - SHORT_ITEM + 1):
            for short in self._short.get(letters[start : start + SHORT_ITEM], ()):
                if letters.startswith(short, start):
                    return True
        if not self._hashes.size:
            return False
        grams = np.unique(ngram_hashes(letters, OVERLAP_NGRAM))
        starts, ends = (np.searchsorted(self._hashes, grams, side) for side in ("left", "right"))
        met = [self._owners[starts[place] : ends[place]] for place in np.flatnonzero(ends > starts)]
        if not met:
            return False
        owners, shared = np.unique(np.concatenate(met), return_counts=True)
        return bool((shared >= self._required[owners]).any())


def _texts(item: Item) -> list[str]:
    """The texts by which an item is recognised: its sentences, its document, or its question and long options."""
    if item.sentences:
        return list(item.sentences)
    if item.document and item.document != item.question:
        return [item.document]
    return [item.question, *(choice for choice in item.choices if len(normalised_document(choice)) >= OVERLAP_NGRAM)]


def _telling(short: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The short texts that are no common wording (「正しいのはどれか。2つ選べ。」), which other items hold as well."""
    joined = "\n".join(texts)
    return [text for text in short if joined.count(text) <= SHORT_STOCK]


def position_bias(positions: Mapping[str, int], options: str = LETTERS[:5]) -> dict[str, Any]:
    """Whether the right options of single-answer items stand evenly at all places: a chi-square test.

    Returns:
        {"positions": {letter: count}, "items", "chi_square", "degrees_of_freedom", "p_value"}; a p-value below .01
        says that the places are uneven beyond chance. Both are null without items.

    >>> position_bias({"A": 40, "B": 1, "C": 1, "D": 1, "E": 1})["p_value"] < 0.01
    True
    >>> position_bias(dict.fromkeys("ABCDE", 9))["chi_square"]
    0.0
    """
    counts = {letter: positions.get(letter, 0) for letter in options}
    items, freedom = sum(counts.values()), len(options) - 1
    found: dict[str, Any] = {"positions": counts, "items": items, "chi_square": None}
    if not items:
        return {**found, "degrees_of_freedom": freedom, "p_value": None}
    expected = items / len(options)
    statistic = sum((count - expected) ** 2 for count in counts.values()) / expected
    # For an even number of degrees of freedom the tail is a finite sum.
    tail = math.exp(-statistic / 2) * sum(
        (statistic / 2) ** power / math.factorial(power) for power in range(freedom // 2)
    )
    return {**found, "chi_square": round(statistic, 4), "degrees_of_freedom": freedom, "p_value": round(tail, 6)}
