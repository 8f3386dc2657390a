"""The report's scores: a table and forest plots for each split, and what stands behind the figures.

Does: arrange what was measured. Does not: measure, or rank what was not measured here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from igakulm.evaluation.comparisons import FEW_DOCUMENTS
from igakulm.evaluation.score_tables import Board, Line, TaskScores, lines_of, stands_beside
from igakulm.evaluation.scoreboard import BASELINE_MODE, OLD_MODELS, Score
from igakulm.report.charts import Estimate, Forest, Reported, forest_chart
from igakulm.report.numbers import Language, count, shortened
from igakulm.report.render import render
from igakulm.report.words import LANGUAGES, words
from igakulm.tasks.benchmarks.registry import benchmark_of
from igakulm.tasks.left_out import REASONS


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a score table; `n` and `documents` as text, "50" or "48–50"; `few`: too few for intervals;
    `left_out`: rows of the file that no item could be made of; `limit`: only so many items were asked, where that cut.
    """

    task: TaskScores
    metric: str
    n: str
    documents: str
    few: bool
    left_out: int
    limit: int | None
    best: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a score table: a model with the way it was asked, and its figures."""

    line: Line
    manner: str
    scores: list[Score | None]
    ours: bool

    @property
    def is_baseline(self) -> bool:
        """Whether no language model stands behind it."""
        return self.line.role == BASELINE_MODE


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Models by tasks in their main metrics, or in one further metric."""

    title: str
    caption: str
    columns: list[Column]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Split:
    """Everything about the scores of one split; `folded`: no task is new in it; `remarks`: see `remarks`."""

    name: str
    meaning: str
    table: ScoreTable
    further: list[ScoreTable]
    charts: list[Forest]
    legend: list[str]
    folded: bool
    remarks: list[str]


def scores_part(board: Board, level: int, language: Language) -> Markup:
    """For each split its table and forest plots (folded unless a task is new), then every figure."""
    scores = [score for task in board.tasks for score in task.scores]
    few = {s.task for s in scores if s.documents is not None and s.documents < FEW_DOCUMENTS}
    return render(
        "scores.html.j2",
        language,
        level=level,
        bootstrap=board.stored.bootstrap,
        splits=[_split(board, split, tasks, language) for split, tasks in board.splits.items()],
        few=[shortened(task) for task in dict.fromkeys(s.task for s in scores) if task in few],
        least=FEW_DOCUMENTS,
        max_items=board.stored.max_items,
        left_out=_left_out(board, language),
        scores=scores,
    )


def _left_out(board: Board, language: Language) -> list[tuple[str, int, str]]:
    """Task, rows that were left out of its files, reasons with their numbers; then the files that were not there."""
    return [
        (shortened(task), sum(reasons.values()), left_out_reasons(reasons, language))
        for found in (board.stored.left_out, board.stored.missing)
        for task, reasons in found.items()
    ]


def left_out_reasons(reasons: Mapping[str, int], language: Language) -> str:
    """Reasons with their numbers.

    >>> left_out_reasons({"image": 3, "other": 1}, "ja")
    '図が必要 3、other 1'
    """
    texts = {code: text[LANGUAGES.index(language) - 1] for code, text in REASONS.items()}  # English stands first there
    return words(language).listed(f"{texts.get(code, shortened(code))} {count(n)}" for code, n in reasons.items())


def meaning_of(board: Board, split: str, tasks: Sequence[TaskScores], language: Language) -> str:
    """What a split consists of on this board: whose items, and whether training rows share their documents."""
    t = words(language)
    if split != "published":
        return t.split_meaning(split, complete=is_complete(board, tasks))
    names = {task.name for task in tasks}
    known = [row for row in board.stored.leakage if row.split == split and row.task in names]
    shared = [row.test_shared for row in known if row.test_shared is not None]
    if any(shared):
        more = "some"
    else:
        more = "none" if {row.task for row in known if row.test_shared is not None} >= names else "unknown"
    items = t.split_meaning(split) if any(map(benchmark_of, names)) else t("split.given_items")
    return items + t(f"split.shared_{more}")


def is_complete(board: Board, tasks: Sequence[TaskScores]) -> bool:
    """Whether every row of the tasks' files was asked; older boards do not say."""
    stored = board.stored
    known = "left_out" in stored.model_fields_set and stored.max_items is None
    return known and not any(stored.left_out.get(task.name) or stored.missing.get(task.name) for task in tasks)


def _split(board: Board, split: str, tasks: Sequence[TaskScores], language: Language) -> Split:
    t, lines = words(language), lines_of(tasks)
    charts = [_forest(board, task, metric, lines, language) for task in tasks for metric in _drawn(board, task)]
    columns = [(task, task.metric) for task in tasks]
    further = dict.fromkeys(metric for task in tasks for metric in task.metrics[1:])
    if len(tasks) == 1:  # its metrics as columns
        columns, further = [(tasks[0], metric) for metric in tasks[0].metrics], {}
    title = t("scores.table", split=t.split(split))
    return Split(
        t.split(split),
        meaning_of(board, split, tasks, language),
        _table(board, lines, columns, title, "", language),
        [
            _table(board, lines, [(task, m) for task in tasks if m in task.metrics], t.metric(m), t.metric(m), language)
            for m in further
        ],
        charts,
        _legend(charts),
        not any(task in board.first_tasks for task in tasks),
        remarks((score for task in tasks for score in task.scores), language),
    )


