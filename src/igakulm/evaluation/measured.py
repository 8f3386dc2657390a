"""A metric of one task as statistics for each item, so that intervals and comparisons can recombine resampled sums.

Does: hold it, and the mean. Does not: know any metric (metrics.py, text_metrics.py) or resample (intervals.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one task.

    Attributes:
        name: as it stands in the scoreboard.
        statistics: [items, m], what the metric sums over items.
        combine: summed statistics [..., m] to values [...].
        bounds: the least and the highest value that it can have.
    """

    name: str
    statistics: Array
    combine: Callable[[Array], Array]
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def value(self) -> float:
        """The metric over all items."""
        return float(self.combine(self.statistics.sum(axis=0)))


def mean_of(name: str, scores: Sequence[float], bounds: tuple[float, float] = (0.0, 1.0)) -> Measured:
    """The mean of one score for each item."""
    values = np.asarray(scores, dtype=np.float64)
    return Measured(name, np.stack([values, np.ones_like(values)], axis=1), _ratio, bounds)


def _ratio(sums: Array) -> Array:
    return divide(sums[..., 0], sums[..., 1])


def divide(numerator: Array, denominator: Array) -> Array:
    """Element-wise quotient, 0 where the denominator is 0."""
    safe = np.where(denominator == 0, 1.0, denominator)
    return np.asarray(np.where(denominator == 0, 0.0, numerator / safe), dtype=np.float64)
