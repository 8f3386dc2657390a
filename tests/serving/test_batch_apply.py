"""Own tasks on new rows: nothing of a row is lost, and a batch that was stopped gives the same bytes."""

import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed, Step
from igakulm.inference.model import Model
from igakulm.progress import SilentProgress
from igakulm.recipe.task_file import ColumnsSection, OwnTaskSection, TaskFile
from igakulm.serving.batch_apply import NOTE, apply_tasks
from igakulm.serving.batch_baseline import apply_baseline
from igakulm.serving.own_answers import CUT
from igakulm.serving.result_tables import write_results
from igakulm.tasks.find_layouts import layouts_of
from igakulm.tasks.item_rows import write_item_rows
from igakulm.tasks.own.items import items_of
from igakulm.tasks.own.rows import OwnRow
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
TASKS = (
    OwnTaskSection(
        name="fall", kind="classify", column="転倒", title="転倒", question="転倒は。", labels=("あり", "なし")
    ),
    OwnTaskSection(name="signs", kind="extract", column="症状", title="症状", question="症状は。", item="症状"),
    OwnTaskSection(name="note", kind="free-text", column="要約", title="要約", question="要約は。"),
)
TASK_FILE = TaskFile(name="n", data=("d",), columns=ColumnsSection(text="本文"), tasks=TASKS)
ANSWERS = {"fall": ("なし",), "signs": ("咳",), "note": ("咳",)}
TUNED = tuple(task for task in layouts_of(items_of(TASK_FILE, [OwnRow("f", 1, "1", "", "", "咳がある。", ANSWERS)])))
ROWS = ["番号,本文", "1,発熱と咳。", "2,", "3,＝発熱"]


class Failing(ScriptedEngine):
    """Dies under every question from a certain one on."""

    def __init__(self, answer: str, after: int) -> None:
        super().__init__(TINY, answer)
        self.after = after

    def stream(self, prompt: Sequence[int], *given: Any, **named: Any) -> Iterator[Step]:
        self.after -= 1
        if self.after < 0:
            raise EngineFailed("gone")
        return super().stream(prompt, *given, **named)


def model(engine: ScriptedEngine) -> Model:
    return Model(engine, TINY, "tiny", "scripted", None, tasks=TUNED)


