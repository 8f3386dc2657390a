"""Rows of a task file that a model can use, and those that it cannot, each with its reason.

Does: read the data, check every row against every task, find duplicates and contradictions. Does not: replace personal
data, divide rows into splits (splits.py), or know models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from igakulm.errors import InputError, did_you_mean
from igakulm.recipe.loading import data_files
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.tasks.items import normalised_document
from igakulm.tasks.own.decisions import (
    DecisionCounts,
    Place,
    Standing,
    count_decisions,
    decided_answer,
    decisions_of,
    hash_of_text,
    standing_of,
)
from igakulm.tasks.own.read import read_table
from igakulm.tasks.own.tables import Table, TableRow
from igakulm.tasks.own.values import divided, label_form, marks_of


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that cannot be used: for one task, or ("") for all of them."""

    file: str
    row: int
    task: str
    reason: str


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One usable row.

    Attributes:
        file, row: where it stands, as the user counts.
        answers: task -> its answer: labels, strings of the text, or one written text.
        seconds: task -> the other text of a comparison, or the question.
        kinds: task -> kind of each string of the text, where offsets named one.
    """

    file: str
    row: int
    id: str
    patient: str
    date: str
    text: str
    answers: Mapping[str, tuple[str, ...]]
    seconds: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnRows:
    """All rows of a task file.

    Attributes:
        count: rows that the data has.
        notes: what was decided while reading.
        decisions: of people who reviewed rows; their answers stand in the place of those of the data.
    """

    count: int
    rows: tuple[OwnRow, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    decisions: DecisionCounts


def read_own_rows(task_file: TaskFile) -> OwnRows:
    """Read the data of a task file, and what people decided about its rows.

    Raises:
        InputError: no such file or column, a structure that cannot be read.
    """
    decisions = decisions_of(task_file)
    standing = standing_of(decisions.lines)
    tables, rows, left_out = _read(task_file, standing)
    kept = _without_repeats([row for row in rows if row.answers], task_file, left_out)
    order = {table.source: number for number, table in enumerate(tables)}
    left_out.sort(key=lambda one: (order[one.file], one.row, one.task))
    notes = tuple(f"{table.source}: {note}" for table in tables for note in table.notes)
    places = {place for row in rows for place in places_of(row, task_file).values()}
    counts = count_decisions(decisions, standing, places)
    return OwnRows(sum(len(table.rows) for table in tables), tuple(kept), tuple(left_out), notes, counts)


def rows_to_review(task_file: TaskFile) -> list[OwnRow]:
    """Every text once, in the order of the data, with the answers of the data where it has any that can be used.

    Raises:
        InputError: as `read_own_rows`.
    """
    found: dict[tuple[str, ...], OwnRow] = {}
    for row in _read(task_file, {})[1]:
        found.setdefault((row.text, *row.seconds.values()), row)
    return list(found.values())


def places_of(row: OwnRow, task_file: TaskFile) -> dict[str, Place]:
    """Task -> what a decision about this row is about."""
    return {task.name: _place(task, row.text, row.seconds) for task in task_file.tasks}


def _place(task: OwnTaskSection, text: str, seconds: Mapping[str, str]) -> Place:
    return task.name, hash_of_text(text, seconds.get(task.name, ""))


def _read(task_file: TaskFile, standing: Mapping[Place, Standing]) -> tuple[list[Table], list[OwnRow], list[LeftOut]]:
    """All rows with a text, with answers for the tasks that have one."""
    tables = [table for pattern in task_file.data for table in _tables(pattern, task_file)]
    left_out: list[LeftOut] = []
    rows: list[OwnRow] = []
    for table in tables:
        _check_columns(table, task_file)
        for row in table.rows:
            found = _row(row, table.source, task_file, standing, left_out)
            if found is not None:
                rows.append(found)
    return tables, rows, left_out


def _tables(pattern: str, task_file: TaskFile) -> Iterable[Table]:
    path = Path(pattern)
    for file in [path] if path.exists() else data_files(pattern):
        yield read_table(file, sheet=task_file.sheet, header_rows=task_file.header_rows, encoding=task_file.encoding)


def _check_columns(table: Table, task_file: TaskFile) -> None:
    columns = task_file.columns
    wanted = {f"columns.{key}": name for key, name in columns.model_dump().items() if name}
    for number, task in enumerate(task_file.tasks):
        wanted |= {f"tasks.{number}.column": task.column}
        if task.second:
            wanted |= {f"tasks.{number}.second": task.second}
    for key, name in wanted.items():
        if name not in table.columns:
            close = did_you_mean(name, table.columns)
            hint = f"did you mean {close!r}?" if close else f"the columns are {', '.join(table.columns)}"
            raise InputError(f"there is no column {name!r} (key {key})", where=table.source, hint=hint)


def _row(
    row: TableRow, source: str, task_file: TaskFile, standing: Mapping[Place, Standing], left_out: list[LeftOut]
) -> OwnRow | None:
    columns = task_file.columns

    def cell(name: str | None) -> str:
        return row.cells.get(name, "").strip() if name else ""

    text = row.cells.get(columns.text, "")
    problem = row.problem or _problem_of_text(text, task_file)
    if not problem and task_file.split.by == "patient" and not cell(columns.patient):
        problem = "no patient, so that it could stand on two sides of the split"
    if not problem and task_file.split.by == "date" and not cell(columns.date):
        problem = "no date"
    if problem:
        left_out.append(LeftOut(source, row.number, "", problem))
        return None
    answers: dict[str, tuple[str, ...]] = {}
    seconds: dict[str, str] = {}
    kinds: dict[str, tuple[str, ...]] = {}
    for task in task_file.tasks:
        try:
            if task.second:
                seconds[task.name] = row.cells.get(task.second, "")
                if not seconds[task.name].strip():
                    raise ValueError(f"no text in {task.second!r}")
            decided = decided_answer(task, standing.get(_place(task, text, seconds)), text)
            if decided is None:
                answers[task.name], kinds[task.name] = answer_of(task, row.cells.get(task.column, ""), text)
            else:
                answers[task.name], kinds[task.name] = decided, ()
        except ValueError as error:
            left_out.append(LeftOut(source, row.number, task.name, str(error)))
    identifier = cell(columns.id) or str(row.number)
    return OwnRow(
        source, row.number, identifier, cell(columns.patient), cell(columns.date), text, answers, seconds, kinds
    )


def _problem_of_text(text: str, task_file: TaskFile) -> str:
    if not text.strip():
        return "no text"
    if len(text) > task_file.longest_text:
        return f"{len(text):,} characters, more than {task_file.longest_text:,} (longest_text)"
    return ""


def answer_of(task: OwnTaskSection, cell: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The answer that a cell holds, and for strings of the text the kinds that it names.

    Raises:
        ValueError: no answer, an unknown label, several labels where one is wanted, a string that the text does not
            hold, offsets outside of it.
    """
    if task.kind == "extract":
        return _strings(task, cell, text)
    if not cell.strip():
        raise ValueError("no answer" if task.kind in ("question-answer", "free-text") else "no label")
    if task.kind in ("question-answer", "free-text"):
        return (cell.strip(),), ()
    known = {label_form(label): label for label in task.labels}
    parts = divided(cell, task.separator) if task.multiple else [cell]
    found = []
    for part in parts:
        label = known.get(label_form(part))
        if label is None:
            close = did_you_mean(label_form(part), known)
            hint = f"; did you mean {close!r}?" if close else ""
            raise ValueError(f"the label {part.strip()[:40]!r} is unknown{hint}")
        found.append(label)
    return tuple(dict.fromkeys(found)), ()


