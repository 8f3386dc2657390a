"""Tasks that a model was tuned on, as layouts: how a text that a user gives becomes the message that the model knows.

Does: hold the layout of a task, render messages with it, read and write `tasks.json`, give plain tasks of our own
wording. Does not: find layouts in rows (find_layouts.py), ask a model (answering/), or tokenise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from igakulm.errors import InputError
from igakulm.files import read_json, write_json
from igakulm.stored import parse
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.kinds.extract import EXTRACT_TITLES, KINDS_OF_ITEM
from igakulm.tasks.kinds.registry import kinds
from igakulm.tasks.prompts import chat_prompt
from igakulm.tasks.rows import ENTITY_QUESTIONS, SIMILARITY_CHOICES

TASKS_FILE = "tasks.json"


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    The user message is `prefix` + text + `suffix`, for comparisons `prefix` + first + `between` + second + `suffix`,
    and one line for each option after it. An examination question has no layout: it is its own message.

    Attributes:
        name: unique within a bundle.
        kind: a name of `tasks/kinds/`.
        title_ja, title_en: for menus.
        prefix, between, suffix: text around what the user gives.
        options: (letter, label), in order; empty for "extract" and "exam".
        kind_of_item: what an extracted item is: "finding", "medicine", "dose" or the tag of the rows; else "".
        longest: for "extract": characters of the longest document in the rows, 0 = not known. A model answers badly to
            texts that are longer than all that it was tuned on: they are asked in pieces.
    """

    name: str
    kind: str
    title_ja: str = ""
    title_en: str = ""
    prefix: str = ""
    between: str = ""
    suffix: str = ""
    options: tuple[tuple[str, str], ...] = ()
    kind_of_item: str = ""
    longest: Annotated[int, Field(ge=0)] = 0
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


def user_message(task: Task, text: str, second: str = "") -> str:
    """The message that the model was tuned on, for a text of the user.

    >>> print(user_message(Task("t", "classify", "", "", "どれか。\\n「", suffix="」", options=(("A", "咳"),)), "熱だ"))
    どれか。
    「熱だ」
    A. 咳
    """
    labels = tuple(label for _, label in task.options)
    return as_item(task, task.prefix + text + task.between + second + task.suffix, labels)


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
    return chat_prompt(Item("", task.name, kinds()[task.kind].ITEM, question, choices, ()))


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
    tasks = [
        replace(task, title_ja=task.title_ja or task.name, title_en=task.title_en or task.name)
        for task in parse(read_json(path), TypeAdapter(list[Task]), str(path))
    ]
    odd = next((task for task in tasks if task.kind not in kinds()), None)
    if odd is not None:
        raise InputError(f"there is no kind of task {odd.kind!r}", where=f"{path}, task {odd.name!r}")
    names = [task.name for task in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two tasks are named {twice!r}", where=str(path))
    return tasks
