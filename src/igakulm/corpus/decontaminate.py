"""Documents that hold a benchmark's test item are found by shared character n-grams.

Does: index the n-grams of all test items, find the documents that share enough of them, and name task and item.
Does not: drop silently, or pass over silently: `Index.unchecked` says how many items are too short to be recognised.

An item is looked for by its source document where it has one (a similarity item by each of its sentences), else by
its question; a choice of an examination counts where it is at least one n-gram long by itself. Texts shorter than two
n-grams are also looked for as a whole, from 10 letters on. Rows for tuning are looked for too, as tasks named
`TASK:train`, if the recipe says so: in the fold splits every row is a test item of some fold.

N-grams that stand in more than `shared_documents` documents of the benchmarks are boiler-plate
(「誤っているものを1つ選べ」) and are ignored. Texts of one field share stock phrases (「文献的考察を加え報告する」),
so a document must share `min_share` of an item's n-grams, or 40 of them, which are 60 characters in a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.recipe.schema import BenchmarksSection, Decontamination
from igakulm.tasks.items import Item
from igakulm.tasks.load import load_split, load_test_items
from igakulm.text.cleaning import clean_texts
from igakulm.text.ngrams import Hashes, Letters, letters_of, ngrams_of

_FILTER_BITS = 24
_ENOUGH = 40
_SHORT = 10  # letters
_WORDING = 2  # a short text that more source documents of items hold than this is a wording


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
    `short` are the numbers and the letters of items without an n-gram that are looked for as a whole. `unchecked`
    counts, for each task, the items that are not looked for.
    """

    length: int
    hashes: Hashes
    starts: NDArray[np.int64]
    owners: NDArray[np.int32]
    items: tuple[tuple[str, str], ...]
    sizes: NDArray[np.int64]
    required: NDArray[np.int64]
    short: tuple[tuple[int, NDArray[np.uint32]], ...]
    unchecked: Mapping[str, int]


def guarded_items(benchmarks: BenchmarksSection, config: Decontamination) -> dict[str, list[Item]]:
    """Task name to the items that the corpus must not hold: all test items, and as `TASK:train` the rows for tuning.

    Raises:
        InputError: a missing or wrong file.
    """
    if not config.enabled:
        return {}
    if not config.training_rows:
        return load_test_items(benchmarks)
    split = load_split(benchmarks, "published")
    return split.test | {f"{task}:train": items for task, items in split.train.items()}


def _texts(item: Item) -> list[str]:
    """The texts by which an item is recognised."""
    if item.sentences:
        return list(item.sentences)
    if item.document and item.document != item.question:
        return [item.document]
    return [item.question, *item.choices]


def build_index(tasks: Mapping[str, Sequence[Item]], config: Decontamination) -> Index:
    """Index the test items; with no tasks, or switched off, the index is empty and finds nothing."""
    items = [(task, item) for task, group in tasks.items() for item in group] if config.enabled else []
    texts: list[str] = []
    owner_of_text: list[int] = []
    for number, (_, item) in enumerate(items):
        parts = _texts(item)
        texts += parts
        owner_of_text += [number] * len(parts)
    grams = ngrams_of(letters_of(clean_texts(texts)), config.ngram)
    owners = np.repeat(np.array(owner_of_text, np.int64), np.diff(grams.offsets))
    hashes, starts, owners = _grouped(grams.hashes, owners)
    sources = _sources([item for _, item in items])
    if hashes.size:
        hashes, starts, owners = _without_shared(hashes, starts, owners, sources, config.shared_documents)
    sizes = np.bincount(owners, minlength=len(items)).astype(np.int64)
    required = np.maximum(np.minimum(np.ceil(config.min_share * sizes), _ENOUGH), config.min_matches).astype(np.int64)
    short = _short_items([_texts(item)[0] for _, item in items], sizes, sources, config)
    whole = dict(short)
    unchecked = Counter(items[number][0] for number in np.flatnonzero(sizes == 0).tolist() if number not in whole)
    names = tuple((task, item.id) for task, item in items)
    return Index(config.ngram, hashes, starts, owners.astype(np.int32), names, sizes, required, short, dict(unchecked))


