"""A scoreboard's figures as tables: by task and split, models as lines, and the files of answers behind them.

Does: arrange. Does not: compute scores, write, or render.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from igakulm.evaluation.scoreboard import (
    BASELINE_MODE,
    PublishedRow,
    Score,
    Scoreboard,
    Variant,
    read_scoreboard,
)

MAIN_METRICS = ("kappa", "score_share", "overlap_f1", "exact_f1", "accuracy")
"""The first of these that a task has is its main metric (see metrics.py, which puts it first too)."""


@dataclass(frozen=True, slots=True)
class TaskScores:
    """A column of the scoreboard: one task on one split, with its main metric and all its scores."""

    name: str
    split: str
    kind: str
    metric: str
    scores: tuple[Score, ...]

    def main(self, model: str) -> Score | None:
        """The model's main figure, in the way of answering that stands first."""
        return self.of(model, self.metric)

    def of(self, model: str, metric: str) -> Score | None:
        """The model's figure in any metric, in the way of answering that stands first."""
        return next((score for score in self.scores if score.model == model and score.metric == metric), None)

    def in_metric(self, metric: str) -> list[Score]:
        """The figures of all models in one metric."""
        return [score for score in self.scores if score.metric == metric]

    @property
    def main_scores(self) -> list[Score]:
        """The main figures of all models, in the order of the scoreboard."""
        return self.in_metric(self.metric)

    @property
    def metrics(self) -> list[str]:
        """All metrics, the main one first."""
        return [self.metric, *dict.fromkeys(s.metric for s in self.scores if s.metric != self.metric)]

    @property
    def n(self) -> int | None:
        """The number of items (the largest, where models differ)."""
        return max((score.n for score in self.scores if score.n is not None), default=None)


@dataclass(slots=True)
class Line:
    """One line of a table: a model and the ways in which it was asked, at most one for each task."""

    model: str
    role: str
    variants: list[Variant] = field(default_factory=list)
    tasks: set[str] = field(default_factory=set)

    def score(self, task: TaskScores, metric: str) -> Score | None:
        """The line's figure."""
        return next((s for s in task.in_metric(metric) if s.model == self.model and s.variant in self.variants), None)


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """The answers of one model to one task."""

    model: str
    task: str
    split: str
    answer_mode: str
    prompt_style: str
    role: str
    path: Path


def lines_of(tasks: Sequence[TaskScores]) -> list[Line]:
    """The lines of a table with these columns: models, then baselines, each in the order of the scoreboard.

    A model that was asked in several ways has as many lines as the task with the most; a way of answering that is used
    for other tasks than a line's (lists are always generated, letters never are) shares that line.
    """
    places: dict[tuple[str, str], dict[Variant, set[str]]] = {}
    for task in tasks:
        for score in task.scores:
            ways = places.setdefault((score.role, score.model), {})
            ways.setdefault(score.variant, set()).add(task.name)
    found: list[Line] = []
    for (role, model), ways in places.items():
        own: list[Line] = []
        for variant, names in ways.items():
            line = next((line for line in own if not line.tasks & names), None)
            if line is None:
                own.append(line := Line(model, role))
            line.variants.append(variant)
            line.tasks |= names
        found += own
    return sorted(found, key=lambda line: line.role == BASELINE_MODE)


class Board:
    """One scoreboard with the folder that it stands in (None: no files of answers)."""

    def __init__(self, stored: Scoreboard, folder: Path | None = None) -> None:
        self.stored = stored
        self.folder = folder

    @classmethod
    def read(cls, folder: Path) -> Board:
        """Read a folder's scoreboard.

        Raises:
            InputError: no scoreboard in the folder, or a damaged or newer one.
        """
        return cls(read_scoreboard(folder), folder)

    @cached_property
    def tasks(self) -> list[TaskScores]:
        """The figures by task and split, in the board's own order."""
        groups: dict[tuple[str, str], list[Score]] = {}
        for score in self.stored.rows:
            groups.setdefault((score.task, score.split), []).append(score)
        return [_task(name, split, scores) for (name, split), scores in groups.items()]

    @cached_property
    def splits(self) -> dict[str, list[TaskScores]]:
        """Split to its tasks."""
        found: dict[str, list[TaskScores]] = {}
        for task in self.tasks:
            found.setdefault(task.split, []).append(task)
        return found

    @cached_property
    def first_tasks(self) -> list[TaskScores]:
        """Each task once, on the split that stands first."""
        return list({task.name: task for task in reversed(self.tasks)}.values())[::-1]

    @cached_property
    def focus(self) -> str:
        """The model that a page about one run is about: the tuned one; empty where there is none."""
        return "tuned" if any(task.main("tuned") for task in self.tasks) else ""

    @cached_property
    def answer_files(self) -> list[AnswerFile]:
        """The files of answers that are there, in the order of the figures; models first, the focus before all."""
        named = {(row.model, row.task, row.split, row.answer_mode): row.file for row in self.stored.items}
        found: dict[tuple[str, ...], AnswerFile] = {}
        for score in (score for task in self.tasks for score in task.scores):
            key = (score.model, score.task, score.split, score.answer_mode)
            path = inside(self.folder, named.get(key, "" if named else f"items/{score.model}/{score.task}.jsonl"))
            if key not in found and path:
                found[key] = AnswerFile(*key, score.prompt_style, score.role, path)
        return sorted(found.values(), key=lambda file: (file.role == BASELINE_MODE, file.model != self.focus))

    def answers_to(self, task: TaskScores) -> list[AnswerFile]:
        """The models' files of answers to a task (no baselines)."""
        asked = (task.name, task.split, BASELINE_MODE)
        return [file for file in self.answer_files if (file.task, file.split) == asked[:2] and file.role != asked[2]]


def stands_beside(row: PublishedRow, task: TaskScores) -> bool:
    """Whether a published figure may stand beside a task's: the same split, or all questions of an examination where
    only those without images were asked.
    """
    split = task.split if row.split is None else row.split
    return row.task == task.name and (split == task.split or (split, task.split) == ("all questions", "text-only"))


def inside(folder: Path | None, name: str) -> Path | None:
    """A file that a board names, if it is there and lies inside the board's folder."""
    if folder is None or not name or "\x00" in name:
        return None
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name:
        return None
    path = folder / name
    try:
        return path if path.is_file() else None
    except OSError:  # a name longer than the file system allows
        return None


def _task(name: str, split: str, scores: list[Score]) -> TaskScores:
    present = list(dict.fromkeys(score.metric for score in scores))
    metric = next((metric for metric in MAIN_METRICS if metric in present), present[0])
    return TaskScores(name, split, scores[0].kind, metric, tuple(scores))
