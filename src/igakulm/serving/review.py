"""The work of a person who reviews rows: what is shown, what is decided, what is taken back.

Does: give rows in the order of what would teach most, with the model's proposal and the answer of the data; write each
decision to the disk before it answers. Does not: know HTTP (review_routes.py), or show other people's answers before
they are wanted to settle a dispute.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from igakulm.answering.placing import place_items
from igakulm.errors import InputError
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.serving.review_baseline import baseline_answers
from igakulm.serving.review_proposals import Proposals, teaching_order
from igakulm.tasks.own.decisions import (
    Decision,
    Given,
    Outcome,
    Span,
    Standing,
    append_decision,
    checked_answer,
    decisions_of,
    hash_of_text,
    standing_of,
)
from igakulm.tasks.own.rows import OwnRow, places_of

Filter = Literal["open", "all", "mine", "skipped", "disputed"]
FILTERS: tuple[Filter, ...] = get_args(Filter)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a person sends: for which task and row, by the hash of its text, and the answer (None = skipped)."""

    task: str
    number: int
    text: str
    answer: Given | None
    settles: bool = False


class Review:
    """One person's review of a task file's rows.

    Args:
        task_file: the tasks, and where decisions stand.
        rows: every text once.
        proposals: of the model.
        by: the person.
    """

    def __init__(self, task_file: TaskFile, rows: Sequence[OwnRow], proposals: Proposals, by: str) -> None:
        if task_file.decisions is None:
            raise InputError("the task file names no file of decisions")
        self.task_file, self.rows, self.proposals, self.by = task_file, rows, proposals, by
        self.path, self.tasks = Path(task_file.decisions), proposals.tasks
        self._baseline: dict[str, dict[int, tuple[str, ...]]] = {}
        self._places = [places_of(row, task_file) for row in rows]
        self._done: list[tuple[str, int, Decision | None]] = []

    def learn_baseline(self) -> None:
        """Learn what a method without a language model answers; until then it does not weigh in the order."""
        self._baseline = baseline_answers(self.task_file, self.rows)

    def overview(self) -> dict[str, object]:
        """The tasks, with counts of rows by state."""
        standing = self._standing()
        tasks = []
        for task in self.tasks.values():
            states = [self._state(standing, task.name, number) for number in range(len(self.rows))]
            tasks.append({
                "name": task.name, "title": task.title or task.name, "kind": task.kind, "question": task.question,
                "labels": list(task.labels), "multiple": task.kind == "classify" and task.multiple,
                "item": task.item or task.title or task.name, "rows": len(states),
                "proposed": self.proposals.count(task.name),
                **{name: states.count(name) for name in ("open", "accepted", "corrected", "skipped")},
                "disputed": sum(self._disputed(standing, task.name, number) for number in range(len(states))),
            })  # fmt: skip
        left_out = [task.title or task.name for task in self.task_file.tasks if task.name not in self.tasks]
        return {"name": self.task_file.name, "by": self.by, "tasks": tasks, "not_reviewed": left_out}

    def listed(self, task: str, wanted: Filter) -> list[int]:
        """Numbers of rows, in the order of what would teach most."""
        standing = self._standing()
        known, base = self.proposals.known(task), self._baseline.get(task, {})
        order = teaching_order(self.tasks[task], self.rows, known, base, self.task_file.split.seed)

        def held(number: int) -> bool:
            if wanted == "disputed":
                return self._disputed(standing, task, number)
            state = self._state(standing, task, number)
            return wanted == "all" or state == wanted or (wanted == "mine" and state in ("accepted", "corrected"))

        return [number for number in order if held(number)]

    def row(self, task: str, number: int, *, with_others: bool = False) -> dict[str, Any]:
        """A row as the page shows it; the answers of other people only where they differ and are asked for."""
        row, one = self.rows[number], self.tasks[task]
        standing = self._standing().get(self._places[number][task])
        mine = standing.by.get(self.by) if standing else None
        proposal = self.proposals.get(task, number)
        others = standing.answers if with_others and standing and standing.disputed else {}
        return {
            "task": task, "number": number, "hash": self._places[number][task][1], "text": row.text,
            "second": row.seconds.get(task, ""), "file": Path(row.file).name, "row": row.row, "id": row.id,
            "data": _plain(given_by_data(one, row)), "proposed": _plain(proposal.answer),
            "chances": [list(pair) for pair in proposal.chances], "notes": list(proposal.notes),
            "mine": {"outcome": mine.outcome, "answer": _plain(mine.answer)} if mine else None,
            "others": [{"by": name, "answer": _plain(answer)} for name, answer in others.items()],
        }  # fmt: skip

    def decide(self, sent: Sent) -> Outcome:
        """Write a decision; it is on the disk when this returns.

        Raises:
            ValueError: another text, or an answer that does not fit the task.
            InputError: the file cannot be written.
        """
        task, row = self.tasks[sent.task], self.rows[sent.number]
        place = self._places[sent.number][sent.task]
        if sent.text != place[1] or sent.text != hash_of_text(row.text, row.seconds.get(task.name, "")):
            raise ValueError("this is another text than the row's")
        proposed = self.proposals.get(task.name, sent.number).answer
        outcome: Outcome = "skipped"
        if sent.answer is not None:
            checked_answer(task, sent.answer, row.text)
            same = proposed is not None and proposed.meaning == sent.answer.meaning
            outcome = "accepted" if same else "corrected"
        standing = self._standing().get(place)
        settles = sent.settles and standing is not None and standing.disputed and sent.answer is not None
        self._done.append((task.name, sent.number, standing.by.get(self.by) if standing else None))
        self._write(task.name, sent.number, outcome, sent.answer, proposed, settles=settles)
        return outcome

    def undo(self) -> tuple[str, int] | None:
        """Take the last decision of this sitting back; what the person had decided before holds again.

        Returns:
            Its task and row; None when there is nothing to take back.
        """
        if not self._done:
            return None
        task, number, before = self._done.pop()
        if before is None:
            self._write(task, number, "withdrawn", None, None)
        else:
            self._write(task, number, before.outcome, before.answer, before.proposed)
        return task, number

    def _write(
        self, task: str, number: int, outcome: Outcome, answer: Given | None, proposed: Given | None, *,
        settles: bool = False,
    ) -> None:  # fmt: skip
        row = self.rows[number]
        now = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        decision = Decision(
            file=Path(row.file).name, row=row.row, text=self._places[number][task][1], task=task, outcome=outcome,
            answer=answer, proposed=proposed, by=self.by, at=now, settles=settles,
        )  # fmt: skip
        append_decision(self.path, decision)

    def _standing(self) -> dict[tuple[str, str], Standing]:
        """Read anew each time: another process may have written."""
        return standing_of(decisions_of(self.task_file).lines)

    def _state(self, standing: Mapping[tuple[str, str], Standing], task: str, number: int) -> str:
        held = standing.get(self._places[number][task])
        mine = held.by.get(self.by) if held else None
        return mine.outcome if mine else "open"

    def _disputed(self, standing: Mapping[tuple[str, str], Standing], task: str, number: int) -> bool:
        held = standing.get(self._places[number][task])
        return held is not None and held.disputed


def given_by_data(task: OwnTaskSection, row: OwnRow) -> Given | None:
    """The answer of the data; strings with every place at which they stand."""
    answer = row.answers.get(task.name)
    if answer is None:
        return None
    if task.kind != "extract":
        return Given(labels=answer)
    places = place_items(answer, row.text)[0]
    return Given(spans=tuple(Span(start=one.start, end=one.end, text=row.text[one.start : one.end]) for one in places))


def _plain(given: Given | None) -> dict[str, object] | None:
    return None if given is None else given.model_dump(mode="json")
