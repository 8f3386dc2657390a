"""IgakuQA's published percentages from its published predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.benchmarks.igakuqa import counts_tolerant, counts_upstream, score_predictions
from igakulm.errors import InputError


@pytest.mark.parametrize(
    ("system", "percent"),
    [
        ("gpt4", 78.23),
        ("chatgpt", 54.97),
        ("gpt3", 42.14),
        ("translate_chatgpt-en", 57.71),
        ("student-majority", 95.46),
    ],
)
def test_published_percentages(real_data: Path, system: str, percent: float) -> None:
    folder = real_data / "igakuqa"
    result = score_predictions(folder, folder / "baseline_results", system)
    assert round(result["score_share_mean"], 2) == percent
    assert result["score_share_mean_tolerant"] >= result["score_share_mean"]
    if system == "gpt4":
        points = [(year["points"], year["total"]) for year in result["years"].values()]
        assert points == [(382, 499), (385, 496), (387, 496), (398, 500), (392, 494)]


def test_rules_of_single_questions() -> None:
    assert counts_upstream("116A71", ["e"], "わかりません") and counts_tolerant("116A71", ["e"], "わかりません")
    assert counts_upstream("112B30", ["a or d"], "d") and not counts_upstream("112B30", ["a or d"], "a,d")
    assert counts_upstream("1", ["04"], "04") and not counts_upstream("1", ["04"], "0.4")
    assert counts_tolerant("1", ["7.20"], "7.20") and not counts_tolerant("1", ["7.20"], "7.2")
    assert counts_tolerant("1", ["a", "d"], "d、a。") and not counts_tolerant("1", ["a", "d"], "a")


def test_missing_predictions(tmp_path: Path) -> None:
    def write(path: Path, row: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")

    write(tmp_path / "data/2018/112-A.jsonl", {"problem_id": "112A1", "answer": ["a"], "points": "1"})
    with pytest.raises(InputError, match="no such file"):
        score_predictions(tmp_path / "data", tmp_path / "said", "x")
    write(tmp_path / "said/2018/112-A_x.jsonl", {"problem_id": "112A2", "prediction": "a"})
    with pytest.raises(InputError, match="no prediction for 112A1"):
        score_predictions(tmp_path / "data", tmp_path / "said", "x")
    write(tmp_path / "said/2018/112-A_x.jsonl", {"problem_id": "112A1", "prediction": 1})
    with pytest.raises(InputError, match="row 1"):
        score_predictions(tmp_path / "data", tmp_path / "said", "x")
