"""What stands behind a score: precision and recall of each class, calibration of probabilities, scores by subgroup.

Does: compute these from items, answers and option probabilities. Does not: ask, resample for comparisons, or draw.

Sources: Brier 1950; expected calibration error with equal-width bins: Guo et al. 2017 (arXiv 1706.04599); Wilson 1927.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from igakulm.answering.reading import Prediction
from igakulm.evaluation.intervals import Resampler, wilson
from igakulm.evaluation.metrics import is_right, measure
from igakulm.tasks.items import Item
from igakulm.tasks.wording import is_exam

BINS = 10
Shares = Sequence[float]
"""The probability of each option of one item."""


class ClassRow(TypedDict):
    """One class (option) of a task: `said` items were given it, `gold` have it, `right` are both."""

    label: str
    option: str
    gold: int
    said: int
    right: int
    precision: float | None
    recall: float | None
    precision_interval: list[float] | None
    recall_interval: list[float] | None


class Bin(TypedDict):
    """Answers whose probability lies in one tenth: how many, how probable they were, how many were right."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


class Calibration(TypedDict):
    """How far the probability of the answer is its chance to be right.

    `ece`: mean distance of confidence and accuracy over the bins, weighted by items. `brier`: mean squared error of the
    probabilities of all options, summed over options (0 to 2). `brier_answer`: of the chosen answer alone (0 to 1).
    """

    n: int
    ece: float
    brier: float
    brier_answer: float
    bins: list[Bin]


class SubgroupRow(TypedDict):
    """A metric of the items that have one value of a field."""

    field: str
    value: str
    metric: str
    score: float
    low: float
    high: float
    n: int
    documents: int


def class_rows(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[ClassRow]:
    """Precision and recall of each option, for tasks whose options are the same in all items; else nothing.

    An unread answer counts for no class. An interval is Wilson's, for items taken one by one.
    """
    first = items[0]
    if first.kind != "choice" or is_exam(first) or len({item.choices for item in items}) > 1:
        return []
    rows: list[ClassRow] = []
    for number, option in enumerate(first.choices):
        label = chr(ord("A") + number)
        gold = sum(label in item.answer for item in items)
        said = sum(label in (prediction or ()) for prediction in predictions)
        right = sum(
            label in item.answer and label in (prediction or ())
            for item, prediction in zip(items, predictions, strict=True)
        )
        rows.append(
            {
                "label": label,
                "option": option,
                "gold": gold,
                "said": said,
                "right": right,
                "precision": right / said if said else None,
                "recall": right / gold if gold else None,
                "precision_interval": list(wilson(right, said)) if said else None,
                "recall_interval": list(wilson(right, gold)) if gold else None,
            }
        )
    return rows


def calibration(items: Sequence[Item], shares: Sequence[Shares | None]) -> Calibration | None:
    """Calibration of the items that have probabilities and one right answer; None when there is none.

    >>> item = Item("1", "t", "choice", "q", ("x", "y"), ("A",))
    >>> found = calibration([item, item], [(0.75, 0.25), (0.75, 0.25)])
    >>> found["ece"], found["brier"], found["brier_answer"]
    (0.25, 0.125, 0.0625)
    """
    rows: list[tuple[float, bool, float]] = []
    for item, given in zip(items, shares, strict=True):
        if not given or item.wanted != 1 or len(item.answer) != 1 or abs(sum(given) - 1) > 1e-3:
            continue
        best = max(range(len(given)), key=given.__getitem__)
        gold = [float(chr(ord("A") + place) in item.answer) for place in range(len(given))]
        right = is_right(item, (chr(ord("A") + best),))
        rows.append((given[best], right, sum((a - b) ** 2 for a, b in zip(given, gold, strict=True))))
    if not rows:
        return None
    bins: list[Bin] = []
    ece = 0.0
    for number in range(BINS):
        inside = [(p, right) for p, right, _ in rows if min(int(p * BINS), BINS - 1) == number]
        confidence = sum(p for p, _ in inside) / len(inside) if inside else None
        accuracy = sum(right for _, right in inside) / len(inside) if inside else None
        if confidence is not None and accuracy is not None:
            ece += len(inside) / len(rows) * abs(confidence - accuracy)
        low, high = number / BINS, (number + 1) / BINS
        bins.append({"low": low, "high": high, "n": len(inside), "confidence": confidence, "accuracy": accuracy})
    return {
        "n": len(rows),
        "ece": ece,
        "brier": sum(squared for _, _, squared in rows) / len(rows),
        "brier_answer": sum((p - right) ** 2 for p, right, _ in rows) / len(rows),
        "bins": bins,
    }


def subgroup_rows(
    items: Sequence[Item], predictions: Sequence[Prediction], samples: int, seed: int
) -> list[SubgroupRow]:
    """The headline metric by tag, by year and by the fields that the task names (`by`), where items differ in them."""
    rows: list[SubgroupRow] = []
    for field in ("tag", "group", *dict.fromkeys(name for item in items for name, _ in item.labels)):
        values = [_value(item, field) for item in items]
        if len(set(values)) < 2:
            continue
        for value in sorted(set(values)):
            places = [place for place, own in enumerate(values) if own == value]
            chosen = [items[place] for place in places]
            measured = measure(chosen, [predictions[place] for place in places])[0]
            resampler = Resampler(chosen, samples, seed)
            low, high = resampler.interval(measured.statistics, measured.combine, measured.bounds)
            rows.append(
                {
                    "field": {"group": "year"}.get(field, field),
                    "value": value,
                    "metric": measured.name,
                    "score": measured.value,
                    "low": low,
                    "high": high,
                    "n": len(chosen),
                    "documents": resampler.documents,
                }
            )
    return rows


def _value(item: Item, field: str) -> str:
    if field == "tag":
        return item.tag
    return item.group if field == "group" else dict(item.labels).get(field, "")