def source(folder: Path, rows: Sequence[str] = ROWS) -> Path:
    path = folder / "new.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_own_columns_stay_and_the_answers_stand_beside_them(tmp_path: Path) -> None:
    out = tmp_path / "result.jsonl"
    done = apply_tasks(TASK_FILE, model(ScriptedEngine(TINY, '["発熱"]')), source(tmp_path), out, SilentProgress())
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert done["rows"] == 3 and [row["番号"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["症状（モデル）"] == "発熱" and json.loads(rows[0]["症状（位置）"]) == [[0, 2, "発熱"]]
    tokens = len(TINY.encode('["発熱"]'))  # each has a log-probability of -0.5
    assert rows[0]["症状（確率）"] == f"{math.exp(-0.5 * tokens):.3f}"
    assert rows[0]["転倒（モデル）"] in ("あり", "なし") and 0.5 <= float(rows[0]["転倒（確率）"]) <= 1
    assert rows[0]["要約（モデル）"] == '["発熱"]'
    assert rows[1] == {**rows[1], "転倒（モデル）": "", "症状（モデル）": "", NOTE: "本文がありません"}
    assert not out.with_name("result.jsonl.journal").exists()


def test_a_batch_that_was_stopped_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    given = source(tmp_path, ["本文", *(f"{number}日目の発熱。" for number in range(8))])
    whole, parts = tmp_path / "whole.xlsx", tmp_path / "parts.xlsx"
    apply_tasks(TASK_FILE, model(ScriptedEngine(TINY, '["発熱"]')), given, whole, SilentProgress())
    with pytest.raises(InputError, match="in a row failed"):
        apply_tasks(TASK_FILE, model(Failing('["発熱"]', 5)), given, parts, SilentProgress())
    assert not parts.exists() and parts.with_name("parts.xlsx.journal").exists()
    done = apply_tasks(TASK_FILE, model(ScriptedEngine(TINY, '["発熱"]')), given, parts, SilentProgress())
    assert done["resumed"] > 0 and parts.read_bytes() == whole.read_bytes()


def test_a_cut_answer_is_told(tmp_path: Path) -> None:
    out = tmp_path / "result.jsonl"
    apply_tasks(TASK_FILE, model(ScriptedEngine(TINY, "あ" * 4000)), source(tmp_path), out, SilentProgress())
    row = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert f"要約：{CUT}" in row[NOTE]


def test_what_does_not_fit_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    engine = ScriptedEngine(TINY, "[]")
    given, out = source(tmp_path), tmp_path / "r.csv"
    for other, what in (
        (Model(engine, TINY, "tiny", "scripted", None), "was not tuned on the task 'fall'"),
        (model(engine), "there is no column '本文'"),
    ):
        if "column" in what:
            given.write_text("番号,文\n1,咳\n", encoding="utf-8")
        with pytest.raises(InputError, match=what):
            apply_tasks(TASK_FILE, other, given, out, SilentProgress())
    with pytest.raises(InputError, match="not written in this form"):
        apply_tasks(TASK_FILE, model(engine), given, tmp_path / "r.pdf", SilentProgress())
    assert not engine.prompts and not out.exists()


def test_a_workbook_holds_texts_and_no_clock(tmp_path: Path) -> None:
    rows = [{"a": "=1+1", "b": "咳\n熱"}, {"a": "x\x00", "b": ""}]
    write_results(tmp_path / "r.xlsx", ["a", "b"], rows)
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx").active
    assert sheet is not None
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["a", "b"],
        ["=1+1", "咳\n熱"],
        ["x\ufffd", None],
    ]
    assert sheet["A2"].data_type != "f"
    with zipfile.ZipFile(tmp_path / "r.xlsx") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    with pytest.raises(InputError, match="longer than a workbook holds"):
        write_results(tmp_path / "s.xlsx", ["a"], [{"a": "あ" * 40_000}])
    assert not (tmp_path / "s.xlsx").exists()
    write_results(tmp_path / "r.csv", ["a", "b"], rows)
    assert (tmp_path / "r.csv").read_text(encoding="utf-8-sig").splitlines()[1] == "'=1+1,\"咳"


def test_a_baseline_answers_from_the_stored_rows(tmp_path: Path) -> None:
    """What `task train` offers where a method without a language model wins."""
    texts = {"あり": "床に転んでいた。発熱。", "なし": "廊下を歩いた。頭痛。"}
    rows = [
        OwnRow(
            "f",
            2 * n + (label == "あり"),
            str(n),
            "",
            "",
            f"{n}時、{text}",
            {"fall": (label,), "signs": (text[-3:-1],), "note": ("x",)},
        )
        for n in range(8)
        for label, text in texts.items()
    ]
    for name, items in items_of(TASK_FILE, rows).items():
        write_item_rows(tmp_path / f"{name}.train.jsonl", items)
    given = source(tmp_path, ["番号,本文", "1,9時、床に転んでいた。頭痛。", "2,", "3,9時、廊下を歩いた。発熱。"])
    for name, column, wanted in (
        ("ngram", "転倒（ngram）", ["あり", "", "なし"]),
        ("dictionary", "症状（dictionary）", ["頭痛", "", "発熱"]),
    ):
        done = apply_baseline(TASK_FILE, name, tmp_path, given, tmp_path / "r.jsonl")
        found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
        assert done == {"rows": 3, "tasks": 1} and [row[column] for row in found] == wanted
        assert [row["番号"] for row in found] == ["1", "2", "3"]
    with pytest.raises(InputError, match="no stored tuning rows"):
        apply_baseline(TASK_FILE, "ngram", tmp_path / "nowhere", given, tmp_path / "s.jsonl")
