"""Which pieces of documents stand in which row: pure arithmetic on lengths (section 2.4.1).

Does: cut long documents, best-fit-decreasing packing, plain concatenation. Does not: touch tokens or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Pieces in row order: `documents` (index of each piece's document), `offsets` and `lengths` in tokens (P,).

    `rows` (rows + 1,) is the first piece of each row. Pieces of one document overlap by one token, the last of a piece
    being the first of the next, so that every token but a document's first is predicted exactly once.
    """

    documents: Numbers
    offsets: Numbers
    lengths: Numbers
    rows: Numbers


def best_fit(lengths: Sequence[int], sequence_length: int) -> Layout:
    """Best-fit-decreasing: the longest piece first, each into the fullest row that still holds it.

    No document that fits a row is cut; longer ones are cut into pieces of `sequence_length` tokens.

    >>> layout = best_fit([7, 3, 5, 3, 9], 8)
    >>> layout.documents.tolist(), layout.lengths.tolist(), layout.rows.tolist()
    ([4, 0, 2, 1, 3, 4], [8, 7, 5, 3, 3, 2], [0, 1, 2, 4, 6])
    """
    documents, offsets, sizes = _pieces(np.asarray(lengths, np.int64), sequence_length)
    order = np.argsort(-sizes, kind="stable")
    row_of = np.empty(len(sizes), np.int64)
    open_rows: list[list[int]] = [[] for _ in range(sequence_length + 1)]  # by free tokens
    filled = 0  # bit r: some open row has r free tokens
    rows = 0
    for piece, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        fitting = filled >> size
        if fitting:
            free = (fitting & -fitting).bit_length() - 1 + size
            row = open_rows[free].pop()
            if not open_rows[free]:
                filled ^= 1 << free
        else:
            row, free, rows = rows, sequence_length, rows + 1
        row_of[piece] = row
        left = free - size
        if left:
            open_rows[left].append(row)
            filled |= 1 << left
    order = np.lexsort((np.arange(len(sizes)), -sizes, row_of))
    starts = np.searchsorted(row_of[order], np.arange(rows + 1))
    return Layout(documents[order], offsets[order], sizes[order], starts)


def _pieces(lengths: Numbers, sequence_length: int) -> tuple[Numbers, Numbers, Numbers]:
    stride = sequence_length - 1
    counts = np.maximum(1, -(-(lengths - 1) // stride))
    documents = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(documents)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = number * stride
    return documents, offsets, np.minimum(sequence_length, lengths[documents] - offsets)


def concatenate(lengths: Sequence[int], sequence_length: int) -> Layout:
    """All documents as one stream, cut every `sequence_length` tokens (the paper's packing); rows overlap by one token.

    >>> layout = concatenate([3, 6], 5)
    >>> layout.documents.tolist(), layout.offsets.tolist(), layout.lengths.tolist(), layout.rows.tolist()
    ([0, 1, 1], [0, 0, 1], [3, 2, 5], [0, 2, 3])
    """
    sizes = np.asarray(lengths, np.int64)
    ends = np.cumsum(sizes)
    starts, total = ends - sizes, int(sizes.sum())
    documents: list[int] = []
    offsets: list[int] = []
    pieces: list[int] = []
    rows = [0]
    for begin in range(0, max(total - 1, 0), sequence_length - 1):
        end = min(begin + sequence_length, total)
        first = int(np.searchsorted(ends, begin, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        for document in range(first, last):
            low, high = max(begin, int(starts[document])), min(end, int(ends[document]))
            documents.append(document)
            offsets.append(low - int(starts[document]))
            pieces.append(high - low)
        rows.append(len(documents))
    return Layout(*(np.asarray(values, np.int64) for values in (documents, offsets, pieces, rows)))
