"""The report's scores: a table and forest plots for each split, and every figure.

Does: show what was measured. Does not: measure, or rank what was not measured here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from igakulm.report.board import BASELINE_MODE, OLD_MODELS, Board, Line, Score, Task, lines_of, stands_beside
from igakulm.report.forest import Estimate, Reported, forest_chart
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    bulk,
    count,
    details,
    el,
    finite,
    heading,
    join,
    note,
    percent,
    scroll,
    table,
)
from igakulm.report.words import (
    figure_text,
    metric_name,
    mode_name,
    model_name,
    shortened,
    split_meaning,
    split_name,
    style_name,
)

WIDE = 3
"""A table of more columns takes the whole width."""
BASELINES = "基準線（言語モデルを使わない）"


def scores_part(board: Board, level: int) -> Html:
    """For each split its table and forest plots (folded unless a task is new), then every figure."""
    parts = []
    for number, (split, tasks) in enumerate(board.splits.items()):
        charts = _forests(board, tasks)
        new = any(task in board.first_tasks for task in tasks)
        shown = charts if new else bulk(f"図：課題ごとの値と95 %信頼区間（{split_name(split)}）", charts)
        meaning = split_meaning(split)
        parts += [
            heading(level, split_name(split), anchor=f"split-{number}"),
            el("p", meaning) if meaning else None,
            _scoreboard(board, tasks, split_name(split)),
            _cut_prompts(tasks),
            shown,
            _further_metrics(board, tasks),
        ]
    return join(_reading(board), *parts, _all_figures(board))


def _reading(board: Board) -> Html:
    bootstrap = board.raw.get("bootstrap")
    samples = finite(bootstrap.get("samples")) if isinstance(bootstrap, dict) else None
    times = f"（{count(samples)} 回）" if samples is not None else ""
    return note(
        "括弧内は95 %信頼区間。同じ文書から作られた問題を一組として選び直すブートストラップ"
        f"{times}による。太字は列ごとの最高値で、区間が重なる相手との差を意味しない。"
        "「不読」は答えとして読み取れなかった割合で、不正解に数える。"
    )


def _scoreboard(board: Board, tasks: Sequence[Task], name: str) -> Html:
    """Tasks as columns; where there is one task only, its metrics."""
    if len(tasks) == 1:
        columns = [(tasks[0], metric) for metric in tasks[0].metrics]
    else:
        columns = [(task, task.metric) for task in tasks]
    return _score_table(board, tasks, columns, f"得点表：{name}", with_caption=False)


def _score_table(
    board: Board, tasks: Sequence[Task], columns: Sequence[tuple[Task, str]], title: str, *, with_caption: bool
) -> Html:
    lines = [line for line in lines_of(tasks) if any(line.score(*column) for column in columns)]
    best = [max((score.value for score in task.in_metric(metric)), default=0.0) for task, metric in columns]
    rows: list[Html] = []
    for place, line in enumerate(lines):
        if line.role == BASELINE_MODE and (place == 0 or lines[place - 1].role != BASELINE_MODE):
            rows.append(el("tr", el("th", BASELINES, colspan=len(columns) + 1, scope="colgroup"), class_="part"))
        cells = [_score_cell(line.score(*column), top) for column, top in zip(columns, best, strict=True)]
        rows.append(el("tr", _line_head(line), cells, class_="ours" if line.model == board.focus else None))
    head = el("tr", el("th", "モデル", scope="col"), [_column_head(*column) for column in columns])
    caption = el("caption", title) if with_caption else None
    kind = "numbers wide scores" if len(columns) > WIDE else "numbers scores"
    inner = el("table", caption, el("thead", head), el("tbody", rows), class_=kind)
    return scroll(title, inner)


def _line_head(line: Line) -> Html:
    return el("th", model_name(line.model), el("small", manner(line)) if manner(line) else None, scope="row")


def manner(line: Line) -> str:
    """How a line's model was asked: ways of answering, then the layouts of the prompt; empty for baselines.

    >>> manner(Line("m", "model", [("options-letter", "chat"), ("generate", "chat")]))
    '記号の尤度／自由生成 · 対話形式'
    """
    if line.role == BASELINE_MODE:
        return ""
    modes = dict.fromkeys(mode_name(mode) for mode, _ in line.variants if mode)
    styles = dict.fromkeys(style_name(style) for _, style in line.variants if style)
    return " · ".join(filter(None, ("／".join(modes), "／".join(styles))))


def _column_head(task: Task, metric: str) -> Html:
    sizes = sorted({score.n for score in task.in_metric(metric) if score.n is not None})
    n = f"n = {count(sizes[0])}" if len(sizes) == 1 else f"n = {count(sizes[0])}–{count(sizes[-1])}" if sizes else ""
    return el(
        "th",
        shortened(task.name, 32),
        el("small", metric_name(metric)),
        el("small", n) if n else None,
        scope="col",
    )


def interval_text(low: object, high: object) -> str:
    """An interval in brackets; empty when it is not known."""
    if finite(low) is None or finite(high) is None:
        return ""
    return f"[{figure_text(low)}, {figure_text(high)}]"


def _score_cell(score: Score | None, best: float) -> Html:
    if score is None:
        return el("td", MISSING)
    interval = interval_text(score.low, score.high)
    share = score.unparsed or 0.0
    few = "1 % 未満" if share < 0.005 else percent(share, 0)
    unread = el("small", f"不読 {few}") if share else None
    return el(
        "td",
        figure_text(score.value),
        el("small", interval) if interval else None,
        unread,
        class_="best" if math.isclose(score.value, best, abs_tol=1e-9) else None,
    )


def _cut_prompts(tasks: Sequence[Task]) -> Html:
    cut: dict[tuple[str, str], int] = {}
    for score in (score for task in tasks for score in task.scores if score.truncated):
        cut[(score.task, score.model)] = max(score.truncated, cut.get((score.task, score.model), 0))
    if not cut:
        return Html("")
    remarks = [
        f"{shortened(task)} の {count(number)} 問は、{model_name(model)}の文脈長に合わせて文書の前を切った。"
        for (task, model), number in cut.items()
    ]
    return note("".join(remarks)) if len(remarks) <= 3 else details("文書の前を切った問題", note("".join(remarks)))


def _forests(board: Board, tasks: Sequence[Task]) -> Html:
    charts = []
    for task in tasks:
        for metric in _drawn_metrics(board, task):
            reported = _reported(board, task, metric)
            majority = task.of("majority", metric)
            charts.append(
                forest_chart(
                    shortened(task.name),
                    metric_name(metric) + (f"、n = {count(task.n)}" if task.n is not None else ""),
                    _estimates(task, metric, lines_of(tasks)),
                    majority.value if majority else None,
                    reported,
                )
            )
    return join(el("div", charts, class_="charts wide"), _legend("".join(charts)))


def _drawn_metrics(board: Board, task: Task) -> list[str]:
    """The main metric; beside it the one in which figures were published, where that is another."""
    others = [metric for metric in task.metrics[1:] if metric.endswith("_upstream") and _reported(board, task, metric)]
    return [task.metric] if _reported(board, task, task.metric) else [task.metric, *others[:1]]


def _reported(board: Board, task: Task, metric: str) -> Reported | None:
    values = tuple(
        (str(row.get("model")), value)
        for row in board.rows("published")
        if row.get("metric") == metric and stands_beside(row, task) and (value := finite(row.get("value"))) is not None
    )
    wider = "、画像問題も含む" if task.split == "text-only" else ""
    return Reported(f"公表値（{len(values)} モデル{wider}）", values) if values else None


def _estimates(task: Task, metric: str, lines: Sequence[Line]) -> list[Estimate]:
    several = {line.model for line in lines if sum(other.model == line.model for other in lines) > 1}
    found = []
    for line in lines:
        score = line.score(task, metric)
        if score is None:
            continue
        remark = ""
        if line.model in several:
            remark = mode_name(score.answer_mode) + (f" · {style_name(score.prompt_style)}" * bool(score.prompt_style))
        style = "" if line.role == BASELINE_MODE else "base" if line.model == OLD_MODELS[0] else "ours"
        found.append(Estimate(model_name(line.model), score.value, score.low, score.high, style, remark))
    return found


def _legend(charts: str) -> Html:
    """Only what occurs in the charts."""
    remarks = {
        'class="ours"': "青はモデル",
        'class="base"': "白抜きは事前学習モデル",
        "<tr><th": "灰色は基準線",
        "<i ": "横線は95 %信頼区間",
        "<u ": "縦の破線は「最頻の答え」の値",
        'class="reported"': "菱形は公表値で、ここでは測定していない（右端は最小値と最大値、内訳は「公表値」の表）",
    }
    return note("、".join(text for sign, text in remarks.items() if sign in charts) + "。")


def _further_metrics(board: Board, tasks: Sequence[Task]) -> Html:
    """A table for each metric that is not the main one of its task; a single task shows all of them already."""
    metrics = dict.fromkeys(metric for task in tasks for metric in task.metrics[1:]) if len(tasks) > 1 else {}
    if not metrics:
        return Html("")
    tables = []
    for metric in metrics:
        columns = [(task, metric) for task in tasks if metric in task.metrics]
        tables.append(_score_table(board, tasks, columns, metric_name(metric), with_caption=True))
    return bulk(f"ほかの指標の得点表（{'、'.join(map(metric_name, metrics))}）", *tables)


def _all_figures(board: Board) -> Html:
    scores = [score for task in board.tasks for score in task.scores]
    rows: list[Sequence[Child]] = [
        [
            shortened(score.task),
            el("td", split_name(score.split), class_="text"),
            el("td", model_name(score.model), class_="text"),
            el("td", mode_name(score.answer_mode) or MISSING, class_="text"),
            el("td", metric_name(score.metric), class_="text"),
            figure_text(score.value),
            figure_text(score.low),
            figure_text(score.high),
            count(score.n),
            percent(score.unparsed),
        ]
        for score in scores
    ]
    text_heads = [el("th", name, scope="col", class_="text") for name in ("分割", "モデル", "答え方", "指標")]
    head: list[Child] = ["課題", *text_heads, "値", "下限", "上限", "n", "不読"]
    return bulk(f"すべての値（{count(len(rows))} 行）", table(head, rows, kind="wide"))
