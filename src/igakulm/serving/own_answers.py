"""What a model says to one row of a hospital's own task: labels with their probabilities, or places in the text.

Does: ask a task of a task file by the layouts that the model was tuned on. Does not: lay answers out for a table
(batch_apply.py) or a page (review.py), or write free texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from igakulm.answering.extraction import Found
from igakulm.answering.tasks import classify, compare, extract
from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.tasks.layouts import Task
from igakulm.tasks.own.items import item_tasks

CUT = "答えが途中で切れており、抜けがあるかもしれません"
HOLDS_FROM = 0.5
"""A label that may hold beside others holds from this probability on."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. `chances`: label -> probability; `certain`: the probability of a list of places as a whole; `notes`:
    what a person should know of it, in Japanese."""

    labels: tuple[str, ...] = ()
    chances: tuple[tuple[str, float], ...] = ()
    spans: tuple[Found, ...] = ()
    certain: float | None = None
    notes: tuple[str, ...] = ()


def asked_layouts(task_file: TaskFile, model: Model) -> Mapping[str, tuple[Task, ...]]:
    """Task -> the layouts by which the model is asked: one, or one a label where several may hold; none for free text.

    Raises:
        InputError: the model was not tuned on a task.
    """
    known = {task.name: task for task in model.tasks}
    found: dict[str, tuple[Task, ...]] = {}
    for task in task_file.tasks:
        if task.kind in ("question-answer", "free-text"):
            found[task.name] = ()  # the question says all
            continue
        names = item_tasks(task)
        missing = [name for name in names if name not in known]
        if missing:
            hint = f"its tasks are {', '.join(known) or 'none'}; igakulm task train makes a bundle for a task file"
            raise InputError(f"the model was not tuned on the task {missing[0]!r}", where=model.name, hint=hint)
        found[task.name] = tuple(known[name] for name in names)
    return found


def ask_own_task(task: OwnTaskSection, layouts: tuple[Task, ...], text: str, second: str, model: Model) -> Said:
    """The model's answer to a classification, comparison or extraction.

    Raises:
        InputError: a text that the model cannot read whole.
        EngineFailed: the model's process is gone.
    """
    if task.kind == "extract":
        return _extracted(layouts[0], text, model)
    if task.kind == "classify" and task.multiple:
        chances = tuple(
            (label, classify(model, layout, text).options[0][2])
            for label, layout in zip(task.labels, layouts, strict=True)
        )
        return Said(tuple(label for label, chance in chances if chance >= HOLDS_FROM), chances)
    chosen = compare(model, layouts[0], text, second) if task.second else classify(model, layouts[0], text)
    label = next(label for letter, label, _ in chosen.options if letter == chosen.answer)
    return Said((label,), tuple((label, chance) for _, label, chance in chosen.options))


def _extracted(layout: Task, text: str, model: Model) -> Said:
    found = extract(model, layout, text, weighed=True)
    notes = []
    if found.cut:
        notes.append(CUT)
    if found.unreadable:
        notes.append("読み取れない答えがありました")
    if found.unplaced:
        notes.append(f"本文にない語が {len(found.unplaced)} 個あり、除きました")
    return Said(spans=found.items, certain=found.probability, notes=tuple(notes))
