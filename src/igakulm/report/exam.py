"""The report on the national examination: pass or fail by year, points by year and paper.

Does: arrange what passing.py judged. Does not: judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import BASELINE_MODE, GroupRow, PassingRow
from igakulm.report.numbers import Language
from igakulm.report.render import render

Way = tuple[str, str]
"""A model and its way of answering; baselines have none."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a model (whole years) or of one model by paper: years or papers as columns; cells by (line, column)."""

    title: str
    columns: list[str]
    lines: list[tuple[Way, str]]
    cells: dict[tuple[tuple[Way, str], str], GroupRow]


def exam_part(board: Board, level: int, language: Language) -> Markup:
    """Pass or fail, then points; empty where no examination was measured."""
    passing = sorted(board.stored.passing, key=_is_baseline)
    groups = sorted(board.stored.groups, key=_is_baseline)
    if not passing and not groups:
        return Markup("")
    ways: dict[Way, list[PassingRow]] = {}
    for row in passing:
        ways.setdefault(_way(row), []).append(row)
    years, papers = _years([row for row in groups if not row.part]), _papers([row for row in groups if row.part])
    return render("exam.html.j2", language, level=level, ways=ways, years=years, papers=papers)


def _is_baseline(row: PassingRow | GroupRow) -> bool:
    return row.answer_mode == BASELINE_MODE


def _way(row: PassingRow | GroupRow) -> Way:
    return row.model, "" if _is_baseline(row) else row.answer_mode


def _years(rows: Sequence[GroupRow]) -> list[Points]:
    """A table for each examination: a line a model, a column a year."""
    found = []
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task]
        cells = {((_way(row), ""), row.group): row for row in own}
        found.append(Points(task, list(dict.fromkeys(row.group for row in own)), _lines(cells), cells))
    return found


def _papers(rows: Sequence[GroupRow]) -> list[tuple[Way, Points]]:
    """A table for each model: a line a year, a column a paper."""
    found = []
    for way in dict.fromkeys(map(_way, rows)):
        cells = {((way, row.group), row.part): row for row in rows if _way(row) == way}
        found.append((way, Points("", sorted({part for _, part in cells}), _lines(cells), cells)))
    return found


def _lines(cells: dict[tuple[tuple[Way, str], str], GroupRow]) -> list[tuple[Way, str]]:
    return list(dict.fromkeys(line for line, _ in cells))
