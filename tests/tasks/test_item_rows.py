from dataclasses import fields, replace
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import RowTask
from igakulm.tasks.item_rows import write_item_rows
from igakulm.tasks.items import Item
from igakulm.tasks.rows import read_rows
from igakulm.tasks.splits import document_disjoint, documents_of

ITEM = Item("1", "t", "choice", "どれか。\n「咳」", ("甲", "乙"), ("A",), "咳", patient="P1", labels=(("病棟", "東"),))


def test_items_come_back_the_same(tmp_path: Path) -> None:
    pair = replace(ITEM, id="2", sentences=("咳が出る", "咳がある"), ordered=True, also=(("B",),), points=0.5)
    write_item_rows(tmp_path / "a.jsonl", [ITEM, pair])
    assert read_rows(tmp_path / "a.jsonl", RowTask(name="t", kind="items")) == [ITEM, pair]
    assert {field.name for field in fields(Item)} >= {"patient", "labels"}


def test_a_wrong_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "kind": "chioce", "question": "q"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="row 1"):
        read_rows(tmp_path / "a.jsonl", RowTask(name="t", kind="items"))


def test_rows_of_one_patient_are_kept_apart_from_the_test() -> None:
    other = replace(ITEM, id="2", document="別の文")
    stranger = replace(other, id="3", patient="P2", document="三つ目の文")
    assert document_disjoint({"t": [other, stranger]}, {"t": [ITEM]}) == {"t": [stranger]}
    assert documents_of(ITEM) == {"咳", "patient P1"}
