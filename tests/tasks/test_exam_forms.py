"""Examination files as they are: every form of options and right answers, and rows that no question can be made of."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.tasks.exam_answers import asks_for_all, right_answers
from igakulm.tasks.exams import read_exam
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.left_out import LeftOut, Screen, counts

FOUR = ("甲", "乙", "丙", "丁")
ROW = {"id": "1", "question": "どれか。", "choices": list(FOUR), "answer": ["a"]}


def read(tmp_path: Path, *rows: dict[str, Any] | str, strict: bool = False) -> tuple[list[Item], list[LeftOut]]:
    path, screen = tmp_path / "exam.jsonl", Screen(strict)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_exam(path, "exam", screen), screen.rows


@pytest.mark.parametrize(
    ("answer", "letters"),
    [
        (["a", "c"], "AC"),
        ("a", "A"),
        ("Ｃ", "C"),
        ("ca", "AC"),
        ("A,C", "AC"),
        ("a、c", "AC"),
        ("AとC", "AC"),
        ([1], "A"),
        ([1, 3.0], "AC"),
        (3, "C"),
        ("13", "AC"),
        ("③", "C"),
        ("(3)", "C"),
        ("選択肢c", "C"),
        ("丙", "C"),
        (["丁", "甲"], "AD"),
        ("丁、甲", "AD"),
    ],
)
def test_one_right_answer_in_every_form(answer: object, letters: str) -> None:
    assert right_answers(answer, FOUR, "") == (tuple(letters),)


@pytest.mark.parametrize(
    ("answer", "ways"),
    [
        ("a or d", ["A", "D"]),
        ("aまたはd", ["A", "D"]),
        ("aかd", ["A", "D"]),
        (["1", "2（いずれか一つを選べば正解）"], ["A", "B"]),
        (["2", "3", "4（いずれか2つを選択）"], ["BC", "BD", "CD"]),
        ("b,c,dのいずれか2つ", ["BC", "BD", "CD"]),
        ([["a"], ["b", "c"]], ["A", "BC"]),
    ],
)
def test_several_answers_that_count(answer: object, ways: list[str]) -> None:
    assert right_answers(answer, FOUR, "") == tuple(tuple(way) for way in ways)


def test_numbers_are_numbers_of_options_but_texts_where_they_are_none() -> None:
    assert right_answers("4", ("2", "4", "6", "8"), "") == (("D",),)  # the fourth: files give numbers of options
    assert right_answers("8", ("2", "4", "6", "8"), "") == (("D",),)
    many = [f"選択肢{place}" for place in range(15)]
    assert right_answers("13", many, "") == (("M",),) and right_answers("o", many, "") == (("O",),)


@pytest.mark.parametrize(("size", "wanted"), [(size, wanted) for size in (2, 5, 15) for wanted in (1, 2)])
def test_every_set_of_letters_is_read_back(size: int, wanted: int) -> None:
    options = [f"文{place}" for place in range(size)]
    for letters in combinations(LETTERS[:size], wanted):
        for form in (list(letters), ",".join(letters).lower(), [LETTERS.index(letter) + 1 for letter in letters]):
            assert right_answers(form, options, "") == (letters,)


def test_odd_rows_are_left_out_by_reason(tmp_path: Path) -> None:
    odd: dict[str, dict[str, Any]] = {
        "image": {"text_only": False, "choices": "IMAGES", "answer": None},
        "voided": {"answer": ["解なし（設問が不明確なため）"]},
        "no-answer": {"answer": []},
        "wrong-answer": {"answer": ["e"]},
        "no-choices": {"choices": []},
        "wrong-choices": {"choices": ["甲", {"a": 1}]},
        "no-question": {"question": " "},
        "wrong-field": {"points": "many"},
    }
    rows = [ROW | {"id": reason} | change for reason, change in odd.items()]
    items, left_out = read(tmp_path, ROW, *rows, {**ROW, "id": None}, ROW, '{"id": "cut', "[1]")
    assert [item.id for item in items] == ["1"]
    assert counts(left_out) == {
        "exam": {"image": 1, "voided": 1, "no-answer": 1, "wrong-answer": 1, "no-choices": 1, "wrong-choices": 1}
        | {"no-id": 1, "same-id": 1, "no-question": 1, "wrong-field": 1, "broken-line": 2}
    }
    assert [row.id for row in left_out[:8]] == list(odd) and all("exam.jsonl" in row.where for row in left_out)
    for row in rows[1:]:
        with pytest.raises(InputError):
            read(tmp_path, ROW, row, strict=True)
    assert read(tmp_path, ROW, rows[0], strict=True)[1][0].reason == "image"


def test_forms_of_published_files(tmp_path: Path) -> None:
    number = {"id": 7, "question": "何mLか。", "answer": "7.20", "points": "1.0"}
    renamed = {
        "problem_id": 8,
        "problem_text": "どれか。",
        "options": {"a": "甲", "b": "乙"},
        "answer": "a",
        "comment": "",
    }
    every = ROW | {"id": 9, "question": "すべて選べ。", "answer": ["a", "b"], "points": 0.5, "year": 2024, "part": "A"}
    (one,), _ = read(tmp_path, renamed)
    assert (one.id, one.choices, one.answer) == ("8", ("甲", "乙"), ("A",))
    (two, three), _ = read(tmp_path, number, every)
    assert (two.id, two.kind, two.answer, two.points) == ("7", "number", ("720",), 1)
    assert (three.wanted, three.points, three.group, three.part) == (0, 0.5, "2024", "A")
    (four,), _ = read(tmp_path, ROW | {"answer": ["b"], "accepted": [["c"], "d"]})
    assert (four.answer, four.also, four.wanted) == (("B",), (("C",), ("D",)), 1)


def test_an_unknown_field_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    for name, hint in (("document", "kind classification"), ("chioces", "'choices'"), ("ward", "known: id")):
        with pytest.raises(InputError, match=hint):
            read(tmp_path, ROW | {name: "x"})
    path = tmp_path / "exam.jsonl"
    path.write_text(json.dumps(ROW | {"ward": "3A"}), encoding="utf-8")
    assert read_exam(path, "exam", by=("ward",))[0].labels == (("ward", "3A"),)


def test_questions_that_do_not_say_how_many() -> None:
    for text in ("正しいのはどれか。すべて選べ。", "全て選びなさい", "Select ALL that apply"):
        assert asks_for_all(text), text
    for text in ("2つ選べ。", "すべての患者に行うのはどれか。"):
        assert not asks_for_all(text), text
