import json
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.task_file import load_task_file
from igakulm.tasks.own.check import check_rows
from igakulm.tasks.own.initial import Named, render_task_file, settled, task_file_of
from igakulm.tasks.own.read import read_table
from igakulm.tasks.own.rows import read_own_rows
from messy_workbook import write_messy_workbook


def begun(folder: Path, data: Path, named: Named | None = None) -> Path:
    table = read_table(data)
    out = folder / "task.yaml"
    out.write_text(render_task_file(task_file_of(data, out, table, settled(table, named or Named()))), encoding="utf-8")
    return out


def test_columns_are_guessed_and_the_written_file_says_the_same(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    roles = {guess.column: guess.role for guess in settled(table, Named())}
    assert roles == {
        "患者/ID": "patient", "患者/年齢": "none", "日付": "date", "本文": "text", "転倒": "label",
        "症状": "entities", "備考": "none",
    }  # fmt: skip
    loaded = load_task_file(begun(tmp_path, tmp_path / "a.xlsx"))
    assert [(task.kind, task.column, task.separator) for task in loaded.tasks] == [
        ("classify", "転倒", None),
        ("extract", "症状", "、"),
    ]
    assert loaded.tasks[0].labels == ("なし", "あり") and loaded.split.by == "patient"
    assert all("#" in line for line in (tmp_path / "task.yaml").read_text(encoding="utf-8").splitlines()[:4])


def test_named_columns_win(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "a.xlsx")
    loaded = load_task_file(begun(tmp_path, tmp_path / "a.xlsx", Named(labels=("転倒",), id="日付")))
    assert [task.column for task in loaded.tasks] == ["転倒"] and loaded.columns.id == "日付"
    with pytest.raises(InputError, match="did you mean '転倒'"):
        begun(tmp_path, tmp_path / "a.xlsx", Named(labels=("転倒の",)))


def test_every_row_that_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "a.xlsx")
    found = check_rows(load_task_file(begun(tmp_path, tmp_path / "a.xlsx")))
    assert (found["rows"], found["usable"], found["patients"]) == (66, 63, 23)
    reasons = {(one["row"], one["task"]): one["reason"] for one in found["left_out"]}
    assert reasons == {
        (65, ""): "the formula in D65 was never calculated",
        (66, "items"): "'頭痛' does not stand in the text",
        (67, ""): "no patient, so that it could stand on two sides of the split",
        (68, "label"): "the same text has another answer in row 69",
        (69, "label"): "the same text has another answer in row 68",
        (69, "items"): "a duplicate of row 68",
    }
    assert found["classes"]["label"] == {"なし": 42, "あり": 20}
    assert json.loads(json.dumps(found)) == found


def test_nothing_is_lost(tmp_path: Path) -> None:
    """Every row is usable for a task, or listed for it."""
    write_messy_workbook(tmp_path / "a.xlsx")
    task_file = load_task_file(begun(tmp_path, tmp_path / "a.xlsx"))
    read = read_own_rows(task_file)
    for task in task_file.tasks:
        used = {row.row for row in read.rows if task.name in row.answers}
        listed = {one.row for one in read.left_out if one.task in ("", task.name)}
        assert not used & listed and len(used | listed) == read.count


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (["本文が長い記録その{n},肺炎"] * 6 + ["別の記録,喘息"], "occurs 1 times"),
        (["This is an English record number {n},A"] * 4 + ["Another English record {n},B"] * 4, "hardly Japanese"),
    ],
)
def test_warnings(tmp_path: Path, lines: list[str], warning: str) -> None:
    text = "\n".join(line.format(n=number) for number, line in enumerate(["記録本文,診断", *lines]))
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    path = begun(tmp_path, tmp_path / "a.csv", Named(labels=("診断",)))
    assert any(warning in line for line in check_rows(load_task_file(path))["warnings"])


def test_one_class_only_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "記録本文,診断\n咳が続く患者の記録,肺炎\n熱が出た患者の記録,肺炎\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="one label only"):
        begun(tmp_path, tmp_path / "a.csv", Named(labels=("診断",)))


def test_an_unknown_key_has_a_suggestion(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "a.xlsx")
    path = begun(tmp_path, tmp_path / "a.xlsx")
    path.write_text(path.read_text(encoding="utf-8").replace("  separator:", "  seperator:"), encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'separator'"):
        load_task_file(path)


def test_a_label_that_the_file_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("記録本文,診断\n咳が続く記録,肺炎\n熱が出た記録,喘息\n", encoding="utf-8")
    path = begun(tmp_path, tmp_path / "a.csv", Named(labels=("診断",)))
    (tmp_path / "a.csv").write_text(
        "記録本文,診断\n咳が続く記録,肺炎\n熱が出た記録,喘息 \n痛む記録,肺炎症\n", encoding="utf-8"
    )
    found = check_rows(load_task_file(path))
    assert [(one["row"], one["reason"]) for one in found["left_out"]] == [
        (4, "the label '肺炎症' is unknown; did you mean '肺炎'?")
    ]
