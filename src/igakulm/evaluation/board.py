"""The scoreboard while it grows: every answered task becomes rows with intervals, item files, and comparisons.

Does: score, resample, compare pairs, write item files and `scoreboard.json`. Does not: ask anybody, or render.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from igakulm.answering.reading import Prediction
from igakulm.evaluation.comparisons import compared_baselines
from igakulm.evaluation.details import calibration, class_rows, subgroup_rows
from igakulm.evaluation.intervals import FEW, Resampler, document_groups
from igakulm.evaluation.item_files import BASELINE, CHANCE, Answered, file_name, write_items
from igakulm.evaluation.manner import GENERATE
from igakulm.evaluation.measured import Measured
from igakulm.evaluation.metrics import chance_metrics, measure, measure_upstream
from igakulm.evaluation.passing import group_rows, passing_rows
from igakulm.evaluation.scoreboard import SCOREBOARD, UNSHARED, Scoreboard
from igakulm.evaluation.significance import paired
from igakulm.files import write_json
from igakulm.tasks.benchmarks.registry import benchmark_of
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import LeftOut
from igakulm.tasks.prompts import prompt_sha256

FEWEST = 5
"""Fewer items than this make no column of their own."""


@dataclass(frozen=True, slots=True)
class Column:
    """One task on one split: its test items, the training rows of the split, and the items that share a document."""

    task: str
    split: str
    items: Sequence[Item]
    train: Sequence[Item] = ()
    shared: Collection[str] = ()


@dataclass(slots=True)
class _Headline:
    """A model's headline metric in one column, kept for comparisons."""

    answered: Answered
    measured: Measured


