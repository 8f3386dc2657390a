"""What is in the rows of a task file, before anything is learnt: `igakulm task check`.

Does: count what can be used and list what cannot, balance of labels, lengths, patients, personal data. Does not: change
rows, or load a model (the caller counts tokens where it has a tokenizer).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median
from typing import TypedDict

from igakulm.recipe.task_file import TaskFile
from igakulm.tasks.own.decisions import DecisionCounts
from igakulm.tasks.own.rows import OwnRow, read_own_rows

FEW_OF_A_LABEL = 5
FEW_PATIENTS = 20


class LeftOutRow(TypedDict):
    """One row that cannot be used; `task` is "" where no task can use it."""

    file: str
    row: int
    task: str
    reason: str


class Lengths(TypedDict):
    """Characters, or tokens, of the texts."""

    shortest: int
    median: int
    longest: int


class Check(TypedDict):
    """What `task check --json` prints.

    `usable`: rows that at least one task can use. `classes`: task -> label (of extractions: kind of item) -> count.
    `decisions`: of people who reviewed rows. `personal_data`: kind -> spans found in the usable texts.
    `tokens`, `beyond_context`: None without a tokenizer.
    """

    rows: int
    usable: int
    left_out: list[LeftOutRow]
    patients: int
    classes: dict[str, dict[str, int]]
    usable_by_task: dict[str, int]
    characters: Lengths
    tokens: Lengths | None
    beyond_context: list[int] | None
    personal_data: dict[str, int]
    decisions: DecisionCounts
    warnings: list[str]
    notes: list[str]


def check_rows(
    task_file: TaskFile,
    *,
    count_tokens: Callable[[str], int] | None = None,
    context: int | None = None,
    find_personal_data: Callable[[str], Counter[str]] | None = None,
) -> Check:
    """Read all rows and say what is in them.

    Args:
        task_file: names the data.
        count_tokens: tokens of a text in the base model's vocabulary.
        context: tokens that the base model reads.
        find_personal_data: kinds of personal data in a text, with counts.

    Raises:
        InputError: the data cannot be read.
    """
    read = read_own_rows(task_file)
    classes = {task.name: dict(_classes(task_file, task.name, read.rows)) for task in task_file.tasks}
    patients = len({row.patient for row in read.rows if row.patient})
    tokens = [count_tokens(row.text) for row in read.rows] if count_tokens else None
    beyond = (
        [row.row for row, size in zip(read.rows, tokens, strict=True) if size > context]
        if tokens is not None and context
        else None
    )
    personal: Counter[str] = Counter()
    if find_personal_data:
        for row in read.rows:
            personal.update(find_personal_data(row.text))
    left_out: list[LeftOutRow] = [
        {"file": one.file, "row": one.row, "task": one.task, "reason": one.reason} for one in read.left_out
    ]
    return {
        "rows": read.count,
        "usable": len(read.rows),
        "left_out": left_out,
        "patients": patients,
        "classes": classes,
        "usable_by_task": {task.name: sum(task.name in row.answers for row in read.rows) for task in task_file.tasks},
        "characters": _lengths([len(row.text) for row in read.rows]),
        "tokens": _lengths(tokens) if tokens is not None else None,
        "beyond_context": beyond,
        "personal_data": dict(sorted(personal.items())),
        "decisions": read.decisions,
        "warnings": _warnings(task_file, classes, read.rows, patients),
        "notes": list(read.notes),
    }


def _classes(task_file: TaskFile, name: str, rows: Sequence[OwnRow]) -> Counter[str]:
    task = next(task for task in task_file.tasks if task.name == name)
    found: Counter[str] = Counter(dict.fromkeys(task.labels, 0))
    for row in rows:
        answer = row.answers.get(name)
        if answer is None:
            continue
        if task.kind in ("classify", "compare"):
            found.update(answer)
        elif task.kind == "extract":
            found.update(row.kinds.get(name) or [task.item or task.name] * len(answer))
            found["(none)"] += not answer
    return found


def _lengths(sizes: Sequence[int]) -> Lengths:
    if not sizes:
        return {"shortest": 0, "median": 0, "longest": 0}
    return {"shortest": min(sizes), "median": round(median(sizes)), "longest": max(sizes)}


def _warnings(
    task_file: TaskFile, classes: dict[str, dict[str, int]], rows: Sequence[OwnRow], patients: int
) -> list[str]:
    found = []
    for task in task_file.tasks:
        if task.kind not in ("classify", "compare"):
            continue
        counts = classes[task.name]
        used = [label for label, count in counts.items() if count]
        if len(used) == 1:
            found.append(f"{task.name}: all rows have the label {used[0]!r}: there is nothing to learn")
        found += [
            f"{task.name}: the label {label!r} occurs {count} times: too few to learn it or to measure it"
            for label, count in counts.items()
            if count < FEW_OF_A_LABEL and len(used) > 1
        ]
    if len({row.text for row in rows}) == 1 and len(rows) > 1:
        found.append("all texts are equal")
    if task_file.columns.patient and patients == 1:
        found.append("all rows are of one patient: no split by patient is possible")
    elif task_file.columns.patient and patients < FEW_PATIENTS:
        found.append(f"only {patients} patients: intervals will be wide; split.folds tests every row once")
    letters = sum(len(row.text) for row in rows)
    japanese = sum(
        "\u3040" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff" for row in rows for letter in row.text
    )
    if letters and japanese < 0.1 * letters:
        found.append("the texts are hardly Japanese: the base model and the cleaning are made for Japanese")
    return found
