"""What a model proposes for the rows that people review, made once in the background and kept.

Does: ask the model about one row at a time, a row that somebody waits for first; keep the answers in a store beside the
decisions, so that another start asks nothing twice; order rows by what a decision would teach. Does not: decide.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from igakulm.asking.store import ResponseStore
from igakulm.errors import InputError
from igakulm.files import sha256_json
from igakulm.inference.engine import EngineFailed
from igakulm.inference.model import Model
from igakulm.progress import Progress
from igakulm.recipe.keys import Section
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.serving.own_answers import ask_own_task, asked_layouts
from igakulm.tasks.own.decisions import Given, Span
from igakulm.tasks.own.rows import OwnRow

REVIEWED = ("classify", "compare", "extract")
"""Kinds of tasks whose answers can be accepted or corrected by labels and places."""
FAILED = "モデルの処理が失敗しました"


class Proposal(Section):
    """A model's answer; None = it could not be asked, and the notes say why. `certain`: the probability of a list of
    places as a whole."""

    answer: Given | None
    chances: tuple[tuple[str, float], ...] = ()
    certain: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def strings(self) -> tuple[str, ...]:
        """Labels, or the strings of the text."""
        return (*self.answer.labels, *(span.text for span in self.answer.spans)) if self.answer else ()


class Proposals:
    """A model's answers to the rows of a task file.

    Args:
        task_file: names the tasks.
        rows: what is reviewed.
        model: was tuned on the tasks.
        path: of the store.
    """

    def __init__(self, task_file: TaskFile, rows: Sequence[OwnRow], model: Model, path: Path) -> None:
        self.tasks = {task.name: task for task in task_file.tasks if task.kind in REVIEWED}
        self._layouts, self._rows, self._model = asked_layouts(task_file, model), rows, model
        self._store = ResponseStore(path)
        self._engine, self._ended, self._waited_for = threading.Lock(), threading.Event(), 0
        self._made: dict[tuple[str, int], Proposal] = {}
        layouts = {name: [asdict(layout) for layout in self._layouts[name]] for name in self.tasks}
        self._asked = {
            name: sha256_json([2, model.identity, model.kind, task.model_dump(mode="json"), layouts[name]])
            for name, task in self.tasks.items()
        }
        for name in self.tasks:
            for number in range(len(rows)):
                if (kept := self._store.get(self._key(name, number))) is not None:
                    self._made[name, number] = Proposal.model_validate(kept)

    def get(self, task: str, number: int) -> Proposal:
        """The proposal for a row; it is made at once when there is none yet."""
        known = self._made.get((task, number))
        if known is not None:
            return known
        self._waited_for += 1
        try:
            return self._make(task, number)
        finally:
            self._waited_for -= 1

    def count(self, task: str) -> int:
        """How many rows of a task have one."""
        return sum(name == task for name, _ in list(self._made))

    def known(self, task: str) -> dict[int, Proposal]:
        """Those that are made, by the number of their row."""
        return {number: one for (name, number), one in list(self._made.items()) if name == task}

    def start(self, progress: Progress) -> Callable[[], None]:
        """Make all in the background; returns a function that ends it after the row at hand and closes the store."""
        thread = threading.Thread(target=self.make_all, args=(progress,), daemon=True, name="proposals")
        thread.start()

        def end() -> None:
            self._ended.set()
            thread.join()
            self._store.close()

        return end

    def make_all(self, progress: Progress) -> None:
        """Make all that are missing; a row that somebody waits for goes first."""
        left = [(task, number) for number in range(len(self._rows)) for task in self.tasks]
        left = [place for place in left if place not in self._made]
        with progress.task("proposals", len(left), "answers") as bar:
            for task, number in left:
                while self._waited_for and not self._ended.is_set():
                    self._ended.wait(0.02)
                if self._ended.is_set():
                    return
                self._make(task, number)
                bar.advance()

    def _make(self, task: str, number: int) -> Proposal:
        with self._engine:
            known = self._made.get((task, number))
            if known is not None:
                return known
            found, keep = self._said(self.tasks[task], self._rows[number])
            if keep:
                self._store.put(self._key(task, number), {}, found.model_dump(mode="json"))
                self._made[task, number] = found
            return found

    def _said(self, task: OwnTaskSection, row: OwnRow) -> tuple[Proposal, bool]:
        """The proposal, and whether another try could give no other one."""
        try:
            said = ask_own_task(task, self._layouts[task.name], row.text, row.seconds.get(task.name, ""), self._model)
        except EngineFailed:
            return Proposal(answer=None, notes=(FAILED,)), False
        except InputError as error:
            return Proposal(answer=None, notes=(error.what,)), True
        spans = {(item.start, item.end): Span(start=item.start, end=item.end, text=row.text[item.start : item.end])
                 for item in said.spans}  # fmt: skip
        answer = Given(labels=said.labels, spans=tuple(spans[place] for place in sorted(spans)))
        return Proposal(answer=answer, chances=said.chances, certain=said.certain, notes=said.notes), True

    def _key(self, task: str, number: int) -> str:
        row = self._rows[number]
        return sha256_json([self._asked[task], row.text, row.seconds.get(task, "")])


def teaching_order(
    task: OwnTaskSection,
    rows: Sequence[OwnRow],
    proposals: Mapping[int, Proposal],
    baseline: Mapping[int, tuple[str, ...]],
    seed: int,
) -> list[int]:
    """Numbers of rows, those first whose decision would teach most.

    A row weighs 1 where the model and the baseline answer differently, 1 where the model and the data do, up to 1 for
    the model's doubt (1 = its two likeliest labels are equally likely, a list of strings that is not likely at all, an
    answer with a note), and up to 1 for a rare label. Rows without a proposal come last; equal ones in an order
    that the seed gives.
    """
    counts = Counter(label for one in proposals.values() if one.answer for label in one.answer.labels)
    most = max(counts.values(), default=1)

    def weight(number: int) -> float:
        one = proposals.get(number)
        if one is None:
            return -1.0
        said = rows[number].answers.get(task.name)
        named = set(one.strings)
        labels = one.answer.labels if one.answer else ()
        return (
            float(number in baseline and set(baseline[number]) != named)
            + float(said is not None and set(said) != named)
            + doubt(one, several=task.kind == "classify" and task.multiple)
            + max((1 - counts[label] / most for label in labels), default=0.0)
        )

    return sorted(range(len(rows)), key=lambda number: (-weight(number), sha256_json([seed, task.name, number])))


def doubt(proposal: Proposal, *, several: bool) -> float:
    """From 0 (sure) to 1.

    >>> doubt(Proposal(answer=None, chances=(("a", 0.5), ("b", 0.5))), several=False)
    1.0
    >>> round(doubt(Proposal(answer=None, chances=(("a", 0.9), ("b", 0.2))), several=True), 2)
    0.4
    >>> doubt(Proposal(answer=None, certain=0.75), several=False)
    0.25
    """
    chances = sorted((chance for _, chance in proposal.chances), reverse=True)
    if several and chances:
        return max(1 - abs(2 * chance - 1) for chance in chances)
    if len(chances) > 1:
        return 1 - (chances[0] - chances[1])
    if proposal.notes:
        return 1.0
    return 0.0 if proposal.certain is None else 1 - proposal.certain
