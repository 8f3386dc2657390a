"""doccano: one JSONL file a task to import there, its JSONL exports to read here.

Does: write rows for a project of sequence labelling or text classification, read what it exports (also of projects of
relations and intents). Does not: speak with a running server.

Source: doccano's own `data_export` and `data_import`. It counts in UTF-16 units; in projects that count grapheme
clusters as one character, in those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import numbered_jsonl, write_jsonl
from igakulm.recipe.task_file import OwnTaskSection
from igakulm.serving.exchange.rows import Marked, Shown, span
from igakulm.tasks.own.decisions import Given, Span
from igakulm.text.offsets import Units, counted_span, span_of

LABELS = ("label", "labels", "entities", "cats")


def write_rows(folder: Path, rows: Sequence[Shown], tasks: Iterable[OwnTaskSection], units: Units) -> list[Path]:
    """Write `TASK.jsonl` for each task; in doccano each is a project of its own."""
    paths = []
    for task in tasks:
        paths.append(folder / f"{task.name}.jsonl")
        write_jsonl(paths[-1], (_row(row, task, units) for row in rows))
    return paths


def _row(row: Shown, task: OwnTaskSection, units: Units) -> dict[str, Any]:
    given = row.answers.get(task.name, Given())
    label: list[Any] = list(given.labels)
    if task.kind == "extract":
        label = [[*counted_span(row.text, one.start, one.end, units), _label(task)] for one in given.spans]
    return {"text": row.text, "label": label, "row": row.id}


def _label(task: OwnTaskSection) -> str:
    return task.item or task.title or task.name


def read_export(
    path: Path, tasks: Sequence[OwnTaskSection], units: Units, *, empty_counts: bool = False
) -> list[Marked]:
    """What was marked.

    Args:
        path: JSONL of one project.
        tasks: a line is about that task of which it has marks: labels of a classification, or places.
        units: how the project counts.
        empty_counts: a line without any mark says that the text holds no such string; else it says nothing, since
            doccano also exports what nobody has looked at.

    Raises:
        InputError: a line that is none of doccano's.
    """
    found = []
    for number, line in numbered_jsonl(path):
        where, text = f"{path}, line {number}", line.get("text", line.get("data"))
        if not isinstance(text, str):
            raise InputError("this is no line of doccano: there is no text", where=where)
        if not any(isinstance(line.get(name), list) for name in LABELS):
            raise InputError("this is no line of doccano: there is no list of labels", where=where)
        marks = [mark for name in LABELS for mark in line.get(name) or ()]
        given, problems = _given(marks, text, tasks, units, empty_counts)
        found.append(Marked(where, text, given, tuple(problems), str(line.get("annotator") or "")))
    return found


def _given(
    marks: Sequence[Any], text: str, tasks: Sequence[OwnTaskSection], units: Units, empty_counts: bool
) -> tuple[dict[str, Given | None], list[str]]:
    given: dict[str, Given | None] = {}
    problems: list[str] = []
    labels = [mark for mark in marks if isinstance(mark, str)]
    places = [_place(mark, text, units) for mark in marks if not isinstance(mark, str)]
    if any(place is None for place in places):
        return {}, ["a mark does not lie within the text, or cuts a character: does the project count otherwise?"]
    for task in tasks:
        if task.kind == "extract":
            own = [place for place, label in filter(None, places) if label in _names(task)]
            if own or (empty_counts and not marks):
                given[task.name] = Given(spans=tuple(sorted(set(own), key=lambda one: (one.start, one.end))))
        elif own_labels := [label for label in labels if label in task.labels]:
            given[task.name] = Given(labels=tuple(own_labels))
    known = {name for task in tasks for name in (*_names(task), *task.labels)}
    named = [*labels, *(label for _, label in filter(None, places))]
    problems += [f"no task has the label {label[:40]!r}" for label in dict.fromkeys(named) if label not in known]
    if not given and not problems:
        problems.append("nothing is marked (--empty-counts takes that as an answer)")
    return given, problems


def _names(task: OwnTaskSection) -> tuple[str, ...]:
    return (task.name, task.title, task.item) if task.kind == "extract" else ()


def _place(mark: object, text: str, units: Units) -> tuple[Span, str] | None:
    """`[start, end, label]`, or an object with offsets."""
    if isinstance(mark, Mapping):
        mark = [mark.get("start_offset"), mark.get("end_offset"), mark.get("label")]
    if not isinstance(mark, list) or len(mark) != 3 or not all(isinstance(one, int) for one in mark[:2]):
        return None
    found = span_of(text, mark[0], mark[1], units)
    return (span(text, *found), str(mark[2])) if found else None
