"""A method without a language model on all rows of a table: `igakulm task apply --baseline NAME`.

Does: learn from the stored tuning rows each time it is called (seconds), answer the tasks for which it is defined,
write the rows with their own columns and the answers beside them. Does not: ask a model, or store what it learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.evaluation.baselines import Setting, predict
from igakulm.recipe.schema import RowTask
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.serving.result_tables import check_form, write_results
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.own.items import item_tasks, items_of
from igakulm.tasks.own.read import read_table
from igakulm.tasks.own.rows import OwnRow
from igakulm.tasks.own.tables import TableRow
from igakulm.tasks.rows import read_rows


def apply_baseline(task_file: TaskFile, name: str, stored: Path, source: Path, out: Path) -> dict[str, int]:
    """Answer the tasks of a task file by a baseline.

    Args:
        task_file: names the columns and the tasks.
        name: of the baseline (evaluation/baselines.py), such as "ngram" or "dictionary".
        stored: folder with the tuning rows that `task train` stored.
        source: new rows.
        out: .xlsx, .csv, .tsv or .jsonl.

    Returns:
        rows, and tasks that were answered.

    Raises:
        InputError: no tuning rows, no such column or baseline, a baseline that is defined for none of the tasks.
    """
    check_form(out)
    table = read_table(source, sheet=task_file.sheet, header_rows=task_file.header_rows, encoding=task_file.encoding)
    wanted = [task_file.columns.text, *(task.second for task in task_file.tasks if task.second)]
    missing = next((column for column in wanted if column not in table.columns), None)
    if missing is not None:
        hint = f"the columns are {', '.join(table.columns)}"
        raise InputError(f"there is no column {missing!r}", where=table.source, hint=hint)
    readable = [row for row in table.rows if row.cells.get(task_file.columns.text, "").strip()]
    items = items_of(task_file, [_row(row, task_file, table.source) for row in readable])
    answers: dict[int, dict[str, str]] = {row.number: {} for row in table.rows}
    columns: list[str] = []
    for task in task_file.tasks:
        found = _answers(task, name, items, stored, task_file.split.seed)
        if found is None:
            continue
        columns.append(column := f"{task.title or task.name}（{name}）")
        for row, said in zip(readable, found, strict=True):
            answers[row.number][column] = said
    if not columns:
        raise InputError(f"the baseline {name!r} is defined for none of the tasks", where=name)
    rows = ({**row.cells, **answers[row.number]} for row in table.rows)
    write_results(out, [*table.columns, *columns], rows)
    return {"rows": len(table.rows), "tasks": len(columns)}


def _row(row: TableRow, task_file: TaskFile, source: str) -> OwnRow:
    """A row whose answers are not known: the first label, or nothing, stands in their place and is never looked at."""
    nothing = {task.name: task.labels[:1] if task.kind in ("classify", "compare") else () for task in task_file.tasks}
    seconds = {task.name: row.cells.get(task.second, "") for task in task_file.tasks if task.second}
    text = row.cells[task_file.columns.text]
    return OwnRow(source, row.number, str(row.number), "", "", text, nothing, seconds)


def _answers(
    task: OwnTaskSection, name: str, items: dict[str, list[Item]], stored: Path, seed: int
) -> list[str] | None:
    """One answer a row; None where the baseline is not defined for the task."""
    by_part: list[Sequence[tuple[str, ...]]] = []
    for part in item_tasks(task):
        path = stored / f"{part}.train.jsonl"
        if not path.is_file():
            hint = "igakulm task train stores the tuning rows"
            raise InputError("there are no stored tuning rows of this task", where=str(path), hint=hint)
        found = predict(name, items[part], Setting(read_rows(path, RowTask(name=part, kind="items")), seed))
        if found is None:
            return None
        by_part.append([tuple(one) if one is not None else () for one in found])
    sign = task.separator or "、"
    if task.kind == "classify" and task.multiple:
        held = zip(*by_part, strict=True)
        return [sign.join(label for label, one in zip(task.labels, row, strict=True) if one == ("A",)) for row in held]
    if task.kind in ("classify", "compare"):
        return ["".join(task.labels[LETTERS.index(letter)] for letter in one) for one in by_part[0]]
    return [sign.join(one) for one in by_part[0]]
