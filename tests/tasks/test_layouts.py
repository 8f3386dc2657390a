"""Layouts of tasks: rows to layouts, layouts to the very messages of the rows, and tasks.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import Jmed, RowTask
from igakulm.tasks.benchmarks import jmed
from igakulm.tasks.find_layouts import items_of_prompts, layouts_of
from igakulm.tasks.items import Item
from igakulm.tasks.layouts import Task, default_tasks, exam_message, read_tasks, user_message, write_tasks
from igakulm.tasks.prompts import chat_prompt
from igakulm.tasks.rows import read_rows

KINDS = {"exam": "exam", "nursing": "entities", "posts": "classification", "similarity": "similarity"}


def sample_items(samples: Path, side: str = "train") -> dict[str, list[Item]]:
    found = {}
    for name, kind in KINDS.items():
        path = samples / "tasks" / f"{name}.{side}.jsonl"
        found[name] = read_rows(path, RowTask.model_validate({"name": name, "kind": kind, "test": str(path)}))
    return found


def messages(task: Task, item: Item) -> str:
    if task.kind == "exam":
        return exam_message(item.question, item.choices)
    return user_message(task, *(item.sentences or (item.document,)))


def share_that_fits(tasks: list[Task], name: str, items: list[Item]) -> float:
    own = [task for task in tasks if task.name.split(".")[0] == name]
    return sum(any(messages(task, item) == chat_prompt(item) for task in own) for item in items) / len(items)


def test_layouts_of_the_samples_give_back_every_message(samples: Path) -> None:
    train = sample_items(samples)
    tasks = layouts_of(train)
    kinds = {(task.name, task.kind) for task in tasks}
    assert {("exam", "exam"), ("nursing.d", "extract"), ("similarity", "compare")} <= kinds
    assert {task.kind_of_item for task in tasks if task.kind == "extract"} == {"finding", "medicine"}
    for name, items in (*train.items(), *sample_items(samples, "test").items()):
        assert share_that_fits(tasks, name, items) == 1, name
    documents = [item.document for item in train["nursing"] if item.tag == "d"]
    (finding,) = [task for task in tasks if task.name == "nursing.d"]
    assert finding.longest == max(map(len, documents)) and finding.title_ja == "症状・所見を取り出す（nursing.d）"
    titles = {task.name: (task.title_ja, task.title_en) for task in tasks}
    assert titles["exam"] == ("試験問題（exam）", "Examination question (exam)")
    posts = [task for task in tasks if task.name.startswith("posts")]
    assert posts and all(task.options[0][0] == "A" and len(task.options) == 2 for task in posts)


def test_layouts_of_jmed_give_back_99_percent_of_the_prompts(real_data: Path) -> None:
    config = Jmed(path=str(real_data / "jmed-llm"))
    train, test = jmed.load_train(config), jmed.load_test(config)
    tasks = layouts_of(train)
    for name in ("jmmlu_med", "rrtnm", "smdis", "mrner_disease", "mrner_medicine", "nrner"):
        assert share_that_fits(tasks, name, train[name]) == 1, name
    # 38 of 3,570 rows have a wide space before a sentence, which is no part of the sentence that is given.
    assert share_that_fits(tasks, "jcsts", train["jcsts"]) > 0.989
    # CRADE asks about one expression of its document: a text alone makes no question.
    assert not [task for task in tasks if task.name.startswith("crade")]
    for name in ("jmmlu_med", "rrtnm", "smdis", "jcsts", "mrner_disease", "nrner"):
        assert share_that_fits(tasks, name, test[name]) >= 0.99, name
    assert sum(task.name.startswith("smdis.") for task in tasks) == 8


def item(number: int, question: str, document: str, **more: Any) -> Item:
    return Item(str(number), "t", "entities", question, (), ("x",), document, **more)


def test_a_task_whose_question_changes_has_no_layout() -> None:
    rows = [item(n, f"「所見{n}」はありますか。\n「本文{n}です」", f"本文{n}です") for n in range(50)]
    assert layouts_of({"t": rows}) == []


def test_strays_do_not_make_a_task_and_do_not_hide_one() -> None:
    rows = [item(n, f"薬は？\n「本文{n}」", f"本文{n}", tag="m-key") for n in range(199)]
    rows.append(item(999, "別の問い\n「本文」", "本文"))
    (task,) = layouts_of({"t": rows})
    assert (task.name, task.prefix, task.kind_of_item) == ("t", "薬は？\n「", "medicine")


def test_layouts_of_one_tag_have_different_names() -> None:
    rows = [item(n, f"{kind}の所見は？\n「本文{n}」", f"本文{n}", tag="d") for n in range(9) for kind in "甲乙丙"]
    assert [task.name for task in layouts_of({"t": rows})] == ["t.d", "t.d-2", "t.d-3"]


def test_the_second_sentence_may_stand_in_the_first() -> None:
    rows = [
        Item(
            "1", "t", "choice", "似ているか\n文1: 熱が出た\n文2: 熱", ("同", "違"), ("A",), sentences=("熱が出た", "熱")
        )
    ]
    (task,) = layouts_of({"t": rows})
    assert user_message(task, "熱が出た", "熱") == chat_prompt(rows[0])


def test_rows_are_read_back_from_prompts(samples: Path) -> None:
    rows = []
    for name, items in sample_items(samples).items():
        for one in items:
            kept = {"task": name, "kind": one.kind, "tag": one.tag, "choices": len(one.choices)}
            rows.append({**kept, "prompt": chat_prompt(one), "exam": name == "exam", "truncated": False})
    read = layouts_of(items_of_prompts(rows))
    assert {task.name for task in read} == {task.name for task in layouts_of(sample_items(samples))}
    for name, items in sample_items(samples, "test").items():
        assert share_that_fits(read, name, items) == 1, name


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"prompt": 3, "kind": "choice", "choices": 2},
        {"prompt": "質問: 甲\n選択肢:\nA. 乙\n", "kind": "choice", "choices": 1, "task": "t"},
        {"prompt": "薬は？\n「本文」", "kind": "entities", "choices": 0, "task": "t", "truncated": True},
        {"prompt": "A. 甲", "kind": "choice", "choices": 3, "task": "t"},
        {"prompt": "いくつ", "kind": "number", "choices": 0, "task": "t"},
    ],
)
def test_prompts_of_another_form_give_no_items(row: dict[str, Any]) -> None:
    assert layouts_of(items_of_prompts([row])) == []


def test_tasks_are_read_as_they_were_written(tmp_path: Path) -> None:
    tasks = default_tasks()
    write_tasks(tmp_path / "tasks.json", tasks)
    assert read_tasks(tmp_path / "tasks.json") == tasks
    assert len({task.name for task in tasks}) == len(tasks)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "t"},
        [3],
        [{"name": "t"}],
        [{"name": "t", "kind": "eval"}],
        [{"name": "t", "kind": "exam", "prefix": 3}],
        [{"name": "t", "kind": "exam", "unknown": ""}],
        [{"name": "t", "kind": "exam", "options": [["A"]]}],
        [{"name": "t", "kind": "exam", "options": [["A", 3]]}],
        [{"name": "t", "kind": "exam", "longest": -1}],
        [{"name": "t", "kind": "exam"}, {"name": "t", "kind": "exam"}],
    ],
)
def test_a_malformed_list_of_tasks_is_refused(value: Any, tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(InputError, match="task"):
        read_tasks(tmp_path / "tasks.json")
