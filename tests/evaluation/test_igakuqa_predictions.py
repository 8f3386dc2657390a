"""IgakuQA's published percentages from its published predictions, and who would have passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.igakuqa_predictions import counts_tolerant, counts_upstream, score_predictions


@pytest.mark.parametrize(
    ("system", "percent", "passed"),
    [
        ("gpt4", 78.23, True),
        ("chatgpt", 54.97, False),
        ("gpt3", 42.14, False),
        ("translate_chatgpt-en", 57.71, False),
        ("student-majority", 95.46, True),
    ],
)
def test_published_percentages(real_data: Path, system: str, percent: float, passed: bool) -> None:
    folder = real_data / "igakuqa"
    result = score_predictions(folder, folder / "baseline_results", system)
    assert round(result["score_share_mean"], 2) == percent
    assert result["score_share_mean_tolerant"] >= result["score_share_mean"]
    years = result["years"].values()
    assert [year["passing"]["passed"] for year in years] == [passed] * 5
    assert all(year["passing"]["complete"] for year in years)
    if system == "gpt4":
        assert [(year["points"], year["total"]) for year in years] == [
            (382, 499),
            (385, 496),
            (387, 496),
            (398, 500),
            (392, 494),
        ]
    for year in years:
        assert sum(part["points"] for part in year["parts"].values()) == year["points"]
        assert sum(part["n"] for part in year["parts"].values()) == 400
        assert year["passing"]["required"] + year["passing"]["general"] == year["points"]


def test_rules_of_single_questions() -> None:
    assert counts_upstream("116A71", ["e"], "わかりません") and counts_tolerant("116A71", ["e"], "わかりません")
    assert counts_upstream("112B30", ["a or d"], "d") and not counts_upstream("112B30", ["a or d"], "a,d")
    assert counts_upstream("112B30", ["a or d"], "a or d")
    assert counts_upstream("1", ["04"], "04") and not counts_upstream("1", ["04"], "0.4")
    assert counts_tolerant("1", ["7.20"], "7.20") and not counts_tolerant("1", ["7.20"], "7.2")
    assert counts_tolerant("1", ["a", "d"], "d、a。") and not counts_tolerant("1", ["a", "d"], "a")
    assert not counts_upstream("1", ["a", "d"], "a,a,d") and counts_tolerant("1", ["a", "d"], "a,a,d")


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_missing_predictions(tmp_path: Path) -> None:
    write(tmp_path / "data/2018/112-A.jsonl", {"problem_id": "112A1", "answer": ["a"], "points": "1"})
    with pytest.raises(InputError, match="no such file"):
        score_predictions(tmp_path / "data", tmp_path / "said", "x")
    write(tmp_path / "said/2018/112-A_x.jsonl", {"problem_id": "112A2", "prediction": "a"})
    with pytest.raises(InputError, match="no prediction for 112A1"):
        score_predictions(tmp_path / "data", tmp_path / "said", "x")
    write(tmp_path / "said/2018/112-A_x.jsonl", {"problem_id": "112A1", "prediction": 1})
    with pytest.raises(InputError, match="row 1"):
        score_predictions(tmp_path / "data", tmp_path / "said", "x")


def test_contraindicated_choices_of_a_subset(tmp_path: Path) -> None:
    rows = [{"problem_id": f"112B{number}", "answer": ["a"], "points": "3"} for number in (1, 2, 3)]
    write(tmp_path / "data/2018/112-B.jsonl", *rows)
    write(tmp_path / "data/2018/112-B_metadata.jsonl", {"problem_id": "112B1", "kinki": ["ｄe"]})
    answers = [("112B1", "d, b"), ("112B2", "a"), ("112B3", "d")]
    write(tmp_path / "said/2018/112-B_x.jsonl", *({"problem_id": name, "prediction": text} for name, text in answers))
    year = score_predictions(tmp_path / "data", tmp_path / "said", "x")["years"]["2018"]
    assert year["parts"] == {"B": {"points": 3, "total": 9, "right": 1, "n": 3}}
    assert year["passing"]["contraindicated"] == 1
    assert (year["passing"]["passed"], year["passing"]["complete"]) == (None, False)
