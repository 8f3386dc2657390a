"""What more rows would bring: scores on the same test items from nested subsets of the tuning rows.

Does: train baselines on growing subsets, take models that were tuned on subsets as they were scored, extrapolate to
twice as many rows, each with its uncertainty. Does not: tune models, or draw.

An interval holds what the choice of rows changes (several nested orders) and what the choice of test documents changes
(the bootstrap of every other score). What twice as many rows would bring is a line through the last three sizes over
the logarithm of the size: an extrapolation, and marked as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from igakulm.evaluation.baselines import Setting, predict
from igakulm.evaluation.intervals import document_groups, document_sums, drawn_counts
from igakulm.evaluation.item_files import read_items
from igakulm.evaluation.measured import Measured
from igakulm.evaluation.metrics import measure
from igakulm.files import write_json
from igakulm.progress import Progress
from igakulm.stored import Stored, read_stored
from igakulm.tasks.items import Item
from igakulm.tasks.splits import nested_order

CURVE = "learning-curve.json"
METHODS = ("nearest", "ngram", "dictionary", "tagger")
"""Baselines that learn from rows."""
ORDERS, SAMPLES = 5, 400
PARTS = (8, 4, 2, 1)
"""The subsets are these parts of all rows."""
FEWEST = 10
LAST = 3

Values = NDArray[np.float64]


class CurvePoint(TypedDict):
    """The score with so many tuning rows: mean over the orders, 95 % interval over orders and test documents."""

    rows: int
    value: float
    low: float
    high: float
    orders: int


class Curve(TypedDict):
    """One method or model on one task. `doubling`: what twice as many rows would add to the metric; None = fewer than
    two sizes."""

    task: str
    model: str
    metric: str
    points: list[CurvePoint]
    doubling: CurvePoint | None


def baseline_curves(
    train: Mapping[str, Sequence[Item]], test: Mapping[str, Sequence[Item]], seed: int, progress: Progress
) -> list[Curve]:
    """The curves of all baselines that learn, on all tasks.

    Args:
        train: task -> tuning rows.
        test: task -> test items.
        seed: of orders and resamples.
        progress: shows how far it is.
    """
    curves: list[Curve] = []
    tasks = [task for task, items in test.items() if items and len(train.get(task, ())) >= 2 * FEWEST]
    with progress.task("learning curve", len(tasks) * len(METHODS), "methods") as bar:
        for task in tasks:
            for method in METHODS:
                found = _of_baseline(method, train[task], test[task], seed)
                if found:
                    curves.append(_curve(task, method, test[task], found, seed))
                bar.advance()
    return curves


def _of_baseline(method: str, train: Sequence[Item], test: Sequence[Item], seed: int) -> dict[int, list[Measured]]:
    """Size -> the headline metric for each order; the largest size has one order only."""
    sizes = sorted({size for part in PARTS if (size := len(train) // part) >= FEWEST})
    found: dict[int, list[Measured]] = {}
    for size in sizes:
        for number in range(1 if size == len(train) else ORDERS):
            rows = [train[place] for place in nested_order(train, seed + number)[:size]]
            said = predict(method, test, Setting(rows, seed))
            if said is not None:
                found.setdefault(size, []).append(measure(test, said)[0])
    return found


def model_curve(task: str, model: str, runs: Mapping[int, Path], seed: int) -> Curve | None:
    """The curve of a model that was tuned on subsets of the same rows, from the files of its answers.

    Args:
        task: the task.
        model: what it is called.
        runs: number of tuning rows -> file of answers (`item_files.read_items`) to the same test items.
        seed: of the resamples.
    """
    found: dict[int, list[Measured]] = {}
    items: Sequence[Item] = ()
    for rows, path in sorted(runs.items()):
        items, said = read_items(path)
        found[rows] = [measure(items, said)[0]]
    return _curve(task, model, items, found, seed) if found else None


def _curve(task: str, model: str, items: Sequence[Item], found: Mapping[int, Sequence[Measured]], seed: int) -> Curve:
    groups = document_groups(items)
    drawn = np.concatenate(list(drawn_counts(int(groups.max()) + 1, SAMPLES, seed)))
    names = [one.name for all_orders in found.values() for one in all_orders]
    spread = {size: np.stack([_resampled(one, groups, drawn) for one in orders]) for size, orders in found.items()}
    points = [
        _point(size, float(np.mean([one.value for one in orders])), spread[size], len(orders))
        for size, orders in found.items()
    ]
    return {"task": task, "model": model, "metric": names[0], "points": points, "doubling": _doubling(points, spread)}


def _resampled(measured: Measured, groups: NDArray[np.int64], drawn: Values) -> Values:
    return np.asarray(measured.combine(drawn @ document_sums(measured.statistics, groups)), dtype=np.float64)


def _point(rows: int, value: float, spread: Values, orders: int) -> CurvePoint:
    low, high = np.quantile(spread, [0.025, 0.975])
    return {"rows": rows, "value": value, "low": float(low), "high": float(high), "orders": orders}


def _doubling(points: Sequence[CurvePoint], spread: Mapping[int, Values]) -> CurvePoint | None:
    """The slope of a straight line over log2 of the size, through the last sizes; never above the metric's top."""
    last = points[-LAST:]
    if len(last) < 2:
        return None
    x = np.log2([point["rows"] for point in last])
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    orders = max(len(spread[point["rows"]]) for point in last)
    ends = [np.resize(spread[point["rows"]], (orders, SAMPLES)) for point in last]
    slopes = sum(weight * values for weight, values in zip(weights, ends, strict=True))
    slopes = np.minimum(slopes, 1 - ends[-1])
    value = float(min(weights @ [point["value"] for point in last], 1 - last[-1]["value"]))
    return _point(2 * last[-1]["rows"], value, np.asarray(slopes), orders)


def write_curves(folder: Path, curves: Sequence[Curve]) -> Path:
    """Write `folder/learning-curve.json`."""
    write_json(folder / CURVE, {"format": 1, "curves": list(curves)})
    return folder / CURVE


class CurveFile(Stored):
    """`learning-curve.json`."""

    curves: tuple[Curve, ...] = ()


def read_curves(folder: Path) -> tuple[Curve, ...]:
    """The curves that `write_curves` wrote; none where it did not.

    Raises:
        InputError: a damaged file.
    """
    path = folder / CURVE
    return read_stored(path, CurveFile).curves if path.is_file() else ()
