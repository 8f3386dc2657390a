"""Task files for lm-evaluation-harness: what they hold, what is left out, and what its scorer computes."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from igakulm.errors import InputError
from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.item_files import Answered, file_name, write_items
from igakulm.evaluation.lm_eval import Exported, write_lm_eval
from igakulm.files import read_jsonl, write_json
from igakulm.tasks.items import Item

EXAM = [
    Item("1", "exam", "choice", "どれか。", ("甲", "乙", "丙"), ("B",), document="どれか。"),
    Item("2", "exam", "choice", "二つ選べ。", ("甲", "乙", "丙"), ("A", "C"), document="二つ選べ。", wanted=2),
    Item("3", "exam", "choice", "どちらでもよい。", ("甲", "乙"), ("A",), document="どちら。", also=(("B",),)),
    Item("4", "exam", "choice", "長い。", ("甲", "乙"), ("A",), document="長い。"),
    Item("5", "exam", "number", "いくつか。", (), ("12",), document="いくつか。"),
]
NAMES = [Item("6", "names", "entities", "所見は。\n「咳と熱」", (), ("咳", "熱"), document="咳と熱")]


def reply(item: Item, parsed: tuple[str, ...] | None, mode: str, **more: Any) -> Reply:
    return Reply(f"<{item.question}>", False, "", mode, parsed, parsed, **more)


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """Two tasks of one model: choices by their letters in the published layout, and lists."""
    said: list[tuple[str, ...] | None] = [("B",), ("A", "B"), ("B",), None, ("12",)]
    modes = ["options-letter"] * 4 + ["generate"]
    replies = [reply(*three) for three in zip(EXAM, said, modes, strict=True)]
    replies[3] = reply(EXAM[3], None, modes[3], failure="does not fit", asked=False)
    rows, files = [], []
    for task, items, mode, parsed, given in (
        ("exam", EXAM, "options-letter", said, replies),
        ("names", NAMES, "generate", [("咳",)], [reply(NAMES[0], ("咳",), "generate")]),
    ):
        where = {"model": "m", "task": task, "split": "test", "answer_mode": mode}
        name = file_name("m", task, "test", mode)
        write_items(
            tmp_path / "run" / name, items, Answered("m", "model", mode, "published", parsed, parsed, given), ()
        )
        files.append({**where, "file": name})
        rows.append({**where, "metric": "accuracy", "value": 0.5, "prompt_style": "published", "role": "model"})
    write_json(tmp_path / "run" / "scoreboard.json", {"format": 2, "rows": rows, "items": files})
    return tmp_path / "run"


def test_prompts_and_right_answers_as_the_harness_reads_them(evaluation: Path, tmp_path: Path) -> None:
    exported = write_lm_eval(evaluation, tmp_path / "out")
    assert exported == [
        Exported("igakulm_exam", 3, 2, "acc", 2 / 3),
        Exported("igakulm_names", 1, 0, "exact_f1_micro", 2 / 3),
    ]
    one, two, three = read_jsonl(tmp_path / "out" / "igakulm_exam.jsonl")
    assert (one["prompt"], one["choices"], one["gold"]) == ("<どれか。>", ["a", "b", "c"], 1)
    assert (two["choices"], two["gold"]) == (["a,b", "a,c", "b,c"], 1)
    assert three["gold"] == [0, 1], "each of the accepted answers counts"
    task = yaml.safe_load((tmp_path / "out" / "igakulm_exam.yaml").read_text(encoding="utf-8"))
    assert (task["task"], task["output_type"], task["target_delimiter"]) == ("igakulm_exam", "multiple_choice", "")
    assert task["dataset_kwargs"] == {"data_files": {"test": "igakulm_exam.jsonl"}}
    lists = (tmp_path / "out" / "igakulm_names.yaml").read_text(encoding="utf-8")
    assert "process_results: !function entities.process_results" in lists and "!function entities.micro" in lists
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "--tasks igakulm_exam,igakulm_names" in readme and "| igakulm_exam | 3 | 2 | acc 0.6667 |" in readme


def test_the_scorer_counts_exact_matches(evaluation: Path, tmp_path: Path) -> None:
    write_lm_eval(evaluation, tmp_path / "out")
    scorer = runpy.run_path(str(tmp_path / "out" / "entities.py"))
    doc = {"target": '["咳", "熱"]'}
    counts = [
        scorer["process_results"](doc, [said])["exact_f1_micro"] for said in ('答え ["咳", "痰"]', '["咳"', "なし")
    ]
    assert counts == [(1, 2, 2), (0, 0, 2), (0, 0, 2)]
    assert scorer["micro"](counts) == 2 / 8 and scorer["micro"]([(0, 0, 0)]) == 0.0


def test_what_cannot_be_exported_is_said(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'm'"):
        write_lm_eval(evaluation, tmp_path / "out", "mm")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(InputError, match="something else"):
        write_lm_eval(evaluation, tmp_path / "full")
    with pytest.raises(InputError, match="scoreboard"):
        write_lm_eval(tmp_path, tmp_path / "out")
