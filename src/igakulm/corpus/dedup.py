"""Exact and near duplicates: the earliest document stays, and a dropped one names the one that stays in its place.

Does: digest and MinHash signatures of documents (in any process), and the decision over all of them, in memory.
Does not: keep text. A document costs 16 bytes of digest and 2 bytes for each of bands x rows hash functions.

Near-duplicates: MinHash (Broder 1997) over character n-grams of punctuation-stripped text by rensa; two documents are
compared if all `rows` values of one of the `bands` are equal, and count as near if their signatures then agree well
enough. A document is dropped only if it is near to one that stays: a chain of small changes does not carry away what
has become another text. The result depends on nothing but the documents and their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.recipe.schema import NearDuplicates
from igakulm.text.ngrams import Hashes, Letters, ngrams_of, spread

Signatures = NDArray[np.uint16]
Numbers = NDArray[np.int64]

_SEED = 42
_DIGEST_BYTES = 16
_CHUNK = 8192
_ROUNDS = 64


def digests_of(letters: Letters) -> list[bytes]:
    """One digest a document, of its letters and digits: white space, punctuation and case make no difference."""
    data = letters.codes
    bounds = letters.offsets.tolist()
    return [
        hashlib.blake2b(data[start:end].tobytes(), digest_size=_DIGEST_BYTES).digest()
        for start, end in pairwise(bounds)
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


def find_duplicates(digests: Sequence[bytes], signatures: Signatures, config: NearDuplicates) -> Survivors:
    """Decide for all documents at once; near-duplicates are sought among the survivors of the exact comparison."""
    exact = find_exact(digests)
    if not config.enabled:
        return Survivors(exact, np.arange(exact.size, dtype=np.int64))
    alive = comparable(exact, signatures)
    pairs = [band_pairs(signatures, alive, band, config) for band in range(config.bands)]
    first, second = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    return Survivors(exact, find_stars(signatures, first, second, config))


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


def comparable(exact: Numbers, signatures: Signatures) -> Numbers:
    """The documents that may be near-duplicates: no exact ones, and none shorter than an n-gram."""
    alive = np.flatnonzero(exact == np.arange(exact.size))
    long_enough = np.zeros(alive.size, bool)
    for column in range(signatures.shape[1]):
        long_enough |= signatures[alive, column] != 0
    return alive[long_enough].astype(np.int64)


def agreement_needed(config: NearDuplicates) -> float:
    """Share of equal signature values that confirms a candidate: a little below the banding's own threshold.

    >>> round(agreement_needed(NearDuplicates(bands=14, rows=8)), 2)
    0.62
    """
    return float((1 / config.bands) ** (1 / config.rows)) - 0.1


def band_pairs(signatures: Signatures, alive: Numbers, band: int, config: NearDuplicates) -> tuple[Numbers, Numbers]:
    """Confirmed pairs of documents (earlier, later) of one band; `alive` are the documents that are compared."""
    keys = _folded(signatures[alive, band * config.rows : (band + 1) * config.rows])
    first, second = _bucket_pairs(keys)
    return confirmed(signatures, alive[first], alive[second], config)


def confirmed(
    signatures: Signatures, first: Numbers, second: Numbers, config: NearDuplicates
) -> tuple[Numbers, Numbers]:
    """The pairs whose signatures agree well enough."""
    near = _agree(signatures, first, second, agreement_needed(config))
    return first[near], second[near]


def find_stars(signatures: Signatures, first: Numbers, second: Numbers, config: NearDuplicates) -> Numbers:
    """For each document the kept one that it is near to, or itself; `first` and `second` are the confirmed pairs.

    The earliest of connected documents stays, and those near to it go. Among the others, the pairs that are left
    connect documents anew, until none are left; after `_ROUNDS` rounds the rest stays.
    """
    near = np.arange(len(signatures), dtype=np.int64)
    needed = agreement_needed(config)
    for _ in range(_ROUNDS):
        if not first.size:
            break
        nodes, edges = np.unique(np.concatenate((first, second)), return_inverse=True)
        labels = _components(nodes.size, edges[: first.size], edges[first.size :])
        heads = nodes[labels]
        gone = (heads != nodes) & _agree(signatures, heads, nodes, needed)
        near[nodes[gone]] = heads[gone]
        decided = gone | (heads == nodes)
        left = ~decided[edges[: first.size]] & ~decided[edges[first.size :]]
        first, second = first[left], second[left]
    return near


def _agree(signatures: Signatures, one: Numbers, other: Numbers, needed: float) -> NDArray[np.bool_]:
    """Whether the signatures of each pair have at least this share of equal values."""
    agrees = np.zeros(one.size, bool)
    for start in range(0, one.size, _CHUNK):
        piece = slice(start, start + _CHUNK)
        agrees[piece] = (signatures[one[piece]] == signatures[other[piece]]).mean(axis=1) >= needed
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
    order = np.argsort(keys, kind="stable").astype(np.int64)
    ordered = keys[order]
    equal = ordered[1:] == ordered[:-1]
    return bucket_pairs(order, equal)


def bucket_pairs(order: Numbers, equal: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Pairs of documents that stand next to each other in `order` where `equal` says that their buckets are one."""
    members = np.flatnonzero(equal) + 1
    if not members.size:
        return members, members
    starts = np.flatnonzero(np.concatenate(([True], ~equal)))
    heads = starts[np.searchsorted(starts, members, side="right") - 1]
    far = heads != members - 1
    first = np.concatenate((order[members - 1], order[heads[far]]))
    second = np.concatenate((order[members], order[members[far]]))
    return first, second
