"""The report's section on scores: scoreboard, intervals, definitions of the metrics, every figure.

Does: show what the evaluate stage measured. Does not: measure, or rank what was not measured here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from igakulm.evaluation.report_charts import Estimate, forest_chart
from igakulm.evaluation.report_inputs import MODELS, RunRecord, Score, Task
from igakulm.evaluation.report_items import items_part
from igakulm.evaluation.report_page import (
    MISSING,
    Child,
    Html,
    count,
    details,
    el,
    join,
    note,
    percent,
    section,
    table,
)
from igakulm.evaluation.report_published import leakage_part, published_part
from igakulm.evaluation.report_words import METRICS, MODES, SPLITS, figure_text, metric_name, model_name


def scores_section(number: int, record: RunRecord) -> Html:
    """Everything about the scores."""
    if not record.tasks:
        return section("scores", number, "評価", note("この実行には評価の記録がありません。"))
    return section(
        "scores",
        number,
        "評価",
        _scoreboard(record),
        _remarks(record),
        _forests(record),
        _definitions(record.tasks),
        leakage_part(record),
        items_part(record),
        published_part(record),
        _all_figures(record),
        _prompts(record),
    )


def _scoreboard(record: RunRecord) -> Html:
    tasks = record.tasks
    usual = _usual_split(tasks)
    head: list[Child] = ["モデル", *(_task_head(task, usual) for task in tasks)]
    rows = []
    for model in record.models:
        cells = [el("th", model_name(model), el("small", el("code", model)), scope="row")]
        cells += [_score_cell(task.main(model), task.best) for task in tasks]
        rows.append(el("tr", cells, class_="ours" if model == "tuned" else None))
    body = join(el("thead", el("tr", [_head_cell(cell) for cell in head])), el("tbody", rows))
    caption = el("caption", "得点表（太字は課題ごとの最高値、括弧内は95 %信頼区間）")
    inner = el("table", caption, body, class_="numbers wide scores")
    return el("div", inner, class_="scroll", tabindex=0, role="region", aria_label="得点表")


def _head_cell(cell: Child) -> Html:
    return cell if isinstance(cell, Html) else el("th", cell, scope="col")


def _usual_split(tasks: Sequence[Task]) -> str:
    """The split of most tasks; it is named once, the others in their columns."""
    return max(Counter(task.split for task in tasks).items(), key=lambda pair: pair[1])[0]


def _task_head(task: Task, usual_split: str) -> Html:
    sizes = sorted({score.n for score in task.main_scores if score.n is not None})
    n = f"n = {count(sizes[0])}" if len(sizes) == 1 else f"n = {count(sizes[0])}–{count(sizes[-1])}" if sizes else ""
    split = SPLITS.get(task.split, task.split) if task.split != usual_split else None
    return el(
        "th",
        task.name,
        el("small", metric_name(task.metric)),
        el("small", n),
        split and el("small", split),
        scope="col",
    )


def _score_cell(score: Score | None, best: float | None) -> Html:
    if score is None:
        return el("td", MISSING)
    interval = None
    if score.low is not None and score.high is not None:
        interval = el("small", f"[{figure_text(score.low)}, {figure_text(score.high)}]")
    unread = el("small", f"不読 {percent(score.unparsed, 0)}") if score.unparsed else None
    return el(
        "td",
        figure_text(score.value),
        interval,
        unread,
        class_="best" if math.isclose(score.value, best or 0.0, abs_tol=1e-9) else None,
    )


def _remarks(record: RunRecord) -> Html:
    asked = [score for task in record.tasks for score in task.scores if score.model in MODELS]
    modes = dict.fromkeys(score.answer_mode for score in asked if score.answer_mode)
    bootstrap = record.scoreboard.get("bootstrap")
    samples = count(bootstrap.get("samples")) if isinstance(bootstrap, dict) else MISSING
    times = f"（{samples} 回）" if samples != MISSING else ""
    parts = [f"区間はテスト文書を単位とするブートストラップ{times}による。"]
    parts.append("「不読」は答えとして読み取れなかった割合で、不正解に数える。")
    if modes:
        parts.append(f"モデルの答え方：{'、'.join(MODES.get(mode, mode) for mode in modes)}。")
    if usual := _usual_split(record.tasks):
        parts.append(f"分割：{SPLITS.get(usual, usual)}（別のものは列の見出しに示す）。")
    cut = {(score.task, score.model): score.truncated for score in asked if score.truncated}
    for (task, model), number in cut.items():
        parts.append(f"{task} の {count(number)} 問は、{model_name(model)}の文脈長に合わせて文書の前を切った。")
    return note(*parts)


def _forests(record: RunRecord) -> Html:
    charts = []
    for task in record.tasks:
        scores = [score for model in record.models if (score := task.main(model))]
        majority = task.main("majority")
        estimates = [
            Estimate(model_name(score.model), score.value, score.low, score.high, _style(score.model))
            for score in scores
        ]
        charts.append(
            forest_chart(task.name, metric_name(task.metric), estimates, majority.value if majority else None)
        )
    return join(
        el("h3", "課題ごとの値と95 %信頼区間"),
        el("div", charts, class_="charts"),
        note("破線は「最頻の答え」の値。塗りつぶした青が調整後モデル、白抜きの青が事前学習モデル、灰色が基準線。"),
    )


def _style(model: str) -> str:
    return {"tuned": "ours", "base": "base"}.get(model, "")


def _definitions(tasks: Sequence[Task]) -> Html:
    used = dict.fromkeys(score.metric.removesuffix("_micro") for task in tasks for score in task.scores)
    lines = [
        el("li", el("b", METRICS[name][0]), " ", el("code", name), "：", METRICS[name][1])
        for name in METRICS
        if name in used
    ]
    return join(el("h3", "指標の定義"), el("ul", lines, class_="definitions")) if lines else Html("")


def _all_figures(record: RunRecord) -> Html:
    rows: list[Sequence[Child]] = [
        [
            f"{task.name}",
            el("td", model_name(score.model), class_="text"),
            el("td", metric_name(score.metric), class_="text"),
            figure_text(score.value),
            figure_text(score.low),
            figure_text(score.high),
            count(score.n),
            el("td", MODES.get(score.answer_mode, score.answer_mode or MISSING), class_="text"),
            percent(score.unparsed),
        ]
        for task in record.tasks
        for score in task.scores
    ]
    text_heads = [el("th", name, scope="col", class_="text") for name in ("モデル", "指標")]
    mode_head = el("th", "答え方", scope="col", class_="text")
    head: list[Child] = ["課題", *text_heads, "値", "下限", "上限", "n", mode_head, "不読"]
    return details(f"すべての指標（{count(len(rows))} 行）", table(head, rows, kind="wide"))


def _prompts(record: RunRecord) -> Html:
    seen: dict[tuple[str, str, str], None] = {}
    for task in record.tasks:
        for score in task.scores:
            if score.prompt_sha256:
                seen[(task.name, model_name(score.model), score.prompt_sha256)] = None
    rows: list[Sequence[Child]] = [[task, model, el("td", el("code", sha))] for task, model, sha in seen]
    return details("指示文のSHA-256", table(["課題", "モデル", "SHA-256"], rows, numbers=False)) if rows else Html("")
