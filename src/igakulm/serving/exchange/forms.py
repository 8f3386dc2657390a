"""The annotation programs that rows can be handed to, by name.

Does: choose the form, make and check the folder. Does not: know a form.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from igakulm.errors import InputError, did_you_mean
from igakulm.recipe.task_file import TaskFile
from igakulm.serving.exchange import brat, doccano, label_studio
from igakulm.serving.exchange.rows import EXCHANGED, Marked, Taken, exchanged_tasks, shown_rows, take
from igakulm.text.offsets import Units

KINDS = {"label-studio": EXCHANGED, "doccano": EXCHANGED, "brat": ("extract",)}
"""What kinds of tasks each program shows."""


def export_rows(
    task_file: TaskFile, form: str, out: Path, units: str | None = None
) -> tuple[int, list[Path], list[str]]:
    """Write the rows of a task file for another program.

    Returns:
        How many texts, the files, and the tasks that the program does not show.

    Raises:
        InputError: an unknown form or count, a folder that holds something, no task that the program shows.
    """
    kinds, counted = _kinds(form), _units(form, units)
    tasks = exchanged_tasks(task_file, kinds)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("the folder holds something", where=str(out), hint="name a new one with --out")
    rows = shown_rows(task_file, tasks)
    out.mkdir(parents=True, exist_ok=True)
    if form == "label-studio":
        paths = label_studio.write_tasks(out, rows, tasks)
    elif form == "doccano":
        paths = doccano.write_rows(out, rows, tasks, counted)
    else:
        paths = brat.write_texts(out, rows, tasks)
    return len(rows), paths, [task.title or task.name for task in task_file.tasks if task not in tasks]


def import_marks(
    task_file: TaskFile, form: str, source: Path, by: str, units: str | None = None, *, empty_counts: bool = False
) -> Taken:
    """Take what people marked as decisions.

    Raises:
        InputError: an unknown form or count, or a file that is none of the program's.
    """
    kinds, counted = _kinds(form), _units(form, units)
    tasks = exchanged_tasks(task_file, kinds)
    marked: list[Marked]
    if form == "label-studio":
        marked = label_studio.read_export(source, tasks)
    elif form == "doccano":
        marked = doccano.read_export(source, tasks, counted, empty_counts=empty_counts)
    else:
        marked = brat.read_folder(source, tasks, empty_counts=empty_counts)
    return take(task_file, marked, by)


def _kinds(form: str) -> tuple[str, ...]:
    if form not in KINDS:
        close = did_you_mean(form, KINDS)
        hint = f"did you mean {close!r}?" if close else f"use {', '.join(KINDS)}"
        raise InputError(f"there is no form {form!r}", where="--form", hint=hint)
    return KINDS[form]


def _units(form: str, units: str | None) -> Units:
    if units is None:
        return "utf-16" if form == "doccano" else "code-points"
    if form != "doccano":
        raise InputError(f"{form} counts in one way only", where="--units", hint="leave it out")
    for known in get_args(Units):
        if units == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"{units!r} is no way to count", where="--units", hint=f"use {', '.join(get_args(Units))}")
