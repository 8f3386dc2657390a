"""How models answered: marked documents, confusion tables, the hardest items, and answers that could not be read.

Does: read the files of answers once and choose what to show. Does not: parse or score answers again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from markupsafe import Markup

from igakulm.evaluation.answer_rows import AnswerRow, read_answers
from igakulm.evaluation.score_tables import AnswerFile, Board, TaskScores
from igakulm.evaluation.scoreboard import UNSHARED
from igakulm.report.items import (
    MARKS,
    MAX_QUESTION,
    MAX_TEXT,
    SHOWN_ITEMS,
    choose_items,
    marked,
    one_line,
    split_document,
)
from igakulm.report.numbers import Language, shortened
from igakulm.report.render import render
from igakulm.report.words import words

MAX_CLASSES = 8
HARDEST = 5
SHOWN_UNREAD = 3
SHOWN_ELSEWHERE = 8
SHOWN_MISSED = 20
SHOWN_ANSWERS = 6
GRADED = ("entities", "text")
"""Kinds whose answers are right in part."""
UNREAD = ""
"""The column of a confusion table for answers that could not be read."""

Answer = tuple[str, ...]


@dataclass(slots=True)
class Digest:
    """What the page needs of one file of answers; `said` and `scores` are by item."""

    file: AnswerFile
    name: str
    examples: list[AnswerRow] = field(default_factory=list)
    unread: list[AnswerRow] = field(default_factory=list)
    unread_count: int = 0
    gold: dict[str, Answer] = field(default_factory=dict)
    said: dict[str, Answer | None] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def few_shot(self) -> bool:
        """Whether worked examples stand before the question."""
        return self.file.prompt_style.endswith("-shot")

    def rows(self, keys: Sequence[str]) -> dict[str, AnswerRow]:
        """The rows of these items, read again."""
        wanted = set(keys)
        return {key: row for key, row in _keyed(self.file) if key in wanted}


@dataclass(frozen=True, slots=True)
class Confusion:
    """Gold answers by answers of one model; `share` of a gold answer's items in per cent of the deepest colour."""

    name: str
    columns: list[str]
    rows: dict[str, dict[str, int]]
    left_out: int


@dataclass(frozen=True, slots=True)
class Hard:
    """An item that is hard: `text` in marked pieces; of choices and texts the answers with their numbers, of lists what
    nobody found; of lists and texts the mean score.
    """

    key: str
    text: list[tuple[str, str]]
    gold: Answer
    answers: list[tuple[str | None, int]]
    missed: list[str]
    mean: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """A document with its marks, its question, and what the model named that is not in it."""

    row: AnswerRow
    question: str
    text: list[tuple[str, str]]
    elsewhere: list[str]


@dataclass(frozen=True, slots=True)
class TaskAnswers:
    """Everything about the answers to one task: by model where a name stands beside."""

    task: TaskScores
    models: int
    confusions: list[Confusion]
    examples: list[tuple[str, str, list[Example]]]
    hardest: list[Hard]
    items: int
    nobody: int
    unread: list[tuple[str, Digest]]
    new: bool

    @property
    def graded(self) -> bool:
        """Whether answers are right in part."""
        return self.task.kind in GRADED


def digest(file: AnswerFile, name: str, examples: int) -> Digest:
    """Read a file of answers once, keeping `examples` rows to show."""
    found = Digest(file, name)
    found.examples = choose_items(_noting(file, found), examples)
    return found


def _keyed(file: AnswerFile) -> Iterator[tuple[str, AnswerRow]]:
    for number, row in enumerate(read_answers(file.path)):
        yield row.id or str(number), row


def _noting(file: AnswerFile, found: Digest) -> Iterator[AnswerRow]:
    for key, row in _keyed(file):
        found.gold[key], found.said[key] = row.gold, row.parsed
        found.scores[key] = row.score if row.score is not None else float(row.gold == row.parsed)
        if row.parsed is None:
            found.unread_count += 1
            if len(found.unread) < SHOWN_UNREAD:
                found.unread.append(row)
        yield row


def answers_part(board: Board, level: int, language: Language) -> Markup:
    """Everything about single answers: of the split that stands first; confusion tables of every split."""
    t = words(language)
    tasks = []
    for task in (task for task in board.tasks if task.split != UNSHARED):
        files = board.answers_to(task)
        shown = SHOWN_ITEMS if len(files) <= 3 else 2
        names = [" · ".join(filter(None, (t.model(file.model), t.mode(file.answer_mode)))) for file in files]
        digests = [digest(file, name, shown) for file, name in zip(files, names, strict=True)]
        if digests:
            tasks.append(_task_answers(task, digests, new=task in board.first_tasks))
    limits = {"unread": SHOWN_UNREAD, "elsewhere": SHOWN_ELSEWHERE, "missed": SHOWN_MISSED, "question": MAX_QUESTION}
    return render("answers.html.j2", language, level=level, tasks=tasks, marks=MARKS, limits=limits)


