"""The verdict on an examination: both marks, contra-indicated choices, and none without all questions."""

from __future__ import annotations

from typing import Any

import pytest

from igakulm.answering.reading import Prediction
from igakulm.evaluation.passing import group_rows, passing_rows
from igakulm.tasks.benchmarks.igakuqa import PASSING
from igakulm.tasks.items import Item

MARK = PASSING.marks["2018"]


def questions(part: str, count: int, year: str = "2018", forbidden: tuple[str, ...] = ("B",)) -> list[Item]:
    return [
        Item(
            f"{year}{part}{number}",
            "igakuqa",
            "choice",
            "q",
            ("ア", "イ", "ウ"),
            ("A",),
            group=year,
            part=part,
            forbidden=forbidden,
        )
        for number in range(count)
    ]


def examination(**fields: Any) -> list[Item]:
    """All points of 2018 in questions of one point: required parts B and E, general part A."""
    return (
        questions("B", 100, **fields)
        + questions("E", MARK.required_total - 100, **fields)
        + questions("A", MARK.general_total, **fields)
    )


def verdict(required: int, general: int, contraindicated: int, items: list[Item]) -> dict[str, Any]:
    """So many right answers; the wrong ones are contra-indicated first, then harmless."""
    predictions: list[Prediction] = []
    left = {True: required, False: general}
    for item in items:
        kind = item.part in "BE"
        left[kind] -= 1
        wrong = "B" if contraindicated > 0 else "C"
        predictions.append(("A",) if left[kind] >= 0 else (wrong,))
        contraindicated -= left[kind] < 0
    (row,) = passing_rows(items, predictions, PASSING)
    return row


@pytest.mark.parametrize(
    ("required", "general", "contraindicated", "passed"),
    [
        (MARK.required, MARK.general, 0, True),
        (MARK.required - 1, MARK.general_total, 0, False),
        (MARK.required_total, MARK.general - 1, 0, False),
        (MARK.required, MARK.general, PASSING.contraindicated_limit, True),
        (MARK.required, MARK.general, PASSING.contraindicated_limit + 1, False),
    ],
)
def test_all_three_conditions_count(required: int, general: int, contraindicated: int, passed: bool) -> None:
    row = verdict(required, general, contraindicated, examination())
    assert (row["required"], row["general"], row["contraindicated"]) == (required, general, contraindicated)
    assert (row["required_total"], row["general_total"]) == (MARK.required_total, MARK.general_total)
    assert (row["required_mark"], row["general_mark"]) == (MARK.required, MARK.general)
    assert (row["passed"], row["complete"]) == (passed, True)


def test_no_pass_while_contraindications_are_unknown() -> None:
    row = verdict(MARK.required, MARK.general, 0, examination(forbidden=()))
    assert (row["contraindicated"], row["passed"]) == (None, None)
    assert verdict(0, 0, 0, examination(forbidden=()))["passed"] is False


def test_a_part_of_the_examination_is_not_judged_or_scaled() -> None:
    row = verdict(200, 150, 0, examination()[:-1])
    assert (row["passed"], row["complete"], row["general_total"]) == (None, False, MARK.general_total - 1)
    assert row["required"] == 200
    (other,) = passing_rows(questions("B", 2, year="2031"), [("A",), None], PASSING)
    assert (other["passed"], other["complete"], other["required_mark"]) == (None, False, None)
    assert (other["required"], other["required_total"]) == (1, 2)


def test_one_contraindicated_choice_among_several_counts_once() -> None:
    items = questions("B", 2, forbidden=("B", "C"))
    (row,) = passing_rows(items, [("B", "C"), ("A", "B")], PASSING)
    assert (row["contraindicated"], row["required"]) == (2, 0)


def test_groups_and_parts() -> None:
    items = questions("A", 2) + questions("B", 1) + questions("A", 1, year="2019")
    rows = group_rows(items, [("A",), ("C",), ("A",), None])
    assert [tuple(row.values()) for row in rows] == [
        ("igakuqa", "2018", "", 2, 3, 2, 3),
        ("igakuqa", "2018", "A", 1, 2, 1, 2),
        ("igakuqa", "2018", "B", 1, 1, 1, 1),
        ("igakuqa", "2019", "", 0, 1, 0, 1),
        ("igakuqa", "2019", "A", 0, 1, 0, 1),
    ]
    assert list(rows[0]) == ["task", "group", "part", "points", "total", "right", "n"]


def test_other_examinations() -> None:
    plain = Item("1", "exam", "choice", "q", ("ア", "イ"), ("A",))
    assert group_rows([plain], [("A",)]) == [] and passing_rows([plain], [("A",)], PASSING) == []
    yearly = Item("1", "exam", "choice", "q", ("ア", "イ"), ("A",), group="R5")
    assert [row["part"] for row in group_rows([yearly], [("A",)])] == [""]
    assert passing_rows([yearly], [("A",)], PASSING) == []
