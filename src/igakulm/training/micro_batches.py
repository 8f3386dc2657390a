"""A step's rows to micro-batches by tokens: what every training hands to the one loop.

Does: say what a set of rows must offer, cut the rows of a step. Does not: lay rows out (model/batch.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from igakulm.model.batch import Row


class Rows(Protocol):
    """A random-access set of rows; `fingerprint` names its content."""

    fingerprint: str

    def __len__(self) -> int: ...

    def row(self, index: int) -> Row:
        """The row's tokens, targets and documents."""

    def names(self, index: int) -> list[str]:
        """Ids of the documents in a row, for messages."""


def micro_batches(rows: Sequence[Row], token_budget: int) -> list[list[Row]]:
    """Groups of rows of about one length, of at most `token_budget` tokens each (a longer row stands alone).

    Rows of one length keep their order. What a step learns does not depend on the cut: losses and gradients are sums
    over all of them.

    >>> import numpy as np
    >>> row = Row(np.zeros(4, np.int64), np.zeros(4, np.int64), (4,))
    >>> longer = Row(np.zeros(7, np.int64), np.zeros(7, np.int64), (7,))
    >>> [[len(row.tokens) for row in group] for group in micro_batches([row, longer, row, row], 9)]
    [[4, 4], [4], [7]]
    """
    groups: list[list[Row]] = []
    size = 0
    for row in sorted(rows, key=lambda row: len(row.tokens)):
        if not groups or size + len(row.tokens) > token_budget:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += len(row.tokens)
    return groups
