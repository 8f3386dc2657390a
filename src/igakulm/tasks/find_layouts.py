"""The layouts of tasks, found in their rows: what stands around the document in every row is what the model knows.

Does: group rows by the text around their document, keep the layouts that fit nearly all rows of a task; read rows back
from prompts that an evaluation kept. Does not: hold any benchmark's wording, or write files.

A task whose question names something of its row (CRADE asks about one expression) has no layout and is left out: a text
alone does not make its question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.kinds.kind import Layout
from igakulm.tasks.kinds.registry import kinds
from igakulm.tasks.layouts import Task, lettered
from igakulm.tasks.prompts import BASE_SUFFIX, short_choices

LEAST_SHARE = 0.01
"""A layout of fewer rows of its task is a stray."""
COVERED = 0.9
"""The kept layouts must fit so many rows; else the question differs from row to row."""
MOST_LAYOUTS = 32
LONGEST_TITLE = 60
_OPTION = re.compile(r"([A-Z])\. (.*)", re.DOTALL)
_SENTENCE = re.compile(r"[^:：\n]{1,8}[:：] ?(.+)")


def layouts_of(items: Mapping[str, Sequence[Item]], titles: Mapping[str, str] | None = None) -> list[Task]:
    """One task for each layout that the rows of a task have, in the order of the tasks and of first rows.

    Args:
        items: rows by task.
        titles: what the user calls a task; else the words of its question, or a title of its kind.

    >>> item = Item("1", "posts", "choice", "咳ですか。\\n「朝から咳」", ("はい", "いいえ"), ("A",), "朝から咳")
    >>> [(task.name, task.prefix, task.suffix) for task in layouts_of({"posts": [item]})]
    [('posts', '咳ですか。\\n「', '」')]
    """
    tasks: list[Task] = []
    for name, rows in items.items():
        tasks += _named(name, _layouts(rows), (titles or {}).get(name, ""))
    return tasks


def _layouts(rows: Sequence[Item]) -> dict[Layout, int]:
    """Layouts that fit nearly all rows, with the length of the longest document that each has."""
    documents: dict[Layout, list[int]] = {}
    for item in rows:
        if layout := _layout(item):
            documents.setdefault(layout, []).append(len(item.document))
    least = max(1, len(rows) * LEAST_SHARE)
    kept = {layout: lengths for layout, lengths in documents.items() if len(lengths) >= least}
    if sum(map(len, kept.values())) < COVERED * len(rows) or len(kept) > MOST_LAYOUTS:
        return {}
    return {layout: max(lengths) for layout, lengths in kept.items()}


def _layout(item: Item) -> Layout | None:
    """The layout of one row; None where its question does not hold the document, or wants a number."""
    labels = short_choices(item.choices)
    return next((found for kind in kinds().values() if (found := kind.layout(item, labels))), None)


def _named(name: str, layouts: Mapping[Layout, int], title: str) -> list[Task]:
    """Tasks with names of their own: the rows' task, its tag where there are several, a number where tags are alike."""
    tasks: list[Task] = []
    for layout, longest in layouts.items():
        kind = kinds()[layout.kind]
        wanted = name if len(layouts) == 1 else f"{name}.{layout.tag or layout.kind}"
        taken = {task.name for task in tasks}
        numbered = (f"{wanted}-{number}" for number in range(2, len(layouts) + 2))
        own = wanted if wanted not in taken else next(other for other in numbered if other not in taken)
        what = kind.what(layout.tag)
        better = kind.titles(what)
        named, english = better or kind.TITLES
        japanese = ("" if better else _title(layout.prefix)) or f"{named}（{own}）"
        english = f"{english} ({own})"
        if title:
            japanese = english = title if own == name else f"{title}（{own.removeprefix(f'{name}.')}）"
        around, most = (layout.prefix, layout.between, layout.suffix), longest if kind.CUT else 0
        tasks.append(Task(own, layout.kind, japanese, english, *around, lettered(layout.labels), what, most))
    return tasks


def _title(prefix: str) -> str:
    """The first line of what stands before the document.

    >>> _title("薬の名前は？\\n「")
    '薬の名前は？'
    """
    line = next((line.strip() for line in prefix.splitlines() if line.strip("「『[( \u3000")), "")
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"


def items_of_prompts(rows: Iterable[Mapping[str, object]]) -> dict[str, list[Item]]:
    """Task name to items whose question, document, sentences and labels are read back from kept prompts.

    Args:
        rows: with the keys `prompt` (a message as `chat_prompt` makes it), `task`, `kind`, `tag`, `choices` (how many),
            `exam`, `truncated`; a row of another form is left out, and so is a prompt that was cut.
    """
    found: dict[str, list[Item]] = {}
    for row in rows:
        if not row.get("truncated") and (item := _item_of(row)):
            found.setdefault(item.task, []).append(item)
    return found


def _item_of(row: Mapping[str, object]) -> Item | None:
    prompt, kind, count = row.get("prompt"), row.get("kind"), row.get("choices")
    if not isinstance(prompt, str) or kind not in ("choice", "entities") or not isinstance(count, int):
        return None
    if prompt.endswith(BASE_SUFFIX):
        return None  # of a base model, which was tuned on nothing
    lines = prompt.split("\n")
    question = "\n".join(lines[: len(lines) - count])
    options = [_OPTION.fullmatch(line) for line in lines[len(lines) - count :]] if count else []
    labels = tuple(option[2] for option in options if option)
    if "".join(option[1] for option in options if option) != LETTERS[:count] or not question:
        return None
    task, tag = str(row.get("task", "")), str(row.get("tag", ""))
    if row.get("exam"):
        return Item("", task, "choice", question, labels, (), document=question)
    document, sentences = _document(question), _sentences(question)
    if not document and len(sentences) != 2:
        return None
    return Item("", task, kind, question, labels, (), document, tag, sentences=() if document else sentences)


def _document(question: str) -> str:
    start, end = question.find("\n「"), question.rfind("」")
    return question[start + 2 : end] if 0 <= start < end - 1 else ""


def _sentences(question: str) -> tuple[str, ...]:
    return tuple(found[1] for line in question.split("\n") if (found := _SENTENCE.fullmatch(line)))
