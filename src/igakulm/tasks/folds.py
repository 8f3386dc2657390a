"""Folds by document: every row of every task in one of K folds, linked rows in the same one.

Does: read the names of folds, deal groups of linked rows out so that each task is spread evenly.
Does not: read files (load.py), or find near-duplicates.

Groups are linked through shared documents and sentences across all tasks, so no document stands in two folds. The deal
has no seed: it depends on the texts alone. Tasks that share no document do not change each other's folds.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from igakulm.errors import InputError, did_you_mean
from igakulm.tasks.items import Item
from igakulm.tasks.splits import documents_of, linked_groups

PUBLISHED = "published"
DOCUMENT_DISJOINT = "document-disjoint"
MAX_FOLDS = 20


def fold_name(fold: int, folds: int) -> str:
    """The name of one fold, from 1.

    >>> fold_name(2, 5)
    'fold-2-of-5'
    """
    return f"fold-{fold}-of-{folds}"


def check_split(split: str) -> tuple[int, int] | None:
    """(I, K) of a split "fold-I-of-K"; None for the two splits without folds.

    >>> check_split("fold-2-of-5"), check_split("published")
    ((2, 5), None)

    Raises:
        InputError: another name, K outside 2 to 20, I outside 1 to K.
    """
    if split in (PUBLISHED, DOCUMENT_DISJOINT):
        return None
    parts = re.fullmatch(r"fold-([0-9]{1,4})-of-([0-9]{1,4})", split)
    if parts is None:
        known = [PUBLISHED, DOCUMENT_DISJOINT]
        close = did_you_mean(split, [*known, fold_name(1, 5)])
        hint = f"did you mean {close}?" if close else f"use {', '.join(known)} or a fold such as {fold_name(1, 5)}"
        raise InputError(f"unknown split {split[:60]!r}", where="split", hint=hint)
    fold, folds = int(parts[1]), int(parts[2])
    check_folds(folds, split)
    if not 1 <= fold <= folds:
        hint = f"use {fold_name(1, folds)} to {fold_name(folds, folds)}"
        raise InputError(f"there is no fold {fold} of {folds}", where=split, hint=hint)
    return fold, folds


def check_folds(folds: int, where: str) -> None:
    """Raise InputError unless there are 2 to 20 folds."""
    if not 2 <= folds <= MAX_FOLDS:
        raise InputError(f"{folds} folds; a split has 2 to {MAX_FOLDS}", where=where, hint=f"use {fold_name(1, 5)}")


def assign_folds(tasks: Mapping[str, Sequence[Item]], folds: int) -> dict[str, list[int]]:
    """Task to the fold (1 to `folds`) of each of its items.

    The heaviest groups come first, equal ones in the order of their texts' hashes; each goes to the fold that holds
    least of the group's own tasks. A group's weight is the sum of its shares of the tasks.
    """
    placed = [(task, item) for task, items in tasks.items() for item in items]
    numbers = linked_groups(documents_of(item) for _, item in placed)
    groups: list[Counter[str]] = [Counter() for _ in range(max(numbers, default=-1) + 1)]
    names = [""] * len(groups)
    for number, (task, item) in zip(numbers, placed, strict=True):
        groups[number][task] += 1
        name = _hash(min(documents_of(item), default=item.question))
        names[number] = min(names[number] or name, name)
    shares = [{task: group[task] / len(tasks[task]) for task in sorted(group)} for group in groups]
    held = {task: [0.0] * folds for task in tasks}
    fold_of = [0] * len(groups)
    for number in sorted(range(len(groups)), key=lambda number: (-sum(shares[number].values()), names[number])):
        share = shares[number]
        loads = [sum(part * held[task][fold] for task, part in share.items()) for fold in range(folds)]
        fold_of[number] = fold = loads.index(min(loads))
        for task in share:
            held[task][fold] += groups[number][task]
    dealt = iter(numbers)
    return {task: [fold_of[next(dealt)] + 1 for _ in items] for task, items in tasks.items()}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
