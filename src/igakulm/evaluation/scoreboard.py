"""The scoreboard as Markdown: one table for each metric, tasks as columns, models as rows.

Does: render `scoreboard.json`. Does not: compute scores or write files (build.py), or make the HTML report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MARK = "†"
METRICS = {
    "kappa": "Cohen's kappa (linear weights where the options are a scale)",
    "accuracy": "Accuracy",
    "score_share": "Share of points, mean over groups",
    "overlap_f1": "Entity F1, overlapping strings paired one to one, mean over rows",
    "exact_f1": "Entity F1, equal strings, mean over rows",
    "character_f1": "Entity F1 by characters, mean over rows",
    "partial_f1_upstream": 'Published "partial F1" (not an F1: it can exceed 1; for comparison only)',
    "exact_f1_upstream": "Published exact F1",
    "kappa_upstream": "Published kappa (the scorer's own reading of the answer)",
    "accuracy_upstream": "Published accuracy (the scorer's own reading of the answer)",
}


def render_markdown(scoreboard: Mapping[str, Any]) -> str:
    """Markdown tables: value [low, high] n for our rows, the bare value for published ones, which carry a dagger.

    Args:
        scoreboard: {"rows": [...], "published": [...]} as the stage writes it.
    """
    rows: Sequence[Mapping[str, Any]] = scoreboard.get("rows", [])
    published: Sequence[Mapping[str, Any]] = scoreboard.get("published", [])
    names = dict.fromkeys(row["metric"] for row in rows)
    ordered = [name for name in METRICS if name in names] + [name for name in names if name not in METRICS]
    parts = ["# Scoreboard", ""]
    for name in ordered:
        parts += [f"## {METRICS.get(name, name)}", "", *_table(name, rows, published), ""]
    parts += _notes(rows, bool(published))
    return "\n".join(parts).rstrip() + "\n"


def _table(metric: str, rows: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, Any]]) -> list[str]:
    ours = [row for row in rows if row["metric"] == metric]
    tasks = list(dict.fromkeys(f"{row['task']} ({row['split']})" for row in ours))
    cells: dict[str, dict[str, str]] = {}
    for row in ours:
        cells.setdefault(row["model"], {})[f"{row['task']} ({row['split']})"] = _cell(row)
    columns = {task.split(" (")[0]: task for task in tasks}
    for row in published:
        if row["metric"] == metric and row["task"] in columns:
            cells.setdefault(f"{row['model']} {MARK}", {})[columns[row["task"]]] = f"{row['value']:.3f}"
    lines = ["| model | " + " | ".join(tasks) + " |", "|---" * (len(tasks) + 1) + "|"]
    for model, values in cells.items():
        lines.append(f"| {model} | " + " | ".join(values.get(task, "") for task in tasks) + " |")
    return lines


def _cell(row: Mapping[str, Any]) -> str:
    text = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}] n={row['n']}"
    return f"{text}, {row['unparsed']:.0%} unread" if row.get("unparsed") else text


def _notes(rows: Sequence[Mapping[str, Any]], published: bool) -> list[str]:
    notes = ["Brackets: 95 % bootstrap interval over documents. Unread: answers that could not be parsed (wrong)."]
    if published:
        notes.append(f"{MARK} As published, on the published split; IgakuQA with image questions. Not measured here.")
    cut = {(row["model"], row["task"]): row["truncated"] for row in rows if row.get("truncated")}
    notes += [f"{model}, {task}: {count} prompts were cut to fit." for (model, task), count in cut.items()]
    return [line for note in notes for line in (note, "")]
