"""Metrics of answers: accuracy, Cohen's kappa, entity F1 in several strictnesses, and IgakuQA's share of points.

Does: turn items and predictions into numbers, each as "statistics per item, summed, then combined", so that a
bootstrap can recombine resampled sums. Does not: parse text (answers.py) or resample (intervals.py).

Names ending in `_upstream` are the published JMED-LLM scorer's, bug for bug, for comparison with its leaderboard only.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Sequence

import numpy as np

from igakulm.answering.reading import UPSTREAM_LETTERS, Prediction
from igakulm.evaluation.measured import Array, Measured, divide, mean_of
from igakulm.evaluation.text_metrics import text_metrics
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.wording import is_exam

NONE = "None"
"""The class of answers that could not be read; it stands after all letters."""
KAPPA_BOUNDS = (-1.0, 1.0)


def measure(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[Measured]:
    """All metrics that fit the items (all of one task), the headline metric first.

    Entities: overlap, exact and character F1 (macro and micro). Choices: kappa and accuracy. Examinations, where a
    letter means another thing in every question: accuracy; where questions have years or different points, before it
    the mean over years of the share of points.
    """
    if items[0].kind == "entities":
        return entity_metrics(items, predictions)
    if items[0].kind == "text":
        return text_metrics(items, predictions)
    accuracy = mean_of("accuracy", [float(is_right(*pair)) for pair in zip(items, predictions, strict=True)])
    if _has_points(items):
        return [score_share(items, [float(is_right(*pair)) for pair in zip(items, predictions, strict=True)]), accuracy]
    return [cohen_kappa(items, predictions), accuracy] if _has_classes(items) else [accuracy]


def _has_points(items: Sequence[Item]) -> bool:
    return any(item.group or item.points != 1 for item in items)


def _has_classes(items: Sequence[Item]) -> bool:
    """Whether a letter means the same in all items, so that kappa has a meaning."""
    return not is_exam(items[0]) and all(item.wanted == 1 and item.choices for item in items)


def chance_metrics(items: Sequence[Item]) -> list[Measured]:
    """What `measure` gives on average for answers that are drawn blindly: computed, not drawn.

    Each set of as many options as are wanted is equally likely (of any number, where the question does not say), and so
    is each number of as many digits. For choices and numbers only.
    """
    chances = [chance_of(item) for item in items]
    accuracy = mean_of("accuracy", chances)
    if _has_points(items):
        return [score_share(items, chances), accuracy]
    if not _has_classes(items):
        return [accuracy]
    labels = _labels(items)
    statistics = np.zeros((len(items), len(labels) ** 2))
    for row, item in enumerate(items):
        first = labels.index(item.answer[0]) * len(labels)
        statistics[row, first : first + len(item.choices)] = 1 / len(item.choices)
    return [Measured("kappa", statistics, _kappa_combine(items), KAPPA_BOUNDS), accuracy]


def chance_of(item: Item) -> float:
    """The chance to be right without reading the question.

    >>> chance_of(Item("1", "t", "choice", "q", tuple("vwxyz"), ("A", "B"), wanted=2)), chance_of(
    ...     Item("1", "t", "number", "q", (), ("42",))
    ... )
    (0.1, 0.01)
    """
    accepted = {tuple(sorted(set(answer))) for answer in (item.answer, *item.also)}
    if item.kind == "number":
        return float(len(accepted) / 10 ** len(item.answer[0]))
    options = len(item.choices)
    sets = math.comb(options, item.wanted) if item.wanted else (1 << options) - 1
    return sum(item.wanted in (0, len(answer)) for answer in accepted) / sets


def measure_upstream(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[Measured]:
    """The published JMED-LLM metrics; `predictions` are its own readings (`upstream_letter`, `upstream_list`).

    Its kappa is scikit-learn's: only the classes that occur count, "None" (unreadable) after all letters, and linear
    weights go by the place among those classes. Where it is not defined (one class only), theirs is NaN and ours 0.

    Source: https://github.com/sociocom/JMED-LLM.
    """
    if items[0].kind == "entities":
        pairs = [(set(item.answer), set(prediction or ())) for item, prediction in zip(items, predictions, strict=True)]
        return [
            mean_of("partial_f1_upstream", [partial_f1_upstream(*pair) for pair in pairs], (0.0, 2.0)),
            mean_of("exact_f1_upstream", [exact_f1_upstream(*pair) for pair in pairs]),
        ]
    gold = [item.answer[0] for item in items]
    said = [prediction[0] if prediction else NONE for prediction in predictions]
    right = mean_of("accuracy_upstream", [float(a == b) for a, b in zip(gold, said, strict=True)])
    labels = [*LETTERS[: max(len(UPSTREAM_LETTERS), *(len(item.choices) for item in items))], NONE]
    combine = _kappa_of_present if items[0].ordered else functools.partial(_kappa, weights=1 - np.eye(len(labels)))
    return [Measured("kappa_upstream", _confusions(gold, said, labels), combine, KAPPA_BOUNDS), right]


def is_right(item: Item, prediction: Prediction) -> bool:
    """Whether the answer is exactly the right one (or another accepted one); order does not matter."""
    if prediction is None:
        return False
    return any(sorted(set(prediction)) == sorted(set(answer)) for answer in (item.answer, *item.also))


def cohen_kappa(items: Sequence[Item], predictions: Sequence[Prediction]) -> Measured:
    """Cohen's kappa, with linear weights where the choices are ordered.

    An unreadable answer, and one of several letters, is a class of its own after the last choice. Where chance already
    agrees fully (one class only), kappa is not defined and counts as 0.

    Source: Cohen 1960 (doi 10.1177/001316446002000104); weights: Cohen 1968 (doi 10.1037/h0026256).
    """
    labels = _labels(items)
    said = [prediction[0] if prediction and len(prediction) == 1 else NONE for prediction in predictions]
    said = [label if label in labels else NONE for label in said]
    statistics = _confusions([item.answer[0] for item in items], said, labels)
    return Measured("kappa", statistics, _kappa_combine(items), KAPPA_BOUNDS)


def _labels(items: Sequence[Item]) -> list[str]:
    return [*LETTERS[: max(len(item.choices) for item in items)], NONE]


def _kappa_combine(items: Sequence[Item]) -> functools.partial[Array]:
    place = np.arange(len(_labels(items)), dtype=np.float64)
    weights = _steps(place) if items[0].ordered else (_steps(place) > 0).astype(np.float64)
    return functools.partial(_kappa, weights=weights)


def linear_kappa(pairs: Sequence[tuple[int, int]], highest: int) -> float:
    """Linearly weighted kappa of two raters' whole scores from 1 to `highest`; 0 where it is not defined.

    >>> linear_kappa([(1, 1), (5, 5), (3, 3)], 5), linear_kappa([(1, 5), (5, 1)], 5)
    (1.0, -1.0)
    """
    labels = [str(score) for score in range(1, highest + 1)]
    statistics = _confusions([str(first) for first, _ in pairs], [str(second) for _, second in pairs], labels)
    return float(_kappa(statistics.sum(axis=0), _steps(np.arange(highest, dtype=np.float64))))


def _confusions(gold: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> Array:
    """One row for each item: its cell of the table gold x said, flattened."""
    size = len(labels)
    place = {label: position for position, label in enumerate(labels)}
    cells = np.array([place[a] * size + place[b] for a, b in zip(gold, said, strict=True)])
    statistics = np.zeros((len(gold), size * size))
    statistics[np.arange(len(gold)), cells] = 1.0
    return statistics


def _kappa(sums: Array, weights: Array) -> Array:
    """Kappa of flattened tables [..., size * size]; `weights` [..., size, size] are the costs of disagreement."""
    table = _tables(sums)
    expected = table.sum(axis=-1)[..., :, None] * table.sum(axis=-2)[..., None, :]
    disagreement = (weights * table).sum(axis=(-2, -1)) * table.sum(axis=(-2, -1))
    by_chance = (weights * expected).sum(axis=(-2, -1))
    return np.asarray(np.where(by_chance == 0, 0.0, 1.0 - divide(disagreement, by_chance)))


def _kappa_of_present(sums: Array) -> Array:
    """Linearly weighted kappa in which a class has its place among the classes that occur in the table."""
    table = _tables(sums)
    occurs = (table.sum(axis=-1) + table.sum(axis=-2)) > 0
    # absent classes share the place of a neighbour, but their rows and columns are empty
    return _kappa(sums, _steps(np.cumsum(occurs, axis=-1).astype(np.float64)))


def _tables(sums: Array) -> Array:
    size = round(sums.shape[-1] ** 0.5)
    return sums.reshape(*sums.shape[:-1], size, size)


def _steps(places: Array) -> Array:
    """Distances [..., size, size] between the places [..., size] of the classes."""
    return np.asarray(np.abs(places[..., :, None] - places[..., None, :]))


def score_share(items: Sequence[Item], right: Sequence[float]) -> Measured:
    """The mean over groups (years) of the points earned divided by all points of the group's items.

    `right`: 1 for each item that is right, 0 for others, or the chance to be right.
    """
    groups = sorted({item.group for item in items})
    statistics = np.zeros((len(items), 2 * len(groups)))
    for row, (item, share) in enumerate(zip(items, right, strict=True)):
        column = groups.index(item.group)
        statistics[row, column] = item.points * share
        statistics[row, len(groups) + column] = item.points

    def combine(sums: Array) -> Array:
        earned, possible = sums[..., : len(groups)], sums[..., len(groups) :]
        return divide(divide(earned, possible).sum(axis=-1), (possible > 0).sum(axis=-1).astype(np.float64))

    return Measured("score_share", statistics, combine)


def entity_metrics(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[Measured]:
    """Overlap, exact and character F1; macro = mean over rows of the row's F1, micro = F1 of the summed counts.

    Strings are compared as they are written: the task is to copy them from the document, so that a full-width "３８℃"
    and a half-width "38℃" differ. A string that occurs twice counts once. A row without gold entities scores 1 when the
    answer is a readable empty list, else 0.
    """
    measured: list[Measured] = []
    for name, count in (("overlap_f1", overlap_counts), ("exact_f1", exact_counts), ("character_f1", character_counts)):
        counts = np.array([count(*pair) for pair in _sets(items, predictions)], dtype=np.float64).reshape(-1, 4)
        empty = [float(not item.answer and guess == ()) for item, guess in zip(items, predictions, strict=True)]
        rows = np.maximum(_f1(counts), np.array(empty))
        measured += [mean_of(name, rows.tolist()), Measured(f"{name}_micro", counts, _f1)]
    return measured[::2] + measured[1::2]


def _sets(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[tuple[list[str], list[str]]]:
    return [
        (list(dict.fromkeys(item.answer)), list(dict.fromkeys(prediction or ())))
        for item, prediction in zip(items, predictions, strict=True)
    ]


def _f1(counts: Array) -> Array:
    """F1 of [..., (found gold, gold, right predictions, predictions)]."""
    recall, precision = divide(counts[..., 0], counts[..., 1]), divide(counts[..., 2], counts[..., 3])
    return divide(2 * recall * precision, recall + precision)


def exact_counts(gold: Sequence[str], said: Sequence[str]) -> tuple[float, float, float, float]:
    """Counts of equal strings: (found gold, gold, right predictions, predictions).

    >>> exact_counts(["発熱", "咳"], ["咳", "痛み", "熱"])
    (1.0, 2.0, 1.0, 3.0)
    """
    both = float(len(set(gold) & set(said)))
    return both, float(len(gold)), both, float(len(said))


def overlap_counts(gold: Sequence[str], said: Sequence[str]) -> tuple[float, float, float, float]:
    """Counts of overlapping strings, paired one to one.

    Two strings overlap when one contains the other and is at most twice as long; so neither a single character nor
    the whole document stands for every entity, and no prediction is counted twice (maximum bipartite matching).

    >>> overlap_counts(["呼吸状態悪化", "咳"], ["呼吸状態", "咳", "咳嗽", "熱"])
    (2.0, 2.0, 2.0, 4.0)
    """
    partner: dict[int, int] = {}

    def pair(row: int, tried: set[int]) -> bool:
        for column, entity in enumerate(said):
            if column in tried or not overlaps(gold[row], entity):
                continue
            tried.add(column)
            if column not in partner or pair(partner[column], tried):
                partner[column] = row
                return True
        return False

    both = float(sum(pair(row, set()) for row in range(len(gold))))
    return both, float(len(gold)), both, float(len(said))


def overlaps(first: str, second: str) -> bool:
    """Whether one string contains the other and is at most twice as long."""
    short, long = sorted((first, second), key=len)
    return bool(short) and short in long and 2 * len(short) >= len(long)


def character_counts(gold: Sequence[str], said: Sequence[str]) -> tuple[float, float, float, float]:
    """Counts of characters: each string's longest common substring with its best partner on the other side.

    >>> character_counts(["呼吸状態悪化"], ["呼吸状態"])
    (4.0, 6.0, 4.0, 4.0)
    """
    found = sum(max((_common(a, b) for b in said), default=0) for a in gold)
    right = sum(max((_common(a, b) for a in gold), default=0) for b in said)
    return float(found), float(sum(map(len, gold))), float(right), float(sum(map(len, said)))


def _common(first: str, second: str) -> int:
    """Length of the longest common substring."""
    if first in second or second in first:
        return min(len(first), len(second))
    return difflib.SequenceMatcher(None, first, second, autojunk=False).find_longest_match().size


def exact_f1_upstream(gold: set[str], said: set[str]) -> float:
    """The published exact F1 of one row: on sets of whole strings."""
    both = len(gold & said)
    return 2 * both / (len(gold) + len(said)) if both else 0.0


def partial_f1_upstream(gold: set[str], said: set[str]) -> float:
    """The published "partial" F1 of one row, bug for bug.

    It asks for membership in the other set instead of for overlapping strings, so that one exact hit marks every gold
    item as found; precision, and with it the F1, can exceed 1.

    >>> round(partial_f1_upstream({"a", "b", "c"}, {"a"}), 2)
    1.5
    >>> partial_f1_upstream({"発熱"}, {"熱"})
    0.0
    """
    found = len(gold) if gold & said else 0
    recall, precision = (found / len(gold), found / len(said)) if found else (0.0, 0.0)
    return 2 * recall * precision / (recall + precision) if found else 0.0
