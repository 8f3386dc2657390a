"""All benchmarks of a recipe: test items for evaluation and decontamination, training rows for tuning.

Does: gather JMED-LLM, IgakuQA and own task files under one name each. Does not: read single formats or score.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.benchmarks import igakuqa, jmed, rows
from igakulm.benchmarks.items import Item
from igakulm.benchmarks.splits import document_disjoint
from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarksSection


def load_test_items(config: BenchmarksSection) -> dict[str, list[Item]]:
    """Task name to test items: the tasks of JMED-LLM, `igakuqa`, then the recipe's own tasks.

    Raises:
        InputError: a missing or wrong file, or two tasks of one name.
    """
    tasks: dict[str, list[Item]] = {}
    if config.jmed is not None:
        tasks.update(jmed.load_test(config.jmed))
    if config.igakuqa is not None:
        tasks[igakuqa.TASK] = igakuqa.load_questions(config.igakuqa)
    for task in config.rows:
        if task.name in tasks:
            raise InputError(
                f"two tasks are named {task.name!r}", where="benchmarks.rows", mend="give every task a name of its own"
            )
        tasks[task.name] = rows.read_rows(Path(task.test), task)
    return tasks


def load_train_items(config: BenchmarksSection, split: str) -> dict[str, list[Item]]:
    """Task name to training items of the tasks that have any (IgakuQA has none).

    Args:
        config: the recipe's benchmarks.
        split: "published" = all training rows; "document-disjoint" = those that share no document with a test item
            of any task.

    Raises:
        InputError: a missing or wrong file, or an unknown split.
    """
    if split not in ("published", "document-disjoint"):
        raise InputError(f"unknown split {split!r}", mend="use published or document-disjoint")
    tasks: dict[str, list[Item]] = {}
    if config.jmed is not None:
        tasks.update(jmed.load_train(config.jmed))
    for task in config.rows:
        if task.train is not None:
            tasks[task.name] = rows.read_rows(Path(task.train), task)
    return tasks if split == "published" else document_disjoint(tasks, load_test_items(config))
