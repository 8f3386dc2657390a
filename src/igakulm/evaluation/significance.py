"""Whether two models differ: both on the same items, compared document by document.

Does: the difference of a metric with a 95 % bootstrap interval, a randomisation p-value, Holm's correction for several
comparisons. Does not: compute metrics, or choose what to compare.

Sources: paired bootstrap and randomisation test for metrics that are no means: Yeh 2000 (COLING, "More accurate tests
for the statistical significance of result differences"), Noreen 1989 (Computer-Intensive Methods for Testing
Hypotheses); +1 in sampled p-values: Phipson & Smyth 2010 (doi 10.2202/1544-6115.1585); Holm 1979 (Scandinavian
Journal of Statistics 6, 65-70).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igakulm.evaluation import intervals
from igakulm.evaluation.intervals import document_sums, drawn_counts
from igakulm.evaluation.measured import Measured

Array = NDArray[np.float64]
ENUMERATED = 12
"""With at most so many documents on which the models differ, all assignments are tried instead of a sample."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Paired:
    """The first model's value minus the second's, its 95 % interval, and the two-sided p-value of "no difference"."""

    difference: float
    low: float
    high: float
    p: float
    n: int
    documents: int


def paired(first: Measured, second: Measured, groups: NDArray[np.int64], samples: int, seed: int) -> Paired:
    """Compare one metric of two models that answered the same items.

    The interval is the bootstrap's over documents, with the same resamples for both models (those of `Resampler` with
    the same seed). The p-value is the randomisation test's: if the models do not differ, each document's two results
    could as well be swapped; p is the share of assignments whose difference is at least as large as the observed one.
    It is exact when at most `ENUMERATED` documents have different results, else (hits + 1) / (samples + 1) over random
    assignments.

    Args:
        first: a metric of the first model, from `measure` or `measure_upstream`.
        second: the same metric of the second model, for the same items in the same order.
        groups: [items], the document of each item (`document_groups`).
        samples: bootstrap resamples, and random assignments.
        seed: of both.

    Raises:
        ValueError: two different metrics, or other items.
    """
    if first.name != second.name or first.statistics.shape != second.statistics.shape:
        raise ValueError(f"{first.name} {first.statistics.shape} and {second.name} {second.statistics.shape}")
    if len(groups) != len(first.statistics) or not len(groups):
        raise ValueError(f"{len(first.statistics)} items but {len(groups)} groups")
    one, other = document_sums(first.statistics, groups), document_sums(second.statistics, groups)
    combine = first.combine
    blocks = drawn_counts(len(one), samples, seed)
    differences = np.concatenate([combine(counts @ one) - combine(counts @ other) for counts in blocks])
    low, high = np.quantile(differences, [0.025, 0.975])
    p = _randomisation(one, other, combine, samples, seed)
    return Paired(first.value - second.value, float(low), float(high), p, len(groups), len(one))


def _randomisation(one: Array, other: Array, combine: Callable[[Array], Array], samples: int, seed: int) -> float:
    """p-value of swapping whole documents; documents with equal results change nothing and are left out."""
    differ = (one != other).any(axis=1)
    change, of_one, of_other = (other - one)[differ], one.sum(axis=0), other.sum(axis=0)
    observed = abs(float(combine(of_one) - combine(of_other)))
    hits = 0
    for swapped in _assignments(len(change), samples, seed):
        moved = swapped @ change
        difference = np.abs(combine(of_one + moved) - combine(of_other - moved))
        hits += int((difference >= observed - ROUNDING).sum())
    return hits / 2 ** len(change) if len(change) <= ENUMERATED else (hits + 1) / (samples + 1)


def _assignments(documents: int, samples: int, seed: int) -> Iterator[Array]:
    """Which documents are swapped, 0 or 1: [block, documents], all possible rows or random ones."""
    if documents <= ENUMERATED:
        yield ((np.arange(2**documents)[:, None] >> np.arange(documents)) & 1).astype(np.float64)
        return
    generator = np.random.default_rng([seed, 1])  # a stream of its own, apart from the bootstrap's
    block = max(1, intervals.CELLS_AT_ONCE // documents)
    for start in range(0, samples, block):
        yield generator.integers(0, 2, size=(min(block, samples - start), documents)).astype(np.float64)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of one family of comparisons, adjusted so that all of them together err with the stated level.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
