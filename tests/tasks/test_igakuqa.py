"""IgakuQA's folder layout, numeric questions, questions with rules of their own, and the real counts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import Igakuqa
from igakulm.tasks.benchmarks.igakuqa import load_questions


def question(identifier: str, answer: list[str], **fields: Any) -> dict[str, Any]:
    row = {"problem_id": identifier, "problem_text": f"問い{identifier}", "choices": ["ア", "イ", "ウ", "エ", "オ"]}
    return row | {"text_only": True, "answer": answer, "points": "1"} | fields


def folder(root: Path, rows: list[dict[str, Any]], year: str = "2018") -> Igakuqa:
    (root / year).mkdir(exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (root / year / "112-A.jsonl").write_text(text, encoding="utf-8")
    (root / year / "112-A_metadata.jsonl").write_text('{"problem_id": "112A1"}\n', encoding="utf-8")
    return Igakuqa(path=str(root))


def test_letters_points_and_numbers(tmp_path: Path) -> None:
    config = folder(
        tmp_path,
        [
            question("112A1", ["d", "a"], points="3"),
            question("112A2", ["7.20"], choices=[]),
            question("112A3", ["b"], text_only=False, choices=["", "", "", "", ""]),
            question("112B30", ["a or d"]),
            question("116A71", ["e"]),
        ],
    )
    first, number, either, withdrawn = load_questions(config)
    assert (first.id, first.answer, first.wanted, first.points, first.group) == ("112A1", ("A", "D"), 2, 3, "2018")
    assert (number.kind, number.answer, number.choices) == ("number", ("720",), ())
    assert (either.answer, either.also, either.wanted) == (("A",), (("D",),), 1)
    assert {withdrawn.answer, *withdrawn.also} == {("A",), ("B",), ("C",), ("D",), ("E",)}
    assert len(load_questions(config.model_copy(update={"text_only": False}))) == 5


def test_parts_and_contraindicated_choices(tmp_path: Path) -> None:
    config = folder(tmp_path, [question(f"112A{number}", ["a"]) for number in range(1, 6)])
    rows = [("112A1", ["d", " e"]), ("112A2", ["ｂ"]), ("112A3", ["ade"]), ("112A4", [])]
    text = "".join(json.dumps({"problem_id": name, "kinki": kinki}) + "\n" for name, kinki in rows)
    (tmp_path / "2018/112-A_metadata.jsonl").write_text(text, encoding="utf-8")
    items = load_questions(config)
    assert [item.forbidden for item in items] == [("D", "E"), ("B",), ("A", "D", "E"), (), ()]
    assert {item.part for item in items} == {"A"}
    (tmp_path / "2018/112-A_metadata.jsonl").write_text('{"problem_id": "112A1", "kinki": 5}\n', encoding="utf-8")
    with pytest.raises(InputError, match="kinki"):
        load_questions(config)
    (tmp_path / "2018/112-A_metadata.jsonl").unlink()
    (tmp_path / "2018/112-B.jsonl").write_text(json.dumps(question("112B1", ["a"])) + "\n", encoding="utf-8")
    items = load_questions(config.model_copy(update={"parts": ("B",)}))
    assert [(item.id, item.part, item.forbidden) for item in items] == [("112B1", "B", ())]
    with pytest.raises(InputError, match="no question is left"):
        load_questions(config.model_copy(update={"parts": ("C",)}))


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (question("112A1", ["f"]), "not one of the options A to E"),
        (question("112A1", []), "at least one option"),
        (question("112A1", ["a", "a"]), "each once"),
        (question("112A1", ["a"], points="x"), "points"),
        (question("112A1", ["x"], choices=[]), "must be one number"),
        (question("112A1", ["a"], choices=["ア"]), "1 choices"),
        (question("112A1", ["a"], problem_text=""), "problem_text"),
    ],
)
def test_wrong_rows(tmp_path: Path, row: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        load_questions(folder(tmp_path, [row]))
    assert "112-A.jsonl, row 1" in str(caught.value)


def test_folder_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of a year"):
        load_questions(Igakuqa(path=str(tmp_path)))
    config = folder(tmp_path, [question("112A1", ["a"]), question("112A1", ["b"])])
    with pytest.raises(InputError, match="occurs twice"):
        load_questions(config)
    with pytest.raises(InputError, match="no questions of 2022"):
        load_questions(config.model_copy(update={"years": (2022,)}))
    folder(tmp_path, [question("112A1", ["a"])])
    folder(tmp_path, [question("112A1", ["a"])], year="2019")
    with pytest.raises(InputError, match="in two files"):
        load_questions(config)


def test_real_counts(real_data: Path) -> None:
    config = Igakuqa(path=str(real_data / "igakuqa/data"))
    counts = Counter(item.group for item in load_questions(config))
    assert [counts[str(year)] for year in range(2018, 2023)] == [286, 296, 287, 301, 301]
    everything = load_questions(config.model_copy(update={"text_only": False}))
    points = defaultdict[str, float](float)
    for item in everything:
        points[item.group] += item.points
    assert len(everything) == 2000
    assert Counter(item.group for item in everything if item.forbidden) == dict(
        zip(map(str, range(2018, 2023)), (32, 34, 22, 22, 25), strict=True)
    )
    assert not any(set(item.forbidden) & set(item.answer) for item in everything)
    assert {item.part for item in everything} == set("ABCDEF")
    assert [points[str(year)] for year in range(2018, 2023)] == [499, 496, 496, 500, 494]
