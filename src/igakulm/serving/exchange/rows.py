"""What goes to other annotation programs and comes back, whatever their form.

Does: gather the rows of a task file with the answers that hold now, and turn what people marked elsewhere into
decisions, each line that cannot be used with its reason. Does not: know any program's form (label_studio.py,
doccano.py, brat.py), or the review page.

What comes back is a decision like one of the review page: it belongs to a text, counts for whoever made it, and two
people who differ are a dispute.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from igakulm.errors import InputError
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.serving.review import given_by_data
from igakulm.tasks.own.decisions import (
    Decision,
    Given,
    Span,
    append_decision,
    checked_answer,
    decisions_of,
    hash_of_text,
    standing_of,
)
from igakulm.tasks.own.rows import OwnRow, places_of, rows_to_review

EXCHANGED = ("classify", "extract")
_BREAKS = re.compile("\r\n?")


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as another program shows it. `answers`: task -> what holds now; tasks without an answer are not there."""

    id: str
    text: str
    answers: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marked:
    """What somebody marked in one text.

    Attributes:
        where: file and line, for people.
        text: as the other program holds it.
        given: task -> answer, its places in `text`; None = the row was put aside.
        problems: what could not be read.
        by, at: who and when; "" = the program does not say.
    """

    where: str
    text: str
    given: Mapping[str, Given | None]
    problems: tuple[str, ...] = ()
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A text or mark that became no decision, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import did. `known`: decisions that the same person had made before, with the same answer."""

    decisions: int
    known: int
    not_taken: tuple[NotTaken, ...]


def exchanged_tasks(task_file: TaskFile, kinds: Sequence[str] = EXCHANGED) -> list[OwnTaskSection]:
    """The tasks that another program can show.

    Raises:
        InputError: none of them.
    """
    found = [task for task in task_file.tasks if task.kind in kinds]
    if not found:
        raise InputError(f"no task is of a kind that this program shows ({', '.join(kinds)})", where=task_file.name)
    return found


def shown_rows(task_file: TaskFile, tasks: Sequence[OwnTaskSection]) -> list[Shown]:
    """Every text once, with what people decided, else with the answer of the data.

    Raises:
        InputError: the data cannot be read.
    """
    standing = standing_of(decisions_of(task_file).lines)
    found = []
    for row in rows_to_review(task_file):
        answers: dict[str, Given] = {}
        for task in tasks:
            held = standing.get((task.name, hash_of_text(row.text)))
            given = held.answer if held else None
            given = given_by_data(task, row) if given is None else given
            if given is not None:
                answers[task.name] = given
        found.append(Shown(f"{Path(row.file).stem}-{row.row}", row.text, answers))
    return found


def take(task_file: TaskFile, marked: Iterable[Marked], by: str) -> Taken:
    """Turn what people marked into decisions beside the task file.

    Args:
        task_file: names tasks and data.
        marked: in the order in which it was made.
        by: who is meant where the program does not say.

    Raises:
        InputError: the data or the decisions cannot be read or written.
    """
    if task_file.decisions is None:
        raise InputError("the task file names no file of decisions")
    rows = {row.text: row for row in reversed(rows_to_review(task_file))}
    plain = {_BREAKS.sub("\n", text): text for text in rows}
    tasks = {task.name: task for task in task_file.tasks}
    held = standing_of(decisions_of(task_file).lines)
    before = {(place, name): one for place, standing in held.items() for name, one in standing.by.items()}
    done = known = 0
    not_taken: list[NotTaken] = []
    for one in marked:
        not_taken += [NotTaken(one.where, problem) for problem in one.problems]
        text = one.text if one.text in rows else plain.get(_BREAKS.sub("\n", one.text))
        if text is None:
            not_taken.append(NotTaken(one.where, "no row of the data has this text"))
            continue
        for name, given in one.given.items():
            try:
                decision = _decision(tasks[name], rows[text], _moved(given, one.text, text), one, by, task_file)
            except ValueError as error:
                not_taken.append(NotTaken(one.where, f"{name}: {error}"))
                continue
            earlier = before.get(((name, decision.text), decision.by))
            if earlier is not None and (earlier.outcome == "skipped", earlier.answer) == (
                given is None,
                decision.answer,
            ):
                known += 1
                continue
            append_decision(Path(task_file.decisions), decision)
            before[(name, decision.text), decision.by] = decision
            done += 1
    return Taken(done, known, tuple(not_taken))


def _decision(
    task: OwnTaskSection, row: OwnRow, given: Given | None, one: Marked, by: str, task_file: TaskFile
) -> Decision:
    proposed = given_by_data(task, row)
    same = proposed is not None and given is not None and proposed.meaning == given.meaning
    if given is not None:
        checked_answer(task, given, row.text)
    return Decision(
        file=Path(row.file).name,
        row=row.row,
        text=places_of(row, task_file)[task.name][1],
        task=task.name,
        outcome="skipped" if given is None else "accepted" if same else "corrected",
        answer=given,
        proposed=proposed,
        by=(one.by or by)[:64],
        at=one.at or datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    )


def _moved(given: Given | None, text: str, original: str) -> Given | None:
    """An answer whose places are those of the row's own text, where the other program changed line breaks."""
    if given is None or text == original:
        return given
    starts = _plain_starts(text), _plain_starts(original)
    spans = []
    for span in given.spans:
        start, end = (starts[1].index(starts[0][place]) for place in (span.start, span.end))
        spans.append(Span(start=start, end=end, text=original[start:end]))
    return given.model_copy(update={"spans": tuple(spans)})


def _plain_starts(text: str) -> list[int]:
    """For each character, and for the end, how many characters stand before it where a line break is one."""
    counts = [0]
    for place, character in enumerate(text):
        counts.append(counts[-1] + (character != "\n" or place == 0 or text[place - 1] != "\r"))
    return counts


def span(text: str, start: int, end: int) -> Span:
    """A place of a text."""
    return Span(start=start, end=end, text=text[start:end])
