"""Exact and near duplicates: the earliest document stays, and a dropped one names it.

Does: digest and MinHash signatures of documents (in any process), and the decision over all of them, in memory.
Does not: keep text. A document costs 16 bytes of digest and 2 bytes for each of bands x rows hash functions.

Near-duplicates: MinHash (Broder 1997) over character n-grams of punctuation-stripped text by rensa; two documents are
compared if all `rows` values of one of the `bands` are equal, and count as near if their signatures then agree well
enough. The result depends on nothing but the documents and their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.ngrams import Letters, ngrams_of
from igakulm.recipe.schema import NearDuplicates

Signatures = NDArray[np.uint16]

_SEED = 42
_DIGEST_BYTES = 16


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

    exact: NDArray[np.int64]
    near: NDArray[np.int64]


def find_duplicates(digests: Sequence[bytes], signatures: Signatures, config: NearDuplicates) -> Survivors:
    """Decide for all documents at once; near-duplicates are sought among the survivors of the exact comparison."""
    first: dict[bytes, int] = {}
    exact = np.fromiter(
        (first.setdefault(digest, index) for index, digest in enumerate(digests)), np.int64, len(digests)
    )
    near = np.arange(len(digests), dtype=np.int64)
    if not config.enabled:
        return Survivors(exact, near)
    alive = np.flatnonzero(exact == near)
    alive = alive[signatures[alive].any(axis=1)]
    near[alive] = alive[_cluster(signatures[alive], config)]
    return Survivors(exact, near)


def agreement_needed(config: NearDuplicates) -> float:
    """Share of equal signature values that confirms a candidate: a little below the banding's own threshold.

    >>> round(agreement_needed(NearDuplicates(bands=14, rows=8)), 2)
    0.62
    """
    return float((1 / config.bands) ** (1 / config.rows)) - 0.1


def _cluster(signatures: Signatures, config: NearDuplicates) -> NDArray[np.int64]:
    """Smallest index of the cluster of each document; clusters are joined by confirmed pairs."""
    count = len(signatures)
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    needed = agreement_needed(config)
    for band in range(config.bands):
        first, second = _band_pairs(signatures[:, band * config.rows : (band + 1) * config.rows])
        for start in range(0, len(first), 8192):
            one, other = first[start : start + 8192], second[start : start + 8192]
            agrees = (signatures[one] == signatures[other]).mean(axis=1) >= needed
            for left, right in zip(one[agrees].tolist(), other[agrees].tolist(), strict=True):
                a, b = root(left), root(right)
                parent[max(a, b)] = min(a, b)
    return np.fromiter(map(root, range(count)), np.int64, count)


def _band_pairs(values: Signatures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Documents with equal values: each with the one before it in its bucket, and with the bucket's first."""
    keys = np.ascontiguousarray(values).view(np.dtype((np.void, values.shape[1] * values.itemsize))).ravel()
    order = np.argsort(keys, kind="stable").astype(np.int64)
    equal = keys[order[1:]] == keys[order[:-1]]
    members = np.flatnonzero(equal) + 1
    if not members.size:
        return members, members
    starts = np.flatnonzero(np.concatenate(([True], ~equal)))
    heads = starts[np.searchsorted(starts, members, side="right") - 1]
    first = np.concatenate((order[members - 1], order[heads[heads != members - 1]]))
    second = np.concatenate((order[members], order[members[heads != members - 1]]))
    return first, second
