"""How far two people who reviewed the same rows agree: Cohen's kappa of labels, F1 of strings of the text.

Does: take each person's newest own decision, score one person by the other with the metrics by which models are scored,
so that a model's score can be read beside what people reach. Does not: take decisions that settled a dispute: they were
made in sight of the other answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from igakulm.evaluation.intervals import Resampler
from igakulm.evaluation.metrics import measure
from igakulm.recipe.task_file import OwnTaskSection, TaskFile
from igakulm.tasks.own.decisions import Given, checked_answer, decisions_of, standing_of
from igakulm.tasks.own.items import item_tasks, items_of, titles_of
from igakulm.tasks.own.rows import OwnRow, places_of, rows_to_review

SAMPLES = 2000
SHOWN = ("kappa", "accuracy", "overlap_f1_micro", "exact_f1_micro")
"""Of the metrics of a task, those that are the same whichever of the two people is called right."""


class Score(TypedDict):
    """A metric with its 95 % interval, by resampling texts."""

    metric: str
    value: float
    low: float
    high: float


class Agreement(TypedDict):
    """Two people on one task (of several labels: on one label).

    `n`: rows that both decided; `same`: with equal answers.
    """

    task: str
    title: str
    people: list[str]
    n: int
    same: int
    scores: list[Score]


def agreements(task_file: TaskFile) -> list[Agreement]:
    """Every task and pair of people who decided at least one row both; F1 and kappa do not depend on who comes first.

    Raises:
        InputError: the data or the decisions cannot be read.
    """
    lines = [one for one in decisions_of(task_file).lines if not one.settles]
    standing = standing_of(lines)
    found: list[Agreement] = []
    rows = rows_to_review(task_file) if lines else []
    for task in task_file.tasks:
        answers: list[tuple[OwnRow, Mapping[str, Given]]] = []
        for row in rows:
            held = standing.get(places_of(row, task_file)[task.name])
            if held:
                answers.append((row, held.answers))
        people = sorted({name for _, given in answers for name in given})
        for pair in itertools.combinations(people, 2):
            found += _of_pair(task, task_file, answers, pair)
    return found


def _of_pair(
    task: OwnTaskSection,
    task_file: TaskFile,
    answers: Sequence[tuple[OwnRow, Mapping[str, Given]]],
    pair: tuple[str, str],
) -> list[Agreement]:
    only = task_file.model_copy(update={"tasks": (task,)})
    sides: tuple[list[OwnRow], list[OwnRow]] = ([], [])
    for row, given in answers:
        if not all(name in given for name in pair):
            continue
        try:
            both = [checked_answer(task, given[name], row.text) for name in pair]
        except ValueError:
            continue  # `task check` lists it: the task file no longer has the label
        for side, answer in zip(sides, both, strict=True):
            side.append(replace(row, answers={task.name: answer}, kinds={}))
    if not sides[0]:
        return []
    first, second = (items_of(only, side) for side in sides)
    found: list[Agreement] = []
    for name in item_tasks(task):
        said = [item.answer for item in second[name]]
        resampler = Resampler(first[name], SAMPLES, task_file.split.seed)
        scores: list[Score] = []
        for one in measure(first[name], said):
            if one.name in SHOWN:
                low, high = resampler.interval(one.statistics, one.combine, one.bounds)
                scores.append({"metric": one.name, "value": one.value, "low": float(low), "high": float(high)})
        same = sum(set(a.answer) == set(b) for a, b in zip(first[name], said, strict=True))
        found.append({
            "task": name, "title": titles_of(only)[name], "people": list(pair), "n": len(said), "same": same,
            "scores": scores,
        })  # fmt: skip
    return found
