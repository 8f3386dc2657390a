"""What stands behind the scores: calibration of probabilities, precision and recall of classes, scores by subgroup.

Does: arrange what evaluation/details.py computed. Does not: compute.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from igakulm.evaluation.comparisons import FEW_DOCUMENTS
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import CalibrationFigures, DetailRow
from igakulm.report.charts import Scale
from igakulm.report.numbers import Language, shortened
from igakulm.report.render import render
from igakulm.report.words import words

SIDE = 170
"""Width and height of a reliability diagram; the plot stands inside of it."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: dots as (x, y, radius), their area by the number of answers."""

    title: str
    subtitle: str
    x: Scale
    y: Scale
    dots: list[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """One task on one split; (who, row) of each model."""

    name: str
    split: str
    rows: list[tuple[str, DetailRow]]


def details_part(board: Board, level: int, language: Language) -> Markup:
    """Calibration with its diagrams, classes and subgroups; empty where nothing of it was computed."""
    t = words(language)
    tasks: dict[tuple[str, str], list[tuple[str, DetailRow]]] = {}
    for row in board.stored.details:
        if row.classes or row.calibration or row.subgroups:
            who = " · ".join(filter(None, (t.model(row.model), t.mode(row.answer_mode))))
            tasks.setdefault((row.task, row.split), []).append((who, row))
    if not tasks:
        return Markup("")
    found = [TaskDetails(shortened(task), t.split(split), rows) for (task, split), rows in tasks.items()]
    return render(
        "details.html.j2",
        language,
        level=level,
        tasks=found,
        diagrams=[
            reliability(f"{one.name} — {who}", one.split, row.calibration)
            for one in found
            for who, row in one.rows
            if row.calibration
        ],
        side=SIDE,
        least=FEW_DOCUMENTS,
    )


def reliability(title: str, subtitle: str, found: CalibrationFigures) -> Reliability:
    """The geometry of a reliability diagram."""
    x, y = Scale(0, 1, 26, SIDE - 8), Scale(0, 1, SIDE - 24, 8)
    most = max((one.n for one in found.bins), default=0) or 1
    dots = [
        (x(one.confidence), y(one.accuracy), round(1.5 + 5 * (one.n / most) ** 0.5, 1))
        for one in found.bins
        if one.confidence is not None and one.accuracy is not None
    ]
    return Reliability(title, subtitle, x, y, dots)
