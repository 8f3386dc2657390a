"""All tasks of a recipe, published benchmarks and own task files, in the split that is asked for.

Does: read every task, put test and training rows on the two sides of a split, gather what was left out.
Does not: read single formats, know any benchmark's name, or score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarksSection
from igakulm.tasks import rows
from igakulm.tasks.benchmarks.registry import chosen
from igakulm.tasks.folds import DOCUMENT_DISJOINT, assign_folds, check_folds, check_split, fold_name
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import Screen
from igakulm.tasks.splits import document_disjoint


@dataclass(frozen=True, slots=True)
class Split:
    """Task name to items on both sides; `train` holds only tasks that have training rows. `screen` holds the rows and
    files that were left out on the way.
    """

    name: str
    test: dict[str, list[Item]]
    train: dict[str, list[Item]]
    screen: Screen = field(default_factory=Screen)


def load_split(config: BenchmarksSection, split: str, *, strict: bool = False, need_train: bool = True) -> Split:
    """The items of all tasks in one split.

    Args:
        config: the recipe's benchmarks.
        split: "published" = as the files are; "document-disjoint" = the same test items, and the training rows that
            share no document or sentence with a test item of any task; "fold-I-of-K" = fold I of all rows, test and
            training, as test items, and the rest to train on (see `load_folds`).
        strict: an odd row is an error instead of being left out.
        need_train: a training file that is not there is an error, not only told.

    Raises:
        InputError: an unknown split, a missing or wrong file, two tasks of one name, and what `load_folds` raises.
    """
    fold = check_split(split)
    if fold is not None:
        return load_folds(config, fold[1], strict=strict)[fold[0] - 1]
    screen = Screen(strict)
    test = load_test_items(config, screen)
    train = _published_train(config, screen, need=need_train)
    return Split(split, test, document_disjoint(train, test) if split == DOCUMENT_DISJOINT else train, screen)


def load_folds(config: BenchmarksSection, folds: int, *, strict: bool = False) -> list[Split]:
    """The splits "fold-1-of-K" to "fold-K-of-K".

    Every row of a task with training rows is a test item in exactly one fold, and a training row in the others, unless
    it shares a document with one of that fold's test items. Tasks without training rows (IgakuQA, examinations) keep
    their test items in every fold. The other JMED-LLM tasks whose files lie beside the chosen ones are dealt out too,
    so that the choice of tasks does not change a fold. A task with fewer documents than folds has no test item in some.

    Raises:
        InputError: `folds` outside 2 to 20, and what `load_test_items` raises.
    """
    check_folds(folds, "split")
    screen = Screen(strict)
    test, train = load_test_items(config, screen), _published_train(config, screen)
    pools = {task: _pool(test[task], train[task]) for task in train}
    fixed = {task: items for task, items in test.items() if task not in pools}
    learnable = document_disjoint(pools, fixed)
    fold_of = _dealt(pools, _unchosen(config), folds)
    splits = []
    for fold in range(1, folds + 1):
        tested = {task: [item for item in pools.get(task, ()) if fold_of[task, item.id] == fold] for task in test}
        learnt = {task: [item for item in learnable[task] if fold_of[task, item.id] != fold] for task in pools}
        splits.append(Split(fold_name(fold, folds), tested | fixed, learnt, screen))
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
    """The rows of tasks that the recipe leaves out of a benchmark with training rows, but whose files are there."""
    found: dict[str, list[Item]] = {}
    for benchmark, one in chosen(config):
        if benchmark.load_train is None or not one.tasks:
            continue
        present = benchmark.present(one) if benchmark.present else benchmark.tasks
        names = tuple(name for name in present if name not in one.tasks)
        others = one.model_copy(update={"tasks": names})
        if names:
            test, train = benchmark.load_test(others, Screen()), benchmark.load_train(others, Screen())
            found |= {f"{benchmark.name}/{name}": [*test[name], *items] for name, items in train.items()}
    return found


def load_test_items(config: BenchmarksSection, screen: Screen | None = None) -> dict[str, list[Item]]:
    """Task name to published test items: the tasks of the benchmarks, then the recipe's own tasks.

    Args:
        config: the recipe's benchmarks.
        screen: takes the rows and files that are left out.

    A task without a test file has none.

    Raises:
        InputError: a missing or wrong file, two tasks of one name, or a name that no file can have.
    """
    screen = screen or Screen()
    tasks: dict[str, list[Item]] = {}
    for benchmark, one in chosen(config):
        tasks.update(benchmark.load_test(one, screen))
    for task in config.rows:
        if task.name in tasks:
            raise InputError(
                f"two tasks are named {task.name!r}", where="benchmarks.rows", hint="give every task a name of its own"
            )
        if not re.fullmatch(r"\w[\w.-]*", task.name):
            hint = "use letters, digits, '.', '_' and '-': results are files of this name"
            raise InputError(f"a task cannot be named {task.name!r}", where="benchmarks.rows", hint=hint)
        tasks[task.name] = rows.read_rows(Path(task.test), task, screen) if task.test is not None else []
    return tasks


def _published_train(config: BenchmarksSection, screen: Screen, *, need: bool = True) -> dict[str, list[Item]]:
    tasks: dict[str, list[Item]] = {}
    for benchmark, one in chosen(config):
        if benchmark.load_train is not None:
            lenient = screen if need else Screen()
            tasks.update(benchmark.load_train(one, lenient))
            if lenient is not screen:
                screen.rows += lenient.rows
                screen.missing += lenient.missing
    for task in config.rows:
        if task.train is not None and not need and not Path(task.train).exists():
            screen.miss(task.name, task.train, f"the file is not there: {task.name} has no training rows")
        elif task.train is not None:
            tasks[task.name] = rows.read_rows(Path(task.train), task, screen)
    return tasks
