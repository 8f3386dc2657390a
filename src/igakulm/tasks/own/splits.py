"""Which own rows are for tuning, validation and test: a patient, a document or a day never stands on two sides.

Does: link rows of one patient and rows of one text, deal groups out by a seed, evenly over labels. Does not: read rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from igakulm.errors import InputError
from igakulm.recipe.task_file import OwnSplitSection, TaskFile
from igakulm.tasks.items import normalised_document
from igakulm.tasks.own.rows import OwnRow
from igakulm.tasks.own.values import read_date
from igakulm.tasks.splits import linked_groups


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows by side, each in the order of the data."""

    train: tuple[OwnRow, ...]
    validation: tuple[OwnRow, ...]
    test: tuple[OwnRow, ...]


def groups_of(rows: Sequence[OwnRow], by: str) -> list[int]:
    """A number for each row, the same for rows that may not be parted: equal texts, and with "patient" one patient.

    Linked groups: rows of two patients with one text are together as well.
    """
    members = []
    for row in rows:
        linked = {f"text {normalised_document(row.text)}"}
        if by == "patient":
            linked.add(f"patient {row.patient}")
        members.append(linked)
    return linked_groups(members)


def split_rows(task_file: TaskFile, rows: Sequence[OwnRow], fold: int = 0) -> Sides:
    """Divide rows.

    Args:
        task_file: says how.
        rows: all usable rows.
        fold: with `split.folds` = K, which of the K test sides, from 0.

    Raises:
        InputError: too few groups for the wanted sides, or a date that cannot be read.
    """
    split = task_file.split
    if split.by == "date":
        return _by_date(split, rows)
    groups = groups_of(rows, split.by)
    labels = _label_of(task_file, rows)
    parts = split.folds or _parts(split.test)
    held = _dealt(groups, labels, parts, split, fold) if parts else set()
    rest = [number for number in range(len(rows)) if groups[number] not in held]
    inner = _parts(split.validation / (1 - split.test) if split.test < 1 else 0)
    watched: set[int] = set()
    if inner and rest:
        watched = _dealt([groups[number] for number in rest], [labels[number] for number in rest], inner, split, 0)
    return Sides(
        tuple(row for row, group in zip(rows, groups, strict=True) if group not in held | watched),
        tuple(row for row, group in zip(rows, groups, strict=True) if group in watched),
        tuple(row for row, group in zip(rows, groups, strict=True) if group in held),
    )


def _parts(share: float) -> int:
    """Into how many parts rows are dealt so that one is about the share; 0 = no such side."""
    return max(2, round(1 / share)) if share > 0 else 0


def _label_of(task_file: TaskFile, rows: Sequence[OwnRow]) -> list[str]:
    """The label by which sides are kept alike: of the first classification, else whether there is any answer."""
    task = next((task for task in task_file.tasks if task.kind in ("classify", "compare")), task_file.tasks[0])
    if task.kind in ("classify", "compare"):
        return [" ".join(row.answers.get(task.name, ())) for row in rows]
    return ["some" if row.answers.get(task.name) else "none" for row in rows]


def _dealt(groups: Sequence[int], labels: Sequence[str], parts: int, split: OwnSplitSection, number: int) -> set[int]:
    """The groups of one part of several (scikit-learn's StratifiedGroupKFold)."""
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    count = len(set(groups))
    if count < parts:
        what = "patient" if split.by == "patient" else "text"
        raise InputError(
            f"{count} {what}s are too few for {parts} sides",
            where="split",
            hint="give more rows, larger shares of test and validation, or set split.by: document",
        )
    if max(Counter(labels).values()) < parts:
        labels = [""] * len(labels)  # every label is rarer than the parts: nothing can be kept alike
    dealer = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=split.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label rarer than the parts: `task check` says so
        for place, (_, held) in enumerate(dealer.split(groups, labels, groups)):
            if place == number:
                return {groups[row] for row in held}
    raise InputError(f"there is no fold {number + 1} of {parts}", where="split.folds")


def _by_date(split: OwnSplitSection, rows: Sequence[OwnRow]) -> Sides:
    """The last days are the test side, those before them the validation side; a day stays on one side.

    A text that stands on a later side as well is left out of the earlier ones.
    """
    days = []
    for row in rows:
        day = read_date(row.date)
        if day is None:
            hint = "write dates such as 2024-04-01"
            raise InputError(f"{row.date!r} is no date", where=f"{row.file}, row {row.row}", hint=hint)
        days.append(day)
    order = sorted(days)
    first_test = order[min(len(order) - 1, round(len(order) * (1 - split.test)))]
    first_validation = order[round(len(order) * max(0.0, 1 - split.test - split.validation))]
    if not split.validation:
        first_validation = first_test
    if first_validation == order[0]:
        raise InputError(
            "all rows fall on too few days for a split by date", where="split", hint="set split.by: document"
        )
    sides: tuple[list[OwnRow], list[OwnRow], list[OwnRow]] = ([], [], [])
    later: set[str] = set()
    for row, day in sorted(zip(rows, days, strict=True), key=lambda pair: pair[1], reverse=True):
        side = 2 if day >= first_test else 1 if day >= first_validation else 0
        text = normalised_document(row.text)
        if text in later and side < 2:
            continue
        later.add(text)
        sides[side].append(row)
    train, validation, test = (tuple(reversed(side)) for side in sides)
    return Sides(train, validation, test)