def _task_answers(task: TaskScores, digests: Sequence[Digest], *, new: bool) -> TaskAnswers:
    entities = task.kind == "entities"
    keys = [key for key in digests[0].gold if all(key in found.scores for found in digests)]
    tables = [] if entities else [table for found in digests if (table := _confusion(found))]
    return TaskAnswers(
        task,
        len(digests),
        tables,
        [(found.name, *_examples(found)) for found in digests if found.examples] if entities and new else [],
        _hardest(task, digests, keys) if new else [],
        len(keys),
        sum(not any(found.scores[key] for found in digests) for key in keys),
        [(found.name, found) for found in digests if found.unread_count],
        new,
    )


def _examples(found: Digest) -> tuple[str, list[Example]]:
    """The question that all of them share (empty: each has its own), and the examples."""
    split = [split_document(row.prompt, last=found.few_shot) for row in found.examples]
    asked = dict.fromkeys(question for question, _ in split)
    shared = next(iter(asked)) if len(asked) == 1 else ""
    examples = []
    for row, (question, text) in zip(found.examples, split, strict=True):
        said, own = row.parsed or (), "" if len(asked) == 1 else question
        elsewhere = [entity for entity in dict.fromkeys(said[: 10 * SHOWN_MISSED]) if entity not in text]
        examples.append(Example(row, own, marked(shortened(text, MAX_TEXT), row.gold, said), elsewhere))
    return shared, examples


def _confusion(found: Digest) -> Confusion | None:
    cells: Counter[tuple[str, str]] = Counter()
    for key, gold in found.gold.items():
        said = found.said[key]
        if len(gold) == 1:
            cells[gold[0], said[0] if said and len(said) == 1 else UNREAD] += 1
    wanted = {gold for gold, _ in cells}
    columns = sorted(wanted | {said for _, said in cells} - {UNREAD})
    if not cells or len(columns) > MAX_CLASSES:
        return None
    columns += [UNREAD] if any(said == UNREAD for _, said in cells) else []
    rows = {gold: {column: cells[gold, column] for column in columns} for gold in sorted(wanted)}
    return Confusion(found.name, columns, rows, len(found.gold) - sum(cells.values()))


def _hardest(task: TaskScores, digests: Sequence[Digest], keys: Sequence[str]) -> list[Hard]:
    means = {key: sum(found.scores[key] for found in digests) / len(digests) for key in keys}
    if task.kind in GRADED:
        chosen = sorted(keys, key=lambda key: means[key])[:HARDEST]
    else:
        wrong = [key for key in keys if means[key] < 1]
        chosen = sorted(wrong, key=lambda key: (means[key], -_agreement(key, digests)))[:HARDEST]
    rows = digests[0].rows(chosen) if chosen else {}
    return [_hard(task, key, rows[key], digests, means[key]) for key in chosen if key in rows]


def _agreement(key: str, digests: Sequence[Digest]) -> int:
    """How many models gave the most frequent wrong answer; unread ones do not count."""
    return max(Counter(said for found in digests if (said := found.said[key]) is not None).values(), default=0)


def _hard(task: TaskScores, key: str, row: AnswerRow, digests: Sequence[Digest], mean: float) -> Hard:
    gold = digests[0].gold[key]
    found = {entity for one in digests for entity in one.said[key] or ()}
    missed = [entity for entity in dict.fromkeys(gold) if entity not in found]
    given = Counter(None if (said := one.said[key]) is None else "\t".join(said) for one in digests)
    if task.kind == "entities":
        text = shortened(split_document(row.prompt, last=digests[0].few_shot)[1], MAX_TEXT)
        return Hard(key, marked(text, gold, [e for e in gold if e in found]), gold, [], missed, mean)
    text = row.prompt
    if len(text) > 2 * MAX_QUESTION:
        text = f"{text[:MAX_QUESTION]} … {text[-MAX_QUESTION:]}"
    answers = list(islice(given.most_common(), SHOWN_ANSWERS))
    return Hard(key, [("", text)], gold, answers, [], mean if task.kind in GRADED else None)


__all__ = ["answers_part", "digest", "one_line"]
