"""Figures about labels and classifiers of quality: what the report says, and what it warns of.

Does: cross-validated precision and recall, area under the ROC curve with its interval, agreement, warnings.
Does not: train, ask, or write files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from igakulm.corpus.annotate import Label
from igakulm.corpus.forest import Labels, Scores, choose_threshold
from igakulm.corpus.rubric import CRITERIA
from igakulm.errors import InputError
from igakulm.recipe.schema import Quality

BINS = 10
FAIR_KAPPA = 0.4  # Landis and Koch 1977: below, agreement is at most fair


def cross_validation(
    scores: Scores, good: Labels, folds: npt.NDArray[np.int8], min_precision: float | None, keep_share: float | None
) -> dict[str, object]:
    """Figures of held-out scores.

    Precision and recall are those of the documents of a fold under the threshold that the *other* folds choose, so that
    no document has a say in its own threshold; `deviation` is the standard deviation over folds. `precision_by_chance`
    is the share of good documents: the precision of keeping all or any.
    """
    kept = np.zeros(good.size, bool)
    precisions: list[float] = []
    recalls: list[float] = []
    for fold in range(int(folds.max()) + 1):
        held, others = folds == fold, folds != fold
        try:
            threshold = choose_threshold(scores[others], good[others], min_precision, keep_share)
        except InputError:  # this precision is out of reach without the fold: nothing is kept
            threshold = np.inf
        kept[held] = scores[held] >= np.float32(threshold)
        one = precision_recall(kept[held], good[held])
        precisions.append(one["precision"])
        recalls.append(one["recall"])
    area, low, high = roc_area(scores, good)
    whole = precision_recall(kept, good)
    return {
        "auc": _rounded(area),
        "auc_interval_95": [_rounded(low), _rounded(high)],
        "precision": _rounded(whole["precision"]),
        "precision_deviation": _rounded(float(np.std(precisions))),
        "recall": _rounded(whole["recall"]),
        "recall_deviation": _rounded(float(np.std(recalls))),
        "precision_by_chance": _rounded(float(good.mean())),
        "kept_share": _rounded(float(kept.mean())),
        "reliability": reliability(scores, good),
    }


def precision_recall(kept: Labels, good: Labels) -> dict[str, float]:
    """Precision and recall; 0 where nothing is kept or nothing is good."""
    both = float((kept & good).sum())
    return {"precision": both / max(1, int(kept.sum())), "recall": both / max(1, int(good.sum()))}


def roc_area(scores: Scores, good: Labels) -> tuple[float, float, float]:
    """Area under the ROC curve with its 95 % interval (DeLong, DeLong and Clarke-Pearson 1988); 0.5 is chance.

    >>> roc_area(np.array([.1, .2, .8, .9], np.float32), np.array([False, False, True, True]))
    (1.0, 1.0, 1.0)
    """
    from scipy.stats import rankdata

    many, few = int(good.sum()), int((~good).sum())
    ranks = rankdata(scores)
    of_good = (ranks[good] - rankdata(scores[good])) / few
    of_bad = 1.0 - (ranks[~good] - rankdata(scores[~good])) / many
    area = float(of_good.mean())
    variance = (of_good.var(ddof=1) / many if many > 1 else 0.25) + (of_bad.var(ddof=1) / few if few > 1 else 0.25)
    half = 1.96 * float(np.sqrt(variance))
    return area, max(0.0, area - half), min(1.0, area + half)


def reliability(scores: Scores, good: Labels) -> list[dict[str, float | int]]:
    """In ten equal ranges of the score: the documents, their mean score and the share that is good."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    rows: list[dict[str, float | int]] = []
    for number in range(BINS):
        inside = place == number
        if inside.any():
            mean, share = float(scores[inside].mean()), float(good[inside].mean())
            rows.append({"documents": int(inside.sum()), "mean_score": _rounded(mean), "good_share": _rounded(share)})
    return rows


def agreement(first: Labels, second: Labels) -> dict[str, Any]:
    """Share of equal decisions and Cohen's kappa, which is 0 for agreement by chance; None when it has no meaning."""
    same = float((first == second).mean()) if first.size else None
    if same is None:
        return {"documents": 0, "same": None, "kappa": None}
    by_chance = float(first.mean() * second.mean() + (~first).mean() * (~second).mean())
    kappa = None if by_chance == 1.0 else _rounded((same - by_chance) / (1.0 - by_chance))
    return {"documents": int(first.size), "same": _rounded(same), "kappa": kappa}


def is_good(label: Label, section: Quality) -> bool:
    """Whether valid scores satisfy the recipe."""
    scores = label.scores
    return (
        scores is not None
        and scores["education"] >= section.min_education
        and scores["coherence"] >= section.min_coherence
        and scores["harm"] <= section.max_harm
    )


def label_figures(labels: Mapping[int, Label], section: Quality) -> dict[str, object]:
    """Counts of the answers, and how often each score was given."""
    statuses = Counter(label.status for label in labels.values())
    valid = [label for label in labels.values() if label.scores is not None]
    spread = {
        name: {str(value): count for value, count in sorted(Counter(_score(label, name) for label in valid).items())}
        for name in CRITERIA
    }
    return {
        "documents": len(labels),
        **{name: statuses[name] for name in ("valid", "invalid", "request_refused", "no_answer")},
        "asked_again": sum(label.attempts > 1 for label in labels.values()),
        "good": sum(is_good(label, section) for label in valid),
        "scores": spread,
    }


def repeat_figures(first: Mapping[int, Label], again: Mapping[int, Label], section: Quality) -> dict[str, object]:
    """Agreement of the label, and of each criterion exactly, between the two orders of the criteria."""
    both = [(first[place], label) for place, label in again.items() if label.scores is not None]
    before = np.array([is_good(one, section) for one, _ in both], bool)
    after = np.array([is_good(other, section) for _, other in both], bool)
    exact = {
        name: round(sum(_score(one, name) == _score(other, name) for one, other in both) / len(both), 4)
        for name in CRITERIA
        if both
    }
    return {"asked": len(again), "label": agreement(before, after), "same_score": exact}


def _score(label: Label, name: str) -> int:
    assert label.scores is not None
    return label.scores[name]


def warnings(report: Mapping[str, Any]) -> list[str]:
    """Sentences that a user must read before believing the labels or the classifier."""
    found: list[str] = []
    labels = report["labels"]
    lost = labels["documents"] - labels["valid"]
    if lost > 0.05 * labels["documents"]:
        found.append(f"{lost:,} of {labels['documents']:,} documents have no valid label: is this an instruct model?")
    kappa = report["repeat"]["label"]["kappa"]
    if report["repeat"]["label"]["documents"] and (kappa is None or kappa < FAIR_KAPPA):
        shown = "has no meaning, one label only" if kappa is None else f"is {kappa:.2f}"
        found.append(f"the labels hardly survive another order of the criteria (kappa {shown}): they say little")
    for name, figures in report["classifiers"].items():
        low = figures["auc_interval_95"][0]
        if low <= 0.5:
            found.append(f"the classifier {name} is not better than chance (AUC interval from {low:.2f})")
    return found


def _rounded(value: float) -> float:
    return round(value, 4)
