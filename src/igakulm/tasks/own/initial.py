"""`task.yaml` from a table: the guessed or named columns as tasks, with comments.

Does: turn guesses and what the user named into a task file, write it with a comment on every key.
Does not: ask on a terminal (cli/), or check rows (check.py).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from igakulm.errors import InputError, did_you_mean
from igakulm.recipe.task_file import ColumnsSection, OwnSplitSection, OwnTaskSection, TaskFile
from igakulm.tasks.own.guess import Guess, Role, guess_columns
from igakulm.tasks.own.tables import Table
from igakulm.tasks.own.values import divided, label_form


@dataclass(frozen=True, slots=True)
class Named:
    """Columns that the user named; they win over guesses. None and () = guessed."""

    text: str | None = None
    id: str | None = None
    patient: str | None = None
    date: str | None = None
    labels: tuple[str, ...] = field(default=())
    entities: tuple[str, ...] = field(default=())


def settled(table: Table, named: Named) -> list[Guess]:
    """The guesses, with those replaced that the user named.

    When label or entity columns are named, no other column becomes a task.

    Raises:
        InputError: a named column is not there.
    """
    wanted: dict[str, Role] = {}
    for role, name in (("text", named.text), ("id", named.id), ("patient", named.patient), ("date", named.date)):
        if name is not None:
            wanted[_column(table, name)] = role  # type: ignore[assignment]
    wanted |= {_column(table, name): "label" for name in named.labels}
    wanted |= {_column(table, name): "entities" for name in named.entities}
    roles = set(wanted.values())
    single = {role for role in ("text", "id", "patient", "date") if role in roles}
    answers = {"label", "entities", "written"} if roles & {"label", "entities"} else set()
    found = []
    for guess in guess_columns(table):
        if guess.column in wanted:
            found.append(replace(guess, role=wanted[guess.column], why="named"))
        elif guess.role in single | answers:
            found.append(replace(guess, role="none", why="another column was named"))
        else:
            found.append(guess)
    return found


def _column(table: Table, name: str) -> str:
    if name in table.columns:
        return name
    close = did_you_mean(name, table.columns)
    hint = f"did you mean {close!r}?" if close else f"the columns are {', '.join(table.columns)}"
    raise InputError(f"there is no column {name!r}", where=table.source, hint=hint)


def task_file_of(path: Path, out: Path, table: Table, guesses: Sequence[Guess]) -> TaskFile:
    """The task file that follows from the guesses.

    Raises:
        InputError: no column is a text, or none holds an answer.
    """
    roles = {guess.role: guess.column for guess in guesses if guess.role in ("text", "id", "patient", "date")}
    if "text" not in roles:
        raise InputError("no column holds texts", where=table.source, hint="name it with --text COLUMN")
    names: Counter[str] = Counter()
    tasks = [task for guess in guesses if (task := _task(guess, table, names)) is not None]
    if not tasks:
        hint = "name the column with the labels (--label) or with the strings to find (--entities)"
        raise InputError("no column holds answers that a model could learn", where=table.source, hint=hint)
    data = Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()
    columns = ColumnsSection(
        text=roles["text"], id=roles.get("id"), patient=roles.get("patient"), date=roles.get("date")
    )
    split = OwnSplitSection(by="patient" if "patient" in roles else "document")
    return TaskFile(
        name=_plain(path.stem) or "own-task", data=(data,), columns=columns, split=split, tasks=tuple(tasks)
    )


def _task(guess: Guess, table: Table, names: Counter[str]) -> OwnTaskSection | None:
    if guess.role not in ("label", "entities", "written"):
        return None
    base = _plain(guess.column) or {"label": "label", "entities": "items", "written": "text"}[guess.role]
    names[base] += 1
    name = base if names[base] == 1 else f"{base}-{names[base]}"
    column = guess.column
    if guess.role == "entities":
        question = f"次の記録から「{column}」にあたる表現を、書かれているとおりにすべて抜き出してください。"
        return OwnTaskSection(
            name=name, kind="extract", column=column, title=column, question=question, separator=guess.separator,
            item=column,
        )  # fmt: skip
    if guess.role == "written":
        question = f"次の記録の「{column}」を書いてください。"
        return OwnTaskSection(name=name, kind="free-text", column=column, title=column, question=question)
    counted: Counter[str] = Counter()
    for row in table.rows:
        counted.update(label_form(part) for part in divided(row.cells.get(column, ""), guess.separator))
    labels = tuple(sorted(counted, key=lambda label: (-counted[label], label)))
    if len(labels) < 2:
        where = f"{table.source}, column {column}"
        raise InputError("the column holds one label only: there is nothing to choose", where=where)
    question = f"次の記録の「{column}」はどれですか。"
    return OwnTaskSection(
        name=name, kind="classify", column=column, title=column, question=question, labels=labels,
        multiple=guess.separator is not None, separator=guess.separator,
    )  # fmt: skip


def _plain(name: str) -> str:
    """A name for files: what is left of the letters, digits, '.', '_' and '-'.

    >>> _plain("notes 2024.v1"), _plain("転倒")
    ('notes-2024.v1', '')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64]


_COMMENTS = {
    "version": "form of this file",
    "name": "the run stands in runs/NAME",
    "data": "files or folders with the rows, seen from this file",
    "sheet": "of a workbook; none = its first visible sheet with rows",
    "header_rows": "rows that hold the names of the columns; 0 = they are looked for",
    "encoding": "of text files; none = UTF-8, UTF-16 or cp932, as recognised",
    "columns": "which column holds what",
    "personal_data": "replace = names, numbers, addresses … are replaced before a row is stored; kept = nothing is",
    "split": "which rows are for tuning, validation and test",
    "by": "patient, document or date (tune on the past, test on the future): one group never stands on two sides",
    "test": "share of the rows that only the evaluation sees",
    "validation": "share of the rows that decides when tuning ends",
    "folds": "0 = one split; K = every row is tested once, K models (for few rows)",
    "seed": "of the deal of groups to sides",
    "longest_text": "characters; longer texts are left out and listed",
    "decisions": "what people decide in `igakulm task review`; none = NAME.decisions.jsonl beside this file",
    "tasks": "what the model is to do with a row",
    "kind": "classify, extract, compare, question-answer or free-text",
    "column": "holds the answer",
    "second": "the other text of compare, the question of question-answer",
    "title": "what the page calls the task",
    "question": "the words before the text that the model reads",
    "labels": "the labels as they stand in the cells; trailing spaces and full-width letters do not matter",
    "multiple": "true = a cell can hold several labels",
    "separator": "between several values in one cell; none = one value, or a JSON list",
    "item": "what an extracted string is called",
}


class _OneLine(yaml.SafeDumper):
    """Writes every text in one line, so that a comment can follow it."""


_OneLine.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None),
)


def render_task_file(task_file: TaskFile) -> str:
    """`task.yaml` as text, every key with a comment."""
    plain = task_file.model_dump(mode="json")
    text = yaml.dump(plain, Dumper=_OneLine, allow_unicode=True, sort_keys=False, width=2**30)
    lines = ["# A task on own rows; `igakulm task check task.yaml` says which rows can be used, and what is in them."]
    told: set[str] = set()
    for line in text.splitlines():
        key = line.strip().removeprefix("- ").partition(":")[0]
        comment = _COMMENTS.get(key) if key not in told else None
        told.add(key)
        lines.append(f"{line}  # {comment}" if comment and line.rstrip() == line and ":" in line else line)
    return "\n".join(lines) + "\n"
