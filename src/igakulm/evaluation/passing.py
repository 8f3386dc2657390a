"""Would the model have passed the medical licensing examination, and where it earns its points.

Does: sum points by year and part, and compare them with the pass marks that the benchmark knows.
Does not: read files, or scale up a part of an examination to the whole: without all questions there is no verdict.

The rule: enough points in the required parts, enough in the others, and few questions answered with a contra-indicated
choice (`PassRule`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from igakulm.answering.reading import Prediction
from igakulm.evaluation.metrics import is_right
from igakulm.tasks.benchmarks.benchmark import PassMark, PassRule
from igakulm.tasks.items import Item


@dataclass(frozen=True, slots=True)
class Marked:
    """One question of an examination, marked."""

    year: str
    part: str
    worth: float
    right: bool
    contraindicated: bool


def marked(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[Marked]:
    """The items with their answers marked; an answer may name any number of choices."""
    return [
        Marked(
            year=item.group,
            part=item.part,
            worth=item.points,
            right=is_right(item, prediction),
            contraindicated=bool(set(item.forbidden) & set(prediction or ())),
        )
        for item, prediction in zip(items, predictions, strict=True)
    ]


def passing_rows(items: Sequence[Item], predictions: Sequence[Prediction], rule: PassRule) -> list[dict[str, object]]:
    """One row for each year, see `passing_row`; none for items without parts."""
    questions = [question for question in marked(items, predictions) if question.part]
    years = sorted({question.year for question in questions})
    known = {item.group for item in items if item.forbidden}
    return [passing_row(year, of_year(questions, year), rule, contraindications=year in known) for year in years]


def of_year(questions: Iterable[Marked], year: str) -> list[Marked]:
    """The questions of one year."""
    return [question for question in questions if question.year == year]


def passing_row(
    year: str, questions: Sequence[Marked], rule: PassRule, *, contraindications: bool
) -> dict[str, object]:
    """Points of one year against its pass marks.

    Args:
        year: of years that the rule does not have no pass mark is known.
        questions: the year's questions, marked.
        rule: the examination's.
        contraindications: whether contra-indicated choices are known; without them there is no pass.

    Returns:
        {"year", "required", "required_total", "required_mark", "general", "general_total", "general_mark",
        "contraindicated", "contraindicated_limit", "passed", "complete"}. The totals are of the questions given;
        `complete` says whether they are the whole examination, by points. `passed` is None when they are not, or when
        nothing but unknown contra-indications stands against a pass; `contraindicated` is None when unknown; marks are
        None for other years.
    """
    required = [question for question in questions if question.part in rule.required_parts]
    general = [question for question in questions if question.part not in rule.required_parts]
    totals = _worth(required), _worth(general)
    earned = _worth(q for q in required if q.right), _worth(q for q in general if q.right)
    chosen = sum(question.contraindicated for question in questions) if contraindications else None
    mark = rule.marks.get(year)
    complete = mark is not None and totals == (mark.required_total, mark.general_total)
    return {
        "year": year,
        "required": earned[0],
        "required_total": totals[0],
        "required_mark": mark.required if mark else None,
        "general": earned[1],
        "general_total": totals[1],
        "general_mark": mark.general if mark else None,
        "contraindicated": chosen,
        "contraindicated_limit": rule.contraindicated_limit,
        "passed": _passed(mark, earned, chosen, rule.contraindicated_limit) if mark and complete else None,
        "complete": complete,
    }


def _passed(mark: PassMark, earned: tuple[float, float], contraindicated: int | None, limit: int) -> bool | None:
    if earned[0] < mark.required or earned[1] < mark.general:
        return False
    return None if contraindicated is None else contraindicated <= limit


def _worth(questions: Iterable[Marked]) -> float:
    return sum(question.worth for question in questions)


def group_rows(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Points and right answers of each group (year), and of each part of it, sorted; none for items without groups.

    Returns:
        [{"task", "group", "part", "points", "total", "right", "n"}]; part "" = the whole group.
    """
    if not any(item.group for item in items):
        return []
    questions = marked(items, predictions)
    rows = []
    for group in sorted({question.year for question in questions}):
        chosen = of_year(questions, group)
        parts = sorted({question.part for question in chosen} - {""})
        for part in ("", *parts):
            some = [question for question in chosen if part in ("", question.part)]
            rows.append({"task": items[0].task, "group": group, "part": part} | part_row(some))
    return rows


def part_row(questions: Sequence[Marked]) -> dict[str, float]:
    """{"points", "total", "right", "n"} of some questions."""
    right = [question for question in questions if question.right]
    return {"points": _worth(right), "total": _worth(questions), "right": len(right), "n": len(questions)}
