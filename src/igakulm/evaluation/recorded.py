"""Finished answers in the place of a model, so that they stand in the same scoreboard and comparisons.

Does: take the raw answers of a predictions file by item. Does not: score, or say how the answers were got.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from igakulm.evaluation.igakuqa_predictions import read_predictions
from igakulm.evaluation.predictions import read_benchmark_predictions, read_jmed_predictions, read_row_predictions
from igakulm.recipe.schema import BenchmarkSet, Igakuqa, RowTask
from igakulm.tasks.benchmarks.igakuqa import load_questions
from igakulm.tasks.left_out import Screen


@dataclass(frozen=True, slots=True)
class Recorded:
    """Raw answers by item id, of whoever `name` is."""

    name: str
    texts: Mapping[str, str]


def recorded_jmed(data: Path, predictions: Path, tasks: tuple[str, ...], name: str) -> tuple[Recorded, tuple[str, ...]]:
    """Answers to JMED-LLM, and the tasks that they cover.

    Raises:
        InputError: as `read_jmed_predictions`.
    """
    finished = read_jmed_predictions(data, predictions, tasks)
    texts = {item.id: text for task in finished.values() for item, text in zip(task.items, task.texts, strict=True)}
    return Recorded(name, texts), tuple(finished)


def recorded_rows(task: RowTask, predictions: Path, name: str, *, strict: bool = False) -> Recorded:
    """Answers to a task file.

    Raises:
        InputError: as `read_row_predictions`.
    """
    finished = read_row_predictions(task, predictions, Screen(strict))
    return Recorded(name, {item.id: text for item, text in zip(finished.items, finished.texts, strict=True)})


def recorded_benchmark(
    chosen: BenchmarkSet, predictions: Path, name: str, *, strict: bool = False
) -> tuple[Recorded, tuple[str, ...]]:
    """Answers to a published benchmark, and the tasks that they cover.

    Raises:
        InputError: as `read_benchmark_predictions`.
    """
    finished = read_benchmark_predictions(chosen, predictions, Screen(strict))
    texts = {item.id: text for task in finished.values() for item, text in zip(task.items, task.texts, strict=True)}
    return Recorded(name, texts), tuple(finished)


def recorded_igakuqa(chosen: Igakuqa, predictions: Path, system: str) -> Recorded:
    """Published answers of one system to IgakuQA.

    Raises:
        InputError: a missing file, or a question without a prediction.
    """
    said = read_predictions(Path(chosen.path), predictions, system, chosen.years, chosen.parts)
    return Recorded(system, {item.id: said[item.id] for item in load_questions(chosen, Screen())})
