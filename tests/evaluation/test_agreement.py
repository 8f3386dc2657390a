"""Agreement of two people, against scikit-learn's kappa and counts written out."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from igakulm.evaluation.agreement import agreements
from igakulm.recipe.task_file import load_task_file
from igakulm.tasks.own.decisions import Decision, Given, Span, append_decision, hash_of_text
from small_evaluation import igakulm

TASK_YAML = """
version: 1
name: ward
data: [rows.jsonl]
columns: {text: text}
tasks:
  - {name: fall, kind: classify, column: fall, labels: [あり, なし, 不明], question: 転倒は。}
  - {name: symptom, kind: extract, column: symptom, separator: 、, question: 症状は。, item: 症状}
"""
WORDS = ("頭痛", "嘔気", "発熱")


def text(number: int) -> str:
    return f"記録{number}番。頭痛、嘔気、発熱について話す。"


def decide(path: Path, number: int, task: str, by: str, given: Given, settles: bool = False) -> None:
    one = Decision(
        file="rows.jsonl", row=number + 1, text=hash_of_text(text(number)), task=task, outcome="corrected",
        answer=given, by=by, at="2026-12-01T09:00:00+09:00", settles=settles,
    )  # fmt: skip
    append_decision(path, one)


def spans(number: int, *words: str) -> Given:
    places = [(text(number).index(word), word) for word in words]
    return Given(spans=tuple(Span(start=start, end=start + len(word), text=word) for start, word in places))


def test_kappa_and_span_f1_of_two_people(tmp_path: Path) -> None:
    from sklearn.metrics import cohen_kappa_score

    rows = [{"text": text(number), "fall": "", "symptom": ""} for number in range(40)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "task.yaml").write_text(TASK_YAML, encoding="utf-8")
    task_file = load_task_file(tmp_path / "task.yaml")
    assert agreements(task_file) == []
    path, draw = Path(task_file.decisions or ""), random.Random(3)
    labels: dict[str, list[str]] = {"A": [], "B": []}
    for number in range(30):
        true = draw.choice(("あり", "なし", "不明"))
        for by in labels:
            label = true if draw.random() < 0.7 else draw.choice(("あり", "なし", "不明"))
            labels[by].append(label)
            decide(path, number, "fall", by, Given(labels=(label,)))
    decide(path, 31, "fall", "A", Given(labels=("あり",)))  # B did not see it
    decide(path, 0, "symptom", "A", spans(0, "頭痛", "嘔気"))
    decide(path, 0, "symptom", "B", spans(0, "頭痛"))
    decide(path, 1, "symptom", "A", spans(1, "発熱"))
    decide(path, 1, "symptom", "B", spans(1, "発熱に"))
    decide(path, 1, "symptom", "B", spans(1, "発熱"), settles=True)
    fall, symptom = agreements(task_file)
    kappa = next(score for score in fall["scores"] if score["metric"] == "kappa")
    assert kappa["value"] == pytest.approx(cohen_kappa_score(labels["A"], labels["B"]))
    assert kappa["low"] < kappa["value"] < kappa["high"] and fall["n"] == 30 and fall["people"] == ["A", "B"]
    assert fall["same"] == sum(a == b for a, b in zip(labels["A"], labels["B"], strict=True))
    scores = {score["metric"]: score["value"] for score in symptom["scores"]}
    # exact: 1 of 3 and 1 of 2 are the same string: F1 = 2 / 5; overlap: 発熱 and 発熱に as well: F1 = 4 / 5
    assert scores == {"overlap_f1_micro": pytest.approx(0.8), "exact_f1_micro": pytest.approx(0.4)}
    assert symptom["n"] == 2 and symptom["same"] == 0
    shown = igakulm("task", "agreement", tmp_path / "task.yaml", "--json")
    assert json.loads(shown.out)["agreement"][0]["n"] == 30
    assert "30 rows" in igakulm("task", "agreement", tmp_path / "task.yaml").out
