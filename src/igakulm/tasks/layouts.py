"""Tasks that a model was tuned on, as layouts: how a text that a user gives becomes the message that the model knows.

Does: hold the layout of a task, render messages with it, read and write `tasks.json`, give plain tasks of our own
wording. Does not: find layouts in rows (find_layouts.py), ask a model (answering/), or tokenise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from igakulm.errors import InputError
from igakulm.files import read_json, write_json
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.prompts import chat_prompt
from igakulm.tasks.rows import ENTITY_QUESTIONS, SIMILARITY_CHOICES

TASKS_FILE = "tasks.json"
TaskKind = Literal["extract", "classify", "compare", "exam"]
KIND_TITLES: dict[TaskKind, tuple[str, str]] = {
    "extract": ("抽出", "Extract"),
    "classify": ("分類", "Classify"),
    "compare": ("二つの文の比較", "Compare two texts"),
    "exam": ("試験問題", "Examination question"),
}
"""Titles in Japanese and English; what a kind asks and answers stands in `answering/kinds/`."""
KINDS_OF_ITEM = {"d": "finding", "m-key": "medicine", "m-val": "dose"}
"""What an entity of a tag is called; other tags keep their name."""
EXTRACT_TITLES = {
    "finding": ("症状・所見を取り出す", "Extract findings"),
    "medicine": ("薬の名前を取り出す", "Extract medicines"),
    "dose": ("薬の量・用法を取り出す", "Extract doses"),
}
"""Titles in Japanese and English, by what the items are."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    The user message is `prefix` + text + `suffix`, for comparisons `prefix` + first + `between` + second + `suffix`,
    and one line for each option after it. An examination question has no layout: it is its own message.

    Attributes:
        name: unique within a bundle.
        kind: "extract" (a JSON list of strings), "classify", "compare" (two texts) or "exam".
        title_ja, title_en: for menus.
        prefix, between, suffix: text around what the user gives.
        options: (letter, label), in order; empty for "extract" and "exam".
        kind_of_item: what an extracted item is: "finding", "medicine", "dose" or the tag of the rows; else "".
        longest: for "extract": characters of the longest document in the rows, 0 = not known. A model answers badly to
            texts that are longer than all that it was tuned on: they are asked in pieces.
    """

    name: str
    kind: TaskKind
    title_ja: str
    title_en: str
    prefix: str = ""
    between: str = ""
    suffix: str = ""
    options: tuple[tuple[str, str], ...] = ()
    kind_of_item: str = ""
    longest: int = 0


def user_message(task: Task, text: str, second: str = "") -> str:
    """The message that the model was tuned on, for a text of the user.

    >>> print(user_message(Task("t", "classify", "", "", "どれか。\\n「", suffix="」", options=(("A", "咳"),)), "熱だ"))
    どれか。
    「熱だ」
    A. 咳
    """
    middle = task.between + second if task.kind == "compare" else ""
    return as_item(task, task.prefix + text + middle + task.suffix, tuple(label for _, label in task.options))


def exam_message(question: str, choices: Sequence[str]) -> str:
    """The message of an examination question.

    >>> print(exam_message("どれか。", ["甲", "乙"]))
    どれか。
    A. 甲
    B. 乙
    """
    return chat_prompt(Item("", "exam", "choice", question, tuple(choices), ()))


def as_item(task: Task, question: str, choices: tuple[str, ...]) -> str:
    """Rendered by the function that rendered the training rows: the two cannot drift apart."""
    return chat_prompt(Item("", task.name, "entities" if task.kind == "extract" else "choice", question, choices, ()))


def lettered(labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Labels with the letters that name them.

    >>> lettered(["甲", "乙"])
    (('A', '甲'), ('B', '乙'))
    """
    return tuple(zip(LETTERS, labels, strict=False))


def default_tasks() -> list[Task]:
    """Tasks in our own wording, for a model of which no tuning rows are known: it may answer them badly."""
    wanted = [(KINDS_OF_ITEM[tag], asked) for tag, asked in ENTITY_QUESTIONS.items()]
    tasks = [
        Task(what, "extract", *EXTRACT_TITLES[what], f"{asked}\n「", suffix="」", kind_of_item=what)
        for what, asked in wanted
    ]
    compare = Task(
        "similarity",
        "compare",
        "二つの文の意味を比べる",
        "Compare two sentences",
        "次の二つの文の意味はどれくらい似ていますか。\n文1: ",
        "\n文2: ",
        options=lettered(SIMILARITY_CHOICES),
    )
    return [*tasks, compare, Task("exam", "exam", "試験問題", "Examination question")]


def write_tasks(path: Path, tasks: Sequence[Task]) -> None:
    """Write `tasks.json`: a list of objects with the fields of `Task`."""
    write_json(path, [asdict(task) for task in tasks])


def read_tasks(path: Path) -> list[Task]:
    """Read `tasks.json`.

    Raises:
        InputError: a missing or malformed file, an unknown kind, two tasks of one name.
    """
    value = read_json(path)
    if not isinstance(value, list):
        raise InputError("this is no list of tasks", where=str(path))
    tasks = [_task(entry, f"{path}, task {number}") for number, entry in enumerate(value, 1)]
    names = [task.name for task in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two tasks are named {twice!r}", where=str(path))
    return tasks


def _task(entry: Any, where: str) -> Task:
    names = {field.name for field in fields(Task)}
    if not isinstance(entry, dict) or not {"name", "kind"} <= entry.keys() <= names:
        raise InputError(f"a task has the fields {', '.join(sorted(names))}", where=where)
    options = entry.get("options", [])
    texts = [value for name, value in entry.items() if name not in ("options", "longest")]
    pairs = isinstance(options, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in options)
    if not pairs or not all(isinstance(text, str) for text in (*texts, *(part for pair in options for part in pair))):
        raise InputError("the fields of a task are texts, its options pairs of texts", where=where)
    if type(entry.get("longest", 0)) is not int or entry.get("longest", 0) < 0:
        raise InputError("the length of a task's longest document is a whole number", where=where)
    if entry["kind"] not in get_args(TaskKind):
        raise InputError(f"there is no kind of task {entry['kind']!r}", where=where)
    values = {"title_ja": entry["name"], "title_en": entry["name"], **entry}
    return Task(**{**values, "options": tuple((letter, label) for letter, label in options)})
