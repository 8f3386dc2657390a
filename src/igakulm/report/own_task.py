"""What came out of tuning on own rows, in sentences that a head physician reads.

Does: word each task's figure with its interval beside the best baseline, from the evaluation's scoreboard. Does not:
measure, or say of a difference more than the paired test says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from igakulm.evaluation.comparisons import FEW_DOCUMENTS, Verdict, pairs_of, verdict
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import BASELINE_MODE, Score
from igakulm.report.numbers import Language
from igakulm.report.words import words


class TaskResult(TypedDict):
    """One task's outcome. `verdict`: of the model against the best baseline; `sentence` says all of it in words."""

    task: str
    title: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    documents: int | None
    baseline: str
    baseline_value: float | None
    verdict: Verdict
    sentence: str


def results_of(
    evaluation: Path, titles: Mapping[str, str], patients: int, language: Language = "ja", model: str = "tuned"
) -> list[TaskResult]:
    """One result a task.

    Args:
        evaluation: folder with scoreboard.json.
        titles: task -> what the user calls it.
        patients: of the test side; 0 = not known.
        language: of the sentences.
        model: whose figures.

    Raises:
        InputError: no scoreboard, or a damaged one.
    """
    board = Board.read(evaluation)
    pairs = pairs_of(board)
    found: list[TaskResult] = []
    for task in board.first_tasks:
        score = task.main(model)
        if score is None:
            continue
        baselines = [one for one in task.main_scores if one.role == BASELINE_MODE]
        best = max(baselines, key=lambda one: one.value, default=None)
        said = verdict(score, best, pairs)
        title = titles.get(task.name, task.name)
        found.append(
            {
                "task": task.name,
                "title": title,
                "metric": score.metric,
                "value": score.value,
                "low": score.low,
                "high": score.high,
                "n": score.n,
                "documents": score.documents,
                "baseline": best.model if best else "",
                "baseline_value": best.value if best else None,
                "verdict": said,
                "sentence": _sentence(title, score, best, said, patients, language),
            }
        )
    return found


def _sentence(title: str, score: Score, best: Score | None, said: Verdict, patients: int, language: Language) -> str:
    t = words(language)
    metric = t.metric(score.metric)
    whom = t("own_task.patients", n=patients) if patients else ""
    interval = t("own_task.interval", low=_figure(score.low), high=_figure(score.high))
    parts = [t("own_task.figure", title=title, metric=metric, value=_figure(score.value), interval=interval,
               n=score.n or 0, whom=whom)]  # fmt: skip
    if best is not None:
        parts.append(t(f"own_task.{said}", code=best.model, baseline=t.model(best.model), value=_figure(best.value)))
    if score.documents is not None and score.documents < FEW_DOCUMENTS:
        parts.append(t("own_task.few", n=score.documents))
    return "".join(parts) if language == "ja" else " ".join(parts)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
