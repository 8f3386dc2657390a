"""Comparisons of models that were evaluated in different folders, from their files of answers.

Does: score the files again and compare those that hold the same items. Does not: name models or columns (merge.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

from igakulm.evaluation.comparisons import compared_baselines
from igakulm.evaluation.intervals import document_groups
from igakulm.evaluation.item_files import CHANCE, read_items
from igakulm.evaluation.measured import Measured
from igakulm.evaluation.metrics import chance_metrics, measure
from igakulm.evaluation.scoreboard import BASELINE_MODE
from igakulm.evaluation.significance import paired
from igakulm.files import read_jsonl
from igakulm.tasks.items import Item

Column: TypeAlias = tuple[str, str]
"""Task and split."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The answers behind one line of a column; `unshared`: only the items that share no document with training rows."""

    model: str
    role: str
    mode: str
    path: Path
    unshared: bool
    value: float


@dataclass(frozen=True, slots=True)
class _Scored:
    """A file of answers, scored again in its main metric, items in the order of their ids."""

    items: list[Item]
    measured: Measured


def compared(columns: Mapping[Column, Sequence[Entry]], samples: int, seed: int) -> list[dict[str, Any]]:
    """One row for each pair of a column, in the scoreboard's form.

    Models are compared in the same way of answering (where they have none in common, in the first of each), a model
    with itself in its several ways, and each with the column's best baseline and with guessing.

    Raises:
        InputError: a damaged file of answers.
    """
    rows = []
    for (task, split), entries in columns.items():
        readable = [entry for entry in entries if _complete(entry.path)]
        scored = {entry: _score(entry) for entry in readable}
        for first, second in _pairs(readable):
            row = _compare(scored[first], scored[second], samples, seed)
            if row:
                head = {"task": task, "split": split, "metric": scored[first].measured.name}
                sides = {"first": first.model, "first_mode": first.mode}
                sides |= {"second": second.model, "second_mode": second.mode}
                rows.append(head | sides | row)
    return rows


def _complete(path: Path) -> bool:
    """Whether a file holds what scoring again needs; older versions wrote less."""
    first = next(read_jsonl(path), None)
    return first is not None and "documents" in first


def _pairs(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    models = [entry for entry in entries if entry.role != BASELINE_MODE]
    modes: dict[str, list[str]] = {}
    for entry in models:
        modes.setdefault(entry.model, []).append(entry.mode)
    for first, second in combinations(models, 2):
        common = set(modes[first.model]) & set(modes[second.model])
        firsts = (modes[first.model][0], modes[second.model][0])
        alike = first.mode == second.mode if common else (first.mode, second.mode) == firsts
        if first.model == second.model or alike:
            yield first, second
    baselines = [entry for entry in entries if entry.role == BASELINE_MODE]
    against = compared_baselines({entry.model: entry.value for entry in baselines})
    for baseline in (entry for entry in baselines if entry.model in against):
        for entry in models:
            yield entry, baseline


def _score(entry: Entry) -> _Scored:
    items, predictions = read_items(entry.path)
    shared = [row.get("shared") is True for row in read_jsonl(entry.path)] if entry.unshared else [False] * len(items)
    kept = sorted((place for place in range(len(items)) if not shared[place]), key=lambda place: items[place].id)
    chosen = [items[place] for place in kept]
    if entry.model == CHANCE and entry.role == BASELINE_MODE and chosen[0].kind in ("choice", "number"):
        return _Scored(chosen, chance_metrics(chosen)[0])
    return _Scored(chosen, measure(chosen, [predictions[place] for place in kept])[0])


def _compare(first: _Scored, second: _Scored, samples: int, seed: int) -> dict[str, Any] | None:
    """None where the items or the metric are not the same."""
    ids = [[(item.id, item.answer) for item in scored.items] for scored in (first, second)]
    if ids[0] != ids[1] or first.measured.name != second.measured.name:
        return None
    result = paired(first.measured, second.measured, document_groups(first.items), samples, seed)
    return {
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "p": result.p,
        "n": result.n,
        "documents": result.documents,
    }
