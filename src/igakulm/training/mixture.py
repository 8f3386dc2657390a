"""How tasks are mixed in tuning: which share of the rows each task gets, and which rows a step sees.

Does: turn sizes, weights and a temperature into shares, and pick a step's rows as a pure function of seed and step.
Does not: read rows, or weigh losses (row_shares.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from igakulm.errors import InputError, did_you_mean
from igakulm.training.order import mix, permutation

UNIT = 1_000_000
"""Shares are whole millionths, so that every machine deals out the same rows."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Rows of several tasks, each task drawn in a share of its own.

    Of the first n rows every task gets its share to within a few rows (about log n); within a task every row comes once
    before any comes again. `groups`: row numbers of each task; `shares`: millionths, their sum is `UNIT`.
    """

    seed: int
    groups: tuple[tuple[int, ...], ...]
    shares: tuple[int, ...]

    def rows(self, step: int, global_batch: int) -> list[int]:
        """The row numbers of step `step` (from 0).

        >>> mixture = Mixture(0, ((0, 1, 2, 3), (4,)), (500_000, 500_000))
        >>> sorted(mixture.rows(0, 10))
        [0, 1, 2, 3, 4, 4, 4, 4, 4, 4]
        """
        first, last = step * global_batch, (step + 1) * global_batch
        tasks = _tasks(self.seed, self.shares, 1 << last.bit_length())
        places = np.bincount(tasks[:first], minlength=len(self.groups)).tolist()
        chosen: list[int] = []
        for task in tasks[first:last].tolist():
            group = self.groups[task]
            epoch, offset = divmod(places[task], len(group))
            chosen.append(group[int(permutation(mix(self.seed, task), epoch, len(group))[offset])])
            places[task] += 1
        return chosen


@lru_cache(maxsize=2)
def _tasks(seed: int, shares: tuple[int, ...], count: int) -> npt.NDArray[np.int64]:
    """The task of each of the first `count` draws: steps of the golden ratio round a circle that the tasks divide.

    No step is spread more evenly (the three-gap theorem); the arithmetic is in whole numbers.
    """
    places = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(mix(seed))
    borders = [(sum(shares[: number + 1]) << 64) // UNIT for number in range(len(shares) - 1)]
    return np.searchsorted(np.asarray(borders, np.uint64), places, side="right")


def task_shares(sizes: Mapping[str, int], weights: Mapping[str, float], temperature: float | None) -> dict[str, float]:
    """The share of each task: weight x size ** (1 / temperature), of their sum.

    Args:
        sizes: rows of each task.
        weights: factor of a task; 1 where it is not named. 0 leaves a task out.
        temperature: 1 = by size, larger is flatter, None = all alike.

    Raises:
        InputError: a weight for a task that is not there, or nothing left.

    >>> {name: round(share, 3) for name, share in task_shares({"a": 900, "b": 100}, {}, 2.0).items()}
    {'a': 0.75, 'b': 0.25}
    """
    for name in weights:
        if name not in sizes:
            near = did_you_mean(name, list(sizes))
            hint = f"did you mean {near!r}?" if near else f"tasks: {', '.join(sizes)}"
            raise InputError(f"there is a weight for {name!r} and no such task", where="finetune.weights", hint=hint)
    power = 0.0 if temperature is None else 1 / temperature
    found = {name: weights.get(name, 1.0) * size**power for name, size in sizes.items()}
    total = sum(found.values())
    if not total:
        raise InputError("every task has the weight 0", where="finetune.weights", hint="give one a weight above 0")
    return {name: value / total for name, value in found.items()}


def by_class(
    tasks: Sequence[str], labels: Sequence[str], shares: Mapping[str, float], power: float
) -> tuple[list[str], dict[str, float]]:
    """Every class of a task as a group of its own: the group of each row, and the share of each group.

    Args:
        tasks: of each row.
        labels: the class of each row, "" where it has none.
        shares: of the tasks; they stay as they are.
        power: 0 = the classes of a task come as often as they occur, 1 = all alike.

    >>> groups, shares = by_class(["a", "a", "a", "b"], ["X", "X", "Y", ""], {"a": 0.8, "b": 0.2}, 1.0)
    >>> groups, shares
    (['a/X', 'a/X', 'a/Y', 'b/'], {'a/X': 0.4, 'a/Y': 0.4, 'b/': 0.2})
    """
    sizes = Counter(zip(tasks, labels, strict=True))
    wanted = {key: count ** (1 - power) for key, count in sorted(sizes.items())}
    totals: dict[str, float] = {}
    for (task, _), size in wanted.items():
        totals[task] = totals.get(task, 0.0) + size
    found = {f"{task}/{label}": shares[task] * size / totals[task] for (task, label), size in wanted.items()}
    return [f"{task}/{label}" for task, label in zip(tasks, labels, strict=True)], found


def mixture(tasks: Sequence[str], shares: Mapping[str, float], seed: int) -> Mixture:
    """The mixture of rows whose tasks (or other groups) are `tasks`, in these shares."""
    names = [name for name in sorted(shares) if shares[name] > 0]
    rows = {name: tuple(number for number, task in enumerate(tasks) if task == name) for name in names}
    exact = [round(UNIT * shares[name]) for name in names]
    exact[exact.index(max(exact))] += UNIT - sum(exact)
    return Mixture(seed, tuple(rows[name] for name in names), tuple(exact))
