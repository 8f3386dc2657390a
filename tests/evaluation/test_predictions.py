"""Finished answers in a file: the published figures, and every way in which such a file can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.predictions import read_jmed_predictions, score_jmed_predictions, score_row_predictions
from igakulm.recipe.schema import Jmed, RowTask
from igakulm.tasks.benchmarks.jmed import TASKS, load_test

SMDIS = "tag,question,optionA,optionB,answer\n" + "".join(
    f'x,"次の投稿は陽性か。\n「投稿{number}」",陽性,陰性,{"AB"[number % 2]}\n' for number in range(4)
)
NRNER = "tag,question,answer\n" + "".join(
    f"d,\"病名は。\n「{name}と咳と熱」\",\"['{name}', '咳', '熱']\"\n" for name in ("頭痛", "腹痛")
)


def task_of(exam: Path) -> RowTask:
    return RowTask(name="exam", kind="exam", test=str(exam))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "smdis.csv").write_text(SMDIS, encoding="utf-8")
    (tmp_path / "nrner.csv").write_text(NRNER, encoding="utf-8")
    return tmp_path


def answers(folder: Path, *lines: Any) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")
    return path


def line(task: Any, row: Any, text: Any) -> dict[str, Any]:
    return {"task": task, "row": row, "text": text}


def test_both_readings_of_the_same_answers(data: Path) -> None:
    path = answers(
        data,
        line("nrner", 1, "['腹痛', 1]"),
        line("smdis", 3, "b"),
        line("smdis", 0, "A"),
        line("smdis", 1, "ANSWER: B"),
        line("smdis", 2, ""),
        line("nrner", 0, "回答: ['頭痛', '咳', '熱']"),
    )
    found = score_jmed_predictions(data, path, samples=50)
    assert list(found) == ["smdis", "nrner"]
    choice, entities = found["smdis"], found["nrner"]
    assert (choice["n"], choice["documents"], choice["split"], choice["unparsed"]) == (4, 4, "published", 0.25)
    assert choice["accuracy_upstream"] == 0.25  # A is right; "ANSWER: B" is read as A, "b" not at all
    assert choice["accuracy"]["value"] == 0.75 and choice["accuracy"]["low"] <= 0.75 <= choice["accuracy"]["high"]
    # row 0 is no list to the published scorer; row 1: all 3 gold items "found", 2 answers
    assert entities["partial_f1_upstream"] == pytest.approx((2 * 1 * 1.5 / 2.5) / 2)
    assert entities["exact_f1_upstream"] == pytest.approx((2 / 5) / 2)
    assert entities["exact_f1"]["value"] == pytest.approx((1 + 2 / 5) / 2)
    assert score_jmed_predictions(data, path, samples=50) == found
    assert list(score_jmed_predictions(data, path, tasks=("nrner",), samples=50)) == ["nrner"]
    finished = read_jmed_predictions(data, path)["smdis"]
    assert finished.texts == ["A", "ANSWER: B", "", "b"]
    assert finished.parsed == [("A",), ("B",), None, ("B",)]
    assert finished.upstream == [("A",), ("A",), None, None]


@pytest.mark.parametrize(
    ("lines", "what", "where"),
    [
        ([line("smdi", 0, "A")], "did you mean smdis", "line 1"),
        ([line(None, 0, "A")], "known tasks", "line 1"),
        ([line("nrner", 0, ""), line("nrner", 2, "")], "nrner has no row 2", "line 2"),
        ([line("nrner", -1, "")], "rows are 0 to 1", "line 1"),
        ([line("nrner", "0", "")], "not a whole number", "line 1"),
        ([line("nrner", True, "")], "not a whole number", "line 1"),
        ([line("nrner", 0, ""), line("smdis", 0, ""), line("nrner", 0, "")], "answered twice", "line 3"),
        ([line("smdis", 1, "A"), line("smdis", 3, "A")], "2 of 4 rows of smdis have no answer; the first is 0", ""),
        ([line("smdis", 1, "A")], 'write "text": "" for items without an answer', ""),
        ([line("nrner", 0, ["咳"])], "not a text", "line 1"),
        ([{"task": "nrner", "row": 0}], "not a text", "line 1"),
        (["咳"], "not a JSON object", "line 1"),
        ([], "no answers", "answers.jsonl"),
    ],
)
def test_wrong_files(data: Path, lines: list[Any], what: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        score_jmed_predictions(data, answers(data, *lines))
    assert what in str(caught.value) and where in str(caught.value)


def test_broken_lines_and_absent_tasks(data: Path) -> None:
    path = data / "answers.jsonl"
    path.write_text('\n{"task": "nrner", "row"\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        score_jmed_predictions(data, path)
    complete = answers(data, line("nrner", 0, ""), line("nrner", 1, ""))
    with pytest.raises(InputError, match="no answers of smdis"):
        score_jmed_predictions(data, complete, tasks=("smdis",))
    with pytest.raises(InputError, match="no task 'x'"):
        score_jmed_predictions(data, complete, tasks=("x",))
    with pytest.raises(InputError, match=r"crade\.csv"):
        score_jmed_predictions(data, answers(data, line("crade", 0, "A")))
    with pytest.raises(InputError, match="no such file"):
        score_jmed_predictions(data, data / "absent.jsonl")


def test_a_surrogate_is_kept_out_of_results(data: Path) -> None:
    path = data / "answers.jsonl"
    path.write_text(
        '{"task": "nrner", "row": 0, "text": "\\ud800"}\n{"task": "nrner", "row": 1, "text": ""}\n', encoding="utf-8"
    )
    assert read_jmed_predictions(data, path)["nrner"].texts == ["\ufffd", ""]


def test_first_item_only_on_the_real_rows(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "jmed-llm"
    test = load_test(Jmed(path=str(folder)))

    def scores(kept: int | None) -> dict[str, dict[str, Any]]:
        lines = [
            line(task, row, repr(list(item.answer[:kept])) if item.kind == "entities" else item.answer[0])
            for task, items in test.items()
            for row, item in enumerate(items)
        ]
        return score_jmed_predictions(folder, answers(tmp_path, *lines), samples=20)

    first = scores(1)
    partial = {task: round(entry.get("partial_f1_upstream", 0), 2) for task, entry in first.items()}
    assert list(partial) == list(TASKS)
    assert list(partial.values()) == [0, 0, 0, 0, 0, 1.71, 1.29, 1.3]
    for entry in scores(None).values():
        assert entry["n"] == 100 and entry["unparsed"] == 0
        values = [value["value"] if isinstance(value, dict) else value for value in list(entry.values())[4:]]
        assert values == pytest.approx([1.0] * len(values))


def test_examinations(tmp_path: Path) -> None:
    exam = tmp_path / "nurses.jsonl"
    rows = [
        {"id": f"q{n}", "question": f"問{n}", "choices": ["ア", "イ"], "answer": ["a"], "year": "R5"} for n in (1, 2)
    ]
    exam.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = answers(tmp_path, {"id": "q2", "text": "答えはA"}, {"id": "q1", "text": "B"})
    result = score_row_predictions(task_of(exam), said, samples=20)
    assert (result["n"], result["accuracy"]["value"], result["left_out"]) == (2, 0.5, {})
    assert result["groups"][0] == {
        "task": "exam",
        "group": "R5",
        "part": "",
        "points": 1,
        "total": 2,
        "right": 1,
        "n": 2,
    }
    for lines, what in (
        ([{"id": "q3", "text": ""}], "no question 'q3'"),
        ([{"id": "q1", "text": "A"}], "1 of 2 questions have no answer; the first is q2"),
        ([{"id": "q1", "text": "A"}, {"id": "q1", "text": "A"}], "answered twice"),
        ([{"id": "q1", "text": None}], "not a text"),
    ):
        with pytest.raises(InputError, match=what):
            score_row_predictions(task_of(exam), answers(tmp_path, *lines))
