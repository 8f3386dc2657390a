"""Learning curves in the report: scores by number of tuning rows, and what twice as many rows would bring.

Does: arrange what evaluation/learning_curve.py computed. Does not: compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from markupsafe import Markup

from igakulm.evaluation.learning_curve import Curve, read_curves
from igakulm.report.numbers import Language, shortened
from igakulm.report.render import render
from igakulm.report.words import words


class CurveTable(TypedDict):
    """One task: its sizes, and of each method a figure for each size (None = not there) and its sentence."""

    task: str
    metric: str
    sizes: list[int]
    rows: list[CurveRow]


class CurveRow(TypedDict):
    """One method."""

    name: str
    points: list[tuple[float, float, float] | None]
    doubling: str


def learning_curve_part(folder: Path, language: Language) -> Markup:
    """The section; empty where no curve was computed."""
    curves = read_curves(folder)
    if not curves:
        return Markup("")
    by_task: dict[str, list[Curve]] = {}
    for curve in curves:
        by_task.setdefault(curve["task"], []).append(curve)
    t = words(language)
    tables = [
        CurveTable(
            task=shortened(task),
            metric=t.metric(of_task[0]["metric"]),
            sizes=sorted({point["rows"] for curve in of_task for point in curve["points"]}),
            rows=[],
        )
        for task, of_task in by_task.items()
    ]
    for table, of_task in zip(tables, by_task.values(), strict=True):
        for curve in of_task:
            known = {point["rows"]: (point["value"], point["low"], point["high"]) for point in curve["points"]}
            points = [known.get(size) for size in table["sizes"]]
            doubling = doubled(curve, language)
            table["rows"].append({"name": t.model(curve["model"]), "points": points, "doubling": doubling})
    return render("learning_curve.html.j2", language, tables=tables)


def doubled(curve: Curve, language: Language) -> str:
    """What twice as many rows would bring, in a few words."""
    more, t = curve["doubling"], words(language)
    if more is None:
        return t("learning_curve.unknown")
    value, low, high = (f"{figure:+.2f}" for figure in (more["value"], more["low"], more["high"]))
    return t("learning_curve.doubled", n=more["rows"], value=value, low=low, high=high)


def curve_sentences(folder: Path, titles: Mapping[str, str], language: Language = "ja") -> list[str]:
    """One sentence a task, of its best method with all rows."""
    t = words(language)
    best: dict[str, Curve] = {}
    for curve in read_curves(folder):
        if curve["task"] not in best or curve["points"][-1]["value"] > best[curve["task"]]["points"][-1]["value"]:
            best[curve["task"]] = curve
    return [
        t(
            "learning_curve.sentence",
            title=titles.get(task, task),
            name=t.model(curve["model"]),
            n=curve["points"][-1]["rows"],
            metric=t.metric(curve["metric"]),
            value=f"{curve['points'][-1]['value']:.2f}",
            doubling=doubled(curve, language),
        )
        for task, curve in best.items()
    ]
