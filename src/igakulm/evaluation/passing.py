"""Would the model have passed the medical licensing examination, and where it earns its points.

Does: sum points by year and part, and compare them with the pass marks of 2018-2022.
Does not: read files, or scale up a part of an examination to the whole: without all questions there is no verdict.

The rule: enough points in the required questions (parts B and E), enough in the others, and at most three questions
answered with a contra-indicated choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from igakulm.answering.reading import Prediction
from igakulm.evaluation.metrics import is_right
from igakulm.tasks.items import Item

REQUIRED_PARTS = frozenset("BE")
CONTRAINDICATED_LIMIT = 3


@dataclass(frozen=True, slots=True)
class PassMark:
    """Points needed and to be had, in the required parts and in the others."""

    required: int
    required_total: int
    general: int
    general_total: int


PASS_MARKS: dict[str, PassMark] = {
    "2018": PassMark(160, 200, 208, 299),
    "2019": PassMark(160, 200, 209, 296),
    "2020": PassMark(
        158, 197, 217, 299
    ),  # from memory, not from a document; the totals are those of the question files
    "2021": PassMark(160, 200, 209, 300),
    "2022": PassMark(158, 197, 214, 297),
}


@dataclass(frozen=True, slots=True)
class Marked:
    """One question of an examination, marked."""

    year: str
    part: str
    worth: int
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


def passing_rows(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """One row for each year of IgakuQA, see `passing_row`; none for items without parts (other examinations)."""
    questions = [question for question in marked(items, predictions) if question.part]
    years = sorted({question.year for question in questions})
    known = {item.group for item in items if item.forbidden}
    return [passing_row(year, of_year(questions, year), contraindications=year in known) for year in years]


def of_year(questions: Iterable[Marked], year: str) -> list[Marked]:
    """The questions of one year."""
    return [question for question in questions if question.year == year]


def passing_row(year: str, questions: Sequence[Marked], *, contraindications: bool) -> dict[str, Any]:
    """Points of one year against its pass marks.

    Args:
        year: "2018" to "2022"; of other years no pass mark is known.
        questions: the year's questions, marked.
        contraindications: whether contra-indicated choices are known; without them there is no pass.

    Returns:
        {"year", "required", "required_total", "required_mark", "general", "general_total", "general_mark",
        "contraindicated", "contraindicated_limit", "passed", "complete"}. The totals are of the questions given;
        `complete` says whether they are the whole examination, by points. `passed` is None when they are not, or when
        nothing but unknown contra-indications stands against a pass; `contraindicated` is None when unknown; marks are
        None for other years.
    """
    required = [question for question in questions if question.part in REQUIRED_PARTS]
    general = [question for question in questions if question.part not in REQUIRED_PARTS]
    totals = _worth(required), _worth(general)
    earned = _worth(q for q in required if q.right), _worth(q for q in general if q.right)
    chosen = sum(question.contraindicated for question in questions) if contraindications else None
    mark = PASS_MARKS.get(year)
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
        "contraindicated_limit": CONTRAINDICATED_LIMIT,
        "passed": _passed(mark, earned, chosen) if mark and complete else None,
        "complete": complete,
    }


def _passed(mark: PassMark, earned: tuple[int, int], contraindicated: int | None) -> bool | None:
    if earned[0] < mark.required or earned[1] < mark.general:
        return False
    return None if contraindicated is None else contraindicated <= CONTRAINDICATED_LIMIT


def _worth(questions: Iterable[Marked]) -> int:
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


def part_row(questions: Sequence[Marked]) -> dict[str, int]:
    """{"points", "total", "right", "n"} of some questions."""
    right = [question for question in questions if question.right]
    return {"points": _worth(right), "total": _worth(questions), "right": len(right), "n": len(questions)}