def _sources(items: Sequence[Item]) -> NDArray[np.int64]:
    """A number for each item, the same for items of one source document."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(item.document or item.id, len(numbers)) for item in items], np.int64)


_Whole = tuple[int, NDArray[np.uint32]]


def _short_items(
    texts: Sequence[str], sizes: NDArray[np.int64], sources: NDArray[np.int64], config: Decontamination
) -> tuple[_Whole, ...]:
    """Numbers and letters of the items that are looked for as a whole.

    Their text has few n-grams (beside those of long choices it would not weigh enough), or common ones only. It has
    letters enough, and is no common wording (「正しいのはどれか。2つ選べ。」), which other items hold as well.
    """
    if not config.short_items:
        return ()
    letters = letters_of(clean_texts(texts))
    pieces = [letters.codes[start:end] for start, end in pairwise(letters.offsets.tolist())]
    short = [
        (number, piece)
        for number, (piece, size) in enumerate(zip(pieces, sizes.tolist(), strict=True))
        if piece.size >= _SHORT and (piece.size < 2 * config.ngram or not size)
    ]
    holders = {(number, int(sources[place])) for place, number in _WholeTexts(short).find(letters)}
    times = Counter(number for number, _ in holders)
    return tuple((number, piece) for number, piece in short if times[number] <= _WORDING)


class _WholeTexts:
    """Finds short texts, given as (number, letters), by a hash of their first letters and then in full."""

    def __init__(self, texts: Sequence[_Whole]) -> None:
        self._texts: dict[int, list[_Whole]] = {}
        for number, codes in texts:
            first = Letters(codes[:_SHORT], np.array([0, _SHORT]))
            self._texts.setdefault(int(ngrams_of(first, _SHORT).hashes[0]), []).append((number, codes))
        self._starts = np.sort(np.fromiter(self._texts, np.uint64, len(self._texts)))
        self._table = _bit_table(self._starts)

    def find(self, letters: Letters) -> list[tuple[int, int]]:
        """(document, number) of each text that stands in a document, sorted."""
        if not self._texts:
            return []
        grams = ngrams_of(letters, _SHORT)
        positions, rows = _known(grams.hashes, self._starts, self._table)
        documents = np.searchsorted(grams.offsets, positions, side="right") - 1
        places = letters.offsets[documents] + positions - grams.offsets[documents]
        found = set()
        for document, place, row in zip(documents.tolist(), places.tolist(), rows.tolist(), strict=True):
            end = int(letters.offsets[document + 1])
            for number, codes in self._texts[int(self._starts[row])]:
                if np.array_equal(letters.codes[place : min(place + codes.size, end)], codes):
                    found.add((document, number))
        return sorted(found)


def _slots(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)


def _bit_table(hashes: Hashes) -> NDArray[np.bool_]:
    """Nearly all n-grams of ordinary text miss: this table answers for them before any search."""
    table = np.zeros(1 << _FILTER_BITS, bool)
    table[_slots(hashes)] = True
    return table


def _known(hashes: Hashes, known: Hashes, table: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the hashes that are among `known` (sorted, with its table), and where they are there."""
    positions = np.flatnonzero(table[_slots(hashes)])
    rows = np.searchsorted(known, hashes[positions])
    rows[rows == known.size] = 0
    hit = known[rows] == hashes[positions]
    return positions[hit], rows[hit]


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
        self._table = _bit_table(index.hashes)
        self._short = _WholeTexts(index.short)

    def find(self, letters: Letters) -> list[Match | None]:
        """The best match of each document, or None; among equals the first item in the benchmarks' order."""
        matches: list[Match | None] = [None] * (letters.offsets.size - 1)
        for document, number in reversed(self._short.find(letters)):
            task, item = self._index.items[number]
            matches[document] = Match(task, item, 1, 1)
        if self._index.hashes.size:
            grams = ngrams_of(letters, self._index.length)
            positions, rows = _known(grams.hashes, self._index.hashes, self._table)
            documents = np.searchsorted(grams.offsets, positions, side="right") - 1
            for document in np.unique(documents).tolist():
                matches[document] = self._best(np.unique(rows[documents == document])) or matches[document]
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
