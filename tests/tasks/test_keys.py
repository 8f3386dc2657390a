"""Keys of the sections of benchmarks: each of them changes which items are read, or what they carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarkSet, BenchmarksSection, RowTask
from igakulm.tasks.load import load_test_items


def lines(path: Path, *rows: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def examinations(tmp_path: Path) -> str:
    """Two papers of 2018, one of 2019; the second question of each paper has an image."""
    for year, number, part in (("2018", 112, "A"), ("2018", 112, "B"), ("2019", 113, "A")):
        row = {"problem_text": "どれか。", "choices": ["ア", "イ", "ウ", "エ", "オ"], "answer": ["a"], "points": "1"}
        rows = [row | {"problem_id": f"{number}{part}{place}", "text_only": place == 1} for place in (1, 2)]
        lines(tmp_path / year / f"{number}-{part}.jsonl", *rows)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({}, ["112A1", "112B1", "113A1"]),
        ({"years": (2019,)}, ["113A1"]),
        ({"parts": ("B",)}, ["112B1"]),
        ({"text_only": False}, ["112A1", "112A2", "112B1", "112B2", "113A1", "113A2"]),
    ],
)
def test_which_questions_of_a_set_are_asked(examinations: str, value: dict[str, Any], read: list[str]) -> None:
    one = BenchmarkSet.model_validate({"name": "igakuqa", "path": examinations, **value})
    items = load_test_items(BenchmarksSection(sets=(one,)))["igakuqa"]
    assert [item.id for item in items] == read


def test_scores_are_given_apart_by_the_fields_that_a_task_names(tmp_path: Path) -> None:
    row = {"id": "1", "document": "咳と熱。", "choices": ["かぜ", "肺炎"], "answer": ["a"], "ward": "3A"}
    path = lines(tmp_path / "rows.jsonl", row)
    apart = RowTask(name="own", kind="classification", test=path, by=("ward",))
    assert load_test_items(BenchmarksSection(rows=(apart,)))["own"][0].labels == (("ward", "3A"),)
    with pytest.raises(InputError, match="ward"):
        load_test_items(BenchmarksSection(rows=(apart.model_copy(update={"by": ()}),)))
