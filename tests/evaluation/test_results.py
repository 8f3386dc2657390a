"""A model's scores for scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from igakulm.evaluation.results import igakuqa_results, task_results

Row = dict[str, Any]


def row(metric: str, value: float, **changes: Any) -> Row:
    head: Row = {"model": "m", "role": "model", "task": "t", "kind": "choice", "metric": metric, "value": value}
    head |= {"low": value - 0.1, "high": value + 0.1, "n": 10, "documents": 5, "split": "published"}
    head |= {"answer_mode": "generate", "prompt_style": "chat", "prompt_sha256": "x", "unparsed": 0.5, "truncated": 1}
    return head | changes


def test_the_first_column_stands_directly_and_others_beside_it() -> None:
    board = {
        "rows": [
            row("kappa", 0.0, model="majority", role="baseline"),
            row("kappa", 0.5),
            row("accuracy", 0.6),
            row("kappa_upstream", 0.4),
            row("kappa", 0.3, split="published-unshared", n=4),
            row("kappa", 0.7, answer_mode="options-letter"),
            row("exact_f1", 0.2, task="u"),
        ]
    }
    found = task_results(board, "m")
    assert list(found) == ["t", "u"]
    first = found["t"]
    assert (first["split"], first["answer_mode"], first["n"], first["unparsed"]) == ("published", "generate", 10, 0.5)
    assert first["kappa"] == {"value": 0.5, "low": pytest.approx(0.4), "high": pytest.approx(0.6)}
    assert first["accuracy"]["value"] == 0.6
    assert first["kappa_upstream"] == 0.4
    others = [(entry["split"], entry["answer_mode"], entry["kappa"]["value"]) for entry in first["also"]]
    assert others == [("published-unshared", "generate", 0.3), ("published", "options-letter", 0.7)]
    assert "also" not in found["u"]
    json.dumps(found)


def test_nobody_of_this_name() -> None:
    assert task_results({"rows": [row("kappa", 0.5)]}, "other") == {}


def test_years_and_parts_of_the_first_way_of_answering() -> None:
    def group(year: str, part: str, points: int, mode: str = "options-letter", model: str = "m") -> Row:
        head = {"model": model, "answer_mode": mode, "task": "igakuqa", "group": year, "part": part}
        return head | {"points": points, "total": 10, "right": points, "n": 10}

    passing = {"model": "m", "answer_mode": "options-letter", "year": "2018", "passed": None}
    scores = {"task": "igakuqa", "split": "text-only"}
    board = {
        "rows": [
            row("score_share", 0.5, answer_mode="options-letter", **scores),
            row("accuracy", 0.4, answer_mode="options-letter", **scores),
            row("score_share", 0.9, **scores),
        ],
        "groups": [
            group("2018", "A", 3),
            group("2018", "", 5),
            group("2019", "", 7),
            group("2018", "", 9, mode="generate"),
            group("2018", "", 1, model="other"),
        ],
        "passing": [passing, passing | {"model": "other"}, passing | {"answer_mode": "generate"}],
    }
    found = igakuqa_results(board, "m")
    assert found["score_share_mean"] == 50.0 and found["interval"] == pytest.approx([40, 60])
    assert found["years"]["2018"] == {
        "parts": {"A": {"points": 3, "total": 10, "right": 3, "n": 10}},
        "points": 5,
        "total": 10,
        "right": 5,
        "n": 10,
    }
    assert found["years"]["2019"]["points"] == 7 and found["years"]["2019"]["parts"] == {}
    assert found["passing"] == [{"year": "2018", "passed": None}]
    assert found["accuracy"]["value"] == 0.4 and "score_share" not in found
    assert found["also"][0]["answer_mode"] == "generate"
