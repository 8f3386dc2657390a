"""What stands beside the scores: figures published elsewhere, and documents that test items share with tuning rows.

Does: show both apart from the scoreboard, so that nothing is taken for a measurement of this run that is none.
Does not: compare or rank.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import LeakageRow, LeakedItem, PublishedRow
from igakulm.report.numbers import Language, decimal
from igakulm.report.render import render

LISTED = 500
"""At most so many leaked items of a task are listed one by one."""


def leakage_part(board: Board, level: int, language: Language) -> Markup:
    """How much test and training share, split by split, and which test items it concerns."""
    splits: dict[str, list[LeakageRow]] = {}
    for row in board.stored.leakage:
        if row.train != 0:
            splits.setdefault(row.split, []).append(row)
    leaked: dict[str, list[LeakedItem]] = {}
    for item in board.stored.leaked_items:
        leaked.setdefault(item.task, []).append(item)
    return render("leakage.html.j2", language, level=level, splits=splits, leaked=leaked, listed=LISTED)


def published_part(board: Board, language: Language) -> Markup:
    """Published figures of the tasks that were measured here; one column a task, its further metrics in small print."""
    measured = {task.name: task for task in board.first_tasks}
    rows = [row for row in board.stored.published if row.task in measured and row.value is not None]
    metrics: dict[str, list[str]] = {name: [] for name in measured}
    splits: dict[str, str] = {}
    for row in rows:
        splits.setdefault(row.task, row.split or "")
        if row.metric not in metrics[row.task]:
            metrics[row.task].append(row.metric)
    return render(
        "published.html.j2",
        language,
        tasks=[measured[name] for name, found in metrics.items() if found],
        metrics=metrics,
        splits=splits,
        models=list(dict.fromkeys((row.model, row.source) for row in rows)),
        values=as_published(rows),
    )


def as_published(rows: Sequence[PublishedRow]) -> dict[tuple[str, str, str], str]:
    """Model, task and metric to a figure, with two digits for a task and metric whose figures have no more.

    >>> as_published([PublishedRow(model="a", task="t", metric="m", value=0.5)])
    {('a', 't', 'm'): '0.50'}
    """
    values = {(row.model, row.task, row.metric): row.value for row in rows if row.value is not None}
    finer = {key[1:] for key, number in values.items() if round(number, 2) != number}
    return {key: decimal(number, 3 if key[1:] in finer else 2) for key, number in values.items()}
