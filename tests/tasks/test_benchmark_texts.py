"""Prompts, lists of strings, splits by document, and loading of all benchmarks together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarksSection, Igakuqa, Jmed, RowTask
from igakulm.tasks.items import Item
from igakulm.tasks.load import load_split, load_test_items
from igakulm.tasks.prompts import base_prompt, chat_answer, chat_prompt, prompt_sha256
from igakulm.tasks.splits import document_disjoint, leakage, shared_items
from igakulm.tasks.wording import Wording, conversation
from igakulm.text.literals import string_list

CHOICE = Item("1", "t", "choice", "どれか。", ("甲", "乙", "丙"), ("A", "C"), wanted=2)
ENTITIES = Item("2", "t", "entities", "所見は？\n「咳」", (), ("咳", '"熱"'))


def test_chat_form() -> None:
    assert chat_prompt(CHOICE) == "どれか。\nA. 甲\nB. 乙\nC. 丙"
    assert chat_answer(CHOICE) == "A,C"
    assert base_prompt(CHOICE).endswith("C. 丙\n答え：")
    assert chat_prompt(ENTITIES) == ENTITIES.question
    assert json.loads(chat_answer(ENTITIES)) == ["咳", '"熱"']
    assert chat_answer(replace(ENTITIES, answer=())) == "[]"
    assert chat_answer(Item("3", "t", "number", "何か。", (), ("720",))) == "720"


def test_examples_are_left_out_only_when_every_option_has_one() -> None:
    long = replace(CHOICE, choices=("甲\n例1", "乙\n例2", "丙\n例3"))
    assert chat_prompt(long) == chat_prompt(CHOICE)
    mixed = replace(CHOICE, choices=("甲", "乙\n- 条件", "丙"))
    assert "- 条件" in chat_prompt(mixed)
    assert "例3" in conversation(long, Wording())[1]["content"]


def test_prompt_hash_depends_on_order_and_borders() -> None:
    assert prompt_sha256(["a", "b"]) != prompt_sha256(["b", "a"])
    assert prompt_sha256(["\ud800"]) != prompt_sha256([])


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ("['a', \"b\"]", ("a", "b")),
        ('["\\u54b3"]', ("咳",)),
        ("[1, 2.5]", ("1", "2.5")),
        ("[]", ()),
        ("('a',)", None),
        ("[['a']]", None),
        ("[True]", None),
        ("[None]", None),
        ("{'a': 1}", None),
        ("__import__('os').system('true')", None),
        ("[__import__('os').getcwd()]", None),
        ("['a'] * 1000000000", None),
        ("[" * 10_000, None),
        ("-" * 10_000 + "1", None),
        ("['" + "a" * 100_000 + "']", None),
        ("[" + "1," * 5_000 + "]", None),
        ("['a\x00']", None),
    ],
)
def test_lists_are_read_with_limits(text: str, strings: tuple[str, ...] | None) -> None:
    assert string_list(text) == strings


def item(identifier: str, document: str, **fields: Any) -> Item:
    return Item(identifier, "t", "choice", "q", ("a", "b"), ("A",), document=document, **fields)


def test_split_looks_across_tasks_and_past_width_and_punctuation() -> None:
    test = {"x": [item("t1", "体温３８℃、発熱。")], "y": [item("t2", "", sentences=("甲。", "乙。"))]}
    train = {
        "x": [item("r1", "別の文書")],
        "y": [item("r2", "", sentences=("丙。", "乙")), item("r3", "", sentences=("丙。", "丁。"))],
        "z": [item("r4", "体温38°C 発熱"), item("r5", "")],
    }
    kept = {task: [row.id for row in rows] for task, rows in document_disjoint(train, test).items()}
    assert kept == {"x": ["r1"], "y": ["r3"], "z": ["r5"]}
    assert shared_items(train, test)["y"] == ["t2"]
    table = {row["task"]: row for row in leakage(train, test)}
    assert (table["y"]["test_shared"], table["y"]["train_shared"], table["y"]["train"]) == (1, 1, 2)


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_loading(tmp_path: Path) -> None:
    row = {"id": "1", "question": "問1", "choices": ["甲", "乙"], "answer": ["a"]}
    task = RowTask(
        name="own",
        kind="exam",
        test=write(tmp_path / "test.jsonl", row),
        train=write(tmp_path / "train.jsonl", row, row | {"id": "2", "question": "問2"}),
    )
    config = BenchmarksSection(rows=(task, RowTask(name="bare", kind="exam", test=task.test)))
    assert list(load_test_items(config)) == ["own", "bare"]
    assert [item.id for item in load_split(config, "published").train["own"]] == ["1", "2"]
    assert [item.id for item in load_split(config, "document-disjoint").train["own"]] == ["2"]
    assert load_test_items(BenchmarksSection()) == {}
    with pytest.raises(InputError, match="cannot be named"):
        load_test_items(BenchmarksSection(rows=(task.model_copy(update={"name": "../own"}),)))
    with pytest.raises(InputError, match="two tasks"):
        load_test_items(BenchmarksSection(rows=(task, task)))
    with pytest.raises(InputError, match="unknown split"):
        load_split(config, "random")


def test_real_leakage(real_data: Path) -> None:
    config = BenchmarksSection(
        jmed=Jmed(path=str(real_data / "jmed-llm")), igakuqa=Igakuqa(path=str(real_data / "igakuqa/data"))
    )
    test, train = load_test_items(config), load_split(config, "published").train
    own = {name: leakage({name: train[name]}, {name: test[name]})[0]["train_shared"] for name in train if name in test}
    assert (own["crade"], own["rrtnm"], own["smdis"], own["nrner"]) == (605, 128, 692, 91)
    assert (own["mrner_medicine"], own["jcsts"]) == (8, 367)
    assert len(shared_items({"crade": train["crade"]}, {"d": test["mrner_disease"]})["d"]) == 50
    disjoint = document_disjoint(train, test)
    assert all(row["train_shared"] == 0 for row in leakage(disjoint, test))
    assert len(disjoint["smdis"]) == 15260 - 692
