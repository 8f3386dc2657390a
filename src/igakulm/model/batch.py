"""Rows of token ids and the micro-batch that they are laid into: what rooms hand to an objective.

Does: describe a row and what it counts in the mean loss, lay rows end to end. Does not: read files, or cut a step's
rows into micro-batches (training/micro_batches.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

NO_TARGET = -100
"""Marks a position whose next token is not trained on."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """One training row: `tokens` and `targets` (T,), and the lengths of the documents that stand in it (sum T).

    `share`: what the loss of each of its targets counts in the mean of a step.
    """

    tokens: Ids
    targets: Ids
    lengths: tuple[int, ...]
    share: float = 1.0

    @property
    def learnt(self) -> int:
        """How many of its positions have a target."""
        return int(np.count_nonzero(self.targets != NO_TARGET))


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch: documents laid end to end, no padding.

    `tokens`, `positions`: (T,) int64. `lengths`: (documents,) int64 on the CPU, sum T. `where`: (P,) positions that
    have a target, ascending. `targets`: (P,) int64. `attention` and positions restart at every document. `learnt`:
    (rows,) targets of each row, on the CPU. `shares`: (P,) fp32, what each target counts; None where all count 1.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    lengths: torch.Tensor
    where: torch.Tensor
    targets: torch.Tensor
    learnt: torch.Tensor
    shares: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device (lengths and counts stay on the CPU)."""
        if device.type == "cpu":
            return self
        names = ("tokens", "positions", "where", "targets")
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in names}
        shares = None if self.shares is None else self.shares.to(device, non_blocking=True)
        return replace(self, **moved, shares=shares)


def next_token_targets(tokens: Ids, lengths: Sequence[int]) -> Ids:
    """Each position's next token inside its document; the last position of a document has none.

    >>> next_token_targets(np.array([5, 6, 7, 8, 9]), [3, 2]).tolist()
    [6, 7, -100, 9, -100]
    """
    targets = np.empty_like(tokens)
    targets[:-1] = tokens[1:]
    targets[np.cumsum(lengths) - 1] = NO_TARGET
    return targets


def collate(rows: Sequence[Row]) -> Batch:
    """Lay rows end to end; positions restart at every document."""
    lengths = np.concatenate([np.asarray(row.lengths, dtype=np.int64) for row in rows])
    tokens = np.concatenate([row.tokens for row in rows])
    targets = np.concatenate([row.targets for row in rows])
    starts = np.cumsum(lengths) - lengths
    positions = np.arange(len(tokens), dtype=np.int64) - np.repeat(starts, lengths)
    where = np.flatnonzero(targets != NO_TARGET)
    learnt = np.asarray([row.learnt for row in rows], dtype=np.int64)
    shares = np.repeat(np.asarray([row.share for row in rows], dtype=np.float32), learnt)
    return Batch(
        tokens=torch.from_numpy(tokens),
        positions=torch.from_numpy(positions),
        lengths=torch.from_numpy(lengths),
        where=torch.from_numpy(where),
        targets=torch.from_numpy(targets[where]),
        learnt=torch.from_numpy(learnt),
        shares=None if (shares == 1).all() else torch.from_numpy(shares),
    )
