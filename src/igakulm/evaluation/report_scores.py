"""The report's section on scores: scoreboard, intervals, published rows, definitions of the metrics.

Does: show what the evaluate stage measured. Does not: measure, or rank what was not measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from igakulm.evaluation.report_charts import Estimate, forest_chart
from igakulm.evaluation.report_inputs import MODELS, RunRecord, Score, Task, rows_of
from igakulm.evaluation.report_items import items_part
from igakulm.evaluation.report_page import (
    MISSING,
    Child,
    Html,
    count,
    decimal,
    details,
    el,
    finite,
    join,
    note,
    percent,
    section,
    table,
)

NAMES = {
    "chance": "無作為",
    "always-a": "常にA",
    "majority": "最頻の答え",
    "nearest": "最も近い訓練例",
    "ngram": "文字n-gram分類器",
    "dictionary": "辞書引き",
    "base": "事前学習モデル",
    "tuned": "調整後モデル",
}
METRICS = {
    "accuracy": ("正解率", "正しく答えた問題の割合。複数選択の問題はすべて合ってはじめて正解とする。"),
    "kappa": (
        "κ",
        "コーエンのκ係数。偶然の一致を除いた一致度で、0 は偶然と同じ、1 は完全一致。順序のある選択肢には一次の重みを付ける。",
    ),
    "score_share": ("得点率", "年度ごとの「得点÷配点」の平均。"),
    "overlap_f1": (
        "部分一致F1",
        "一方が他方を含み、長さが2倍以内の語句を一致とみなしたF1。1対1に対応させ、文書ごとのF1を平均する。",
    ),
    "exact_f1": ("完全一致F1", "語句が完全に一致したものだけを数えたF1。文書ごとのF1を平均する。"),
    "character_f1": ("文字F1", "共通する最長の部分文字列の長さで数えたF1。文書ごとのF1を平均する。"),
    "partial_f1_upstream": (
        "公表版の部分F1",
        "公表されたJMED-LLMの採点プログラムの計算をそのまま再現した値。1 を超えることがあり、公表値との比較にだけ使う。",
    ),
    "exact_f1_upstream": ("公表版の完全F1", "公表されたJMED-LLMの採点プログラムによる完全一致F1。"),
    "kappa_upstream": ("公表版のκ", "公表されたJMED-LLMの採点プログラムによる答えの読み取りとκ係数。"),
    "accuracy_upstream": ("公表版の正解率", "公表されたJMED-LLMの採点プログラムによる答えの読み取りと正解率。"),
}
MODES = {"options": "選択肢の尤度", "generate": "自由生成"}
SPLITS = {"published": "公表どおりの分割", "document-disjoint": "文書が重ならない分割"}


def model_name(model: str) -> str:
    """A model or baseline as it is called in the report."""
    return NAMES.get(model, model)


def metric_name(metric: str) -> str:
    """A metric as it is called in the report; the micro average of a known one is marked."""
    name = metric.removesuffix("_micro")
    known = METRICS[name][0] if name in METRICS else name
    return f"{known}（全体で集計）" if metric.endswith("_micro") else known


def figure_text(value: object) -> str:
    """A score: three digits up to 1, one digit beyond (per cent and points)."""
    number = finite(value)
    return decimal(number, 3 if number is None or abs(number) <= 2 else 1)


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
        items_part(record, model_name),
        _published(record),
        _all_figures(record),
        _prompts(record),
    )


def _scoreboard(record: RunRecord) -> Html:
    tasks = record.tasks
    several_splits = len({task.split for task in tasks}) > 1
    head: list[Child] = ["モデル", *(_task_head(task, several_splits) for task in tasks)]
    rows = []
    for model in record.models:
        cells = [el("th", model_name(model), el("small", el("code", model)), scope="row")]
        cells += [_score_cell(task.main(model), task.best) for task in tasks]
        rows.append(el("tr", cells, class_="ours" if model == "tuned" else None))
    body = join(el("thead", el("tr", [_head_cell(cell) for cell in head])), el("tbody", rows))
    caption = el("caption", "得点表（太字は課題ごとの最高値、括弧内は95 %信頼区間）")
    inner = el("table", caption, body, class_="numbers scores")
    return el("div", inner, class_="scroll", tabindex=0, role="region", aria_label="得点表")


def _head_cell(cell: Child) -> Html:
    return cell if isinstance(cell, Html) else el("th", cell, scope="col")


def _task_head(task: Task, several_splits: bool) -> Html:
    sizes = sorted({score.n for score in task.main_scores if score.n is not None})
    n = f"n = {count(sizes[0])}" if len(sizes) == 1 else f"n = {count(sizes[0])}–{count(sizes[-1])}" if sizes else ""
    split = SPLITS.get(task.split, task.split) if several_splits else None
    return el(
        "th", task.name, el("small", metric_name(task.metric)), el("small", n), split and el("small", split), scope="col"
    )


def _score_cell(score: Score | None, best: float | None) -> Html:
    if score is None:
        return el("td", MISSING)
    interval = None
    if score.low is not None and score.high is not None:
        interval = el("small", f"[{figure_text(score.low)}, {figure_text(score.high)}]")
    unread = el("small", f"不読 {percent(score.unparsed, 0)}") if score.unparsed else None
    return el("td", figure_text(score.value), interval, unread, class_="best" if score.value == best else None)


def _remarks(record: RunRecord) -> Html:
    modes = dict.fromkeys(
        score.answer_mode for task in record.tasks for score in task.scores if score.model in MODELS and score.answer_mode
    )
    splits = dict.fromkeys(task.split for task in record.tasks if task.split)
    parts = ["区間はテスト文書を単位とするブートストラップによる。「不読」は答えとして読み取れなかった割合で、不正解に数える。"]
    if modes:
        parts.append(f"モデルの答え方：{'、'.join(MODES.get(mode, mode) for mode in modes)}。")
    if splits:
        parts.append(f"分割：{'、'.join(SPLITS.get(split, split) for split in splits)}。")
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
        charts.append(forest_chart(task.name, metric_name(task.metric), estimates, majority and majority.value))
    return join(
        el("h3", "課題ごとの値と95 %信頼区間"),
        el("div", charts, class_="charts"),
        note("破線は「最頻の答え」の値。塗りつぶした青が調整後モデル、白抜きの青が事前学習モデル、灰色が基準線。"),
    )


def _style(model: str) -> str:
    return {"tuned": "ours", "base": "base"}.get(model, "")


def _definitions(tasks: Sequence[Task]) -> Html:
    used = dict.fromkeys(score.metric.removesuffix("_micro") for task in tasks for score in task.scores)
    lines = [el("li", el("b", METRICS[name][0]), " ", el("code", name), "：", METRICS[name][1]) for name in METRICS if name in used]
    return join(el("h3", "指標の定義"), el("ul", lines, class_="definitions")) if lines else Html("")


def _published(record: RunRecord) -> Html:
    """Published figures of the tasks that were measured here, one table for each metric family."""
    measured = {task.name for task in record.tasks}
    rows = [row for row in rows_of(record.scoreboard.get("published")) if row.get("task") in measured]
    if not rows:
        return Html("")
    columns = list(dict.fromkeys((str(row.get("task")), str(row.get("metric"))) for row in rows))
    models = list(dict.fromkeys((str(row.get("model")), str(row.get("source") or "")) for row in rows))
    values = {(str(row.get("model")), str(row.get("task")), str(row.get("metric"))): row.get("value") for row in rows}
    head: list[Child] = ["モデル"]
    head += [el("th", task, el("small", metric_name(metric)), scope="col") for task, metric in columns]
    body: list[Sequence[Child]] = [
        [
            el("th", model, el("small", source), scope="row"),
            *(figure_text(values.get((model, task, metric))) for task, metric in columns),
        ]
        for model, source in models
    ]
    return join(
        el("h3", "公表値（ここでは測定していない）"),
        table(head, body, caption="公表値（ここでは測定していない）", kind="scores"),
        note("文献や公開の順位表から写した値。問題の選び方、指示文、採点の違いがありうるため、上の得点表と直接には比べられない。"),
    )


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
    return details(f"すべての指標（{count(len(rows))} 行）", table(head, rows))


def _prompts(record: RunRecord) -> Html:
    seen: dict[tuple[str, str, str], None] = {}
    for task in record.tasks:
        for score in task.scores:
            if score.prompt_sha256:
                seen[(task.name, model_name(score.model), score.prompt_sha256)] = None
    rows: list[Sequence[Child]] = [[task, model, el("td", el("code", sha))] for task, model, sha in seen]
    return details("指示文のSHA-256", table(["課題", "モデル", "SHA-256"], rows, numbers=False)) if rows else Html("")


def published_count(record: RunRecord) -> int:
    """How many published figures stand beside the measured tasks."""
    measured = {task.name for task in record.tasks}
    rows: list[dict[str, Any]] = rows_of(record.scoreboard.get("published"))
    return sum(row.get("task") in measured for row in rows)
