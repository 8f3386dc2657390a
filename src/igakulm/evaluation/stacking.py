"""Two judges of the same choices together: a tuned model and a classifier of character n-grams, as one answer.

Does: pool the probabilities of options (a weighted geometric mean), choose the weight on held-out rows. Does not: ask a
model, fit the classifier (baselines.py), or score.

A small tuned model and n-grams err on different items. Pooling is logarithmic (Genest & Zidek, 1986, section 3.3): an
option that one of the two holds for impossible stays unlikely.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from igakulm.tasks.items import LETTERS, Item

WEIGHTS = tuple(step / 10 for step in range(11))
"""Weights of the first judge that are tried."""
LEAST = 1e-4
"""A probability below this counts as this much: no judge is certain."""
Shares = Sequence[float]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A chosen weight of the first judge; `losses` in nats on `n` held-out rows, one for each of `WEIGHTS`."""

    weight: float
    losses: tuple[float, ...]
    n: int


def pool(first: Shares, second: Shares, weight: float) -> tuple[float, ...]:
    """Probabilities in proportion to first ** weight x second ** (1 - weight).

    >>> [round(share, 3) for share in pool((0.9, 0.1), (0.5, 0.5), 0.5)]
    [0.75, 0.25]
    """
    logs = [
        weight * math.log(max(one, LEAST)) + (1 - weight) * math.log(max(other, LEAST))
        for one, other in zip(first, second, strict=True)
    ]
    highest = max(logs)
    raw = [math.exp(value - highest) for value in logs]
    return tuple(value / math.fsum(raw) for value in raw)


def fit_weight(items: Sequence[Item], first: Sequence[Shares], second: Sequence[Shares]) -> Fitted:
    """The weight of the lowest loss on held-out items, all classes counted alike; the nearest to one half of equals.

    Args:
        items: held-out choices with one right letter each.
        first: the first judge's probability of each option of each item.
        second: the other's.
    """
    gold = [LETTERS.index(item.answer[0]) for item in items]
    sizes = Counter(gold)
    losses = []
    for weight in WEIGHTS:
        parts = [
            -math.log(max(pool(one, other, weight)[place], LEAST)) / sizes[place]
            for place, one, other in zip(gold, first, second, strict=True)
        ]
        losses.append(math.fsum(parts) / max(1, len(sizes)))
    best = min(range(len(WEIGHTS)), key=lambda place: (round(losses[place], 9), abs(WEIGHTS[place] - 0.5)))
    return Fitted(WEIGHTS[best], tuple(losses), len(items))


def likeliest(shares: Shares) -> str:
    """The letter of the likeliest option, the earlier one of equals.

    >>> likeliest((0.2, 0.4, 0.4))
    'B'
    """
    return LETTERS[max(range(len(shares)), key=lambda place: (shares[place], -place))]
