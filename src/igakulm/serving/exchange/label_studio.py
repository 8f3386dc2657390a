"""Label Studio: tasks with pre-annotations to import there, its JSON and JSON-MIN exports to read here.

Does: write `tasks.json` and the labelling interface, read exports. Does not: speak with a running server.

Source: https://labelstud.io/guide/task_format and https://labelstud.io/guide/export. Places are counted in code points
since 2022 and in UTF-16 units before; a mark's own text says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from igakulm.errors import InputError
from igakulm.files import read_json, write_json, write_text
from igakulm.recipe.task_file import OwnTaskSection
from igakulm.serving.exchange.rows import Marked, Shown, span
from igakulm.tasks.own.decisions import Given, Span
from igakulm.text.offsets import span_of

TEXT = "text"


def write_tasks(folder: Path, rows: Iterable[Shown], tasks: Sequence[OwnTaskSection]) -> list[Path]:
    """Write `tasks.json` (Import) and `interface.xml` (Settings, Labeling Interface)."""
    write_json(folder / "tasks.json", [_task(row, tasks) for row in rows])
    lines = ["<View>"]
    for task in tasks:
        head = f"  <Header value={quoteattr(task.title or task.name)}/>"
        if task.kind == "extract":
            label = f"<Label value={quoteattr(_label(task))}/>"
            lines += [head, f'  <Labels name={quoteattr(task.name)} toName="{TEXT}">{label}</Labels>']
        else:
            several = "multiple" if task.multiple else "single"
            choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in task.labels)
            choice = f'  <Choices name={quoteattr(task.name)} toName="{TEXT}" choice="{several}">{choices}</Choices>'
            lines += [head, choice]
    lines += [f'  <Text name="{TEXT}" value="${TEXT}" granularity="symbol"/>', "</View>", ""]
    write_text(folder / "interface.xml", "\n".join(lines))
    return [folder / "tasks.json", folder / "interface.xml"]


def _label(task: OwnTaskSection) -> str:
    return task.item or task.title or task.name


def _task(row: Shown, tasks: Sequence[OwnTaskSection]) -> dict[str, Any]:
    results = [one for task in tasks for one in _results(row.answers.get(task.name), task)]
    known = [{"model_version": "igakulm", "result": results}] if results else []
    return {"data": {TEXT: row.text, "row": row.id}, "predictions": known}


def _results(given: Given | None, task: OwnTaskSection) -> Iterator[dict[str, Any]]:
    if given is None:
        return
    head = {"from_name": task.name, "to_name": TEXT}
    if task.kind == "extract":
        for number, one in enumerate(given.spans):
            value = {"start": one.start, "end": one.end, "text": one.text, "labels": [_label(task)]}
            yield {**head, "id": f"{task.name}-{number}", "type": "labels", "value": value}
    else:
        yield {**head, "id": task.name, "type": "choices", "value": {"choices": list(given.labels)}}


def read_export(path: Path, tasks: Sequence[OwnTaskSection]) -> list[Marked]:
    """What people marked: one entry an annotation.

    Raises:
        InputError: this is no export of Label Studio.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        hint = "export it as JSON or JSON-MIN"
        raise InputError("this is no export of Label Studio: no list of tasks", where=str(path), hint=hint)
    found: list[Marked] = []
    for number, row in enumerate(rows, 1):
        where = f"{path}, task {row.get('id', number)}"
        annotations = row.get("annotations", row.get("completions"))
        if isinstance(annotations, list):
            text = _text(row.get("data"), where)
            found += [_annotation(one, text, tasks, where) for one in annotations]
        else:
            found.append(_minimal(row, _text(row, where), tasks, where))
    return found


def _text(data: object, where: str) -> str:
    text = data.get(TEXT) if isinstance(data, dict) else None
    if not isinstance(text, str):
        raise InputError(f"there is no {TEXT!r} in the data of this task", where=where)
    return text


def _annotation(one: Mapping[str, Any], text: str, tasks: Sequence[OwnTaskSection], where: str) -> Marked:
    who = one.get("completed_by", "")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id", "")
    at = str(one.get("updated_at") or one.get("created_at") or "")
    if one.get("was_cancelled"):
        return Marked(where, text, {task.name: None for task in tasks}, by=str(who), at=at)
    values: dict[str, list[Mapping[str, Any]]] = {}
    for result in one.get("result") or ():
        values.setdefault(str(result.get("from_name", "")), []).append(result.get("value") or {})
    given, problems = _given(values, text, tasks)
    return Marked(where, text, given, tuple(problems), str(who), at)


def _minimal(row: Mapping[str, Any], text: str, tasks: Sequence[OwnTaskSection], where: str) -> Marked:
    """A row of JSON-MIN: the values stand beside the data, under the names of their controls."""
    values: dict[str, list[Mapping[str, Any]]] = {}
    for name, value in row.items():
        if isinstance(value, str):
            values[name] = [{"choices": [value]}]
        elif isinstance(value, dict):
            values[name] = [value]
        elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
            values[name] = value
    given, problems = _given(values, text, tasks)
    at = str(row.get("updated_at") or row.get("created_at") or "")
    return Marked(where, text, given, tuple(problems), str(row.get("annotator", "")), at)


def _given(
    values: Mapping[str, Sequence[Mapping[str, Any]]], text: str, tasks: Sequence[OwnTaskSection]
) -> tuple[dict[str, Given | None], list[str]]:
    """Answers by task. A task of places without a mark is one whose strings the text does not hold."""
    given: dict[str, Given | None] = {}
    problems: list[str] = []
    for task in tasks:
        own = values.get(task.name, ())
        if task.kind != "extract":
            chosen = tuple(label for value in own for label in value.get("choices") or ())
            if chosen:
                given[task.name] = Given(labels=chosen)
            continue
        places = [_place(value, text) for value in own]
        if any(place is None for place in places):
            problems.append(f"{task.name}: a mark does not lie where its text stands")
        else:
            given[task.name] = Given(
                spans=tuple(sorted(set(filter(None, places)), key=lambda one: (one.start, one.end)))
            )
    return given, problems


def _place(value: Mapping[str, Any], text: str) -> Span | None:
    """The place of a mark, counted as its own text says; without one, in code points."""
    start, end, own = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(start, int) or not isinstance(end, int):
        return None
    if not isinstance(own, str):
        found = span_of(text, start, end, "code-points")
        return span(text, *found) if found else None
    for units in ("code-points", "utf-16"):
        found = span_of(text, start, end, units)
        if found and own.replace("\\n", "\n") == text[slice(*found)].replace("\\n", "\n"):
            return span(text, *found)
    return None
