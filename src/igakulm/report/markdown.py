"""The scoreboard as Markdown: for each split a table of every metric, comparisons, the examination.

Does: render a scoreboard. Does not: compute scores or write files, or make the HTML report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from igakulm.evaluation.comparisons import Pair, pairs_of
from igakulm.evaluation.score_tables import Board, Line, TaskScores, lines_of, stands_beside
from igakulm.evaluation.scoreboard import BASELINE_MODE, PassingRow, Score, Scoreboard
from igakulm.report.numbers import Language, points
from igakulm.report.scores import left_out_reasons, remarks
from igakulm.report.words import Words, words

MARK = "†"
MAX_PAIRS = 60
"""Of more comparisons only those that show a difference are listed."""


def render_markdown(scoreboard: Scoreboard, language: Language = "en") -> str:
    """Markdown tables: value [low, high] n for our rows, the bare value for published ones, which carry a dagger.

    The same scoreboard gives the same text.
    """
    board, t = Board(scoreboard), words(language)
    parts = [f"# {t('markdown.title')}", ""]
    for split, tasks in board.splits.items():
        parts += [f"## {t('markdown.split', split=cell(split))}", ""]
        for metric in dict.fromkeys(metric for task in tasks for metric in task.metrics):
            parts += [f"### {cell(t.metric(metric))}", "", *_table(board, tasks, metric, t), ""]
    parts += [*_paired(pairs_of(board), t), *_passing(board.stored.passing, t), *_notes(board, t)]
    return "\n".join(parts).rstrip() + "\n"


def cell(value: object) -> str:
    r"""A value for a table: names come from outside, and no text can break out of its cell.

    >>> cell("a|b\nc<script>"), cell(12345), cell(None)
    ('a\\|b c&lt;script>', '12,345', '-')
    """
    if isinstance(value, int):
        return f"{value:,}"
    text = "-" if value is None else str(value)
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split()).replace("|", "\\|").replace("<", "&lt;")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; cells are taken as they are where they are markdown already (see `cell`)."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]


def _table(board: Board, tasks: Sequence[TaskScores], metric: str, t: Words) -> list[str]:
    columns = [task for task in tasks if metric in task.metrics]
    lines = [line for line in lines_of(tasks) if any(line.score(task, metric) for task in columns)]
    rows = [[_who(line), *(_score(line.score(task, metric), t) for task in columns)] for line in lines]
    published: dict[str, dict[str, float]] = {}
    for row in board.stored.published:
        if row.metric == metric and row.value is not None and any(stands_beside(row, task) for task in columns):
            published.setdefault(cell(row.model), {})[row.task] = row.value
    for model, values in published.items():
        figures = [f"{values[task.name]:.3f}" if task.name in values else "" for task in columns]
        rows.append([f"{model} {MARK}", *figures])
    return table([t("column.model"), *(cell(task.name) for task in columns)], rows)


def _who(line: Line) -> str:
    ways = [] if line.role == BASELINE_MODE else dict.fromkeys(", ".join(filter(None, way)) for way in line.variants)
    return cell(f"{line.model} ({'; '.join(ways)})" if any(ways) else line.model)


def _score(score: Score | None, t: Words) -> str:
    if score is None:
        return ""
    text = f"{score.value:.3f}"
    if score.low is not None and score.high is not None:
        text += f" [{score.low:.3f}, {score.high:.3f}]"
    text += f" n={score.n}" if score.n is not None else ""
    marks = [t("scores.unread", share=f"{score.unparsed:.0%}")] if score.unparsed else []
    marks += [t("scores.cut_short", n=score.cut)] if score.cut else []
    marks += [t("scores.no_answer", n=score.unanswered)] if score.unanswered else []
    return ", ".join([text, *marks])


def _paired(pairs: Sequence[Pair], t: Words) -> list[str]:
    if not pairs:
        return []
    shown = pairs if len(pairs) <= MAX_PAIRS else [pair for pair in pairs if pair.sign]
    rows = []
    for pair in shown:
        interval = f" [{pair.low:+.3f}, {pair.high:+.3f}]" if pair.low is not None and pair.high is not None else ""
        sides = [cell(f"{model} ({mode})" if mode else model) for model, mode in (pair.first, pair.second)]
        p_values = ["" if p is None else f"{p:.4f}" for p in (pair.p, pair.adjusted)]
        verdict = t("paired.untested" if pair.adjusted is None else f"paired.sign{pair.sign}")
        place, metric = cell(f"{pair.task} ({pair.split})"), cell(pair.metric)
        difference = f"{pair.difference:+.3f}{interval}"
        rows.append([place, metric, *sides, difference, *p_values, "" if pair.n is None else pair.n, verdict])
    text = [f"## {t('markdown.paired')}", "", *table(t("markdown.paired_columns").split("|"), rows)]
    if len(shown) < len(pairs):
        text += ["", t("markdown.more_pairs", n=len(pairs) - len(shown))]
    return [*text, "", t("markdown.paired_note"), ""]


def _passing(rows: Sequence[PassingRow], t: Words) -> list[str]:
    if not rows:
        return []
    body = [
        [
            cell(f"{row.model} ({row.answer_mode})"),
            cell(row.year),
            f"{points(row.required)}/{points(row.required_total)} ({t('exam.mark', n=points(row.required_mark))})",
            f"{points(row.general)}/{points(row.general_total)} ({t('exam.mark', n=points(row.general_mark))})",
            f"{points(row.contraindicated)} ({t('exam.limit', n=points(row.contraindicated_limit))})",
            t("exam.open" if not row.complete or row.passed is None else "exam.yes" if row.passed else "exam.no"),
        ]
        for row in rows
    ]
    return [f"## {t('evaluation.exam')}", "", *table(t("exam.columns").split("|"), body), "", t("exam.not_judged"), ""]


def _notes(board: Board, t: Words) -> list[str]:
    stored = board.stored
    notes = [t("markdown.brackets")]
    if stored.max_items is not None:
        notes.append(t("scores.max_items", n=stored.max_items))
    for task, reasons in stored.left_out.items():
        notes.append(
            t(
                "markdown.left_out",
                task=cell(task),
                n=sum(reasons.values()),
                reasons=left_out_reasons(reasons, t.language),
            )
        )
    if stored.published:
        notes.append(t("markdown.published", mark=MARK))
    notes += map(cell, remarks((score for task in board.tasks for score in task.scores), t.language))
    return [line for note in notes for line in (note, "")]
