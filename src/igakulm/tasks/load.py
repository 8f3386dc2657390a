"""All benchmarks of a recipe: JMED-LLM, IgakuQA and own task files under one name each, in the split that is asked for.

Does: read every task, put test and training rows on the two sides of a split. Does not: read single formats or score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarksSection
from igakulm.tasks import rows
from igakulm.tasks.benchmarks import igakuqa, jmed
from igakulm.tasks.folds import DOCUMENT_DISJOINT, assign_folds, check_folds, check_split, fold_name
from igakulm.tasks.items import Item
from igakulm.tasks.splits import document_disjoint


@dataclass(frozen=True, slots=True)
class Split:
    """Task name to items on both sides; `train` holds only tasks that have training rows."""

    name: str
    test: dict[str, list[Item]]
    train: dict[str, list[Item]]


def load_split(config: BenchmarksSection, split: str) -> Split:
    """The items of all tasks in one split.

    Args:
        config: the recipe's benchmarks.
        split: "published" = as the files are; "document-disjoint" = the same test items, and the training rows that
            share no document or sentence with a test item of any task; "fold-I-of-K" = fold I of all rows, test and
            training, as test items, and the rest to train on (see `load_folds`).

    Raises:
        InputError: an unknown split, a missing or wrong file, two tasks of one name, and what `load_folds` raises.
    """
    fold = check_split(split)
    if fold is not None:
        return load_folds(config, fold[1])[fold[0] - 1]
    test, train = load_test_items(config), _published_train(config)
    return Split(split, test, document_disjoint(train, test) if split == DOCUMENT_DISJOINT else train)


def load_folds(config: BenchmarksSection, folds: int) -> list[Split]:
    """The splits "fold-1-of-K" to "fold-K-of-K".

    Every row of a task with training rows is a test item in exactly one fold, and a training row in the others, unless
    it shares a document with one of that fold's test items. Tasks without training rows (IgakuQA, examinations) keep
    their test items in every fold. The other JMED-LLM tasks whose files lie beside the chosen ones are dealt out too,
    so that the choice of tasks does not change a fold. A task with fewer documents than folds has no test item in some.

    Raises:
        InputError: `folds` outside 2 to 20, and what `load_test_items` raises.
    """
    check_folds(folds, "split")
    test, train = load_test_items(config), _published_train(config)
    pools = {task: _pool(test[task], train[task]) for task in train}
    fixed = {task: items for task, items in test.items() if task not in pools}
    learnable = document_disjoint(pools, fixed)
    fold_of = _dealt(pools, _unchosen(config), folds)
    splits = []
    for fold in range(1, folds + 1):
        tested = {task: [item for item in pools.get(task, ()) if fold_of[task, item.id] == fold] for task in test}
        learnt = {task: [item for item in learnable[task] if fold_of[task, item.id] != fold] for task in pools}
        splits.append(Split(fold_name(fold, folds), tested | fixed, learnt))
    return splits


def _dealt(
    pools: Mapping[str, Sequence[Item]], others: Mapping[str, Sequence[Item]], folds: int
) -> dict[tuple[str, str], int]:
    """(task, id) to fold; `others` are dealt out with the pools but are not asked for."""
    assigned = assign_folds({**pools, **others}, folds)
    return {
        (task, item.id): fold for task, items in pools.items() for item, fold in zip(items, assigned[task], strict=True)
    }


def _pool(test: Sequence[Item], train: Sequence[Item]) -> list[Item]:
    """All rows of a task; where a training row has the id of a test item, it gets one of its own."""
    tested = {item.id for item in test}
    taken = tested | {item.id for item in train}
    pool = list(test)
    for item in train:
        name = item.id
        if name in tested:
            while name in taken:
                name = f"train-{name}"
            taken.add(name)
        pool.append(item if name == item.id else replace(item, id=name))
    return pool


def _unchosen(config: BenchmarksSection) -> Mapping[str, list[Item]]:
    """The rows of JMED-LLM tasks that the recipe leaves out but whose files are there."""
    if config.jmed is None:
        return {}
    present = jmed.tasks_present(config.jmed)
    names = tuple(name for name in present if name not in jmed.chosen_tasks(config.jmed))
    if not names:
        return {}
    source = config.jmed.model_copy(update={"tasks": names})
    test, train = jmed.load_test(source), jmed.load_train(source)
    return {f"jmed/{name}": [*test[name], *train[name]] for name in names}


def load_test_items(config: BenchmarksSection) -> dict[str, list[Item]]:
    """Task name to published test items: the tasks of JMED-LLM, `igakuqa`, then the recipe's own tasks.

    A task without a test file has none.

    Raises:
        InputError: a missing or wrong file, two tasks of one name, or a name that no file can have.
    """
    tasks: dict[str, list[Item]] = {}
    if config.jmed is not None:
        tasks.update(jmed.load_test(config.jmed))
    if config.igakuqa is not None:
        tasks[igakuqa.TASK] = igakuqa.load_questions(config.igakuqa)
    for task in config.rows:
        if task.name in tasks:
            raise InputError(
                f"two tasks are named {task.name!r}", where="benchmarks.rows", hint="give every task a name of its own"
            )
        if not re.fullmatch(r"\w[\w.-]*", task.name):
            hint = "use letters, digits, '.', '_' and '-': results are files of this name"
            raise InputError(f"a task cannot be named {task.name!r}", where="benchmarks.rows", hint=hint)
        tasks[task.name] = rows.read_rows(Path(task.test), task) if task.test is not None else []
    return tasks


def _published_train(config: BenchmarksSection) -> dict[str, list[Item]]:
    tasks: dict[str, list[Item]] = {}
    if config.jmed is not None:
        tasks.update(jmed.load_train(config.jmed))
    for task in config.rows:
        if task.train is not None:
            tasks[task.name] = rows.read_rows(Path(task.train), task)
    return tasks
