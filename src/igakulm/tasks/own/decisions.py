"""What people decided about rows when they reviewed them: one JSON object a line beside the task file.

Does: append a decision so that a kill or a second process loses nothing, read them, say which answer stands for a row
and where people differ. Does not: read rows (rows.py), show them (serving/), or measure agreement.

A decision belongs to a text, not to the place of its row: rows may be moved or inserted in the spreadsheet, and a
changed text is to be reviewed anew.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import Field, ValidationError

from igakulm.errors import InputError
from igakulm.files import explain_os_error, sha256_json, sync, tried_jsonl
from igakulm.recipe.keys import Section
from igakulm.recipe.task_file import OwnTaskSection, TaskFile

Outcome = Literal["accepted", "corrected", "skipped", "withdrawn"]
Place = tuple[str, str]
"""Name of a task and hash of a text: what a decision is about."""


class Span(Section):
    """`text[start:end]` of the row's text as it stands in the data, in code points."""

    start: int = Field(ge=0)
    end: int
    text: str


class Given(Section):
    """An answer: labels, or places in the text."""

    labels: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def meaning(self) -> frozenset[object]:
        """What must be equal for two answers to be the same."""
        return frozenset(self.labels) | {(span.start, span.end) for span in self.spans}


class Decision(Section):
    """One line of the file.

    Attributes:
        file, row: where the text stood, for people; it is found again by its hash, `text`.
        outcome: "withdrawn" = the person's earlier decisions on this text no longer count.
        settles: made in sight of the others' answers, it ends their dispute.
    """

    version: Literal[1] = 1
    file: str
    row: int
    text: str
    task: str
    outcome: Outcome
    answer: Given | None = None
    proposed: Given | None = None
    by: str = Field(min_length=1, max_length=64)
    at: str
    settles: bool = False


@dataclass(frozen=True, slots=True)
class Decisions:
    """All lines that can be read, in the order in which they were written, and the numbers of those that cannot."""

    lines: tuple[Decision, ...]
    unreadable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one text and task: each person's newest decision."""

    by: Mapping[str, Decision]

    @property
    def answers(self) -> dict[str, Given]:
        """Person -> answer; people who skipped the row are not among them."""
        return {
            name: one.answer or Given() for name, one in self.by.items() if one.outcome in ("accepted", "corrected")
        }

    @property
    def disputed(self) -> bool:
        """Whether two people gave different answers."""
        return len({answer.meaning for answer in self.answers.values()}) > 1

    @property
    def answer(self) -> Given | None:
        """The answer that counts; None = nobody gave one, or it is disputed."""
        return None if self.disputed else next(iter(self.answers.values()), None)


class DecisionCounts(TypedDict):
    """What the file holds: texts and tasks with a decision, by what holds of them now; `no_row`: those whose text is in
    no row of the data; `unreadable`: numbers of lines that a stop cut off."""

    accepted: int
    corrected: int
    skipped: int
    disputed: int
    no_row: int
    people: list[str]
    unreadable: list[int]


def hash_of_text(text: str, second: str = "") -> str:
    """By what a decision finds its row: the text, and the other text or the question where there is one."""
    return sha256_json([text, second])


def append_decision(path: Path, decision: Decision) -> None:
    """Write a decision; it is on the disk when the call returns.

    Other processes may write the same file. A last line that a stop cut off stays as it is, on its own line.

    Raises:
        InputError: the file cannot be written.
    """
    line = decision.model_dump_json(exclude_defaults=True).encode() + b"\n"
    try:
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            while line:
                line = line[os.write(descriptor, line) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync(path.parent)
    except OSError as error:
        raise explain_os_error(error, path) from error


def read_decisions(path: Path) -> Decisions:
    """All decisions of a file; none where there is no file.

    Raises:
        InputError: a whole line that is no decision, or a file that cannot be read.
    """
    if not path.exists():
        return Decisions(())
    lines: list[Decision] = []
    unreadable: list[int] = []
    for number, row in tried_jsonl(path):
        if isinstance(row, InputError):
            unreadable.append(number)
            continue
        try:
            lines.append(Decision.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise InputError(f"this is no decision: {key}: {first['msg']}", where=f"{path}, line {number}") from error
    return Decisions(tuple(lines), tuple(unreadable))


def decisions_of(task_file: TaskFile) -> Decisions:
    """The decisions beside a task file."""
    return read_decisions(Path(task_file.decisions)) if task_file.decisions else Decisions(())


def standing_of(decisions: Iterable[Decision]) -> dict[Place, Standing]:
    """What holds now: the newest decision of each person; one that settles a dispute replaces all before it."""
    found: dict[Place, dict[str, Decision]] = {}
    for one in decisions:
        people = found.setdefault((one.task, one.text), {})
        if one.settles:
            people.clear()
        people.pop(one.by, None)
        if one.outcome != "withdrawn":
            people[one.by] = one
    return {place: Standing(people) for place, people in found.items() if people}


def decided_answer(task: OwnTaskSection, standing: Standing | None, text: str) -> tuple[str, ...] | None:
    """The answer that people decided on, in the form in which rows hold answers; None = none.

    Raises:
        ValueError: they differ, or the answer does not fit the task file or the text.
    """
    if standing is None:
        return None
    if standing.disputed:
        raise ValueError(f"disputed: {' and '.join(standing.answers)} decided differently (igakulm task review)")
    given = standing.answer
    return None if given is None else checked_answer(task, given, text)


def checked_answer(task: OwnTaskSection, given: Given, text: str) -> tuple[str, ...]:
    """An answer of a person as rows hold answers: labels, or strings in the order of the text.

    Raises:
        ValueError: a label that the task file does not name, several where one may hold, none, a wrong place.
    """
    if task.kind == "extract":
        wrong = next((span for span in given.spans if not span.text or text[span.start : span.end] != span.text), None)
        if wrong is not None or given.labels:
            raise ValueError(f"the decided span {(wrong.text if wrong else '')[:40]!r} is not what stands at its place")
        return tuple(dict.fromkeys(span.text for span in sorted(given.spans, key=lambda span: (span.start, span.end))))
    unknown = next((label for label in given.labels if label not in task.labels), None)
    if unknown is not None:
        raise ValueError(f"the decided label {unknown[:40]!r} is unknown")
    if given.spans or not given.labels or (len(given.labels) > 1 and not task.multiple):
        raise ValueError("the decision does not name one label" if not task.multiple else "the decision names no label")
    return tuple(label for label in task.labels if label in given.labels)


def count_decisions(decisions: Decisions, standing: Mapping[Place, Standing], places: set[Place]) -> DecisionCounts:
    """Counts for `igakulm task check`; `places`: what the rows of the data can have decisions about."""
    counts: DecisionCounts = {
        "accepted": 0, "corrected": 0, "skipped": 0, "disputed": 0,
        "no_row": len(standing.keys() - places),
        "people": sorted({one.by for one in decisions.lines}),
        "unreadable": list(decisions.unreadable),
    }  # fmt: skip
    for place, held in standing.items():
        if place not in places:
            continue
        outcomes = {one.outcome for one in held.by.values()}
        if held.disputed:
            counts["disputed"] += 1
        elif "corrected" in outcomes:
            counts["corrected"] += 1
        elif "accepted" in outcomes:
            counts["accepted"] += 1
        else:
            counts["skipped"] += 1
    return counts
