"""All tasks of a task file on all rows of a table, in one pass: `igakulm task apply`.

Does: ask every task about every row, keep each row's answers in a journal, go on from it after a kill, write the rows
with their own columns and the answers beside them. Does not: read tables (tasks/own/), make answers (answering/), keep
several rows under way (batch_answers.py), or lay out files (result_tables.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from igakulm.answering.tasks import write
from igakulm.errors import InputError
from igakulm.files import sha256_file, sha256_json
from igakulm.inference.engine import EngineFailed
from igakulm.inference.model import Model
from igakulm.progress import Progress
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.serving.batch_answers import TRIES, Answered, answer_all, tried
from igakulm.serving.batch_extract import journal_of
from igakulm.serving.batch_journal import Journal
from igakulm.serving.own_answers import CUT, ask_own_task, asked_layouts
from igakulm.serving.result_tables import check_form, write_results
from igakulm.tasks.layouts import Task
from igakulm.tasks.own.items import written_question
from igakulm.tasks.own.read import read_table
from igakulm.tasks.own.tables import Table, TableRow

NOTE = "注意"
"""The last column: what a person should know of a row's answers; empty = nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One task of the file with the layouts by which the model is asked: one, or one a label where several may hold."""

    task: OwnTaskSection
    layouts: tuple[Task, ...]

    @property
    def column(self) -> str:
        """The column of the answers."""
        return f"{self.task.title or self.task.name}（モデル）"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the answers, of their probability, and of the places of strings in the text."""
        if not self.layouts:
            return (self.column,)
        title = self.task.title or self.task.name
        places = (f"{title}（位置）",) if self.task.kind == "extract" else ()
        return self.column, f"{title}（確率）", *places


def apply_tasks(
    task_file: TaskFile, model: Model, source: Path, out: Path, progress: Progress, *, at_once: int = 1
) -> dict[str, Any]:
    """Ask all tasks about all rows of a file and write the table with the answers.

    Args:
        task_file: names the columns and the tasks.
        model: was tuned on them.
        source: rows in any form that `task init` reads; columns of answers need not be there.
        out: .xlsx, .csv, .tsv or .jsonl; until all is done, `OUT.journal` beside it holds what is.
        progress: where to show it.
        at_once: rows asked at once; see `batch_answers`.

    Returns:
        Counts: rows, answered, noted (rows with a note), failed, resumed.

    Raises:
        InputError: no such column or task, another batch's journal, an engine that fails again and again.
    """
    check_form(out)
    if source.resolve() == out.resolve():
        raise InputError("the result would replace its own input", where=str(out), hint="give another --out")
    table = read_table(source, sheet=task_file.sheet, header_rows=task_file.header_rows, encoding=task_file.encoding)
    asked = _asked(task_file, model)
    _check_columns(table, task_file)
    layouts = [asdict(layout) for one in asked for layout in one.layouts]
    work = {
        "input": sha256_file(source) if source.is_file() else sha256_json([row.cells for row in table.rows]),
        "tasks": sha256_json([[task.model_dump(mode="json") for task in task_file.tasks], layouts]),
        "model": model.identity,
        "engine": model.kind,
    }  # fmt: skip
    with Journal(journal_of(source, out), work) as journal:
        resumed = len(journal)
        _ask_all(table, task_file, asked, model, journal, progress, at_once)
        entries = list(journal.entries())
        columns = [*table.columns, *(name for one in asked for name in one.columns), NOTE]
        write_results(out, columns, _rows(table, entries))
        journal.remove()
    noted = sum(bool(entry["values"].get(NOTE)) for entry in entries)
    return {"rows": len(table.rows), "noted": noted, "resumed": resumed, "out": str(out)}


def _asked(task_file: TaskFile, model: Model) -> list[Asked]:
    layouts = asked_layouts(task_file, model)
    return [Asked(task, layouts[task.name]) for task in task_file.tasks]


def _check_columns(table: Table, task_file: TaskFile) -> None:
    wanted = [task_file.columns.text, *(task.second for task in task_file.tasks if task.second)]
    missing = next((name for name in wanted if name not in table.columns), None)
    if missing is not None:
        hint = f"the columns are {', '.join(table.columns)}"
        raise InputError(f"there is no column {missing!r}", where=table.source, hint=hint)


def _rows(table: Table, entries: Sequence[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for row, entry in zip(table.rows, entries, strict=True):
        yield {**row.cells, **entry["values"]}


def _ask_all(
    table: Table,
    task_file: TaskFile,
    asked: Sequence[Asked],
    model: Model,
    journal: Journal,
    progress: Progress,
    at_once: int,
) -> None:
    left = sum(number not in journal for number in range(1, len(table.rows) + 1))
    with progress.task("apply", left, "rows") as bar:
        answer_all(
            enumerate(table.rows, 1),
            lambda row: _answered(row, task_file, asked, model),
            journal,
            at_once,
            lambda answered: bar.advance(),
        )


def _answered(row: TableRow, task_file: TaskFile, asked: Sequence[Asked], model: Model) -> Answered:
    """The answers of one row."""
    text = row.cells.get(task_file.columns.text, "")
    problem = row.problem or ("" if text.strip() else "本文がありません")
    if not problem and len(text) > task_file.longest_text:
        problem = f"本文が {task_file.longest_text:,} 字を超えています"
    if problem:
        return Answered({"values": {NOTE: problem}})
    values: dict[str, str] = {}
    notes: list[str] = []
    for one in asked:
        try:
            cells, note = tried(lambda one=one: _one(one, text, row, model))  # type: ignore[misc]
        except EngineFailed:
            failure = f"モデルの処理が {TRIES} 回失敗しました"
            return Answered({"values": {NOTE: failure}}, failure)
        except InputError as error:
            cells, note = ("",) * len(one.columns), error.what
        values |= dict(zip(one.columns, cells, strict=True))
        if note:
            notes.append(f"{one.task.title or one.task.name}：{note}")
    return Answered({"values": {**values, NOTE: "。".join(notes)}})


def _one(one: Asked, text: str, row: TableRow, model: Model) -> tuple[tuple[str, ...], str]:
    """What stands in the columns of a task, and a note."""
    task = one.task
    second = row.cells.get(task.second or "", "")
    if not one.layouts:
        written = write(model, written_question(task, text, second))
        return (written.text.strip(),), CUT if written.cut else ""
    said = ask_own_task(task, one.layouts, text, second, model)
    if task.kind == "extract":
        strings = list(dict.fromkeys(item.text for item in said.spans))
        places = json.dumps([[item.start, item.end, item.text] for item in said.spans], ensure_ascii=False)
        chance = "" if said.certain is None else f"{said.certain:.3f}"
        return ("、".join(strings), chance, places), "、".join(said.notes)
    if task.kind == "classify" and task.multiple:
        listed = "、".join(f"{label} {chance:.3f}" for label, chance in said.chances)
        return ((task.separator or "、").join(said.labels), listed), ""
    return (said.labels[0], f"{dict(said.chances)[said.labels[0]]:.3f}"), ""
