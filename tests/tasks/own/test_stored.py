"""Own rows lose their personal data before they are stored, by the switch of task.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.personal_data import Deidentification
from igakulm.recipe.task_file import TaskFile, load_task_file
from igakulm.tasks.own.rows import OwnRow
from igakulm.tasks.own.splits import Sides
from igakulm.tasks.own.stored import store_sides, without_personal_data
from igakulm.text.personal.replacing import Deidentifier

TASK_FILE = """
name: notes
data: [a.csv]
columns: {text: 記録}
tasks:
  - {name: label, kind: classify, column: 転倒, labels: [なし, あり]}
  - {name: items, kind: extract, column: 症状, separator: 、}
personal_data: VALUE
"""
TEXT = "氏名：佐藤花子様。佐藤様は昨夜トイレで転倒、頭痛あり。電話03-5555-0123"


def row(**changes: object) -> OwnRow:
    values: dict[str, object] = {"answers": {"label": ("あり",), "items": ("頭痛", "佐藤様")}, **changes}
    return OwnRow("a.xlsx", 2, "1", "p1", "2024-01-05", TEXT, **values)  # type: ignore[arg-type]


def task_file(folder: Path, value: str) -> TaskFile:
    (folder / "task.yaml").write_text(TASK_FILE.replace("VALUE", value), encoding="utf-8")
    return load_task_file(folder / "task.yaml")


def test_all_texts_of_a_row_are_looked_at_together() -> None:
    one = row(seconds={"asked": "佐藤はなぜ転倒したか"}, answers={"label": ("あり",), "free": ("佐藤が転倒した",)})
    clean = without_personal_data(one, Deidentifier(Deidentification()), frozenset({"free"}))
    assert "佐藤" not in f"{clean.text}{clean.seconds}{clean.answers}" and clean.answers["label"] == ("あり",)
    assert clean.answers["free"] == ("[氏名]が転倒した",)


def test_strings_of_the_text_move_with_it() -> None:
    clean = without_personal_data(row(), Deidentifier(Deidentification()))
    assert clean.answers["items"] == ("頭痛", "[氏名]様")
    assert all(part in clean.text for part in clean.answers["items"])


@pytest.mark.parametrize(("value", "stays"), [("replace", False), ("kept", True)])
def test_the_switch_of_the_task_file(tmp_path: Path, value: str, stays: bool) -> None:
    stored = store_sides(task_file(tmp_path, value), Sides(train=(row(),), validation=(), test=()), tmp_path)
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.train.jsonl"))
    assert "頭痛" in written and ("佐藤" in written) == ("03-5555-0123" in written) == stays
    done = stored["personal_data"]
    assert done is None if stays else (done is not None and done["replaced"] == {"name": 2, "telephone": 1})


def test_shifted_dates_need_a_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="key file"):
        store_sides(task_file(tmp_path, "{dates: shift}"), Sides((row(),), (), ()), tmp_path)
