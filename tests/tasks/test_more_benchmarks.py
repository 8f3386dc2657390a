"""YakugakuQA, KokushiMD-10 and JMedBench in the forms in which they are published (all rows here are invented)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.predictions import score_benchmark_predictions
from igakulm.evaluation.recorded import recorded_benchmark
from igakulm.recipe.schema import BenchmarkSet
from igakulm.tasks.benchmarks import jmedbench, jmle, kokushimd, yakugakuqa
from igakulm.tasks.left_out import Screen, counts


def lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_yakugakuqa(tmp_path: Path) -> None:
    base = {
        "problem_text": "どれか。",
        "choices": ["甲", "乙", "丙"],
        "text_only": True,
        "comment": "注",
        "points": "1",
    }
    rows = [
        base | {"problem_id": "097A001", "answer": ["2"]},
        base | {"problem_id": "097A002", "answer": ["1", "2", "3（いずれか2つを選択）"]},
        base | {"problem_id": "097A003", "answer": ["解なし"]},
        base | {"problem_id": "097A004", "answer": ["1"], "text_only": False, "choices": "IMAGES"},
    ]
    lines(tmp_path / "data/2012/097.jsonl", *rows)
    lines(tmp_path / "data/2012/097-A.jsonl", *rows)
    lines(tmp_path / "data/2012/metadata_097.jsonl", {"problem_id": "097001"})
    screen = Screen()
    items = yakugakuqa.load_test(BenchmarkSet(name="yakugakuqa", path=str(tmp_path)), screen)["yakugakuqa"]
    assert [(item.answer, len(item.also), item.wanted, item.group) for item in items] == [
        (("B",), 0, 1, "2012"),
        (("A", "B"), 2, 2, "2012"),
    ]
    assert counts(screen.rows) == {"yakugakuqa": {"image": 1, "voided": 1}}
    with pytest.raises(InputError, match="chosen years"):
        yakugakuqa.load_test(BenchmarkSet(name="yakugakuqa", path=str(tmp_path), years=(2020,)), Screen())


def test_kokushimd(tmp_path: Path) -> None:
    path = tmp_path / "exams/JA/看護/看護_2023_am.json"
    path.parent.mkdir(parents=True)
    question = {
        "index": 1,
        "question": "どれか。",
        "1": "甲",
        "2": "乙",
        "answer": "2",
        "points": "1",
        "text_only": True,
    }
    rows = [question, question | {"index": 2, "answer": "12"}, question | {"index": 3, "corrected_question_index": 1}]
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    screen = Screen()
    found = kokushimd.load_test(BenchmarkSet(name="kokushimd", path=str(tmp_path)), screen)
    assert [(item.id, item.answer, item.group) for item in found["kokushimd-3"]] == [
        ("看護_2023_am-1", ("B",), "2023"),
        ("看護_2023_am-2", ("A", "B"), "2023"),
    ]
    assert counts(screen.rows) == {"kokushimd-3": {"voided": 1}}
    with pytest.raises(InputError, match="no examination"):
        kokushimd.load_test(BenchmarkSet(name="kokushimd", path=str(tmp_path / "exams/EN")), Screen())


def test_jmedbench(tmp_path: Path) -> None:
    lines(
        tmp_path / "medqa_jp/test.jsonl", {"question": "どれ", "options": ["甲", "乙"], "answer_idx": 1, "n_options": 2}
    )
    lines(tmp_path / "medqa_jp/train.jsonl", {"question": "別", "options": ["甲", "乙"], "answer_idx": 9})
    lines(tmp_path / "nrner/test.jsonl", {"text": "発熱あり", "labels": ["発熱", "咳"], "entity_type": "症状"})
    lines(tmp_path / "ejmmt/test.jsonl", {"english": "fever", "japanese": "発熱"})
    lines(tmp_path / "jcsts/test.jsonl", {"premise": "熱", "hypothesis": "発熱", "label": 4, "n_label": 6})
    screen, copy = Screen(), BenchmarkSet(name="jmedbench", path=str(tmp_path))
    found = jmedbench.load_test(copy, screen)
    answers = {task: items[0].answer for task, items in found.items()}
    assert answers == {
        "jmedbench-medqa_jp": ("B",),
        "jmedbench-nrner": ("発熱",),
        "jmedbench-jcsts": ("B",),
        "jmedbench-ejmmt": ("発熱",),
    }
    assert len(screen.missing) == len(jmedbench.TASKS) - 4
    assert jmedbench.load_train(copy, screen) == {"jmedbench-medqa_jp": []} and screen.rows[0].reason == "wrong-answer"


def test_jmle(tmp_path: Path) -> None:
    text = "7　咳の続く患者。\n\n　正しいのはどれか。２つ選べ。\n\n　a　甲\n\n　b　乙の\n　続き\n　c　丙"
    base = {"question_id": "118B-7", "question_type": "multiple_choice", "question_text": text, "answer": ["a", "c"]}
    number = {"question_type": "calculation", "question_text": "8　脈圧を求めよ。\n解答：①②", "answer": ["40"]}
    rows = [
        base | {"requires_image": False},
        base | number | {"question_id": "118B-8", "requires_image": False},
        base | {"question_id": "118B-9", "requires_image": True},
        base | {"question_id": "118B-10", "question_text": "9　選択肢は図にある。", "requires_image": False},
        base,
        "何か",
    ]
    path = tmp_path / "jmle2026_dataset.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    screen = Screen()
    one, other = jmle.load_test(BenchmarkSet(name="jmle", path=str(tmp_path)), screen)["jmle"]
    assert (one.question, one.choices) == (
        "咳の続く患者。\n\n\u3000正しいのはどれか。２つ選べ。",
        ("甲", "乙の\n\u3000続き", "丙"),
    )
    assert (one.answer, one.wanted, one.group, one.part) == (("A", "C"), 2, "2024", "B")
    assert (other.kind, other.answer) == ("number", ("40",))
    assert counts(screen.rows) == {"jmle": {"image": 1, "wrong-choices": 1, "same-id": 1, "broken-line": 1}}
    with pytest.raises(InputError, match="chosen years"):
        jmle.load_test(BenchmarkSet(name="jmle", path=str(path), parts=("A",)), Screen())
    with pytest.raises(InputError, match="no examination of JMLE"):
        jmle.load_test(BenchmarkSet(name="jmle", path=str(tmp_path / "nothing")), Screen())


def test_finished_answers_to_a_benchmark(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": f"118A-{n}",
            "question_text": "どれか。\na　甲\nb　乙",
            "answer": ["a"],
            "requires_image": n == 3,
        }
        for n in range(1, 5)
    ]
    (tmp_path / "dataset.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    chosen = BenchmarkSet(name="jmle", path=str(tmp_path))
    said = [{"id": f"118A-{n}", "text": "【回答】" + ("a" if n < 3 else "b")} for n in range(1, 5)]
    lines(tmp_path / "said.jsonl", *said)
    scores = score_benchmark_predictions(chosen, tmp_path / "said.jsonl")["jmle"]
    assert (scores["n"], scores["left_out"], scores["unparsed"]) == (3, {"image": 1}, 0.0)
    assert scores["accuracy"]["value"] == pytest.approx(2 / 3)
    recorded, tasks = recorded_benchmark(chosen, tmp_path / "said.jsonl", "model")
    assert tasks == ("jmle",) and recorded.texts["118A-4"] == "【回答】b"
    lines(tmp_path / "few.jsonl", *said[:2])
    with pytest.raises(InputError, match="1 of 3 questions have no answer"):
        score_benchmark_predictions(chosen, tmp_path / "few.jsonl")
