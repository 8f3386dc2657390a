"""Checks over all kept texts: near-duplicates, overlap with the benchmarks, and the places of the right options.

Does: look each text up among the items of the benchmarks, and among the texts before it (near_duplicates.py).
Does not: keep text, or take anything back: the earlier of two texts stays.

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

from igakulm.recipe.schema import BenchmarksSection
from igakulm.synth.near_duplicates import NearDuplicates as NearDuplicates
from igakulm.synth.near_duplicates import gram_length
from igakulm.tasks.items import LETTERS, Item, normalised_document
from igakulm.tasks.load import load_test_items
from igakulm.text.ngrams import Hashes, hashes_by_length, ngram_hashes

OVERLAP_NGRAM = 20
OVERLAP_SHARE = 0.2
OVERLAP_ENOUGH = 40
SHORT_ITEM = 10
STOCK_PHRASE = 20
SHORT_STOCK = 2
LOW_BITS = 2**22 - 1
"""Of a hash, as the place in a table of 4 MB; half a million hashes fill an eighth of it."""


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
        length = gram_length(letters)
        grams = hashes_by_length(letters, {length, *self._overlap.lengths})
        if self._overlap.holds_item(letters, grams):
            return "benchmark_overlap"
        return None if self._near.add_grams(grams[length]) else "near_duplicate"


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
        self._grams, self._owners = KnownHashes(hashes[telling]), owners[telling]
        sizes = np.bincount(self._owners, minlength=len(ordered))
        self._required = np.maximum(np.minimum(np.ceil(OVERLAP_SHARE * sizes), OVERLAP_ENOUGH), 1)
        self._short: dict[int, list[str]] = {}
        for text in _telling([text for text in ordered if len(text) < 2 * OVERLAP_NGRAM], ordered):
            self._short.setdefault(int(ngram_hashes(text[:SHORT_ITEM], SHORT_ITEM)[0]), []).append(text)
        self._starts = KnownHashes(np.array(sorted(self._short), np.uint64))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of the n-grams that are looked up."""
        return (*((SHORT_ITEM,) if self._short else ()), *((OVERLAP_NGRAM,) if self._owners.size else ()))

    def holds_item(self, letters: str, grams: Mapping[int, Hashes] | None = None) -> bool:
        """Whether a text (letters and digits only, lower case) holds a test item or enough of one.

        `grams`: its n-grams of `lengths`, where they are known.
        """
        grams = hashes_by_length(letters, self.lengths) if grams is None else grams
        if self._short and self._holds_short(letters, grams[SHORT_ITEM]):
            return True
        return bool(self._owners.size) and self._shares_enough(grams[OVERLAP_NGRAM])

    def _holds_short(self, letters: str, grams: Hashes) -> bool:
        starts = self._starts.places(grams).tolist()
        return any(letters.startswith(text, start) for start in starts for text in self._short[int(grams[start])])

    def _shares_enough(self, grams: Hashes) -> bool:
        grams = np.unique(grams[self._grams.places(grams)])
        if not grams.size:
            return False
        starts, ends = (np.searchsorted(self._grams.hashes, grams, side) for side in ("left", "right"))
        met = [self._owners[start:end] for start, end in zip(starts, ends, strict=True)]
        owners, shared = np.unique(np.concatenate(met), return_counts=True)
        return bool((shared >= self._required[owners]).any())


class KnownHashes:
    """Sorted hashes behind a table of their low bits, which turns nearly all others away without a search."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = hashes
        self._table = np.zeros(LOW_BITS + 1, np.bool_)
        self._table[hashes & np.uint64(LOW_BITS)] = True

    def places(self, values: Hashes) -> NDArray[np.intp]:
        """The places of those values that are known."""
        places: NDArray[np.intp] = np.flatnonzero(self._table[values & np.uint64(LOW_BITS)])
        if places.size:
            found = np.minimum(np.searchsorted(self.hashes, values[places]), self.hashes.size - 1)
            places = places[self.hashes[found] == values[places]]
        return places


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


def position_bias(positions: Mapping[str, int], options: str = LETTERS[:5]) -> dict[str, object]:
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
