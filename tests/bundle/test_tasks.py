"""Which tasks a bundle carries: those of the tuning rows, or of an evaluation's prompts."""

from pathlib import Path

from igakulm.answering.reading import Prediction
from igakulm.bundle.tasks import tasks_of
from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.item_files import Answered, file_name, write_items
from igakulm.tasks.items import Item
from igakulm.tasks.layouts import TASKS_FILE, Task, write_tasks
from igakulm.tasks.of_model import find_tasks
from igakulm.tasks.prompts import base_prompt, chat_prompt

OWN = [Task("own", "extract", "薬", "Medicines", "薬は？\n「", suffix="」", kind_of_item="medicine")]
ITEMS = [Item(str(n), "notes", "entities", f"所見は？\n「本文{n}」", (), ("x",), f"本文{n}", "d") for n in range(3)]


def evaluation(folder: Path, model: str, prompts: list[str]) -> None:
    parsed: list[Prediction] = [None] * len(prompts)
    replies = [Reply(prompt, False, "", "generate", None, None) for prompt in prompts]
    answered = Answered(model, "model", "generate", "chat", parsed, parsed, replies)
    write_items(folder / file_name(model, "notes", "published", "generate"), ITEMS, answered, ())


def test_tasks_of_the_tuning_come_first(tmp_path: Path) -> None:
    write_tasks(tmp_path / "finetune" / TASKS_FILE, OWN)
    (tmp_path / "finetune" / "model").mkdir()
    assert tasks_of(tmp_path / "finetune") == OWN
    assert tasks_of(tmp_path / "finetune" / "model", tmp_path / "nowhere") == OWN


def test_else_those_of_the_prompts_that_an_evaluation_kept(tmp_path: Path) -> None:
    evaluation(tmp_path, "base", [base_prompt(item) for item in ITEMS])
    assert tasks_of(None, tmp_path) == []
    evaluation(tmp_path, "tuned", [chat_prompt(item) for item in ITEMS])
    (task,) = tasks_of(tmp_path / "nowhere", tmp_path)
    assert (task.name, task.prefix, task.suffix, task.kind_of_item) == ("notes", "所見は？\n「", "」", "finding")


def test_else_none(tmp_path: Path) -> None:
    (tmp_path / "items" / "tuned").mkdir(parents=True)
    (tmp_path / "items" / "tuned" / "notes.jsonl").write_text("no JSON\n", encoding="utf-8")
    assert tasks_of(None) == tasks_of(tmp_path, tmp_path) == []
    write_tasks(tmp_path / TASKS_FILE, [])
    assert tasks_of(tmp_path) == []
    write_tasks(tmp_path / TASKS_FILE, OWN)
    assert tasks_of(tmp_path) == find_tasks([tmp_path / "nowhere", tmp_path]) == OWN
    assert find_tasks([tmp_path / "nowhere"]) == []