@dataclass(slots=True)
class Board:
    """Grows by `add`; `write` finishes it. All models of a column are compared on identical resamples."""

    out_dir: Path
    samples: int
    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    passing: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    details: list[dict[str, Any]] = field(default_factory=list)
    unanswered: list[LeftOut] = field(default_factory=list)
    _headlines: dict[tuple[str, str], list[_Headline]] = field(default_factory=dict)
    _items: dict[tuple[str, str], Sequence[Item]] = field(default_factory=dict)
    _resamplers: dict[tuple[str, str], Resampler] = field(default_factory=dict)

    def add(self, column: Column, answered: Answered) -> None:
        """Score what was answered, and the same answers on the items that share nothing with the training rows."""
        where = self._write_file(column, answered)
        self._score(column, answered)
        benchmark = benchmark_of(column.task)
        if benchmark and benchmark.passing:
            who = {"model": answered.model, "answer_mode": answered.mode}
            self.passing += [who | row for row in passing_rows(column.items, answered.parsed, benchmark.passing)]
            self.groups += [who | {"task": column.task} | row for row in group_rows(column.items, answered.parsed)]
        if answered.role == "model":
            self.details.append(where | self._details(column, answered))
        for subset, rest in _unshared(column):
            self._score(subset, _only(answered, rest))

    def add_chance(self, column: Column, drawn: Sequence[Prediction]) -> None:
        """Score blind choice (of choices and numbers) as it is on average; the file of answers holds one draw of it."""
        answered = Answered(CHANCE, "baseline", BASELINE, "", drawn, drawn)
        self._write_file(column, answered)
        self._score(column, answered, chance_metrics(column.items))
        for subset, rest in _unshared(column):
            self._score(subset, _only(answered, rest), chance_metrics(subset.items))

    def _write_file(self, column: Column, answered: Answered) -> dict[str, str]:
        """Write the file of answers; what it holds, as it stands in the board."""
        name = file_name(answered.model, column.task, column.split, answered.mode)
        write_items(self.out_dir / name, column.items, answered, column.shared)
        where = {"model": answered.model, "task": column.task, "split": column.split, "answer_mode": answered.mode}
        self.files.append({**where, "file": name})
        self.unanswered += [
            LeftOut(column.task, answered.model, item.id, "refused" if reply.asked else "too-long", reply.failure)
            for item, reply in zip(column.items, answered.replies, strict=bool(answered.replies))
            if reply.failure
        ]
        return where

    def _details(self, column: Column, answered: Answered) -> dict[str, object]:
        """Classes, calibration and subgroups of one model's answers."""
        shares = [reply.shares for reply in answered.replies]
        return {
            "classes": class_rows(column.items, answered.parsed),
            "calibration": calibration(column.items, shares) if shares else None,
            "subgroups": subgroup_rows(column.items, answered.parsed, self.samples, self.seed),
        }

    def _score(self, column: Column, answered: Answered, given: Sequence[Measured] = ()) -> None:
        key = (column.task, column.split)
        self._items[key] = column.items
        if key not in self._resamplers:
            self._resamplers[key] = Resampler(column.items, self.samples, self.seed)
        measures = given or measures_of(column.task, column.items, answered)
        self._headlines.setdefault(key, []).append(_Headline(answered, measures[0]))
        self.rows += [self._row(column, answered, measured) for measured in measures]

    def _row(self, column: Column, answered: Answered, measured: Measured) -> dict[str, Any]:
        resampler = self._resamplers[column.task, column.split]
        low, high = resampler.interval(measured.statistics, measured.combine, measured.bounds)
        prompts = [reply.prompt for reply in answered.replies]
        return {
            "model": answered.model,
            "task": column.task,
            "kind": column.items[0].kind,
            "metric": measured.name,
            "value": measured.value,
            "low": low,
            "high": high,
            "n": len(column.items),
            "split": column.split,
            "prompt_sha256": prompt_sha256(prompts) if answered.prompt_style else "",
            "prompt_style": answered.prompt_style,
            "wording": answered.wording,
            "precision": answered.precision,
            "answer_mode": answered.mode,
            "unparsed": sum(prediction is None for prediction in answered.parsed) / len(column.items),
            "role": answered.role,
            "truncated": sum(reply.truncated for reply in answered.replies),
            "cut": sum(reply.cut for reply in answered.replies),
            "unanswered": sum(bool(reply.failure) for reply in answered.replies),
            "documents": resampler.documents,
            "few_documents": resampler.documents < FEW,
        }

    def comparisons(self) -> list[dict[str, Any]]:
        """Every pair of models of a column, and every model with the column's best baseline and with guessing."""
        found = []
        for key, headlines in self._headlines.items():
            models = [headline for headline in headlines if headline.answered.role == "model"]
            baselines = [headline for headline in headlines if headline.answered.role == "baseline"]
            pairs = list(combinations(models, 2))
            values = {headline.answered.model: headline.measured.value for headline in baselines}
            against = [headline for headline in baselines if headline.answered.model in compared_baselines(values)]
            pairs += [(model, baseline) for baseline in against for model in models]
            groups = document_groups(self._items[key]) if pairs else None
            for first, second in pairs:
                assert groups is not None
                result = paired(first.measured, second.measured, groups, self.samples, self.seed)
                found.append(
                    {
                        "task": key[0],
                        "split": key[1],
                        "metric": first.measured.name,
                        "first": first.answered.model,
                        "first_mode": first.answered.mode,
                        "second": second.answered.model,
                        "second_mode": second.answered.mode,
                        "difference": result.difference,
                        "low": result.low,
                        "high": result.high,
                        "p": result.p,
                        "n": result.n,
                        "documents": result.documents,
                    }
                )
        return found

    def write(self, order: Sequence[str], more: Mapping[str, object]) -> dict[str, Any]:
        """Write `scoreboard.json`, tasks in the given order and baselines before models, and return it; `more`:
        published rows and leakage.
        """
        place = {task: number for number, task in enumerate(order)}
        for rows in (self.rows, self.files, self.passing, self.groups):
            rows.sort(key=lambda row: row["answer_mode"] != BASELINE)
        self.rows.sort(key=lambda row: place[row["task"]])
        board = {
            "format": Scoreboard.NEWEST,
            "rows": self.rows,
            "items": self.files,
            "paired": sorted(self.comparisons(), key=lambda row: place[row["task"]]),
            "passing": self.passing,
            "groups": self.groups,
            "models": self.models,
            "details": self.details,
            **more,
            "bootstrap": {"samples": self.samples, "seed": self.seed, "unit": "document"},
        }
        write_json(self.out_dir / SCOREBOARD, board)
        return board


def measures_of(task: str, items: Sequence[Item], answered: Answered) -> list[Measured]:
    """Our metrics, headline first; then the published ones where they can differ from ours (JMED-LLM's scorer only)."""
    found = measure(items, answered.parsed)
    benchmark, generated = benchmark_of(task), answered.mode == GENERATE
    if benchmark and benchmark.jmed_scorer and (items[0].kind == "entities" or generated):
        found += measure_upstream(items, answered.upstream)
    return found


def _unshared(column: Column) -> list[tuple[Column, list[int]]]:
    """The published column's items that share no document with training rows, where some but not all do, as a column of
    their own with their places.
    """
    rest = [place for place, item in enumerate(column.items) if item.id not in column.shared]
    if column.split != "published" or not FEWEST <= len(rest) < len(column.items):
        return []
    return [(Column(column.task, UNSHARED, [column.items[place] for place in rest]), rest)]


def _only(answered: Answered, places: Sequence[int]) -> Answered:
    """The answers at some places."""
    return replace(
        answered,
        parsed=[answered.parsed[place] for place in places],
        upstream=[answered.upstream[place] for place in places],
        replies=[answered.replies[place] for place in places] if answered.replies else (),
    )