def _strings(task: OwnTaskSection, cell: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """An empty cell is an answer: nothing stands in the text."""
    marks = marks_of(cell, text) if cell.strip() else None
    if marks is not None:
        return tuple(dict.fromkeys(found for found, _ in marks)), tuple(kind for _, kind in marks)
    strings = divided(cell, task.separator)
    missing = next((one for one in strings if one not in text), None)
    if missing is not None:
        raise ValueError(f"{missing[:40]!r} does not stand in the text")
    return tuple(strings), ()


def _without_repeats(rows: list[OwnRow], task_file: TaskFile, left_out: list[LeftOut]) -> list[OwnRow]:
    """Rows of equal texts: the first stays where the answers agree, none for a task where they do not."""
    groups: dict[tuple[str, ...], list[OwnRow]] = defaultdict(list)
    for row in rows:
        groups[_read_by_a_model(row)].append(row)
    kept = []
    for row in rows:
        group = groups[_read_by_a_model(row)]
        reasons = {task.name: _repeats(row, group, task.name) for task in task_file.tasks if task.name in row.answers}
        left_out += [LeftOut(row.file, row.row, task, reason) for task, reason in reasons.items() if reason]
        answers = {task: answer for task, answer in row.answers.items() if not reasons[task]}
        if answers:
            kept.append(replace(row, answers=answers))
    return kept


def _read_by_a_model(row: OwnRow) -> tuple[str, ...]:
    return tuple(map(normalised_document, (row.text, *row.seconds.values())))


def _repeats(row: OwnRow, group: list[OwnRow], task: str) -> str:
    """Why a row is not used beside the others of the same text; "" = it is."""
    answered = [one for one in group if task in one.answers]
    differing = next((one for one in answered if set(one.answers[task]) != set(row.answers[task])), None)
    if differing is not None:
        return f"the same text has another answer in row {differing.row}"
    return "" if answered[0] is row else f"a duplicate of row {answered[0].row}"
