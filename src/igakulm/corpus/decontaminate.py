"""Documents that hold a benchmark's test item are found by shared character n-grams.

Does: index the n-grams of all test items, find the documents that share enough of them, and name task and item.
Does not: drop silently: `Index.unchecked` says how many items are too short to be recognised.

An item is looked for by its source document where it has one, else by its question; a choice counts where it is at
least one n-gram long by itself. N-grams that stand in more than `shared_documents` documents of the benchmarks are
boiler-plate (「誤っているものを1つ選べ」) and are ignored. Texts of one field share stock phrases (「文献的考察を加え
報告する」), so a document must share `min_share` of an item's n-grams, or 40 of them, which are 60 characters in a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.benchmarks.items import Item
from igakulm.corpus.clean import clean_texts
from igakulm.corpus.ngrams import Hashes, Letters, letters_of, ngrams_of
from igakulm.recipe.schema import Decontamination

_FILTER_BITS = 24
_ENOUGH = 40


class Match(NamedTuple):
    """The item that a document shares most n-grams with, and how many the item has."""

    task: str
    item: str
    shared: int
    of: int


@dataclass(frozen=True)
class Index:
    """N-grams of all test items.

    `hashes` are sorted and unique; those of row i belong to the items `owners[starts[i]:starts[i + 1]]`, numbers into
    `items`, which are (task, item id). `sizes` is how many n-grams each item has, `required` how many must be shared.
    `unchecked` counts, for each task, items that give no n-gram.
    """

    length: int
    hashes: Hashes
    starts: NDArray[np.int64]
    owners: NDArray[np.int32]
    items: tuple[tuple[str, str], ...]
    sizes: NDArray[np.int64]
    required: NDArray[np.int64]
    unchecked: Mapping[str, int]


def build_index(tasks: Mapping[str, Sequence[Item]], config: Decontamination) -> Index:
    """Index the test items; with no tasks, or switched off, the index is empty and finds nothing."""
    items = [(task, item) for task, group in tasks.items() for item in group] if config.enabled else []
    texts: list[str] = []
    owner_of_text: list[int] = []
    for number, (_, item) in enumerate(items):
        parts = [item.document] if item.document else [item.question, *item.choices]
        texts += parts
        owner_of_text += [number] * len(parts)
    grams = ngrams_of(letters_of(clean_texts(texts)), config.ngram)
    owners = np.repeat(np.array(owner_of_text, np.int64), np.diff(grams.offsets))
    hashes, starts, owners = _grouped(grams.hashes, owners)
    if hashes.size:
        sources = {
            text: number for number, text in enumerate(dict.fromkeys(item.document or item.id for _, item in items))
        }
        source_of = np.array([sources[item.document or item.id] for _, item in items], np.int64)
        hashes, starts, owners = _without_shared(hashes, starts, owners, source_of, config.shared_documents)
    sizes = np.bincount(owners, minlength=len(items)).astype(np.int64)
    required = np.maximum(np.minimum(np.ceil(config.min_share * sizes), _ENOUGH), config.min_matches).astype(np.int64)
    unchecked = Counter(task for (task, _), size in zip(items, sizes.tolist(), strict=True) if size == 0)
    names = tuple((task, item.id) for task, item in items)
    return Index(config.ngram, hashes, starts, owners.astype(np.int32), names, sizes, required, dict(unchecked))


def _grouped(hashes: Hashes, owners: NDArray[np.int64]) -> tuple[Hashes, NDArray[np.int64], NDArray[np.int64]]:
    """Sorted unique hashes, and for each the different owners."""
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    if hashes.size:
        new = np.concatenate(([True], (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])))
        hashes, owners = hashes[new], owners[new]
    unique, starts = np.unique(hashes, return_index=True)
    return unique, np.append(starts, hashes.size).astype(np.int64), owners


def _without_shared(
    hashes: Hashes, starts: NDArray[np.int64], owners: NDArray[np.int64], source_of: NDArray[np.int64], most: int
) -> tuple[Hashes, NDArray[np.int64], NDArray[np.int64]]:
    """Without n-grams that stand in more than `most` source documents (items of one document count once)."""
    rows = np.repeat(np.arange(hashes.size), np.diff(starts))
    pairs = np.unique(np.stack((rows, source_of[owners])), axis=1)
    kept = np.bincount(pairs[0], minlength=hashes.size) <= most
    lengths = np.diff(starts)[kept]
    return hashes[kept], np.concatenate(([0], np.cumsum(lengths))).astype(np.int64), owners[kept[rows]]


class Finder:
    """Looks documents up in an index; built once in each process."""

    def __init__(self, index: Index) -> None:
        self._index = index
        # Nearly all n-grams of ordinary text miss: one bit table answers for them before any search.
        self._table = np.zeros(1 << _FILTER_BITS, bool)
        self._table[self._slots(index.hashes)] = True

    @staticmethod
    def _slots(hashes: Hashes) -> NDArray[np.int64]:
        return (hashes >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)

    def find(self, letters: Letters) -> list[Match | None]:
        """The best match of each document, or None; among equals the first item in the benchmarks' order."""
        count = letters.offsets.size - 1
        matches: list[Match | None] = [None] * count
        if not self._index.hashes.size:
            return matches
        grams = ngrams_of(letters, self._index.length)
        positions = np.flatnonzero(self._table[self._slots(grams.hashes)])
        rows = np.searchsorted(self._index.hashes, grams.hashes[positions])
        rows[rows == self._index.hashes.size] = 0
        hit = self._index.hashes[rows] == grams.hashes[positions]
        documents = np.searchsorted(grams.offsets, positions[hit], side="right") - 1
        rows = rows[hit]
        for document in np.unique(documents).tolist():
            matches[document] = self._best(np.unique(rows[documents == document]))
        return matches

    def _best(self, rows: NDArray[np.int64]) -> Match | None:
        index = self._index
        counts: Counter[int] = Counter()
        for row in rows.tolist():
            counts.update(index.owners[index.starts[row] : index.starts[row + 1]].tolist())
        enough = [(shared, -number) for number, shared in counts.items() if shared >= index.required[number]]
        if not enough:
            return None
        shared, negative = max(enough)
        task, item = index.items[-negative]
        return Match(task, item, shared, int(index.sizes[-negative]))
