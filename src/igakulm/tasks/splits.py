"""Splits by document: training rows that share no source document with any test item.

Does: compare documents (normalised; of similarity items, single sentences) across all tasks, and link what shares one.
Does not: find near-duplicates, deal out folds (folds.py), or read files.

JMED-LLM's published training rows share documents with its test rows, also across tasks, so that a score on the
published split partly measures recall. The document-disjoint split leaves those rows out.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from igakulm.tasks.items import Item, normalised_document


def documents_of(item: Item) -> frozenset[str]:
    """What an item must not share with one on another side: its normalised sentences where it has them, else its
    document, and its patient; empty ones do not count.

    >>> item = Item("1", "t", "choice", "q", ("x", "y"), ("A",), document="熱が出た。")
    >>> sorted(documents_of(item))
    ['熱が出た']
    """
    texts = frozenset(filter(None, map(normalised_document, item.sentences or (item.document,))))
    # No normalised document holds a space: a patient's number is never taken for a text.
    return texts | {f"patient {item.patient}"} if item.patient else texts


def linked_groups(members: Iterable[Iterable[str]]) -> list[int]:
    """A number for each member, the same for members that are linked through shared strings, also by way of others.

    Numbers count from 0 in the order in which groups first occur. A member without strings stands alone.

    >>> linked_groups([{"a", "b"}, {"c"}, {"b", "d"}, {}, {"d"}])
    [0, 1, 0, 2, 0]
    """
    parent: list[int] = []
    first: dict[str, int] = {}

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, strings in enumerate(members):
        parent.append(place)
        for string in strings:
            one, other = root(place), root(first.setdefault(string, place))
            parent[max(one, other)] = min(one, other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(place), len(numbers)) for place in range(len(parent))]


def nested_order(items: Sequence[Item], seed: int) -> list[int]:
    """Places of all items, those of linked documents and patients after each other, in an order that the seed gives.

    Each beginning of it is a subset of every longer one.

    >>> items = [Item(str(n), "t", "choice", "q", ("x", "y"), ("A",), document="ab"[n % 2]) for n in range(4)]
    >>> nested_order(items, 0) in ([0, 2, 1, 3], [1, 3, 0, 2])
    True
    """
    return nested_groups(linked_groups(map(documents_of, items)), seed)


def nested_groups(groups: Sequence[int], seed: int) -> list[int]:
    """Places of all members, group after group, in an order that the seed gives."""
    order = sorted(set(groups))
    random.Random(seed).shuffle(order)
    rank = {group: place for place, group in enumerate(order)}
    return sorted(range(len(groups)), key=lambda place: (rank[groups[place]], place))


def all_documents(tasks: Mapping[str, Iterable[Item]]) -> frozenset[str]:
    """The normalised documents of all items of all tasks."""
    found: set[str] = set()
    for items in tasks.values():
        for item in items:
            found |= documents_of(item)
    return frozenset(found)


def document_disjoint(train: Mapping[str, Sequence[Item]], test: Mapping[str, Sequence[Item]]) -> dict[str, list[Item]]:
    """Training rows of each task that share no document with a test item of any task."""
    held_out = all_documents(test)
    return {task: [item for item in items if not documents_of(item) & held_out] for task, items in train.items()}


def leakage(train: Mapping[str, Sequence[Item]], test: Mapping[str, Sequence[Item]]) -> list[dict[str, str | int]]:
    """How much test and training share, a row for each task.

    Keys: `task`; `test` and `test_shared` (test items, and those whose document stands in a training row of any task);
    `train` and `train_shared` (training rows, and those that share a document with a test item of any task).
    """
    of_train, of_test = all_documents(train), all_documents(test)
    return [
        {
            "task": task,
            "test": len(items),
            "test_shared": sum(bool(documents_of(item) & of_train) for item in items),
            "train": len(train.get(task, ())),
            "train_shared": sum(bool(documents_of(item) & of_test) for item in train.get(task, ())),
        }
        for task, items in test.items()
    ]


def shared_items(train: Mapping[str, Sequence[Item]], test: Mapping[str, Sequence[Item]]) -> dict[str, list[str]]:
    """For each task the ids of the test items whose document stands in a training row of any task."""
    of_train = all_documents(train)
    return {task: [item.id for item in items if documents_of(item) & of_train] for task, items in test.items()}
