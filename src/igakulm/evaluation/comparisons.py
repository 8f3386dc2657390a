"""Comparisons of models on the same items, corrected for their number: what may be said about a difference.

Does: Holm's correction over the comparisons of one task and split, and which of two models is better beyond doubt. Does
not: compare (significance.py), or word anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from igakulm.evaluation.intervals import FEW
from igakulm.evaluation.score_tables import Board, TaskScores
from igakulm.evaluation.scoreboard import BASELINE_MODE, PairRow, Score
from igakulm.evaluation.significance import holm

LEVEL = 0.05
FEW_DOCUMENTS = FEW

GUESSES = ("majority", "chance", "always-a")
"""What guessing is: the most frequent answer; where a task has no training rows, chance."""
Side = tuple[str, str]
"""A model and its way of answering."""
Verdict = Literal["above", "equal", "open", "below", "untested", "unknown"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same items; `difference` is first minus second, `adjusted` the corrected p value."""

    task: str
    split: str
    metric: str
    first: Side
    second: Side
    difference: float
    low: float | None
    high: float | None
    p: float | None
    adjusted: float | None
    n: int | None

    @property
    def sign(self) -> int:
        """1 or -1 where the first or second model is better beyond doubt, else 0."""
        if self.adjusted is None or self.adjusted >= LEVEL or self.difference == 0:
            return 0
        return 1 if self.difference > 0 else -1


def compared_baselines(values: Mapping[str, float]) -> list[str]:
    """The baselines that models are compared with: the best one, and guessing (where there are no training rows, chance
    by its expectation).

    >>> compared_baselines({"chance": 0.2, "majority": 0.3, "ngram": 0.5})
    ['ngram', 'majority']
    >>> compared_baselines({"chance": 0.2, "always-a": 0.25})
    ['always-a', 'chance']
    """
    best = [max(values, key=lambda name: values[name])] if values else []
    return list(dict.fromkeys(best + [name for name in GUESSES if name in values][:1]))


def pairs_of(board: Board) -> list[Pair]:
    """The board's comparisons, with p values adjusted over those of one task and split.

    A wider family would be out of reach of sampled p values: 2,000 samples give none below 1 / 2,001.
    """
    families: dict[tuple[str, str], list[PairRow]] = {}
    for row in board.stored.paired:
        if row.difference is not None:
            families.setdefault((row.split, row.task), []).append(row)
    return [pair for family in families.values() for pair in _adjusted(family)]


def _adjusted(rows: Sequence[PairRow]) -> Iterable[Pair]:
    known = {place: row.p for place, row in enumerate(rows) if row.p is not None and 0 <= row.p <= 1}
    corrected = dict(zip(known, holm(list(known.values())), strict=True)) if known else {}
    for place, row in enumerate(rows):
        sides = (row.first, row.first_mode), (row.second, row.second_mode)
        p_values = (known.get(place), corrected.get(place))
        yield Pair(row.task, row.split, row.metric, *sides, row.difference or 0.0, row.low, row.high, *p_values, row.n)


def verdict(score: Score, other: Score | None, pairs: Iterable[Pair]) -> Verdict:
    """What the paired test says about a model's figure beside another's.

    "above" or "below" only where the corrected p value is below `LEVEL`; "untested" where the two were not compared,
    "unknown" where there is nothing to compare with.
    """
    if other is None:
        return "unknown"
    sides = (score.model, score.answer_mode), (other.model, other.answer_mode)
    place = (score.task, score.split, score.metric)
    for pair in pairs:
        if (pair.task, pair.split, pair.metric) == place and {pair.first, pair.second} == set(sides):
            sign = pair.sign if pair.first == sides[0] else -pair.sign
            if pair.adjusted is None:
                return "untested"
            return "above" if sign > 0 else "below" if sign < 0 else "equal" if pair.difference == 0 else "open"
    return "untested"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The tuned model on one task beside guessing and beside the best baseline of all."""

    task: TaskScores
    tuned: Score
    guess: Score | None
    best: Score | None
    against_guess: Verdict
    against_best: Verdict


def comparisons(board: Board) -> list[Comparison]:
    """One comparison for each task that the tuned model was evaluated on, on the split that stands first."""
    pairs = pairs_of(board)
    scored = [(task, task.main("tuned")) for task in board.first_tasks]
    return [_comparison(task, tuned, pairs) for task, tuned in scored if tuned]


def _comparison(task: TaskScores, tuned: Score, pairs: Sequence[Pair]) -> Comparison:
    guess = next((score for name in GUESSES if (score := task.main(name))), None)
    baselines = [score for score in task.main_scores if score.role == BASELINE_MODE]
    best = max(baselines, key=lambda score: score.value, default=None)
    return Comparison(task, tuned, guess, best, verdict(tuned, guess, pairs), verdict(tuned, best, pairs))
