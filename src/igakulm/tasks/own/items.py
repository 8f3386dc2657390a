"""Own rows as items: the form in which every room of IgakuLM reads a task.

Does: word the question, letter the labels, make one yes-or-no task of each label where several may hold.
Does not: render prompts (tasks/prompts.py), or split.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from igakulm.files import sha256_json
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.own.rows import OwnRow

Kind = Literal["choice", "entities", "text"]
HOLDS, DOES_NOT = "当てはまる", "当てはまらない"
"""The options of a label that may hold beside others."""


def items_of(task_file: TaskFile, rows: Iterable[OwnRow]) -> dict[str, list[Item]]:
    """Items by task, in the order of the rows; of a classification with several labels, one task a label."""
    found: dict[str, list[Item]] = {name: [] for task in task_file.tasks for name in item_tasks(task)}
    for row in rows:
        for task in task_file.tasks:
            if task.name in row.answers:
                for item in _items(task, row):
                    found[item.task].append(item)
    return found


def item_tasks(task: OwnTaskSection) -> list[str]:
    """The names under which a task's items stand.

    >>> item_tasks(OwnTaskSection(name="a", kind="classify", column="c", labels=("x", "y"), multiple=True))
    ['a.1', 'a.2']
    """
    if task.kind == "classify" and task.multiple:
        return [f"{task.name}.{number}" for number in range(1, len(task.labels) + 1)]
    return [task.name]


def titles_of(task_file: TaskFile) -> dict[str, str]:
    """What the user calls the tasks of `items_of`."""
    found: dict[str, str] = {}
    for task in task_file.tasks:
        title = task.title or task.name
        names = item_tasks(task)
        labels = task.labels if len(names) > 1 else ("",)
        found |= {name: f"{title}・{label}" if label else title for name, label in zip(names, labels, strict=True)}
    return found


def asked(task: OwnTaskSection, label: str = "") -> str:
    """The words before the text."""
    if task.kind == "classify" and task.multiple:
        return f"次の記録に「{label}」は当てはまりますか。"
    return task.question


def written_question(task: OwnTaskSection, text: str, second: str = "") -> str:
    """The question of a task whose answer is a text: its own words, or the row's question, before the quoted text.

    >>> task = OwnTaskSection(name="a", kind="free-text", column="c", question="要約は。")
    >>> print(written_question(task, "熱がある。"))
    要約は。
    「熱がある。」
    """
    words = second if task.kind == "question-answer" else asked(task)
    return f"{words}\n「{text}」"


def _items(task: OwnTaskSection, row: OwnRow) -> list[Item]:
    answer = row.answers[task.name]
    quoted = f"「{row.text}」"

    def item(
        kind: Kind, question: str, choices: tuple[str, ...], gold: tuple[str, ...], name: str = "", tag: str = ""
    ) -> Item:
        # Two files may have rows of one number and no ids.
        identifier = f"{row.id[:100]}#{row.row}.{sha256_json(Path(row.file).name)[:6]}"
        of = name or task.name
        return Item(identifier, of, kind, question, choices, gold, row.text, tag=tag, patient=row.patient)

    if task.kind == "extract":
        return [item("entities", f"{asked(task)}\n{quoted}", (), answer, tag=task.item or task.name)]
    if task.kind == "classify" and task.multiple:
        return [
            item("choice", f"{asked(task, label)}\n{quoted}", (HOLDS, DOES_NOT), _yes(label in answer), name, label)
            for name, label in zip(item_tasks(task), task.labels, strict=True)
        ]
    second = row.seconds.get(task.name, "")
    if task.kind in ("classify", "compare"):
        letter = LETTERS[task.labels.index(answer[0])]
        if task.kind == "classify":
            return [item("choice", f"{asked(task)}\n{quoted}", task.labels, (letter,))]
        pair = item("choice", f"{asked(task)}\n文1: {row.text}\n文2: {second}", task.labels, (letter,))
        return [replace(pair, sentences=(row.text, second))]
    return [item("text", written_question(task, row.text, second), (), answer)]


def _yes(holds: bool) -> tuple[str]:
    return ("A" if holds else "B",)
