"""The scoreboard as Markdown: for each split a table of every metric, comparisons, the examination.

Does: render `scoreboard.json`. Does not: compute scores or write files (build.py), or make the HTML report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.report.board import BASELINE_MODE, Board, Line, Score, Task, lines_of, stands_beside
from igakulm.report.page import finite
from igakulm.report.paired import Pair, pairs_of

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
MAX_PAIRS = 60
"""Of more comparisons only those that show a difference are listed."""


def render_markdown(scoreboard: Mapping[str, Any]) -> str:
    """Markdown tables: value [low, high] n for our rows, the bare value for published ones, which carry a dagger.

    The same scoreboard gives the same text.

    Args:
        scoreboard: as `scoreboard.json` holds it; keys that an older one lacks leave their part out.
    """
    board = Board(scoreboard, None)
    parts = ["# Scoreboard", ""]
    for split, tasks in board.splits.items():
        parts += [f"## Split: {_plain(split)}", ""]
        names = dict.fromkeys(metric for task in tasks for metric in task.metrics)
        for metric in [name for name in METRICS if name in names] + [name for name in names if name not in METRICS]:
            parts += [f"### {_plain(METRICS.get(metric, metric))}", "", *_table(board, tasks, metric), ""]
    parts += _paired(pairs_of(board)) + _passing(board.rows("passing"))
    parts += _notes(board)
    return "\n".join(parts).rstrip() + "\n"


def _plain(text: object) -> str:
    """A text for a table cell: names come from outside."""
    printable = "".join(character if character.isprintable() else " " for character in str(text))
    return printable.replace("|", "\\|").replace("<", "&lt;")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|---" * len(cells) + "|"]


def _table(board: Board, tasks: Sequence[Task], metric: str) -> list[str]:
    columns = [task for task in tasks if metric in task.metrics]
    lines = [line for line in lines_of(tasks) if any(line.score(task, metric) for task in columns)]
    text = _head(["model", *(_plain(task.name) for task in columns)])
    text += [_row([_who(line), *(_cell(line.score(task, metric)) for task in columns)]) for line in lines]
    published: dict[str, dict[str, float]] = {}
    for row in board.rows("published"):
        value = finite(row.get("value"))
        if row.get("metric") == metric and value is not None and any(stands_beside(row, task) for task in columns):
            published.setdefault(_plain(row.get("model")), {})[str(row.get("task"))] = value
    for model, values in published.items():
        figures = [f"{values[task.name]:.3f}" if task.name in values else "" for task in columns]
        text.append(_row([f"{model} {MARK}", *figures]))
    return text


def _who(line: Line) -> str:
    if line.role == BASELINE_MODE:
        return _plain(line.model)
    ways = dict.fromkeys(", ".join(filter(None, variant)) for variant in line.variants)
    return _plain(f"{line.model} ({'; '.join(ways)})") if any(ways) else _plain(line.model)


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    text = f"{score.value:.3f}"
    if score.low is not None and score.high is not None:
        text += f" [{score.low:.3f}, {score.high:.3f}]"
    if score.n is not None:
        text += f" n={score.n}"
    return f"{text}, {score.unparsed:.0%} unread" if score.unparsed else text


def _paired(pairs: Sequence[Pair]) -> list[str]:
    if not pairs:
        return []
    shown = pairs if len(pairs) <= MAX_PAIRS else [pair for pair in pairs if pair.sign]
    heads = ["task (split)", "metric", "first", "second", "first − second", "p", "p (Holm)", "n", "difference"]
    text = ["## Paired comparisons", "", *_head(heads)]
    for pair in shown:
        interval = f" [{pair.low:+.3f}, {pair.high:+.3f}]" if pair.low is not None and pair.high is not None else ""
        text.append(
            _row(
                [
                    _plain(f"{pair.task} ({pair.split})"),
                    _plain(pair.metric),
                    *(_plain(f"{model} ({mode})" if mode else model) for model, mode in (pair.first, pair.second)),
                    f"{pair.difference:+.3f}{interval}",
                    *("" if p is None else f"{p:.4f}" for p in (pair.p, pair.adjusted)),
                    str(pair.n if pair.n is not None else ""),
                    {1: "first higher", -1: "second higher", 0: "not shown"}[pair.sign],
                ]
            )
        )
    if len(shown) < len(pairs):
        text += ["", f"{len(pairs) - len(shown)} further comparisons show no difference."]
    return [*text, "", "p values are two-sided; Holm's correction is over the comparisons of one task and split.", ""]


def _passing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    heads = ["model", "year", "required", "general", "contra-indicated", "result"]
    text = ["## National examination", "", *_head(heads)]
    for row in rows:
        who = f"{row.get('model')} ({row.get('answer_mode')})"
        result = "not judged"
        if row.get("complete") is True and isinstance(row.get("passed"), bool):
            result = "passed" if row["passed"] else "failed"
        text.append(
            _row(
                [
                    _plain(who),
                    _plain(row.get("year")),
                    *(_points(row, part) for part in ("required", "general")),
                    f"{_number(row.get('contraindicated'))} (at most {_number(row.get('contraindicated_limit'))})",
                    result,
                ]
            )
        )
    return [*text, "", "Not judged: not all questions of the year were scored.", ""]


def _points(row: Mapping[str, Any], part: str) -> str:
    points, total, mark = (_number(row.get(part + end)) for end in ("", "_total", "_mark"))
    return f"{points}/{total} (mark {mark})"


def _number(value: object) -> str:
    number = finite(value)
    return "–" if number is None else f"{number:g}"


def _notes(board: Board) -> list[str]:
    notes = ["Brackets: 95 % bootstrap interval over documents. Unread: answers that could not be parsed (wrong)."]
    if board.rows("published"):
        notes.append(f"{MARK} As published, on the published split; IgakuQA with image questions. Not measured here.")
    cut = {(s.model, s.task): s.truncated for task in board.tasks for s in task.scores if s.truncated}
    for (model, task), number in cut.items():
        notes.append(f"{_plain(model)}, {_plain(task)}: {number} prompts were cut to fit.")
    return [line for note in notes for line in (note, "")]
