"""What a method without a language model answers to rows that people review: where it differs from the model, a
decision teaches most.

Does: learn from the answers of the data, in folds, so that no row is answered from its own answer.
Does not: order rows (review_proposals.py), or measure the method (evaluation/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from igakulm.evaluation.baselines import Setting, predict
from igakulm.files import sha256_json
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.own.items import item_tasks, items_of
from igakulm.tasks.own.rows import OwnRow

FOLDS = 5


def baseline_answers(task_file: TaskFile, rows: Sequence[OwnRow]) -> dict[str, dict[int, tuple[str, ...]]]:
    """Task -> number of a row -> labels, or strings of the text, by character n-grams or by a dictionary of the rows.

    Rows that the method cannot answer (no other row has an answer) are not there.
    """
    folds = [int(sha256_json([task_file.split.seed, row.text])[:8], 16) % FOLDS for row in rows]
    found: dict[str, dict[int, tuple[str, ...]]] = {}
    for task in task_file.tasks:
        if task.kind in ("classify", "compare", "extract"):
            only = task_file.model_copy(update={"tasks": (task,)})
            found[task.name] = _of_task(task, only, rows, folds, task_file.split.seed)
    return found


def _of_task(
    task: OwnTaskSection, only: TaskFile, rows: Sequence[OwnRow], folds: Sequence[int], seed: int
) -> dict[int, tuple[str, ...]]:
    asked = items_of(only, [_with_some_answer(task, row) for row in rows])
    labels: dict[int, list[str]] = {}
    method = "dictionary" if task.kind == "extract" else "ngram"
    for place, name in enumerate(item_tasks(task)):
        items = asked[name]
        for number, answer in _in_folds(method, items, rows, folds, task.name, seed).items():
            held = labels.setdefault(number, [])
            if task.kind == "extract":
                held += answer
            elif task.kind == "classify" and task.multiple:
                held += [task.labels[place]] if answer == ("A",) else []
            else:
                held.append(task.labels[LETTERS.index(answer[0])])
    return {number: tuple(held) for number, held in labels.items()}


def _with_some_answer(task: OwnTaskSection, row: OwnRow) -> OwnRow:
    """A row whose item can be asked; its answer is not looked at where the data has none."""
    return row if task.name in row.answers else replace(row, answers={task.name: task.labels[:1]})


def _in_folds(
    method: str, items: Sequence[Item], rows: Sequence[OwnRow], folds: Sequence[int], task: str, seed: int
) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for fold in range(FOLDS):
        held = [number for number, part in enumerate(folds) if part == fold]
        train = [items[number] for number, part in enumerate(folds) if part != fold and task in rows[number].answers]
        said = predict(method, [items[number] for number in held], Setting(train, seed)) if held else None
        for number, answer in zip(held, said or (), strict=False):
            if answer is not None:
                found[number] = tuple(answer)
    return found