def remarks(scores: Iterable[Score], language: Language) -> list[str]:
    """A sentence for each task and model of which prompts or answers were cut, or items have no answer."""
    t = words(language)
    found: dict[tuple[str, str, str], int] = {}
    for score in scores:
        for key, number in (("cut", score.truncated), ("cut_answers", score.cut), ("unanswered", score.unanswered)):
            if number:
                place = (key, shortened(score.task), score.model)
                found[place] = max(number, found.get(place, 0))
    return [
        t(f"scores.{key}", task=task, model=t.model(model), n=count(number)).strip()
        for (key, task, model), number in found.items()
    ]


def _table(
    board: Board,
    lines: Sequence[Line],
    columns: Sequence[tuple[TaskScores, str]],
    title: str,
    caption: str,
    language: Language,
) -> ScoreTable:
    rows = [
        Row(line, manner(line, columns, language), scores, line.model == board.focus)
        for line in lines
        if any(scores := [line.score(task, metric) for task, metric in columns])
    ]
    return ScoreTable(title, caption, [_column(board, task, metric) for task, metric in columns], rows)


def _column(board: Board, task: TaskScores, metric: str) -> Column:
    scores = task.in_metric(metric)
    documents = sorted({score.documents for score in scores if score.documents is not None})
    few = bool(documents) and documents[0] < FEW_DOCUMENTS
    sizes = sorted({score.n for score in scores if score.n is not None})
    left_out = sum(board.stored.left_out.get(task.name, {}).values())
    limit = board.stored.max_items if board.stored.max_items in sizes else None
    best = max((score.value for score in scores), default=0.0)
    return Column(task, metric, _range(sizes), _range(documents), few, left_out, limit, best)


def _range(numbers: Sequence[int]) -> str:
    """A number, or the least and greatest of several; empty for none."""
    return "–".join(map(count, dict.fromkeys((numbers[0], numbers[-1])))) if numbers else ""


def manner(line: Line, columns: Sequence[tuple[TaskScores, str]], language: Language) -> str:
    """How a line's model was asked: ways of answering, layouts of the prompt, precision; empty for baselines."""
    t = words(language)
    if line.role == BASELINE_MODE:
        return ""
    scores = [score for task, metric in columns if (score := line.score(task, metric))]
    modes = dict.fromkeys(t.mode(mode) for mode, _ in line.variants if mode)
    styles = dict.fromkeys(t.style(score.prompt_style, score.wording) for score in scores if score.prompt_style)
    precisions = dict.fromkeys(score.precision for score in scores if score.precision)
    return " · ".join(t("slash").join(names) for names in (modes, styles, precisions) if names)


def _drawn(board: Board, task: TaskScores) -> list[str]:
    """The main metric; beside it the one in which figures were published, where that is another."""
    if _reported(board, task, task.metric, "ja"):
        return [task.metric]
    others = [metric for metric in task.metrics[1:] if _reported(board, task, metric, "ja")]
    return [task.metric, *others[:1]]


def _reported(board: Board, task: TaskScores, metric: str, language: Language) -> Reported | None:
    """Figures of others in this very metric on this very split."""
    values = tuple(
        (row.model, row.value)
        for row in board.stored.published
        if row.metric == metric and row.value is not None and stands_beside(row, task)
    )
    key = "scores.reported_wider" if task.split == "text-only" else "scores.reported"
    return Reported(words(language)(key, n=len(values)), values) if values else None


def _forest(board: Board, task: TaskScores, metric: str, lines: Sequence[Line], language: Language) -> Forest:
    t, majority = words(language), task.of("majority", metric)
    several = {line.model for line in lines if sum(other.model == line.model for other in lines) > 1}
    rows = []
    for line in lines:
        if score := line.score(task, metric):
            way = (t.mode(score.answer_mode), t.style(score.prompt_style, score.wording) if score.prompt_style else "")
            remark = " · ".join(filter(None, way)) if line.model in several else ""
            style = "" if line.role == BASELINE_MODE else "base" if line.model == OLD_MODELS[0] else "ours"
            rows.append(Estimate(t.model(line.model), score.value, score.low, score.high, style, remark))
    subtitle = t.metric(metric) + (t("scores.n_after", n=count(task.n)) if task.n is not None else "")
    reference = majority.value if majority else None
    return forest_chart(shortened(task.name), subtitle, rows, reference, _reported(board, task, metric, language))


def _legend(charts: Sequence[Forest]) -> list[str]:
    """What occurs in the charts, as keys of the words."""
    rows = [row for chart in charts for row in chart.rows]
    occurs = {
        "ours": any(row.style == "ours" for row in rows),
        "base": any(row.style == "base" for row in rows),
        "baseline": any(not row.style for row in rows),
        "interval": any(row.low is not None and row.high is not None for row in rows),
        "reference": any(chart.reference is not None for chart in charts),
        "reported": any(chart.reported for chart in charts),
    }
    return [key for key, there in occurs.items() if there]
