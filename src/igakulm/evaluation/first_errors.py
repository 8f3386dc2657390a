"""Wrong answers of an evaluation, those first that a person should look at first.

Does: gather them from the files of answers, say how probable the model held its answer, which other models and methods
gave the same one, and put them in order. Does not: ask, score, or write a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from igakulm.evaluation.scoreboard import BASELINE_MODE, read_scoreboard
from igakulm.files import read_jsonl
from igakulm.stored import Part
from igakulm.tasks.items import LETTERS

BLIND = ("chance", "always-a", "majority")
"""Methods that do not look at the text: that they agree means nothing."""


class AnswerRow(Part):
    """A line of a file of answers, as far as it is needed here."""

    id: str
    task: str
    kind: str
    prompt: str = ""
    message: str = ""
    document: tuple[int, int] | None = None
    probabilities: list[float] = Field(default_factory=list)
    parsed: list[str] | None = None
    gold: list[str] = Field(default_factory=list)
    score: float = 0.0

    @property
    def text(self) -> str:
        """The document; where its place is not known, all that was asked."""
        return self.message[slice(*self.document)] if self.document else self.message or self.prompt


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """One wrong answer of one model.

    Attributes:
        said: None = it could not be read.
        certain: probability of the answer, where options were weighed.
        agree: other models and methods that look at the text and gave the same answer: the more, the likelier it is
            that the row's own answer is wrong.
        score: 0, or the overlap F1 of strings.
    """

    model: str
    task: str
    id: str
    text: str
    gold: tuple[str, ...]
    said: tuple[str, ...] | None
    certain: float | None
    agree: tuple[str, ...]
    score: float


def wrong_answers(evaluation: Path) -> list[WrongAnswer]:
    """All answers of models with a score below 1.

    In this order: those that most other methods give as well (the row's own answer may be wrong), then those of the
    lowest score, of which the model was surest.

    Raises:
        InputError: no scoreboard, or a damaged file.
    """
    board = read_scoreboard(evaluation)
    answers: dict[tuple[str, str], dict[str, AnswerRow]] = {}
    asked: list[tuple[str, str]] = []
    for file in board.items:
        rows = {row.id: row for row in map(AnswerRow.model_validate, read_jsonl(evaluation / file.file))}
        answers.setdefault((file.model, file.task), rows)
        if file.answer_mode != BASELINE_MODE and (file.model, file.task) not in asked:
            asked.append((file.model, file.task))
    found = [
        _wrong(model, row, answers) for model, task in asked for row in answers[model, task].values() if row.score < 1
    ]
    return sorted(found, key=_order)


def _order(one: WrongAnswer) -> tuple[float, float, float, str, str, str]:
    return -len(one.agree), one.score, -(one.certain or 0.0), one.task, one.id, one.model


def _wrong(model: str, row: AnswerRow, answers: dict[tuple[str, str], dict[str, AnswerRow]]) -> WrongAnswer:
    agree = [
        other
        for (other, task), rows in answers.items()
        if task == row.task and other not in (model, *BLIND) and row.parsed and _same(rows.get(row.id), row)
    ]
    certain = _probability(row)
    return WrongAnswer(
        model,
        row.task,
        row.id,
        row.text,
        tuple(row.gold),
        None if row.parsed is None else tuple(row.parsed),
        certain,
        tuple(agree),
        row.score,
    )


def _same(other: AnswerRow | None, row: AnswerRow) -> bool:
    return other is not None and other.parsed is not None and set(other.parsed) == set(row.parsed or ())


def _probability(row: AnswerRow) -> float | None:
    """The probability of the one letter that was chosen."""
    if row.parsed is None or len(row.parsed) != 1 or row.parsed[0] not in LETTERS:
        return None
    place = LETTERS.index(row.parsed[0])
    return row.probabilities[place] if row.kind == "choice" and place < len(row.probabilities) else None
