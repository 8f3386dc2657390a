"""95 % intervals by resampling documents.

Does: a seeded percentile bootstrap in which items of one document stay together, exact limits where it has no width.
Does not: compute metrics.
Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap (percentile intervals; cluster resampling).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from igakulm.tasks.items import Item
from igakulm.tasks.splits import documents_of, linked_groups

CELLS_AT_ONCE = 4_000_000
ROUNDING = 1e-12
FEW = 20
"""With fewer documents a bootstrap interval is too narrow (coverage .83 at 5): scores are marked."""


def document_groups(items: Sequence[Item]) -> NDArray[np.int64]:
    """A number for each item, the same for items that are linked by a shared document or sentence.

    Items without a document stand alone.
    """
    return np.array(linked_groups(map(documents_of, items)), dtype=np.int64)


class Resampler:
    """Bootstrap samples of the documents of one task.

    The same items, number of samples and seed give the same samples, so that all models of a task are compared on
    identical resamples.
    """

    def __init__(self, items: Sequence[Item], samples: int, seed: int) -> None:
        self.groups = document_groups(items)
        self.documents = int(self.groups.max()) + 1 if len(items) else 0
        self.samples, self.seed = samples, seed

    def interval(
        self,
        statistics: NDArray[np.float64],
        combine: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> tuple[float, float]:
        """The 2.5 % and 97.5 % quantiles of a metric; where all resamples agree, what `unanimous` says.

        Args:
            statistics: [items, m], what the metric sums over items.
            combine: summed statistics [samples, m] to values [samples].
            bounds: the least and the highest value of the metric.
        """
        sums = document_sums(statistics, self.groups)
        blocks = drawn_counts(self.documents, self.samples, self.seed)
        low, high = np.quantile(np.concatenate([combine(counts @ sums) for counts in blocks]), [0.025, 0.975])
        if high - low <= ROUNDING:
            return unanimous(float(combine(sums.sum(axis=0))), self.documents, bounds)
        return float(low), float(high)


def unanimous(value: float, documents: int, bounds: tuple[float, float] = (0.0, 1.0)) -> tuple[float, float]:
    """The 95 % interval of a metric that is the same in all documents, where a bootstrap has no width.

    With all of n documents alike, the share of documents that are so is at least 0.025 ** (1 / n) (the exact interval
    of Clopper and Pearson, 1934); the others may have any value within the bounds.

    >>> [round(limit, 3) for limit in (*unanimous(1.0, 30), *unanimous(0.0, 30))]
    [0.884, 1.0, 0.0, 0.116]
    """
    others = 1 - 0.025 ** (1 / documents)
    return value - others * (value - bounds[0]), value + others * (bounds[1] - value)


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n independent items (Wilson 1927).

    >>> [round(limit, 3) for limit in wilson(9, 10)]
    [0.596, 0.982]
    """
    z = 1.959963984540054
    share, spread = right / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / n + spread / (4 * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def document_sums(statistics: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Statistics [items, m] summed over the items of each document: [documents, m]."""
    sums = np.zeros((int(groups.max()) + 1 if len(groups) else 0, statistics.shape[1]))
    np.add.at(sums, groups, statistics)
    return sums


def drawn_counts(documents: int, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each document was drawn, [block, documents], until all samples are done."""
    generator = np.random.default_rng(seed)
    block = max(1, CELLS_AT_ONCE // documents)
    for start in range(0, samples, block):
        rows = min(block, samples - start)
        drawn = generator.integers(0, documents, size=(rows, documents))
        drawn += np.arange(rows)[:, None] * documents
        counts = np.bincount(drawn.ravel(), minlength=rows * documents)
        yield counts.reshape(rows, documents).astype(np.float64)
