"""Which rows a step sees: a pure function of seed and step, so that resuming needs no reader state.

Does: reshuffle every epoch. Does not: hold any state but a cache of the last permutations.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """A 64-bit hash of whole numbers (splitmix64 steps), the same on every machine and version.

    >>> mix(0, 1) != mix(1, 0)
    True
    """
    state = 0
    for number in numbers:
        state = (state ^ (number & _MASK)) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


@lru_cache(maxsize=32)
def permutation(seed: int, epoch: int, rows: int) -> npt.NDArray[np.int64]:
    """All rows of one epoch, shuffled: row numbers sorted by their hash.

    Own arithmetic instead of NumPy's generators, whose streams may change between versions.

    >>> sorted(permutation(0, 0, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    key = np.uint64(mix(seed, epoch))
    state = np.arange(rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(state ^ (state >> np.uint64(31)), kind="stable")


def rows_of_step(seed: int, step: int, rows: int, global_batch: int) -> list[int]:
    """The row numbers of step `step` (from 0); a batch may reach over the end of an epoch.

    >>> both = rows_of_step(0, 0, 4, 2) + rows_of_step(0, 1, 4, 2)
    >>> sorted(both)
    [0, 1, 2, 3]
    """
    chosen: list[int] = []
    position = step * global_batch
    while len(chosen) < global_batch:
        epoch, offset = divmod(position, rows)
        part = permutation(seed, epoch, rows)[offset : offset + global_batch - len(chosen)]
        chosen.extend(int(row) for row in part)
        position += len(part)
    return chosen
