"""Rows of token ids to micro-batches: what both objectives hand to the one training loop.

Does: describe a row, lay rows end to end, cut a step's rows into micro-batches by tokens. Does not: read files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from igakulm.model.objective import Batch

NO_TARGET = -100
"""Marks a position whose next token is not trained on."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """One training row: `tokens` and `targets` (T,), and the lengths of the documents that stand in it (sum T)."""

    tokens: Ids
    targets: Ids
    lengths: tuple[int, ...]


class Rows(Protocol):
    """A random-access set of rows; `fingerprint` names its content."""

    fingerprint: str

    def __len__(self) -> int: ...

    def row(self, index: int) -> Row:
        """The row's tokens, targets and documents."""

    def names(self, index: int) -> list[str]:
        """Ids of the documents in a row, for messages."""


def next_token_targets(tokens: Ids, lengths: Sequence[int]) -> Ids:
    """Each position's next token inside its document; the last position of a document has none.

    >>> next_token_targets(np.array([5, 6, 7, 8, 9]), [3, 2]).tolist()
    [6, 7, -100, 9, -100]
    """
    targets = np.empty_like(tokens)
    targets[:-1] = tokens[1:]
    targets[np.cumsum(lengths) - 1] = NO_TARGET
    return targets


def micro_batches(rows: Sequence[Row], token_budget: int) -> list[list[Row]]:
    """Consecutive groups of rows of at most `token_budget` tokens each (a longer row stands alone).

    >>> row = Row(np.zeros(4, np.int64), np.zeros(4, np.int64), (4,))
    >>> [len(group) for group in micro_batches([row] * 5, 9)]
    [2, 2, 1]
    """
    groups: list[list[Row]] = []
    size = 0
    for row in rows:
        if not groups or size + len(row.tokens) > token_budget:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += len(row.tokens)
    return groups


def collate(rows: Sequence[Row]) -> Batch:
    """Lay rows end to end; positions restart at every document."""
    lengths = np.concatenate([np.asarray(row.lengths, dtype=np.int64) for row in rows])
    tokens = np.concatenate([row.tokens for row in rows])
    targets = np.concatenate([row.targets for row in rows])
    starts = np.cumsum(lengths) - lengths
    positions = np.arange(len(tokens), dtype=np.int64) - np.repeat(starts, lengths)
    where = np.flatnonzero(targets != NO_TARGET)
    return Batch(
        tokens=torch.from_numpy(tokens),
        positions=torch.from_numpy(positions),
        lengths=torch.from_numpy(lengths),
        where=torch.from_numpy(where),
        targets=torch.from_numpy(targets[where]),
    )
