"""Exact and near duplicates: the earliest document stays, and a dropped one names the one that stays in its place.

Does: digest, MinHash signature and keys of bands of documents (in any process), and the decision over all of them.
Does not: keep text, or know where signatures lie (signatures.py).

In memory a document costs 16 bytes of digest, 8 bytes for a key and some 30 while one band is sorted; signatures, 2
bytes for each of bands x rows hash functions, are fetched for those documents alone that share a bucket, a million
pairs at a time.

Near-duplicates: MinHash (Broder 1997) over character n-grams of punctuation-stripped text by rensa; two documents are
compared if all `rows` values of one of the `bands` are equal, and count as near if their signatures then agree well
enough. A document is dropped only if it is near to one that stays: a chain of small changes does not carry away what
has become another text. The result depends on nothing but the documents and their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from igakulm.recipe.schema import NearDuplicates
from igakulm.text.ngrams import Hashes, Letters, ngrams_of, spread

Signatures = NDArray[np.uint16]
Numbers = NDArray[np.int64]

_SEED = 42
DIGEST_BYTES = 16
_CHUNK = 8192
_FETCHED = 1 << 20  # pairs whose signatures are in memory at once
_ROUNDS = 64


def digests_of(letters: Letters) -> list[bytes]:
    """One digest a document, of its letters and digits: white space, punctuation and case make no difference."""
    data = letters.codes
    bounds = letters.offsets.tolist()
    return [
        hashlib.blake2b(data[start:end].tobytes(), digest_size=DIGEST_BYTES).digest() for start, end in pairwise(bounds)
    ]


def signatures_of(letters: Letters, config: NearDuplicates) -> Signatures:
    """MinHash signatures, shape (documents, bands * rows).

    Of each 32-bit value the low 16 bits are kept: a chance agreement (1 in 65,536) weighs nothing among `rows` values.
    A document shorter than one n-gram has a signature of zeros.
    """
    import rensa

    grams = ngrams_of(letters, config.ngram)
    functions = config.bands * config.rows
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        grams.hashes, grams.offsets.astype(np.uint64), functions, _SEED
    )
    rows = np.array(matrix.to_rows(), np.uint32).reshape(-1, functions)
    signatures = (rows & np.uint32(0xFFFF)).astype(np.uint16)
    signatures[np.diff(grams.offsets) == 0] = 0
    return signatures


class Survivors(NamedTuple):
    """For each document the index of the one that it repeats, its own index if it repeats none."""

    exact: Numbers
    near: Numbers


def band_keys(signatures: Signatures, config: NearDuplicates) -> Hashes:
    """One 64-bit number for each band of each document, shape (bands, documents); equal numbers make a bucket."""
    keys = np.empty((config.bands, len(signatures)), np.uint64)
    for band in range(config.bands):
        keys[band] = _folded(signatures[:, band * config.rows : (band + 1) * config.rows])
    return keys


class Store(Protocol):
    """Signatures of all documents, wherever they lie."""

    def __len__(self) -> int: ...

    def long_enough(self) -> NDArray[np.bool_]:
        """Whether each document has an n-gram."""

    def keys(self, band: int) -> Hashes:
        """The key of one band of each document (`band_keys`)."""

    def take(self, documents: Numbers) -> Signatures:
        """The signatures of some documents, which are named in ascending order."""


class Held:
    """Signatures in memory."""

    def __init__(self, signatures: Signatures, config: NearDuplicates) -> None:
        self._signatures, self._keys = signatures, band_keys(signatures, config)

    def __len__(self) -> int:
        return len(self._signatures)

    def long_enough(self) -> NDArray[np.bool_]:
        """Whether each document has an n-gram."""
        return has_ngrams(self._signatures)

    def keys(self, band: int) -> Hashes:
        """The key of one band of each document."""
        keys: Hashes = self._keys[band]
        return keys

    def take(self, documents: Numbers) -> Signatures:
        """The signatures of some documents."""
        return self._signatures[documents]


def has_ngrams(signatures: Signatures) -> NDArray[np.bool_]:
    """Whether each document has an n-gram: the signature of one that has none is zeros."""
    found: NDArray[np.bool_] = (signatures != 0).any(axis=1)
    return found


def find_duplicates(
    digests: Sequence[bytes] | NDArray[np.uint8], store: Store | Signatures, config: NearDuplicates
) -> Survivors:
    """Decide for all documents at once; near-duplicates are sought among the survivors of the exact comparison."""
    exact = find_exact(digests)
    if not config.enabled:
        return Survivors(exact, np.arange(exact.size, dtype=np.int64))
    held = Held(store, config) if isinstance(store, np.ndarray) else store
    alive = np.flatnonzero((exact == np.arange(exact.size)) & held.long_enough()).astype(np.int64)
    return Survivors(exact, find_stars(held, *near_pairs(held, alive, config), config))


def near_pairs(store: Store, alive: Numbers, config: NearDuplicates) -> tuple[Numbers, Numbers]:
    """Pairs of documents (earlier, later) that share a bucket and whose signatures agree, each once.

    One band after another, so that memory holds the keys of one; most pairs share several buckets and are compared
    once.
    """
    asked = confirmed = np.zeros((0, 2), np.int64)
    needed = agreement_needed(config)
    for band in range(config.bands):
        first, second = _bucket_pairs(store.keys(band)[alive])
        pairs = _not_among(np.stack((alive[first], alive[second]), axis=1), asked)
        asked = _ordered(np.concatenate((asked, pairs)))
        confirmed = np.concatenate((confirmed, pairs[_agree(store, pairs[:, 0], pairs[:, 1], needed)]))
    return confirmed[:, 0], confirmed[:, 1]


def _ordered(pairs: Numbers) -> Numbers:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _not_among(pairs: Numbers, known: Numbers) -> Numbers:
    """The different pairs that are none of the known ones, in order; `known` is in order."""
    joined = np.concatenate((known, pairs))
    order = np.lexsort((joined[:, 1], joined[:, 0]))  # stable: a known pair stands before its like
    ordered = joined[order]
    new = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1))) if len(ordered) else np.zeros(0, bool)
    return ordered[new & (order >= len(known))]


def find_exact(digests: Sequence[bytes] | NDArray[np.uint8]) -> Numbers:
    """For each document the number of the first with the same digest (16 bytes, or a row of an array)."""
    data = digests if isinstance(digests, np.ndarray) else np.frombuffer(b"".join(digests), np.uint8)
    halves = np.ascontiguousarray(data).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0])).astype(np.int64)  # stable: the first of equal ones is the earliest
    found = np.arange(order.size, dtype=np.int64)
    if order.size:
        ordered = halves[order]
        new = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
        found[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    return found


def agreement_needed(config: NearDuplicates) -> float:
    """Share of equal signature values that confirms a candidate: a little below the banding's own threshold.

    >>> round(agreement_needed(NearDuplicates(bands=14, rows=8)), 2)
    0.62
    """
    return float((1 / config.bands) ** (1 / config.rows)) - 0.1


def find_stars(store: Store, first: Numbers, second: Numbers, config: NearDuplicates) -> Numbers:
    """For each document the kept one that it is near to, or itself; `first` and `second` are the confirmed pairs.

    The earliest of connected documents stays, and those near to it go. Among the others, the pairs that are left
    connect documents anew, until none are left; after `_ROUNDS` rounds the rest stays.
    """
    near = np.arange(len(store), dtype=np.int64)
    needed = agreement_needed(config)
    for _ in range(_ROUNDS):
        if not first.size:
            break
        nodes, edges = np.unique(np.concatenate((first, second)), return_inverse=True)
        labels = _components(nodes.size, edges[: first.size], edges[first.size :])
        heads = nodes[labels]
        gone = (heads != nodes) & _agree(store, heads, nodes, needed)
        near[nodes[gone]] = heads[gone]
        decided = gone | (heads == nodes)
        left = ~decided[edges[: first.size]] & ~decided[edges[first.size :]]
        first, second = first[left], second[left]
    return near


def _agree(store: Store, one: Numbers, other: Numbers, needed: float) -> NDArray[np.bool_]:
    """Whether the signatures of each pair have at least this share of equal values."""
    agrees = np.zeros(one.size, bool)
    order = np.argsort(one, kind="stable")  # neighbours lie in the same files
    for begin in range(0, one.size, _FETCHED):
        places = order[begin : begin + _FETCHED]
        documents, rows = np.unique(np.concatenate((one[places], other[places])), return_inverse=True)
        signatures = store.take(documents)
        left, right = rows[: places.size], rows[places.size :]
        for start in range(0, places.size, _CHUNK):
            piece = slice(start, start + _CHUNK)
            agrees[places[piece]] = (signatures[left[piece]] == signatures[right[piece]]).mean(axis=1) >= needed
    return agrees


def _components(count: int, first: Numbers, second: Numbers) -> Numbers:
    """The smallest number that each of `count` nodes is connected with."""
    labels = np.arange(count, dtype=np.int64)
    while True:
        one, other = labels[first], labels[second]
        least = np.minimum(one, other)
        joined = labels.copy()
        np.minimum.at(joined, one, least)
        np.minimum.at(joined, other, least)
        while not np.array_equal(jumped := joined[joined], joined):
            joined = jumped
        if np.array_equal(joined, labels):
            return labels
        labels = joined


def _folded(values: Signatures) -> Hashes:
    """One 64-bit number for the values of a band; different bands of a pair are not told apart once in 2^64."""
    folded = np.zeros(len(values), np.uint64)
    for start in range(0, values.shape[1], 4):
        word = np.zeros(len(values), np.uint64)
        for column in values[:, start : start + 4].T:
            word = (word << np.uint64(16)) | column
        folded = spread(folded ^ word)
    return folded


def _bucket_pairs(keys: Hashes) -> tuple[Numbers, Numbers]:
    """Places with equal keys: each with the one before it in its bucket, and with the bucket's first."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    equal = ordered[1:] == ordered[:-1]
    members = np.flatnonzero(equal) + 1
    if not members.size:
        return members, members
    starts = np.flatnonzero(np.concatenate(([True], ~equal)))
    heads = starts[np.searchsorted(starts, members, side="right") - 1]
    far = heads != members - 1
    first = np.concatenate((order[members - 1], order[heads[far]]))
    second = np.concatenate((order[members], order[members[far]]))
    return first, second
